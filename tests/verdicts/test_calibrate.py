import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inspector.domain import NEVER, Decision, ScoreMap, Thresholds
from inspector.errors import InspectorError
from inspector.verdicts.calibrate import (
    carried,
    confirmed,
    parts_needed,
    stand_out,
    steered,
    thresholds,
    upper_bound,
    with_good_parts,
)
from inspector.verdicts.judge import decide
from inspector.verdicts.provenance import Basis, good_parts, moved_by_hand, rates, words


def held_out(scores, usual=0.1):
    maps = []
    for score in scores:
        values = np.full((8, 8), usual, np.float32)
        values[3, 3] = score
        maps.append(ScoreMap(values, float(score), "part"))
    return maps


def false_alarms(shots, rate, spread, trials=1500):
    """Share of new good parts called NG, when the contrast of good parts varies by `spread`."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(trials):
        scores = 0.1 + 0.4 * np.exp(rng.normal(0, spread, shots))
        wrong += 0.1 + 0.4 * np.exp(rng.normal(0, spread)) >= upper_bound(scores, 0.1, rate)
    return wrong / trials


@pytest.mark.parametrize("shots", [2, 4, 8])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("spread", [0.1, 0.25])
def test_the_wanted_false_alarm_rate_is_kept_for_parts_that_vary_as_usual_or_less(shots, rate, spread):
    assert false_alarms(shots, rate, spread) <= rate * 1.25 + 0.006


@pytest.mark.parametrize("spread", [0.0001, 0.01])
def test_near_identical_shots_do_not_make_every_new_part_ng(spread):
    rng = np.random.default_rng(1)
    limits = thresholds(held_out(rng.normal(0.5, spread, 4)), 0.05, 4)
    assert limits.ng > 0.55
    assert limits.review > 0.52


def test_two_very_different_shots_do_not_push_the_threshold_out_of_sight():
    limits = thresholds(held_out([0.3, 0.5]), 0.05, 2)
    assert limits.ng < 1.2


def test_with_enough_good_parts_the_bound_holds_for_any_distribution():
    rng = np.random.default_rng(2)
    wrong = [rng.exponential() > upper_bound(rng.exponential(size=19), 0.0, 0.05) for _ in range(4000)]
    assert np.mean(wrong) <= 0.05 + 0.012


def test_what_can_be_promised_is_said():
    few = thresholds(held_out([0.4, 0.45, 0.5, 0.42]), 0.05, 4).provenance
    assert few["attainable_rate"] == pytest.approx(0.2)
    assert few["more_shots"] == 15
    assert not few["promised"]
    many = thresholds(held_out(np.linspace(0.4, 0.5, 19)), 0.05, 19).provenance
    assert many["promised"]
    assert many["more_shots"] == 0


def test_views_of_one_shot_count_as_one_part():
    one = thresholds(held_out([0.30, 0.31, 0.32, 0.33]), 0.05, 1)
    four = thresholds(held_out([0.30, 0.31, 0.32, 0.33]), 0.05, 4)
    assert one.provenance["attainable_rate"] == pytest.approx(0.5)
    assert one.review > four.review
    more = thresholds(held_out([0.30, 0.31, 0.32, 0.33] * 8), 0.05, 1)
    assert more.review == pytest.approx(one.review)


def test_shots_that_score_exactly_alike_count_once_and_give_no_threshold_near_zero():
    alike = thresholds(held_out([0.0, 0.0, 0.0, 0.0], usual=0.0), 0.2, 4)
    assert alike.provenance["good_parts"] == 1
    assert not alike.provenance["promised"]
    assert alike.review > 0.001
    twice = thresholds(held_out([0.4, 0.5, 0.5, 0.4]), 0.2, 4)
    assert twice.provenance["good_parts"] == 2
    assert twice.provenance["more_shots"] == 2


def test_provenance_is_plain_json():
    provenance = thresholds(held_out([0.4, 0.5]), 0.05, 2).provenance
    assert json.loads(json.dumps(provenance)) == dict(provenance)


@given(st.lists(st.floats(0.2, 0.9), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_review_never_lies_above_ng_and_a_lower_rate_never_lowers_a_threshold(scores, rate):
    maps = held_out(scores)
    loose, strict = thresholds(maps, rate, len(scores)), thresholds(maps, rate / 2, len(scores))
    assert loose.review <= loose.ng
    assert strict.ng >= loose.ng - 1e-9


@given(st.lists(st.floats(0.2, 0.9), min_size=2, max_size=8), st.floats(0.1, 10), st.floats(-2, 2))
def test_thresholds_follow_when_a_detector_uses_another_scale(scores, factor, shift):
    moved = [score * factor + shift for score in scores]
    usual = 0.1 * factor + shift
    assume(min(moved) - usual > 0.06 * np.abs(moved).mean())
    assume(min(scores) - 0.1 > 0.06 * np.mean(scores))
    plain = thresholds(held_out(scores), 0.05, len(scores))
    other = thresholds(held_out(moved, usual), 0.05, len(scores))
    assert other.ng == pytest.approx(plain.ng * factor + shift, rel=1e-3, abs=1e-3)


def test_impossible_wishes_are_refused_with_a_sentence():
    with pytest.raises(InspectorError, match="between 0 and 1"):
        thresholds(held_out([0.4]), 0.0, 1)
    with pytest.raises(InspectorError, match="no good part"):
        thresholds([], 0.05, 0)
    with pytest.raises(InspectorError, match="no finite score"):
        thresholds(held_out([0.4, float("inf")]), 0.05, 2)


def test_one_shot_calls_nothing_ng_by_itself_and_a_second_part_does():
    one = thresholds(held_out([0.30, 0.31]), 0.05, 1)
    assert not one.calls_ng
    assert decide(5.0, one) is Decision.REVIEW
    assert "nothing is called NG" in words(one)
    more = with_good_parts(one, {7: 0.29})
    assert more.calls_ng
    assert decide(5.0, more) is Decision.NG
    assert good_parts(more) == {7: 0.29}
    assert "altered views of one normal shot, and 1 part confirmed good" in words(more)
    assert not with_good_parts(more, {}).calls_ng


def test_a_part_that_is_known_to_be_good_is_never_ng():
    found = thresholds(held_out([0.4, 0.45, 0.5, 0.42]), 0.05, 4)
    again = with_good_parts(found, {1: 1.4, 2: 0.41})
    assert again.ng > 1.4
    assert with_good_parts(again, {}).numbers == found.numbers


@pytest.mark.parametrize("count", [19, 45, 200])
@pytest.mark.parametrize("drawn", ["exponential", "uniform"])
def test_with_enough_confirmed_parts_the_rate_is_kept_whatever_the_shots_were(count, drawn):
    rng = np.random.default_rng(4)
    draw = getattr(rng, drawn)
    found = thresholds(held_out([0.2, 0.21], usual=0.0), 0.05, 2, outliers=[5])
    wrong, above, limits = 0, 0, None
    for _ in range(2000):
        limits = with_good_parts(found, dict(enumerate(draw(size=count).tolist())))
        wrong += draw() >= limits.ng
    assert 0.02 < wrong / 2000 < 0.065
    assert limits.provenance["promised"]
    told = rates(limits)
    for _ in range(500):  # how often the rate of one given set lies above what is called certain
        limits = with_good_parts(found, dict(enumerate(rng.uniform(size=count).tolist())))
        above += 1 - limits.ng > told.certain
    assert above / 500 < 0.09
    assert told.expected <= told.wanted < told.certain


def test_parts_that_were_picked_promise_nothing_until_the_rest_is_confirmed():
    found = thresholds(held_out([0.4, 0.45, 0.5, 0.42]), 0.05, 4)
    good = {key: 0.4 + key / 100 for key in range(30)}
    picked = with_good_parts(found, good, picked=True)
    assert not picked.provenance["promised"]
    assert "picked out of their run" in words(picked)
    assert not confirmed(picked, set()).provenance["promised"]
    whole = with_good_parts(picked, good)
    assert whole.provenance["promised"]
    assert "From 30 parts confirmed good." in words(whole)
    assert whole.numbers == picked.numbers


def test_confirmed_parts_promise_also_where_the_shots_taught_what_scores_them():
    taught = thresholds(held_out(ENOUGH), 0.05, 20, independent=False)
    assert "confirm 19 more good parts in the results" in words(taught)
    assert not with_good_parts(taught, {1: 0.5}).provenance["promised"]
    enough = with_good_parts(taught, {key: 0.5 + key / 100 for key in range(19)})
    assert enough.provenance["promised"]
    assert confirmed(enough, set()).provenance["promised"]


def test_thresholds_of_an_earlier_version_wait_for_enough_confirmed_parts():
    found = thresholds(held_out([0.4, 0.45]), 0.05, 2)
    old = {
        key: value for key, value in found.provenance.items() if key not in ("usual", "shots", "certain_rate")
    }
    before = replace(found, provenance=old)
    assert with_good_parts(before, {1: 0.5}) is None
    assert with_good_parts(before, dict.fromkeys(range(19), 0.5)) is None  # one picture, many files
    assert with_good_parts(before, {key: 0.5 + key / 1000 for key in range(19)}).ng > 0.5
    assert with_good_parts(Thresholds(0.1, 0.2, 0.1), {1: 0.5}) is None
    assert rates(before) is None


def test_one_picture_in_several_files_counts_once_among_confirmed_parts_too():
    found = thresholds(held_out([0.4, 0.45, 0.5, 0.42]), 0.05, 4)
    copies = with_good_parts(found, {key: 0.43 + key * 1e-12 for key in range(20)})
    assert not copies.provenance["promised"]
    assert "and 1 part confirmed good" in words(copies)


@given(
    st.lists(st.floats(0.1, 0.4), min_size=1, max_size=20),
    st.lists(st.floats(0.41, 3), min_size=1, max_size=5),
)
def test_the_best_f1_score_parts_what_can_be_parted(good, defective):
    found = thresholds(held_out([0.2, 0.21]), 0.05, 2)
    best = steered(found, Basis.BALANCE, good, defective)
    assert max(good) < best.ng <= min(defective)
    assert best.provenance["marked"]["missed"] == best.provenance["marked"]["good_ng"] == 0
    never = steered(found, Basis.DEFECTS, good, defective)
    assert never.ng <= min(defective)


def test_needed_shots_follow_from_one_over_n_plus_one():
    assert [parts_needed(rate) for rate in (0.5, 0.2, 0.05, 0.01)] == [1, 4, 19, 99]


SCORE = st.just(0.0) | st.floats(1e-6, 1)


@given(st.tuples(*[SCORE] * 3), st.tuples(*[SCORE] * 3), st.tuples(*[st.floats(0.1, 2)] * 3))
def test_what_a_person_moved_keeps_its_factor_to_what_was_found(before, after, factors):
    found, again = (Thresholds(min(a, b), max(a, b), pixel) for a, b, pixel in (before, after))
    review, ng, pixel = (a * f for a, f in zip((found.review, found.ng, found.pixel), factors, strict=True))
    chosen = Thresholds(min(review, ng), ng, pixel)
    kept = carried(chosen, found, again)
    assert kept.review <= kept.ng
    if found.ng > 0 and again.ng != found.ng:
        assert kept.ng / again.ng == pytest.approx(chosen.ng / found.ng) if again.ng > 0 else kept.ng == 0
    never = replace(found, ng=NEVER)
    for one in (carried(chosen, never, again), carried(chosen, found, replace(again, ng=NEVER))):
        assert one.review <= one.ng
        assert one.calls_ng or not chosen.calls_ng
    assert not carried(never, never, replace(again, ng=NEVER)).calls_ng
    assert carried(never, never, again).ng == again.ng
    assert carried(chosen, found, found) == chosen
    assert carried(found, found, again).review <= carried(found, found, again).ng


ENOUGH = [score + step / 1000 for step in range(5) for score in (0.40, 0.45, 0.5, 0.42)]


def test_shots_that_taught_what_scores_them_promise_nothing():
    honest = thresholds(held_out(ENOUGH), 0.05, 20)
    assert honest.provenance["promised"]
    assert "at most 5 %" in words(honest)
    taught = thresholds(held_out(ENOUGH), 0.05, 20, independent=False)
    assert (taught.review, taught.ng) == (honest.review, honest.ng)
    assert not taught.provenance["promised"]
    assert "at most" not in words(taught)
    assert "prompts had seen it" in words(taught)


def test_a_shot_that_stands_out_holds_back_the_promise_until_it_is_called_good():
    scores = [*ENOUGH, 1.9]
    assert stand_out(held_out(scores)) == [20]
    limits = thresholds(held_out(scores), 0.05, 21, outliers=[77])
    assert not limits.provenance["promised"]
    assert "1 shot stands out" in words(limits)
    said = confirmed(limits, {77, 5})
    assert said.provenance["promised"]
    assert (said.review, said.ng, said.pixel) == (limits.review, limits.ng, limits.pixel)
    assert confirmed(said, set()).provenance == limits.provenance


def test_good_shots_seldom_stand_out_and_two_wrong_ones_do_not_hide_each_other():
    rng = np.random.default_rng(3)
    wrong = sum(bool(stand_out(held_out(0.1 + 0.4 * np.exp(rng.normal(0, 0.25, 8))))) for _ in range(300))
    assert wrong / 300 < 0.05
    assert stand_out(held_out([0.5, 0.45, 1.8, 0.55, 0.5, 2.0, 0.48, 0.52])) == [2, 5]
    assert stand_out(held_out([0.5])) == []
    assert stand_out(held_out([0.5, 0.5, 0.5])) == []


def test_thresholds_moved_by_hand_say_so_and_promise_nothing():
    found = thresholds(held_out(ENOUGH), 0.05, 20)
    moved = moved_by_hand(replace(found, ng=2.0), found, "Ada")
    assert moved.ng == 2.0
    assert not moved.provenance["promised"]
    assert words(moved).startswith("Moved by hand by Ada on ")
    assert f"NG {found.ng:.3f}" in words(moved)
    assert words(Thresholds(0.1, 0.2, 0.1)) == ""
