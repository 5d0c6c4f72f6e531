"""Parts that people judged propose thresholds: which count, what would change, and what is promised."""

import json
import math
from itertools import chain

import numpy as np
import pytest
from judged_parts import detector_of, inspected, taught, verdict_of

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records.inspected.runs import remove_run, restore_run
from inspector.records.reviews import add_review, list_judged_parts, unjudged_results, withdraw_review
from inspector.records.shots import list_shots
from inspector.records.thresholds import list_calibrated, list_thresholds, propose_thresholds, set_thresholds
from inspector.verdicts.calibrate import with_good_parts
from inspector.verdicts.provenance import Basis, words

GOOD = [0.20 + number / 500 for number in range(30)]


@pytest.fixture
def parts(project):
    return project, *taught(project)


def test_nothing_is_proposed_before_anybody_has_judged(parts):
    project, class_id, detector_id = parts
    inspected(project, class_id, detector_id, GOOD)
    found = propose_thresholds(project, detector_id, class_id)
    assert not found.news
    assert found.good == found.defective == 0
    assert found.proposed.numbers == found.current.numbers
    assert propose_thresholds(project, detector_id, 99) is None


def test_confirmed_parts_propose_at_once_and_a_whole_run_of_them_keeps_its_promise(parts):
    project, class_id, detector_id = parts
    run_id, ids = inspected(project, class_id, detector_id, GOOD)
    assert sorted(chain(*unjudged_results(project, run_id).values())) == ids
    add_review(project, ids, Decision.OK, who="Ada")
    assert not unjudged_results(project, run_id)
    found = propose_thresholds(project, detector_id, class_id)
    assert found.news
    assert found.good == 30
    assert found.proposed.ng > sorted(GOOD)[-2]
    assert found.proposed.provenance["promised"]
    assert "From 30 parts confirmed good." in words(found.proposed)
    set_thresholds(project, detector_id, class_id, found.proposed, who="Ada", proposed=True)
    kept = list_thresholds(project, detector_id)[class_id].thresholds
    assert kept.provenance["promised"]
    assert "30 parts confirmed good" in words(kept)
    again = propose_thresholds(project, detector_id, class_id)
    assert not again.news
    assert not again.changes


def test_parts_that_were_picked_out_of_their_run_promise_nothing(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, GOOD)
    add_review(project, ids[:25], Decision.OK, who="Ada")
    found = propose_thresholds(project, detector_id, class_id)
    assert found.news
    assert not found.proposed.provenance["promised"]
    assert "picked out of their run" in words(found.proposed)
    add_review(project, ids[25:], Decision.NG, who="Ada")  # the rest is marked: nothing was picked
    found = propose_thresholds(project, detector_id, class_id)
    assert found.proposed.provenance["promised"]
    assert (found.good, found.defective) == (25, 5)


def test_only_the_newest_word_counts_and_a_withdrawn_one_does_not(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [0.2, 0.21])
    (first,) = add_review(project, ids[:1], Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).good == 1
    (second,) = add_review(project, ids[:1], Decision.NG, who="Bea")
    found = propose_thresholds(project, detector_id, class_id)
    assert (found.good, found.defective) == (0, 1)
    withdraw_review(project, [second], who="Bea")
    assert propose_thresholds(project, detector_id, class_id).good == 1
    withdraw_review(project, [first], who="Ada")
    assert not propose_thresholds(project, detector_id, class_id).news


def test_a_picture_of_a_shot_a_picture_twice_and_a_removed_run_do_not_count(parts):
    project, class_id, detector_id = parts
    shots = len(list_shots(project, class_id))
    _, of_a_shot = inspected(project, class_id, detector_id, [0.1, 0.2], seed=1, shot=shots - 1)
    add_review(project, of_a_shot, Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).good == 1
    _, again = inspected(project, class_id, detector_id, [0.3, 0.2], seed=1)
    add_review(project, again[1:], Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).good == 1
    removed, others = inspected(project, class_id, detector_id, GOOD, seed=2)
    add_review(project, others, Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).good == 31
    remove_run(project, removed)
    assert propose_thresholds(project, detector_id, class_id).good == 1
    restore_run(project, removed)
    assert propose_thresholds(project, detector_id, class_id).good == 31


