"""Results of images that taught the detector are told apart from all others."""

from collections.abc import Callable
from typing import Any

from inspector.domain import Decision
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import Counts
from inspector.records.inspected.runs import remove_run
from inspector.records.inspected.taught_from import count_shots, count_without_shots
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review
from inspector.records.shots import list_shots


def test_what_taught_the_detector_is_left_out_of_counts_under_every_filter(
    project: Project, taught: Any, record: Callable[..., list[int]]
) -> None:
    record(0.1, 0.9)
    assert count_without_shots(project) == (Counts(ok=1, ng=1), 0)
    shot = list_shots(project)[0]
    facts = ImageFacts(shot.sha256, ".png", shot.size, shot.mode)
    seen = [NewResult("shot.png", facts, class_id=taught.class_id, image_score=score) for score in (0.1, 0.1)]
    ids = record_results(project, taught.run_id, seen)
    add_review(project, ids[:1], Decision.NG, who="Ada")
    assert count_shots(project) == Counts(ok=1, ng=1, reviewed=1)
    assert count_without_shots(project) == (Counts(ok=1, ng=1), 2)
    assert count_without_shots(project, shots_too=True) == (Counts(ok=2, ng=2, reviewed=1), 2)
    assert count_without_shots(project, ResultFilter(verdict=Decision.NG)) == (Counts(ng=1), 1)
    assert count_without_shots(project, ResultFilter(ids=(ids[1],))) == (Counts(), 1)
    assert count_without_shots(project, ResultFilter(run_id=taught.run_id + 1)) == (Counts(), 0)
    remove_run(project, taught.run_id)
    assert count_without_shots(project) == (Counts(), 0)
