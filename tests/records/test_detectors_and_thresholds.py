"""Detectors and thresholds that go into a project come out again."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records.classes import (
    list_classes,
)
from inspector.records.detectors import find_detector, list_detectors
from inspector.records.inspected.results import (
    Counts,
    count_results,
    list_results,
    result_ids,
)
from inspector.records.project import Project
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds

Record = Callable[..., list[int]]


# detectors


def test_the_shots_of_a_detector_never_change(project: Project, taught: Any) -> None:
    for statement in (
        "DELETE FROM detector_shots",
        "UPDATE detector_shots SET shot_id = 1",
        "DELETE FROM shots",
        "DELETE FROM thresholds",
    ):
        with pytest.raises(IntegrityError), project.writing() as session:
            session.execute(text(statement))


def test_a_detector_that_could_not_be_stored_leaves_neither_rows_nor_files(
    project: Project, taught: Any
) -> None:
    folder = detector_staging(project)
    (folder / "detector.json").write_text("{}")
    with pytest.raises(IntegrityError):
        add_detector(
            project,
            NewDetector(
                folder=folder,
                title="x",
                method="patchcore",
                backbone={},
                settings={},
                false_alarm_rate=0.05,
                shot_ids=[],
                held_out={},
                thresholds={999: Thresholds(0, 1, 0)},
            ),
        )
    assert [row.id for row in list_detectors(project)] == [taught.detector_id]
    assert [path.name for path in (project.folder / "detectors").iterdir() if path != folder] == [
        str(taught.detector_id)
    ]


def test_a_detector_with_a_missing_file_says_so_and_the_rest_goes_on(project: Project, taught: Any) -> None:
    row = find_detector(project)
    assert row.problem == ""
    (row.folder / "detector.safetensors").unlink()
    assert "detector.safetensors missing" in find_detector(project).problem
    assert list_classes(project)


def test_the_newest_detector_that_knows_a_class_is_taken(project: Project, taught: Any) -> None:
    assert find_detector(project, class_name=" COOKIE").id == taught.detector_id
    with pytest.raises(ProjectError, match="No detector knows"):
        find_detector(project, class_name="Nut")


# thresholds


def test_moving_thresholds_judges_stored_results_anew_and_keeps_the_history(
    project: Project, taught: Any, record: Record
) -> None:
    record(0.1, 0.55, 0.6, 0.9)
    assert count_results(project) == Counts(ok=1, review=2, ng=1)
    moved = set_thresholds(
        project, taught.detector_id, taught.class_id, Thresholds(0.58, 0.95, 0.4, {"by": "hand"}), who="Ada"
    )
    assert moved.flipped == 2
    assert count_results(project) == Counts(ok=2, review=2)
    now = list_thresholds(project, taught.detector_id)[taught.class_id]
    assert (now.thresholds.review, now.thresholds.ng, now.who) == (0.58, 0.95, "Ada")
    assert list_calibrated(project, taught.detector_id)[taught.class_id].ng == 0.7


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=4))
def test_stored_decisions_always_follow_the_newest_thresholds(
    project: Project, taught: Any, record: Record, moves: list[tuple[int, int]]
) -> None:
    record(*(n / 20 for n in range(21)))
    for pair in moves:
        review, ng = sorted(n / 20 for n in pair)
        set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(review, ng, 0.4))
    for row in list_results(project, result_ids(project)):
        assert row.image_score is not None
        expected = Decision.NG if row.image_score >= ng else Decision.REVIEW
        assert row.decision is (expected if row.image_score >= review else Decision.OK)


@pytest.mark.parametrize("bad", [Thresholds(0.9, 0.1, 0), Thresholds(0, float("nan"), 0)])
def test_senseless_thresholds_are_refused(project: Project, taught: Any, bad: Thresholds) -> None:
    with pytest.raises(ProjectError, match="Thresholds"):
        set_thresholds(project, taught.detector_id, taught.class_id, bad)
