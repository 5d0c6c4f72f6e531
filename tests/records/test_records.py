"""What goes into a project comes out again: classes, shots, detectors, thresholds, results, reviews."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inspector.domain import Decision, Region, Thresholds
from inspector.errors import ProjectError
from inspector.records import inspected, inspecting, queries, write
from inspector.records.inspected import ResultFilter, ResultSort
from inspector.records.project import Project
from inspector.records.queries import ClassState

Record = Callable[..., list[int]]
Png = Callable[..., bytes]


def names(project: Project, where: ResultFilter = inspected.EVERYTHING, **order: Any) -> list[str]:
    return [row.name for row in inspected.results(project, inspected.result_ids(project, where, **order))]


# classes


@pytest.mark.parametrize("name", ["Cookie", "COOKIE", " coo kie "])
def test_two_classes_of_one_name_are_refused_whatever_case_and_spaces(project: Project, name: str) -> None:
    write.add_class(project, "Cookie")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        write.add_class(project, name)
    nut = write.add_class(project, "Nut")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        write.rename_class(project, nut, name)


def test_a_removed_class_comes_back_with_its_shots(project: Project, png: Png) -> None:
    class_id = write.add_class(project, "Cookie")
    write.add_shots(project, class_id, [("a.png", png())])
    write.remove_class(project, class_id)
    assert queries.classes(project) == []
    assert queries.shots(project) == []
    write.restore_class(project, class_id)
    (row,) = queries.classes(project)
    assert (row.name, row.shots) == ("Cookie", 1)


def test_a_removed_class_frees_its_name_and_can_then_not_come_back_under_it(project: Project) -> None:
    first = write.add_class(project, "Cookie")
    write.remove_class(project, first)
    write.add_class(project, "cookie")
    with pytest.raises(ProjectError, match="already"):
        write.restore_class(project, first)


@pytest.mark.parametrize("name", ["", "  \n ", "x" * 101])
def test_a_class_needs_a_sensible_name(project: Project, name: str) -> None:
    with pytest.raises(ProjectError):
        write.add_class(project, name)


def test_a_class_says_whether_it_is_taught_and_up_to_date(project: Project, taught: Any, png: Png) -> None:
    def state() -> ClassState:
        return queries.find_class(project, "cookie").state

    assert state() is ClassState.TAUGHT
    (added,) = write.add_shots(project, taught.class_id, [("c.png", png(3))])
    assert state() is ClassState.OUT_OF_DATE
    write.remove_shots(project, [added.shot_id or 0])
    assert state() is ClassState.TAUGHT
    write.remove_detector(project, taught.detector_id)
    assert state() is ClassState.READY
    write.restore_detector(project, taught.detector_id)
    write.remove_shots(project, [row.id for row in queries.shots(project)])
    assert state() is ClassState.NEEDS_SHOTS


# shots


def test_bad_files_are_reported_and_the_good_ones_become_shots(
    project: Project, tmp_path: Path, png: Png
) -> None:
    class_id = write.add_class(project, "Cookie")
    good = tmp_path / "gut ü\n1.png"
    good.write_bytes(png(1))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(png(2)[:200])
    (tmp_path / "text.png").write_bytes(b"hello, I am no image")
    sources = [tmp_path / name for name in ("empty.png", good.name, "cut.png", "text.png", "gone.png")]
    added = write.add_shots(project, class_id, sources)
    assert [item.status for item in added] == ["failed", "added", "failed", "failed", "failed"]
    assert all(item.message for item in added if item.status == "failed")
    (shot,) = queries.shots(project, class_id)
    assert (shot.name, shot.size) == (good.name, (32, 24))
    good.unlink()  # the project has its own copy
    assert shot.path.read_bytes() == png(1)


def test_the_same_image_is_a_shot_once_and_another_class_is_told(project: Project, png: Png) -> None:
    cookie, nut = write.add_class(project, "Cookie"), write.add_class(project, "Nut")
    first, again = write.add_shots(project, cookie, [("a.png", png(1)), ("b.png", png(1))])
    assert (again.status, again.shot_id) == ("duplicate", first.shot_id)
    (other,) = write.add_shots(project, nut, [("c.png", png(1))])
    assert other.status == "added"
    assert "Cookie" in other.message
    assert {row.class_name: row.duplicate_of for row in queries.shots(project)} == {
        "Cookie": "Nut",
        "Nut": "Cookie",
    }


def test_a_shot_of_another_size_than_most_is_marked(project: Project, png: Png) -> None:
    class_id = write.add_class(project, "Cookie")
    images = [(f"{n}.png", png(n, (32, 24) if n < 3 else (24, 32))) for n in range(4)]
    write.add_shots(project, class_id, images)
    assert [row.odd_size for row in queries.shots(project)] == [False, False, False, True]


def test_removing_a_shot_can_be_undone_and_adding_it_again_brings_back_the_same(
    project: Project, png: Png
) -> None:
    class_id = write.add_class(project, "Cookie")
    (added,) = write.add_shots(project, class_id, [("a.png", png())])
    write.remove_shots(project, [added.shot_id or 0])
    assert queries.shots(project) == []
    write.restore_shots(project, [added.shot_id or 0])
    assert len(queries.shots(project)) == 1
    write.remove_shots(project, [added.shot_id or 0])
    (again,) = write.add_shots(project, class_id, [("a.png", png())])
    assert (again.status, again.shot_id) == ("added", added.shot_id)


def test_a_missing_image_is_told_on_its_row_alone(project: Project, png: Png) -> None:
    class_id = write.add_class(project, "Cookie")
    write.add_shots(project, class_id, [("a.png", png(1)), ("b.png", png(2))])
    queries.shots(project)[0].path.unlink()
    assert [row.missing for row in queries.shots(project)] == [True, False]


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
    folder = write.staging(project)
    (folder / "detector.json").write_text("{}")
    with pytest.raises(IntegrityError):
        write.add_detector(
            project,
            folder,
            title="x",
            method="patchcore",
            backbone={},
            settings={},
            false_alarm_rate=0.05,
            shot_ids=[],
            held_out={},
            thresholds={999: Thresholds(0, 1, 0)},
        )
    assert [row.id for row in queries.detectors(project)] == [taught.detector_id]
    assert [path.name for path in (project.folder / "detectors").iterdir() if path != folder] == [
        str(taught.detector_id)
    ]


def test_a_detector_with_a_missing_file_says_so_and_the_rest_goes_on(project: Project, taught: Any) -> None:
    row = queries.detector(project)
    assert row.problem == ""
    (row.folder / "detector.safetensors").unlink()
    assert "detector.safetensors missing" in queries.detector(project).problem
    assert queries.classes(project)


def test_the_newest_detector_that_knows_a_class_is_taken(project: Project, taught: Any) -> None:
    assert queries.detector(project, class_name=" COOKIE").id == taught.detector_id
    with pytest.raises(ProjectError, match="No detector knows"):
        queries.detector(project, class_name="Nut")


# thresholds


def test_moving_thresholds_judges_stored_results_anew_and_keeps_the_history(
    project: Project, taught: Any, record: Record
) -> None:
    record(0.1, 0.55, 0.6, 0.9)
    assert inspected.counts(project) == inspected.Counts(ok=1, review=2, ng=1)
    flipped = write.set_thresholds(
        project, taught.detector_id, taught.class_id, Thresholds(0.58, 0.95, 0.4, {"by": "hand"}), who="Ada"
    )
    assert flipped == 2
    assert inspected.counts(project) == inspected.Counts(ok=2, review=2)
    history = queries.threshold_history(project, taught.detector_id, taught.class_id)
    assert [(row.thresholds.ng, row.who) for row in history] == [(0.95, "Ada"), (0.7, "")]
    assert queries.thresholds(project, taught.detector_id)[taught.class_id].thresholds.review == 0.58
    assert queries.calibrated(project, taught.detector_id)[taught.class_id].ng == 0.7


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
        write.set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(review, ng, 0.4))
    for row in inspected.results(project, inspected.result_ids(project)):
        assert row.image_score is not None
        expected = Decision.NG if row.image_score >= ng else Decision.REVIEW
        assert row.decision is (expected if row.image_score >= review else Decision.OK)


@pytest.mark.parametrize("bad", [Thresholds(0.9, 0.1, 0), Thresholds(0, float("nan"), 0)])
def test_senseless_thresholds_are_refused(project: Project, taught: Any, bad: Thresholds) -> None:
    with pytest.raises(ProjectError, match="Thresholds"):
        write.set_thresholds(project, taught.detector_id, taught.class_id, bad)


def test_the_histogram_holds_every_result_and_the_normal_shots(
    project: Project, taught: Any, record: Record
) -> None:
    scores = np.random.default_rng(0).random(300).round(3)
    record(*scores)
    found = inspected.histogram(project, taught.detector_id, taught.class_id, bins=16)
    expected, _ = np.histogram(scores, found.edges)
    assert found.counts.tolist() == expected.tolist()
    assert found.normal.tolist() == [0.2, 0.3]
    stored, normal = inspected.scores(project, taught.detector_id, taught.class_id)
    assert stored.tolist() == sorted(scores.tolist())
    assert normal.tolist() == [0.2, 0.3]


# results


def test_a_result_comes_back_with_its_regions_map_and_image(project: Project, taught: Any, png: Png) -> None:
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    data = png(7)
    facts = write.ImageFacts("ab" * 32, ".png", (32, 24), "RGB 8 bit")
    (result_id,) = inspecting.record_results(
        project,
        taught.run_id,
        [
            inspecting.NewResult(
                "x.png", facts, data, taught.class_id, 0.8, 0.9, values, [Region((1, 2, 3, 4), 9, 0.9)], 1
            )
        ],
    )
    detail = inspected.result(project, result_id)
    assert detail.regions == (Region((1, 2, 3, 4), 9, 0.9),)
    assert detail.regions_current
    assert detail.row.verdict is Decision.NG
    assert detail.row.path is not None
    assert detail.row.path.read_bytes() == data
    assert detail.row.map_path is not None
    stored = np.load(detail.row.map_path, allow_pickle=False)
    assert stored.dtype == np.float16
    assert np.allclose(stored, values, atol=1e-3)
    write.set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.5, 0.7, 0.6))
    assert not inspected.result(project, result_id).regions_current


def test_a_failed_item_keeps_its_reason_and_is_no_verdict(project: Project, taught: Any) -> None:
    name = "b\udcff\n.png"  # bytes on disk that are no UTF-8
    inspecting.record_results(
        project, taught.run_id, [inspecting.NewResult(name, error="It is empty.", hint="Copy it again.")]
    )
    (row,) = inspected.results(project, inspected.result_ids(project))
    assert (row.error, row.hint, row.verdict, row.path) == ("It is empty.", "Copy it again.", None, None)
    assert inspected.counts(project) == inspected.Counts(failed=1)
    assert names(project, ResultFilter(failed=True)) == [row.name]
    assert names(project, ResultFilter(failed=False)) == []


def test_an_inspected_image_that_is_also_a_shot_is_marked(project: Project, taught: Any) -> None:
    shot = queries.shots(project)[0]
    facts = write.ImageFacts(shot.sha256, ".png", shot.size, shot.mode)
    inspecting.record_results(
        project,
        taught.run_id,
        [inspecting.NewResult("a.png", facts, class_id=taught.class_id, image_score=0.1)],
    )
    assert inspected.results(project, inspected.result_ids(project))[0].is_shot


def test_a_batch_that_fails_is_not_stored_in_part(project: Project, taught: Any, record: Record) -> None:
    record(0.1)
    good = inspecting.NewResult("good.png", class_id=taught.class_id, image_score=0.2)
    for score in (float("nan"), float("inf")):
        bad = inspecting.NewResult("bad.png", class_id=taught.class_id, image_score=score)
        with pytest.raises(ProjectError, match="not a number"):
            inspecting.record_results(project, taught.run_id, [good, bad])
    assert inspected.counts(project).total == 1


def test_results_are_filtered_by_every_field(project: Project, taught: Any, record: Record) -> None:
    first = record(0.1, 0.6, 0.9)
    other = inspecting.start_run(project, taught.detector_id, "Tuesday", class_id=taught.class_id)
    record(0.2, 0.95, run_id=other)
    inspecting.add_review(project, [first[2]], Decision.OK, who="Ada", reason="dust", defect_type="scratch")
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
        assert inspected.counts(project, where).total == len(expected), where


@pytest.mark.parametrize("sort", list(ResultSort))
def test_every_sorting_gives_each_result_once_and_pages_join_up(
    project: Project, record: Record, sort: ResultSort
) -> None:
    ids = record(0.3, 0.1, 0.9, 0.6, 0.61)
    inspecting.add_review(project, ids[1:2], Decision.NG, who="Ada", defect_type="dent")
    for descending in (False, True):
        whole = inspected.result_ids(project, sort=sort, descending=descending).tolist()
        assert sorted(whole) == ids
        pages = [
            inspected.result_ids(project, sort=sort, descending=descending, limit=2, offset=start).tolist()
            for start in (0, 2, 4)
        ]
        assert [one for page in pages for one in page] == whole
    ascending = inspected.result_ids(project, sort=sort).tolist()
    assert inspected.result_ids(project, sort=sort, descending=True).tolist() == ascending[::-1]


def test_sorting_by_verdict_goes_from_good_to_bad(project: Project, record: Record) -> None:
    record(0.9, 0.1, 0.6)
    assert names(project, sort=ResultSort.VERDICT) == ["part 0.10.png", "part 0.60.png", "part 0.90.png"]


def test_a_removed_run_hides_its_results_until_it_is_restored(
    project: Project, taught: Any, record: Record
) -> None:
    record(0.1, 0.9)
    inspecting.remove_run(project, taught.run_id)
    assert names(project) == []
    assert inspected.runs(project) == []
    assert inspected.histogram(project, taught.detector_id, taught.class_id).results == 0
    inspecting.restore_run(project, taught.run_id)
    (run,) = inspected.runs(project)
    assert (run.counts.ok, run.counts.ng, run.counts.total) == (1, 1, 2)


# reviews


def test_a_persons_word_wins_over_the_thresholds_until_it_is_withdrawn(
    project: Project, taught: Any, record: Record
) -> None:
    (result_id,) = record(0.9)

    def verdict() -> Decision | None:
        return inspected.result(project, result_id).row.verdict

    (first,) = inspecting.add_review(project, [result_id], Decision.OK, who="Ada", reason="dust")
    (second,) = inspecting.add_review(project, [result_id], Decision.REVIEW, who="Bo", defect_type="dent")
    assert verdict() is Decision.REVIEW
    assert inspected.defect_types(project) == ["dent"]
    write.set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(2, 3, 0.4))
    assert verdict() is Decision.REVIEW
    inspecting.withdraw_review(project, [second], who="Bo")
    assert verdict() is Decision.OK
    inspecting.withdraw_review(project, [first], who="Ada")
    assert verdict() is Decision.OK  # by the thresholds, which moved above the score
    row = inspected.result(project, result_id).row
    assert (row.override, row.reviewed, row.defect_type) == (None, None, "")
    history = inspected.reviews(project, result_id)
    assert [(item.who, item.withdraws, item.withdrawn) for item in history] == [
        ("Ada", None, True),
        ("Bo", None, True),
        ("Bo", second, False),
        ("Ada", first, False),
    ]
    with pytest.raises(ProjectError, match="withdrawn"):
        inspecting.withdraw_review(project, [first], who="Ada")


def test_reviews_can_only_be_added(project: Project, record: Record) -> None:
    inspecting.add_review(project, record(0.9), Decision.OK, who="Ada")
    for statement in ("UPDATE reviews SET who = 'Eve'", "DELETE FROM reviews"):
        with pytest.raises(IntegrityError, match="append-only"), project.writing() as session:
            session.execute(text(statement))


# many, and at the same time


def test_ten_thousand_results_are_sorted_judged_and_paged_at_once(project: Project, taught: Any) -> None:
    rng = np.random.default_rng(0)
    for start in range(0, 10_000, 2_500):
        inspecting.record_results(
            project,
            taught.run_id,
            [
                inspecting.NewResult(f"{n:06}.png", class_id=taught.class_id, image_score=float(rng.random()))
                for n in range(start, start + 2_500)
            ],
        )
    began = time.perf_counter()
    ids = inspected.result_ids(project, sort=ResultSort.SCORE, descending=True)
    rows = inspected.results(project, ids[5_000:5_100])
    flipped = write.set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.5, 0.71, 0.4))
    elapsed = time.perf_counter() - began
    assert len(ids) == 10_000
    scores = [row.image_score or 0 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert 50 < flipped < 200
    assert elapsed < 2


def test_readers_on_other_threads_see_whole_batches_while_one_writes(project: Project, taught: Any) -> None:
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(inspected.counts(project).total)

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            batch = [inspecting.NewResult("x", class_id=taught.class_id, image_score=0.1) for _ in range(7)]
            inspecting.record_results(project, taught.run_id, batch)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert {count % 7 for count in seen} == {0}
    assert inspected.counts(project).total == 140
