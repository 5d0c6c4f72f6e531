"""Golden parts: how they get in and out, what is held against them, and records that stay as they were made."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from judged_parts import inspected, taught

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import project as projects
from inspector.records.classes import remove_class
from inspector.records.project import Project
from inspector.records.qualification.checks import add_check, list_checks
from inspector.records.qualification.golden import (
    Seen,
    add_golden,
    judge_golden,
    keep_golden_scores,
    list_golden,
    newly_missed,
    switch_golden,
)
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


@pytest.fixture
def parts(project: Project) -> tuple[int, int, list[int]]:
    """(class, detector, results): scores far below, at, and far above the thresholds."""
    class_id, detector_id = taught(project)
    _, ids = inspected(project, class_id, detector_id, [0.05, 0.06, 5.0])
    return class_id, detector_id, ids


def test_a_result_becomes_a_golden_part_with_the_score_that_it_has(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    class_id, detector_id, (good, _, bad) = parts
    change = add_golden(project, {good: Decision.OK, bad: Decision.NG}, who="Ada")
    first, second = judge_golden(project)
    assert [one.part.id for one in (first, second)] == list(change.added)
    assert (first.score, first.decision, first.kept) == (0.05, Decision.OK, True)
    assert (second.score, second.decision, second.kept) == (5.0, Decision.NG, True)
    assert (first.part.class_id, first.detector_id, first.part.who) == (class_id, detector_id, "Ada")


def test_the_other_word_takes_the_place_of_the_first_and_undo_brings_it_back(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    good = parts[2][0]
    add_golden(project, {good: Decision.OK}, who="Ada")
    assert add_golden(project, {good: Decision.OK}, who="Bo").added == ()
    change = add_golden(project, {good: Decision.NG}, who="Bo")
    assert [one.expected for one in list_golden(project)] == [Decision.NG]
    switch_golden(project, on=change.removed, off=change.added)
    assert [(one.expected, one.who) for one in list_golden(project)] == [(Decision.OK, "Ada")]


def test_a_shot_is_no_golden_part_and_one_that_becomes_a_shot_says_so(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    class_id, detector_id, (good, *_) = parts
    _, (shot,) = inspected(project, class_id, detector_id, [0.05], shot=0)
    with pytest.raises(ProjectError, match="shots of their class"):
        add_golden(project, {shot: Decision.OK}, who="Ada")
    add_golden(project, {good: Decision.OK}, who="Ada")
    (part,) = list_golden(project)
    add_shots(project, class_id, [("again.png", part.path.read_bytes())])
    assert list_golden(project)[0].is_shot


def test_a_change_is_held_against_the_parts_that_it_makes_worse_only(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    class_id, detector_id, (good, other, bad) = parts
    add_golden(project, {good: Decision.OK, other: Decision.NG, bad: Decision.NG}, who="Ada")
    now = list_thresholds(project, detector_id)[class_id].thresholds
    before = judge_golden(project, detector_id)
    assert [one.kept for one in before] == [True, False, True]
    after = judge_golden(project, detector_id, [class_id], {class_id: replace(now, review=6.0, ng=7.0)})
    assert [one.part.name for one in newly_missed(before, after)] == ["part 0 2.png"]
    held_back = judge_golden(project, detector_id, [class_id], {class_id: replace(now, ng=7.0)})
    assert [one.decision for one in held_back][2] is Decision.REVIEW
    assert held_back[2].kept  # somebody looks at it


def test_what_was_never_scored_is_neither_kept_nor_held_against_a_change(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    class_id, detector_id, (good, *_) = parts
    add_golden(project, {good: Decision.OK}, who="Ada")
    (part,) = list_golden(project)
    other = taught_again(project, class_id)
    (word,) = judge_golden(project, other)
    assert (word.scored, word.kept) == (False, False)
    assert newly_missed(judge_golden(project, detector_id), [word]) == []
    keep_golden_scores(project, other, {part.id: Seen(None, error="Its image is missing.")})
    (word,) = judge_golden(project, other)
    assert (word.scored, word.kept, word.error) == (True, False, "Its image is missing.")
    assert newly_missed(judge_golden(project, detector_id), [word]) == [word]


def taught_again(project: Project, class_id: int) -> int:
    from judged_parts import detector_of

    return detector_of(project, class_id, list_thresholds(project, 1)[class_id].thresholds)


def test_a_removed_class_takes_its_golden_parts_along(
    project: Project, parts: tuple[int, int, list[int]]
) -> None:
    add_golden(project, {parts[2][0]: Decision.OK}, who="Ada")
    remove_class(project, parts[0])
    assert list_golden(project) == judge_golden(project) == []


def test_a_record_is_never_changed_and_damage_in_one_hides_no_other(
    project: Project, parts: tuple[int, int, list[int]], tmp_path: Path
) -> None:
    add_golden(project, {parts[2][0]: Decision.OK, parts[2][1]: Decision.NG}, who="Ada")
    add_check(project, judge_golden(project), occasion="On demand", who="Ada")
    add_check(
        project, judge_golden(project), occasion="Thresholds moved", who="Bo", signed="a scratch is fine"
    )
    newest, oldest = list_checks(project)
    assert (newest.who, newest.signed, [one.name for one in newest.missed]) == (
        "Bo",
        "a scratch is fine",
        ["part 0 1.png"],
    )
    assert (oldest.occasion, oldest.signed) == ("On demand", "")
    database = tmp_path / "project" / projects.DATABASE
    with closing(sqlite3.connect(database)) as connection, connection:
        for change in ("UPDATE golden_checks SET who = 'Cy'", "DELETE FROM golden_checks"):
            with pytest.raises(sqlite3.DatabaseError, match="never changed"):
                connection.execute(change)
        connection.execute("DROP TRIGGER golden_checks_no_update")
        connection.execute("""UPDATE golden_checks SET outcome = '{"parts": [3, ["x"]]}' WHERE id = 1""")
    newest, oldest = list_checks(project)
    assert (len(newest.parts), oldest.parts) == (2, ())