def test_a_part_that_another_detector_judged_waits_until_this_one_has_seen_it(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, GOOD)
    add_review(project, ids, Decision.OK, who="Ada")
    other = detector_of(project, class_id, list_calibrated(project, detector_id)[class_id])
    found = propose_thresholds(project, other, class_id)
    assert (found.good, found.unscored) == (0, 30)
    assert not found.news
    inspected(project, class_id, other, [score + 1 for score in GOOD])  # the same pictures
    found = propose_thresholds(project, other, class_id)
    assert (found.good, found.unscored) == (30, 0)
    assert found.proposed.ng > 1.2


def test_what_would_change_is_counted_and_named_and_comes_true(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [0.2, 0.3, 0.6, 0.9])
    _, good = inspected(project, class_id, detector_id, [0.5 + n / 100 for n in range(30)], seed=1)
    before = {
        key: verdict_of(score, project, class_id, detector_id)
        for key, score in zip(ids, (0.2, 0.3, 0.6, 0.9), strict=True)
    }
    assert before[ids[2]] is Decision.NG
    add_review(project, good, Decision.OK, who="Ada")
    found = propose_thresholds(project, detector_id, class_id)
    assert sum(found.changes.values()) == len(found.flips) > 0
    assert set(found.flips) <= set(ids)  # what people judged stays
    moved = set_thresholds(project, detector_id, class_id, found.proposed, proposed=True)
    assert moved.flipped >= len(found.flips)
    after = {
        key: verdict_of(score, project, class_id, detector_id)
        for key, score in zip(ids, (0.2, 0.3, 0.6, 0.9), strict=True)
    }
    assert {key for key in ids if before[key] is not after[key]} == set(found.flips)


def test_marked_defects_steer_the_thresholds(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [*GOOD, 0.22, 0.9])
    add_review(project, ids[:-2], Decision.OK, who="Ada")
    add_review(project, ids[-2:], Decision.NG, who="Ada")
    never = propose_thresholds(project, detector_id, class_id, Basis.DEFECTS)
    assert never.proposed.ng == 0.22
    assert not never.proposed.provenance["promised"]
    assert "2 parts marked defective are all NG, and 20 of 30 confirmed good" in words(never.proposed)
    best = propose_thresholds(project, detector_id, class_id, Basis.BALANCE)
    assert max(GOOD) < best.proposed.ng < 0.9
    assert "NG is 1 of 2 parts marked defective, and 0 of 30 confirmed good" in words(best.proposed)
    assert best.proposed.review <= best.proposed.ng
    set_thresholds(project, detector_id, class_id, never.proposed, proposed=True)
    assert propose_thresholds(project, detector_id, class_id).current.ng == 0.22


def test_one_shot_calls_nothing_ng_until_parts_are_confirmed(project):
    class_id, detector_id = taught(project, (0.2, 0.21, 0.22), shots=1)
    _, ids = inspected(project, class_id, detector_id, [0.2, 0.21, 5.0])
    assert verdict_of(5.0, project, class_id, detector_id) is Decision.REVIEW
    add_review(project, ids[:2], Decision.OK, who="Ada")
    found = propose_thresholds(project, detector_id, class_id)
    assert found.changes == {(Decision.REVIEW, Decision.NG): 1}
    assert found.flips == [ids[2]]


def test_parts_that_were_picked_tell_nothing_of_drift(parts):
    project, class_id, detector_id = parts
    rng = np.random.default_rng(0)
    _, ids = inspected(project, class_id, detector_id, list(rng.normal(0.3, 0.02, 60)), seed=1)
    add_review(project, ids, Decision.OK, who="Ada")
    scores = sorted(rng.normal(0.3, 0.02, 60))
    _, ids = inspected(project, class_id, detector_id, scores, seed=2)
    add_review(project, ids[-12:], Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).drift is None
    add_review(project, ids[:-12], Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).drift is None


