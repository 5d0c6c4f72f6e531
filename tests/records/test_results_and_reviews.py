"""Results and reviews that go into a project come out again."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inspector.domain import Decision, Region, Thresholds
from inspector.errors import ProjectError
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import (
    Counts,
    count_results,
    find_result,
    list_defect_types,
    list_details,
    list_results,
    result_ids,
)
from inspector.records.inspected.runs import list_runs, remove_run, restore_run, start_run
from inspector.records.inspected.scores import list_scores
from inspector.records.project import Project
from inspector.records.result_filter import EVERYTHING, ResultFilter, ResultSort
from inspector.records.reviews import (
    NewReview,
    add_review,
    add_reviews,
    list_reviews,
    withdraw_review,
)
from inspector.records.shots import list_shots
from inspector.records.thresholds import list_thresholds, set_thresholds

Record = Callable[..., list[int]]
Png = Callable[..., bytes]


def names(project: Project, where: ResultFilter = EVERYTHING, **order: Any) -> list[str]:
    return [row.name for row in list_results(project, result_ids(project, where, **order))]


# results


def test_a_result_comes_back_with_its_regions_map_and_image(project: Project, taught: Any, png: Png) -> None:
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    data = png(7)
    facts = ImageFacts("ab" * 32, ".png", (32, 24), "RGB 8 bit")
    (result_id,) = record_results(
        project,
        taught.run_id,
        [
            NewResult(
                "x.png", facts, data, taught.class_id, 0.8, 0.9, values, [Region((1, 2, 3, 4), 9, 0.9)], 1
            )
        ],
    )
    detail = find_result(project, result_id)
    assert detail.regions == (Region((1, 2, 3, 4), 9, 0.9),)
    assert detail.regions_current
    assert detail.row.verdict is Decision.NG
    assert detail.row.path is not None
    assert detail.row.path.read_bytes() == data
    assert detail.row.map_path is not None
    stored = np.load(detail.row.map_path, allow_pickle=False)
    assert stored.dtype == np.float16
    assert np.allclose(stored, values, atol=1e-3)
    for moved, current in (
        (Thresholds(0.2, 0.7, 0.2), False),  # more of the map is marked
        (Thresholds(0.5, 0.95, 0.4), True),  # still not OK, and marked from the same score on
        (Thresholds(0.91, 0.95, 0.4), False),  # OK, so nothing is shown
        (Thresholds(0.5, 0.7, 0.4), True),
    ):
        set_thresholds(project, taught.detector_id, taught.class_id, moved)
        assert find_result(project, result_id).regions_current is current, moved


def test_a_failed_item_keeps_its_reason_and_is_no_verdict(project: Project, taught: Any) -> None:
    name = "b\udcff\n.png"  # bytes on disk that are no UTF-8
    record_results(project, taught.run_id, [NewResult(name, error="It is empty.", hint="Copy it again.")])
    (row,) = list_results(project, result_ids(project))
    assert (row.error, row.hint, row.verdict, row.path) == ("It is empty.", "Copy it again.", None, None)
    assert count_results(project) == Counts(failed=1)
    assert names(project, ResultFilter(failed=True)) == [row.name]
    assert names(project, ResultFilter(failed=False)) == []


def test_an_inspected_image_that_is_also_a_shot_is_marked(project: Project, taught: Any) -> None:
    shot = list_shots(project)[0]
    facts = ImageFacts(shot.sha256, ".png", shot.size, shot.mode)
    record_results(
        project,
        taught.run_id,
        [NewResult("a.png", facts, class_id=taught.class_id, image_score=0.1)],
    )
    assert list_results(project, result_ids(project))[0].is_shot


def test_a_batch_that_fails_is_not_stored_in_part(project: Project, taught: Any, record: Record) -> None:
    record(0.1)
    good = NewResult("good.png", class_id=taught.class_id, image_score=0.2)
    with pytest.raises(IntegrityError):
        record_results(project, taught.run_id, [good, NewResult("bad.png", class_id=999, image_score=0.2)])
    assert count_results(project).total == 1


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_a_failed_item_and_the_rest_goes_on(
    project: Project, taught: Any, score: float
) -> None:
    items = [
        NewResult(f"{value}.png", class_id=taught.class_id, image_score=value) for value in (0.9, score, 0.1)
    ]
    rows = list_results(project, record_results(project, taught.run_id, items))
    assert [row.verdict for row in rows] == [Decision.NG, None, Decision.OK]
    assert "no number" in rows[1].error
    assert rows[1].hint
    assert rows[1].image_score is None


def test_results_are_filtered_by_every_field(project: Project, taught: Any, record: Record) -> None:
    first = record(0.1, 0.6, 0.9)
    other = start_run(project, taught.detector_id, "Tuesday", class_id=taught.class_id)
    record(0.2, 0.95, run_id=other)
    add_review(project, [first[2]], Decision.OK, who="Ada", reason="dust", defect_type="scratch")
    cases: dict[ResultFilter, list[str]] = {
        ResultFilter(run_id=other): ["0.20", "0.95"],
        ResultFilter(verdict=Decision.NG): ["0.95"],
        ResultFilter(verdict=Decision.OK, run_id=taught.run_id): ["0.10", "0.90"],
        ResultFilter(reviewed=True): ["0.90"],
        ResultFilter(reviewed=False, run_id=taught.run_id): ["0.10", "0.60"],
        ResultFilter(text="0.6"): ["0.60"],
        ResultFilter(text="SCRATCH"): ["0.90"],
        ResultFilter(text="cook"): ["0.10", "0.60", "0.90", "0.20", "0.95"],
        ResultFilter(text="%"): [],
        ResultFilter(score_from=0.2, score_to=0.9): ["0.60", "0.20"],
        ResultFilter(defect_type="scratch"): ["0.90"],
        ResultFilter(class_id=taught.class_id + 1): [],
        ResultFilter(ids=(first[0], first[1])): ["0.10", "0.60"],
    }
    for where, expected in cases.items():
        assert names(project, where) == [f"part {score}.png" for score in expected], where
        assert count_results(project, where).total == len(expected), where


@pytest.mark.parametrize("sort", list(ResultSort))
def test_every_sorting_gives_each_result_once_and_pages_join_up(
    project: Project, record: Record, sort: ResultSort
) -> None:
    ids = record(0.3, 0.1, 0.9, 0.6, 0.61)
    add_review(project, ids[1:2], Decision.NG, who="Ada", defect_type="dent")
    for descending in (False, True):
        whole = result_ids(project, sort=sort, descending=descending).tolist()
        assert sorted(whole) == ids
        pages = [
            result_ids(project, sort=sort, descending=descending, limit=2, offset=start).tolist()
            for start in (0, 2, 4)
        ]
        assert [one for page in pages for one in page] == whole
    ascending = result_ids(project, sort=sort).tolist()
    assert result_ids(project, sort=sort, descending=True).tolist() == ascending[::-1]


def test_sorting_by_verdict_goes_from_good_to_bad(project: Project, record: Record) -> None:
    record(0.9, 0.1, 0.6)
    assert names(project, sort=ResultSort.VERDICT) == ["part 0.10.png", "part 0.60.png", "part 0.90.png"]


def test_a_removed_run_hides_its_results_until_it_is_restored(
    project: Project, taught: Any, record: Record
) -> None:
    record(0.1, 0.9)
    remove_run(project, taught.run_id)
    assert names(project) == []
    assert list_runs(project) == []
    assert not list_scores(project, taught.detector_id, taught.class_id)[0].size
    restore_run(project, taught.run_id)
    (run,) = list_runs(project)
    assert (run.counts.ok, run.counts.ng, run.counts.total) == (1, 1, 2)


def test_results_come_in_the_order_that_was_asked_for_with_and_without_gaps(
    project: Project, record: Record
) -> None:
    ids = record(*(number / 10 for number in range(9)))
    for wanted in (ids, ids[::-1], ids[2:6], ids[::3], [ids[4], ids[0], ids[1]], [ids[3]] * 2, []):
        assert [row.id for row in list_results(project, wanted)] == wanted
        assert [one.row.id for one in list_details(project, wanted)] == wanted
        assert set(result_ids(project, ResultFilter(ids=tuple(wanted)))) == set(wanted)
    assert [row.id for row in list_results(project, [10**9, ids[0]])] == [ids[0]]


def test_results_whose_threshold_is_damaged_are_listed_and_cut_anew(project: Project, record: Record) -> None:
    ids = record(*(number / 10 for number in range(9)), threshold_id=1)
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection, connection:
        for value, key in enumerate(ids[1:]):
            connection.execute(
                "UPDATE results SET regions_threshold_id = ? WHERE id = ?", (bytes([value]), key)
            )
    assert [one.row.id for one in list_details(project, ids) if one.regions_current] == ids[:1]


# reviews


def test_a_persons_word_wins_over_the_thresholds_until_it_is_withdrawn(
    project: Project, taught: Any, record: Record
) -> None:
    (result_id,) = record(0.9)

    def verdict() -> Decision | None:
        return find_result(project, result_id).row.verdict

    (first,) = add_review(project, [result_id], Decision.OK, who="Ada", reason="dust")
    (second,) = add_review(project, [result_id], Decision.REVIEW, who="Bo", defect_type="dent")
    assert verdict() is Decision.REVIEW
    assert list_defect_types(project) == ["dent"]
    set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(2, 3, 0.4))
    assert verdict() is Decision.REVIEW
    withdraw_review(project, [second], who="Bo")
    assert verdict() is Decision.OK
    withdraw_review(project, [first], who="Ada")
    assert verdict() is Decision.OK  # by the thresholds, which moved above the score
    row = find_result(project, result_id).row
    assert (row.override, row.reviewed, row.defect_type) == (None, None, "")
    history = list_reviews(project, result_id)
    assert [(item.who, item.withdraws, item.withdrawn) for item in history] == [
        ("Ada", None, True),
        ("Bo", None, True),
        ("Bo", second, False),
        ("Ada", first, False),
    ]
    with pytest.raises(ProjectError, match="withdrawn"):
        withdraw_review(project, [first], who="Ada")


def test_many_words_are_taken_back_at_once_and_the_last_word_on_a_result_counts(
    project: Project, record: Record
) -> None:
    one, other = record(0.1, 0.9)
    words = [(one, Decision.NG), (other, Decision.OK), (one, Decision.REVIEW)]
    added = add_reviews(project, [NewReview(*word, reason="seen") for word in words], who="Ada")
    assert added == sorted(added)

    def verdicts() -> list[Decision | None]:
        return [row.verdict for row in list_results(project, [one, other])]

    assert verdicts() == [Decision.REVIEW, Decision.OK]
    for refused in ([added[0], added[0]], [added[0], 999], [*added, added[0]]):
        with pytest.raises(ProjectError, match="withdrawn"):
            withdraw_review(project, refused, who="Ada")
    assert verdicts() == [Decision.REVIEW, Decision.OK]
    withdraw_review(project, added[1:], who="Ada")
    assert verdicts() == [Decision.NG, Decision.NG]  # the earlier word, and the thresholds'
    withdraw_review(project, added[:1], who="Ada")
    assert verdicts() == [Decision.OK, Decision.NG]
    assert [row.reviewed for row in list_results(project, [one, other])] == [None, None]
    with pytest.raises(ProjectError, match="withdrawn"):
        withdraw_review(project, [list_reviews(project, one)[-1].id], who="Ada")  # what withdraws is no word


def test_reviews_can_only_be_added(project: Project, record: Record) -> None:
    add_review(project, record(0.9), Decision.OK, who="Ada")
    for statement in ("UPDATE reviews SET who = 'Eve'", "DELETE FROM reviews"):
        with pytest.raises(IntegrityError, match="append-only"), project.writing() as session:
            session.execute(text(statement))


# many, and at the same time


def test_ten_thousand_results_are_sorted_judged_and_paged_at_once(project: Project, taught: Any) -> None:
    rng = np.random.default_rng(0)
    for start in range(0, 10_000, 2_500):
        record_results(
            project,
            taught.run_id,
            [
                NewResult(f"{n:06}.png", class_id=taught.class_id, image_score=float(rng.random()))
                for n in range(start, start + 2_500)
            ],
        )
    ids = result_ids(project, sort=ResultSort.SCORE, descending=True)
    rows = list_results(project, ids[5_000:5_100])
    moved = set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.5, 0.71, 0.4))
    assert len(ids) == 10_000
    scores = [row.image_score or 0 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert 50 < moved.flipped < 200


def test_readers_on_other_threads_see_whole_batches_while_one_writes(project: Project, taught: Any) -> None:
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(count_results(project).total)

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            batch = [NewResult("x", class_id=taught.class_id, image_score=0.1) for _ in range(7)]
            record_results(project, taught.run_id, batch)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert {count % 7 for count in seen} == {0}
    assert count_results(project).total == 140


def test_numbers_that_a_person_moves_lose_the_words_and_promise_of_teaching_and_undo_gives_them_back(
    project: Project, taught: Any
) -> None:
    found = list_thresholds(project, taught.detector_id)[taught.class_id].thresholds
    set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.1, 0.2, 0.1), who="Ada")
    moved = list_thresholds(project, taught.detector_id)[taught.class_id].thresholds.provenance
    assert (moved["method"], moved["who"], moved["promised"]) == ("moved by hand", "Ada", False)
    set_thresholds(project, taught.detector_id, taught.class_id, found, who="Ada")
    assert list_thresholds(project, taught.detector_id)[taught.class_id].thresholds == found
