"""What goes into a project comes out again: classes, shots, detectors, thresholds, results, reviews."""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inspector.domain import Decision, Region, Thresholds
from inspector.errors import ProjectError
from inspector.records import shots
from inspector.records.classes import (
    ClassState,
    add_class,
    find_class,
    list_classes,
    remove_class,
    rename_class,
    restore_class,
)
from inspector.records.detectors import (
    NewDetector,
    add_detector,
    detector_staging,
    find_detector,
    list_detectors,
    remove_detector,
    restore_detector,
)
from inspector.records.files import ImageFacts
from inspector.records.new_results import NewResult, record_results
from inspector.records.project import Project
from inspector.records.result_filter import EVERYTHING, ResultFilter, ResultSort
from inspector.records.results import (
    Counts,
    count_results,
    find_result,
    list_defect_types,
    list_details,
    list_results,
    list_scores,
    result_ids,
)
from inspector.records.reviews import (
    NewReview,
    add_review,
    add_reviews,
    list_reviews,
    withdraw_review,
)
from inspector.records.runs import list_runs, remove_run, restore_run, start_run
from inspector.records.shots import add_shots, list_shots, remove_shots, restore_shots
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds

Record = Callable[..., list[int]]
Png = Callable[..., bytes]


def names(project: Project, where: ResultFilter = EVERYTHING, **order: Any) -> list[str]:
    return [row.name for row in list_results(project, result_ids(project, where, **order))]


# classes


@pytest.mark.parametrize("name", ["Cookie", "COOKIE", " coo kie "])
def test_two_classes_of_one_name_are_refused_whatever_case_and_spaces(project: Project, name: str) -> None:
    add_class(project, "Cookie")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        add_class(project, name)
    nut = add_class(project, "Nut")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        rename_class(project, nut, name)


def test_a_removed_class_comes_back_with_its_shots(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png())])
    remove_class(project, class_id)
    assert list_classes(project) == []
    assert list_shots(project) == []
    restore_class(project, class_id)
    (row,) = list_classes(project)
    assert (row.name, row.shots) == ("Cookie", 1)


def test_a_removed_class_frees_its_name_and_can_then_not_come_back_under_it(project: Project) -> None:
    first = add_class(project, "Cookie")
    remove_class(project, first)
    add_class(project, "cookie")
    with pytest.raises(ProjectError, match="already"):
        restore_class(project, first)


@pytest.mark.parametrize("name", ["", "  \n ", "x" * 101])
def test_a_class_needs_a_sensible_name(project: Project, name: str) -> None:
    with pytest.raises(ProjectError):
        add_class(project, name)


def test_a_class_says_whether_it_is_taught_and_up_to_date(project: Project, taught: Any, png: Png) -> None:
    def state() -> ClassState:
        return find_class(project, "cookie").state

    assert state() is ClassState.TAUGHT
    (added,) = add_shots(project, taught.class_id, [("c.png", png(3))])
    assert state() is ClassState.OUT_OF_DATE
    remove_shots(project, [added.shot_id or 0])
    assert state() is ClassState.TAUGHT
    remove_detector(project, taught.detector_id)
    assert state() is ClassState.READY
    restore_detector(project, taught.detector_id)
    remove_shots(project, [row.id for row in list_shots(project)])
    assert state() is ClassState.NEEDS_SHOTS


# shots


def test_bad_files_are_reported_and_the_good_ones_become_shots(
    project: Project, tmp_path: Path, png: Png
) -> None:
    class_id = add_class(project, "Cookie")
    good = tmp_path / "gut ü\n1.png"
    good.write_bytes(png(1))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(png(2)[:200])
    (tmp_path / "text.png").write_bytes(b"hello, I am no image")
    sources = [tmp_path / name for name in ("empty.png", good.name, "cut.png", "text.png", "gone.png")]
    added = add_shots(project, class_id, sources)
    assert [item.status for item in added] == ["failed", "added", "failed", "failed", "failed"]
    assert all(item.message for item in added if item.status == "failed")
    (shot,) = list_shots(project, class_id)
    assert (shot.name, shot.size) == ("gut ü 1.png", (32, 24))
    good.unlink()  # the project has its own copy
    assert shot.path.read_bytes() == png(1)


def test_the_same_picture_out_of_other_bytes_is_a_shot_once_in_its_class(project: Project, png: Png) -> None:
    """Compressed otherwise, with other notes in the file, saved in another format: held out, it would find itself."""
    picture = PIL.Image.open(io.BytesIO(png(1)))

    def saved(kind: str, **options: object) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    others = [saved("PNG", compress_level=0), saved("TIFF", compression="tiff_lzw"), saved("BMP")]
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    (first,) = add_shots(project, cookie, [("a.png", png(1))])
    added = add_shots(project, cookie, [(f"{number}.png", data) for number, data in enumerate(others)])
    assert [(one.status, one.shot_id) for one in added] == [("duplicate", first.shot_id)] * 3
    assert added[0].message == "“0.png” is the same picture as “a.png” and counts once."
    assert [row.name for row in list_shots(project, cookie)] == ["a.png"]
    assert add_shots(project, cookie, [("b.png", png(2))])[0].status == "added"
    assert add_shots(project, nut, [("a.png", others[0])])[0].status == "added"
    assert first.shot_id is not None
    remove_shots(project, [first.shot_id])
    assert add_shots(project, cookie, [("again.png", others[0])])[0].status == "added"


def test_a_shot_whose_file_is_gone_keeps_no_other_from_being_added(project: Project, png: Png) -> None:
    cookie = add_class(project, "Cookie")
    add_shots(project, cookie, [("a.png", png(1))])
    (shot,) = list_shots(project, cookie)
    shot.path.unlink()
    shots._looks.clear()  # as another process would find it
    assert add_shots(project, cookie, [("b.png", png(2))])[0].status == "added"


def test_the_same_image_is_a_shot_once_and_another_class_is_told(project: Project, png: Png) -> None:
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    first, again = add_shots(project, cookie, [("a.png", png(1)), ("b.png", png(1))])
    assert (again.status, again.shot_id) == ("duplicate", first.shot_id)
    (other,) = add_shots(project, nut, [("c.png", png(1))])
    assert other.status == "added"
    assert "Cookie" in other.message
    assert {row.class_name: row.duplicate_of for row in list_shots(project)} == {
        "Cookie": "Nut",
        "Nut": "Cookie",
    }


def test_a_shot_of_another_size_than_most_is_marked(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    images = [(f"{n}.png", png(n, (32, 24) if n < 3 else (24, 32))) for n in range(4)]
    add_shots(project, class_id, images)
    assert [row.odd_size for row in list_shots(project)] == [False, False, False, True]


def test_removing_a_shot_can_be_undone_and_adding_it_again_brings_back_the_same(
    project: Project, png: Png
) -> None:
    class_id = add_class(project, "Cookie")
    (added,) = add_shots(project, class_id, [("a.png", png())])
    remove_shots(project, [added.shot_id or 0])
    assert list_shots(project) == []
    restore_shots(project, [added.shot_id or 0])
    assert len(list_shots(project)) == 1
    remove_shots(project, [added.shot_id or 0])
    (again,) = add_shots(project, class_id, [("a.png", png())])
    assert (again.status, again.shot_id) == ("added", added.shot_id)


def test_a_missing_image_is_told_on_its_row_alone(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png(1)), ("b.png", png(2))])
    list_shots(project)[0].path.unlink()
    assert [row.missing for row in list_shots(project)] == [True, False]


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
    set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.5, 0.7, 0.6))
    assert not find_result(project, result_id).regions_current


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