def test_good_parts_that_score_higher_than_before_are_told_apart_from_those_that_do_not(parts):
    project, class_id, detector_id = parts
    rng = np.random.default_rng(0)
    for seed in (1, 2):
        _, ids = inspected(project, class_id, detector_id, list(rng.normal(0.3, 0.02, 20)), seed=seed)
        add_review(project, ids, Decision.OK, who="Ada")
    assert propose_thresholds(project, detector_id, class_id).drift is None
    _, ids = inspected(project, class_id, detector_id, list(rng.normal(0.35, 0.02, 20)), seed=3)
    add_review(project, ids, Decision.OK, who="Ada")
    moved = propose_thresholds(project, detector_id, class_id).drift
    assert moved.before == pytest.approx(0.3, abs=0.02)
    assert moved.now == pytest.approx(0.35, abs=0.02)


def promised(project, class_id, detector_id):
    found = propose_thresholds(project, detector_id, class_id).proposed
    return found.provenance["promised"]


def test_parts_that_were_left_to_review_are_not_judged_yet(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [*GOOD, 0.5, 0.6])
    add_review(project, ids[:-2], Decision.OK, who="Ada")
    add_review(project, ids[-2:], Decision.REVIEW, who="Ada")
    assert not promised(project, class_id, detector_id)
    add_review(project, ids[-2:], Decision.NG, who="Ada")
    assert promised(project, class_id, detector_id)
    add_review(project, ids[:1], Decision.REVIEW, who="Ada")  # a doubt takes the word before away
    assert propose_thresholds(project, detector_id, class_id).good == 29


def test_parts_that_are_inspected_again_by_themselves_stay_picked(parts):
    project, class_id, detector_id = parts
    inspected(project, class_id, detector_id, [0.2 + n / 800 for n in range(40)])
    _, again = inspected(project, class_id, detector_id, [0.2 + n / 800 for n in range(20)])
    add_review(project, again, Decision.OK, who="Ada")
    assert not promised(project, class_id, detector_id)


def test_parts_that_another_run_has_judged_are_not_missing_in_this_one(parts):
    project, class_id, detector_id = parts
    inspected(project, class_id, detector_id, GOOD)
    _, again = inspected(project, class_id, detector_id, GOOD)
    add_review(project, again, Decision.OK, who="Ada")
    assert promised(project, class_id, detector_id)


def test_what_is_promised_follows_what_is_said_of_the_others_though_the_numbers_stay(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [*GOOD, 0.9])
    add_review(project, ids[:-1], Decision.OK, who="Ada")
    picked = propose_thresholds(project, detector_id, class_id)
    set_thresholds(project, detector_id, class_id, picked.proposed, proposed=True)
    assert not propose_thresholds(project, detector_id, class_id).news
    (mark,) = add_review(project, ids[-1:], Decision.NG, who="Ada")
    whole = propose_thresholds(project, detector_id, class_id)
    assert whole.news
    assert whole.proposed.numbers == picked.proposed.numbers
    set_thresholds(project, detector_id, class_id, whole.proposed, proposed=True)
    assert list_thresholds(project, detector_id)[class_id].thresholds.provenance["promised"]
    withdraw_review(project, [mark], who="Ada")
    assert propose_thresholds(project, detector_id, class_id).news


