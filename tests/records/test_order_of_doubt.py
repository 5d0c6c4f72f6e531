"""The queue begins with what is hardest to judge."""

from typing import Any

from judged_parts import HELD_OUT, detector_of, inspected, taught

from inspector.domain import NEVER, Decision, Thresholds
from inspector.records.classes import add_class
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter, ResultSort
from inspector.records.reviews import add_review, withdraw_review
from inspector.records.thresholds import set_thresholds


def order(project: Project, **where: Any) -> list[int]:
    return result_ids(project, ResultFilter(**where), sort=ResultSort.DOUBT).tolist()


def put(project: Project, detector_id: int, class_id: int, review: float, ng: float) -> None:
    set_thresholds(project, detector_id, class_id, Thresholds(review, ng, review, {}), who="Ada")


def test_what_lies_nearest_between_ok_and_ng_comes_first_and_what_was_judged_last(project: Project) -> None:
    class_id, detector_id = taught(project)
    put(project, detector_id, class_id, 0.3, 0.5)
    run_id, ids = inspected(project, class_id, detector_id, [0.05, 0.9, 0.41, 0.33, 0.52])
    broken = record_results(project, run_id, [NewResult("broken.png", error="It is truncated.")])
    far, worst, nearest, low, high = ids
    assert order(project) == [nearest, low, high, far, worst, *broken]
    (word,) = add_review(project, [nearest], Decision.OK, who="Ada")
    assert order(project) == [low, high, far, worst, nearest, *broken]
    withdraw_review(project, [word], who="Ada")
    put(project, detector_id, class_id, 0.8, 1.0)
    assert order(project)[0] == worst


def test_each_class_and_detector_is_measured_by_its_own_thresholds(project: Project) -> None:
    class_id, first = taught(project)
    put(project, first, class_id, 0.3, 0.5)
    second = detector_of(project, class_id, Thresholds(3.0, 5.0, 3.0, {}), HELD_OUT)
    _, (mine, mine_far) = inspected(project, class_id, first, [0.42, 3.9], seed=1)
    _, (other, other_far) = inspected(project, class_id, second, [3.9, 0.42], seed=2)
    found = order(project)
    assert set(found[:2]) == {mine, other}
    assert set(found[2:]) == {mine_far, other_far}


def test_where_nothing_is_ng_doubt_begins_at_review_and_a_class_without_thresholds_comes_later(
    project: Project,
) -> None:
    class_id, detector_id = taught(project)
    put(project, detector_id, class_id, 0.3, NEVER)
    run_id, (low, near) = inspected(project, class_id, detector_id, [0.1, 0.31])
    other = add_class(project, "screw")
    row = list_results(project, [low])[0]
    facts = ImageFacts("cd" * 32, ".png", row.size, "RGB 8 bit")
    item = NewResult("screw.png", facts, b"x", other, 0.9, 0.3, None, [], None)
    (unknown,) = record_results(project, run_id, [item])
    assert order(project) == [near, low, unknown]
    assert order(project, class_id=other) == [unknown]


def test_a_project_without_thresholds_or_results_has_an_order_too(project: Project) -> None:
    assert order(project) == []
