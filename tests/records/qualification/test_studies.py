"""Studies: who judges which part next, which word counts, and what came out."""

import sqlite3

import pytest

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import project as projects
from inspector.records.project import DATABASE
from inspector.records.qualification import studies
from inspector.records.qualification.candidates import FEWEST, list_candidates, propose, warnings
from inspector.records.qualification.outcome import outcome
from inspector.records.reviews import add_review, withdraw_review

OK, NG = Decision.OK, Decision.NG


@pytest.fixture
def judged(project, taught, record):
    """Results of scores 0.1 … 0.9; the person calls those from 0.65 NG."""
    scores = [0.1, 0.2, 0.3, 0.55, 0.65, 0.7, 0.8, 0.9]
    ids = record(*scores)
    for result_id, score in zip(ids, scores, strict=True):
        add_review(project, [result_id], NG if score >= 0.65 else OK, who="Eve")
    return ids


@pytest.fixture
def study(project, judged):
    parts = [one.part for one in list_candidates(project)]
    return studies.add_study(project, "Line  4", parts, ["Ada", "Bo"], 2, who="Eve")


def judge(project, study_id, who, trial, wrong=()):
    """Say of every part what it is known to be, but of the `wrong` positions; then finish."""
    known = {one.position: one.expected for one in studies.study_parts(project, study_id)}
    while (position := studies.next_part(project, study_id, who, trial)) is not None:
        right = known[position]
        studies.say(
            project,
            study_id,
            who,
            trial,
            position,
            (OK if right is NG else NG) if position in wrong else right,
        )
    return studies.finish(project, study_id, who, trial)