def test_going_back_to_thresholds_of_parts_that_are_good_no_more_promises_nothing(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, GOOD)
    add_review(project, ids, Decision.OK, who="Ada")
    found = propose_thresholds(project, detector_id, class_id).proposed
    set_thresholds(project, detector_id, class_id, found, proposed=True)
    set_thresholds(project, detector_id, class_id, Thresholds(0.5, 0.6, 0.5), who="Ada")
    earlier = propose_thresholds(project, detector_id, class_id).earlier
    assert earlier[0].thresholds.numbers == found.numbers
    assert propose_thresholds(project, detector_id, class_id, earlier[0].id).proposed.provenance["promised"]
    add_review(project, ids[:5], Decision.NG, who="Ada")
    back = propose_thresholds(project, detector_id, class_id, earlier[0].id).proposed
    assert back.numbers == found.numbers
    assert not back.provenance["promised"]
    with pytest.raises(ProjectError, match="no longer"):
        propose_thresholds(project, detector_id, class_id, 999)


def test_a_part_keeps_the_score_of_its_teaching_when_it_is_confirmed_again_elsewhere(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, GOOD)
    add_review(project, ids, Decision.OK, who="Ada")
    known = {part.image_id: 0.3 for part in list_judged_parts(project, class_id)[0]}
    first = list_calibrated(project, detector_id)[class_id]
    other = detector_of(project, class_id, with_good_parts(first, known))
    _, again = inspected(project, class_id, detector_id, GOOD)
    add_review(project, again, Decision.OK, who="Bea")
    found = propose_thresholds(project, other, class_id)
    assert (found.good, found.unscored) == (30, 0)
    assert not found.news


def test_a_defect_that_the_detector_has_not_seen_is_counted_as_missing(parts):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, [0.2, 0.3, 0.9])
    add_review(project, ids[1:], Decision.NG, who="Ada")
    other = detector_of(project, class_id, list_calibrated(project, detector_id)[class_id])
    found = propose_thresholds(project, other, class_id, Basis.DEFECTS)
    assert (found.defective, found.unscored) == (0, 2)


@pytest.mark.parametrize(
    "damage",
    [
        {"good": {"1": None, "x": 1, "2": "much"}},
        {"good": 7},
        {"wanted_rate": "0.05"},
        {"wanted_rate": 0},
        {"wanted_rate": float("nan")},
        {"scores": None},
        {"scores": ["a"]},
        {"scores": []},
        {"usual": float("nan")},
        {"usual": "x"},
        {"usual_spread": -5},
        {"usual_spread": 1e9},
        {"outliers": None},
        {"independent": None},
        {"shots": 0},
        {"certain_rate": None},
        {"attainable_rate": "x"},
        {"marked": {}},
        {"good_parts": "x"},
    ],
)
def test_damaged_provenance_proposes_nothing_wrong_and_stops_nothing(parts, damage):
    project, class_id, detector_id = parts
    _, ids = inspected(project, class_id, detector_id, GOOD)
    add_review(project, ids, Decision.OK, who="Ada")
    sound = propose_thresholds(project, detector_id, class_id).proposed
    told = {**list_calibrated(project, detector_id)[class_id].provenance, **damage}
    folder = project.folder
    with project.writing() as session:
        session.connection().exec_driver_sql("DROP TRIGGER IF EXISTS thresholds_no_update")
        session.connection().exec_driver_sql("UPDATE thresholds SET provenance = ?", (json.dumps(told),))
    assert folder.exists()
    for basis in Basis:
        found = propose_thresholds(project, detector_id, class_id, basis)
        if found.proposed is not None:
            assert all(map(math.isfinite, found.proposed.numbers))
            if basis is Basis.GOOD:
                assert found.proposed.ng == pytest.approx(sound.ng)
    assert isinstance(words(list_thresholds(project, detector_id)[class_id].thresholds), str)


def test_thresholds_moved_by_hand_are_left_in_peace_while_nobody_judges(project):
    class_id, detector_id = taught(project, tuple(0.2 + n / 200 for n in range(20)))
    assert list_calibrated(project, detector_id)[class_id].provenance["promised"]
    inspected(project, class_id, detector_id, GOOD)
    set_thresholds(project, detector_id, class_id, Thresholds(0.5, 0.6, 0.5), who="Ada")
    assert not propose_thresholds(project, detector_id, class_id).news