def test_every_trial_has_an_order_of_its_own_that_survives_a_restart(project, study):
    row = studies.find_study(project, study)
    orders = [studies.order_of(row, who, trial) for who in row.appraisers for trial in (1, 2)]
    assert all(sorted(order) == list(range(1, 9)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    for position in orders[0][:3]:
        assert studies.next_part(project, study, "Ada", 1) == position
        studies.say(project, study, "Ada", 1, position, OK)
    folder = project.folder
    project.close()
    with projects.open(folder) as again:
        assert studies.next_part(again, study, "Ada", 1) == orders[0][3]
        assert studies.find_study(again, study).said == {("Ada", 1): 3}


def test_the_newest_word_counts_until_the_trial_is_finished(project, study):
    judge(project, study, "Ada", 1)
    with pytest.raises(ProjectError, match="finished"):
        studies.say(project, study, "Ada", 1, 1, NG)
    with pytest.raises(ProjectError, match="finished"):
        studies.say(project, study, "Ada", 3, 1, NG)
    with pytest.raises(ProjectError):
        studies.say(project, study, "Nobody", 1, 1, NG)
    with pytest.raises(ProjectError):
        studies.say(project, study, "Ada", 2, 9, NG)
    with pytest.raises(ProjectError, match="8 of 8 parts"):
        studies.finish(project, study, "Ada", 2)
    studies.say(project, study, "Ada", 2, 1, NG)
    studies.say(project, study, "Ada", 2, 1, OK)
    assert studies.words_of(project, study)["Ada", 2] == {1: OK}
    with (
        sqlite3.connect(project.folder / DATABASE) as raw,
        pytest.raises(sqlite3.IntegrityError, match="never"),
    ):
        raw.execute("DELETE FROM study_words")


def test_the_last_trial_closes_the_study_and_only_then_there_are_figures(project, study):
    for who in ("Ada", "Bo"):
        judge(project, study, who, 1)
    judge(project, study, "Ada", 2, wrong=[5])
    row = studies.find_study(project, study)
    assert (row.progress, row.turn("Ada"), row.turn("Bo"), row.title) == (
        "Ada 2/2, Bo 1/2",
        None,
        2,
        "Line 4",
    )
    with pytest.raises(ProjectError, match="isn't finished"):
        outcome(project, study)
    assert judge(project, study, "Bo", 2).closed is not None
    found = outcome(project, study)
    ada, bo = found.agreement.people
    assert (ada.effective.count, ada.misses.count, ada.misses.of) == (7, 1, 8)
    assert (bo.effective.count, bo.misses.count) == (8, 0)
    assert found.agreement.alike is not None
    assert (found.agreement.alike.count, found.agreement.alike.of) == (7, 8)
    assert [one.part.name for one in found.disputed] == ["part 0.65.png"]
    assert found.agreement.detector is not None  # review from 0.5, NG from 0.7
    assert (found.agreement.detector.false_alarms.count, found.reviewed.good, found.reviewed.bad) == (1, 1, 1)


def test_a_study_that_somebody_ends_counts_whole_parts_only(project, study):
    judge(project, study, "Ada", 1)
    studies.say(project, study, "Ada", 2, 1, OK)
    studies.say(project, study, "Ada", 2, 2, None)  # its picture could not be shown
    studies.close(project, study)
    with pytest.raises(ProjectError, match="finished"):
        studies.say(project, study, "Ada", 2, 3, OK)
    found = outcome(project, study)
    assert [(one.name, one.parts) for one in found.agreement.people] == [("Ada", 1)]
    assert len(found.left_out) == 7
    studies.reopen(project, study)
    assert studies.next_part(project, study, "Ada", 2) not in (1, 2)


def test_removing_a_study_hides_it_and_can_be_taken_back(project, study):
    studies.remove(project, study)
    assert studies.list_studies(project) == []
    with pytest.raises(ProjectError, match="no longer"):
        studies.find_study(project, study)
    studies.restore(project, study)
    assert [one.id for one in studies.list_studies(project)] == [study]


def test_a_study_needs_people_parts_and_trials(project, judged):
    parts = [one.part for one in list_candidates(project)]
    for wrong in (
        ("T", parts, [], 2),
        ("T", parts, ["Ada", " ADA"], 2),
        ("T", parts, ["Ada"], 4),
        ("T", [], ["Ada"], 2),
        ("T", [parts[0], parts[0]], ["Ada"], 2),
        (" ", parts, ["Ada"], 2),
    ):
        with pytest.raises(ProjectError):
            studies.add_study(project, *wrong, who="Eve")
    assert studies.list_studies(project) == []


def test_a_damaged_study_hides_no_other(project, study):
    with project.writing() as session:
        session.connection().exec_driver_sql("UPDATE studies SET plan = 'gone'")
        session.connection().exec_driver_sql("UPDATE study_parts SET expected = 'odd' WHERE position = 1")
    parts = [one.part for one in list_candidates(project)]
    other = studies.add_study(project, "Other", parts, ["Ada"], 2, who="Eve")
    assert [(one.id, one.appraisers) for one in studies.list_studies(project)] == [
        (other, ("Ada",)),
        (study, ()),
    ]
    studies.close(project, study)
    found = outcome(project, study)
    assert (found.agreement.people, [one.part.position for one in found.left_out]) == ((), [1])


def test_only_parts_whose_newest_word_is_ok_or_ng_come_into_a_study(project, taught, judged):
    said = add_review(project, judged[:1], NG, who="Eve")
    add_review(project, judged[1:2], Decision.REVIEW, who="Eve")
    found = list_candidates(project, class_id=taught.class_id, run_id=taught.run_id)
    assert [(one.part.name, one.part.expected) for one in found[:2]] == [
        ("part 0.10.png", NG),
        ("part 0.30.png", OK),
    ]
    withdraw_review(project, said, who="Eve")
    assert list_candidates(project)[0].part.expected is OK
    assert list_candidates(project, class_id=taught.class_id + 1) == []
    assert [one.part.name for one in list_candidates(project) if one.near] == [
        "part 0.55.png",
        "part 0.65.png",
        "part 0.70.png",
    ]


def test_a_proposal_is_balanced_and_holds_parts_near_the_limit(project, taught, record):
    scores = [n / 100 for n in range(1, 91)]
    ids = record(*scores)
    add_review(project, ids[:60], OK, who="Eve")
    add_review(project, ids[60:], NG, who="Eve")
    candidates = list_candidates(project)
    chosen = propose(candidates, 50)
    assert [one.part.expected for one in chosen].count(NG) == 25
    assert sum(one.near for one in chosen) >= 14
    assert warnings(chosen) == []
    assert chosen == propose(candidates, 50)
    few = propose(candidates[:60], FEWEST - 1)
    assert len(few) == FEWEST - 1
    assert [words.split(":")[0] for words in warnings(few)] == [f"Fewer than {FEWEST} parts", "No NG part"]
    assert len(propose(candidates, 500)) == 90
    assert [one.part.expected for one in propose(candidates[55:], 30)].count(OK) == 5
