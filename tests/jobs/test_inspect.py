"""Inspecting files into results."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from stem_engine import in_batches

from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobItem, JobProgress, JobStatus
from inspector.images import read
from inspector.images.find import find
from inspector.jobs import events as job_events
from inspector.jobs.engine import Engine, least_side
from inspector.jobs.inspect import inspect
from inspector.records.classes import add_class, find_class, remove_class, rename_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import (
    Counts,
    ResultRow,
    count_results,
    find_result,
    list_results,
    result_ids,
)
from inspector.records.inspected.runs import list_runs
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.thresholds import list_thresholds, set_thresholds

Run = Callable[[Callable[..., None]], list[JobEvent]]


def end(events: list[JobEvent]) -> JobEnded:
    assert isinstance(events[-1], JobEnded)
    return events[-1]


def start(project: Project, engine: Engine, run: Run, *sources: Path, **options: Any) -> list[JobEvent]:
    cancel = options.pop("cancel", CancelToken())
    return run(lambda emit: inspect(project, engine, sources, emit=emit, cancel=cancel, **options))


def rows(project: Project) -> list[ResultRow]:
    return list_results(project, result_ids(project))


@pytest.fixture
def batch(demo: Path, tmp_path: Path) -> Path:
    """Washers: three good, three defective."""
    shutil.copytree(demo / "washer" / "test", tmp_path / "batch")
    return tmp_path / "batch"


def test_an_elongated_image_is_scored_in_its_proportions(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    path = batch / "half.png"
    pixels = read.read(next(batch.glob("good/*"))).pixels
    cv2.imwrite(str(path), pixels[:80, :, ::-1])
    assert end(start(taught, engine, run, path, class_name="washer")).status is JobStatus.DONE
    (row,) = rows(taught)
    detector = engine.detector(taught, find_detector(taught))
    (alone,) = detector.score([read.read(path, least_side(engine.backbone()))], ["washer"])
    assert row.image_score == pytest.approx(alone.image_score, rel=1e-3)
    assert engine.backbone().prepare_one(pixels[:80], detector.proportions).shape[:2] == (176, 320)


def test_every_file_becomes_a_result_with_map_copy_and_verdict(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    events = start(taught, in_batches(engine, 4), run, batch, class_name="WASHER")
    assert end(events).status is JobStatus.DONE, end(events)
    found = rows(taught)
    assert sorted(row.name for row in found) == sorted(
        path.relative_to(batch).as_posix() for path in find([batch]).images
    )
    items = {event.result_id: event.name for event in events if isinstance(event, JobItem)}
    assert items == {row.id: row.name for row in found}
    detector = engine.detector(taught, find_detector(taught))
    for row in found:
        assert row.path is not None
        assert row.map_path is not None
        assert row.path.read_bytes() == (batch / row.name).read_bytes()
        assert row.size == (160, 160)
        assert (row.class_name, row.class_confidence) == ("washer", 1.0)
        (alone,) = detector.score([read.read(batch / row.name, least_side(engine.backbone()))], ["washer"])
        assert row.image_score == pytest.approx(alone.image_score, rel=1e-3)
        assert np.allclose(np.load(row.map_path), alone.values, rtol=2e-3, atol=1e-3)
        thresholds = find_result(taught, row.id).thresholds
        assert thresholds is not None
        assert row.image_score is not None
        assert (row.verdict is Decision.NG) == (row.image_score >= thresholds.ng)
        assert (row.verdict is Decision.OK) == (row.regions == 0)
    assert end(events).result["inspected"] == len(found)
    assert end(events).result["failed"] == 0


def test_defective_parts_score_higher_than_good_ones(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    start(taught, engine, run, batch, class_name="washer")
    scores = {row.name: row.image_score or 0 for row in rows(taught)}
    good = [score for name, score in scores.items() if name.startswith("good/")]
    bad = [score for name, score in scores.items() if not name.startswith("good/")]
    assert np.mean(bad) > np.mean(good)


def test_the_class_is_found_when_it_is_not_given(
    taught: Project, engine: Engine, run: Run, demo: Path
) -> None:
    start(taught, engine, run, demo / "washer" / "test" / "good", demo / "cloth" / "test" / "good")
    assert [row.class_name for row in rows(taught)] == ["cloth"] * 3 + ["washer"] * 3


def test_a_renamed_class_is_still_known_to_its_detector(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    rename_class(taught, find_class(taught, "washer").id, "M8 washer")
    events = start(taught, engine, run, batch / "good", class_name="m8washer")
    assert end(events).status is JobStatus.DONE
    start(taught, engine, run, batch / "good")
    assert {row.class_name for row in rows(taught)} == {"M8 washer"}


def test_bad_files_become_failed_items_and_never_stop_the_batch(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    good = len(find([batch]).images)
    (batch / "empty.png").write_bytes(b"")
    (batch / "cut.png").write_bytes(find([batch / "good"]).images[0].read_bytes()[:3000])
    (batch / "text.jpg").write_text("no image at all, only words")
    (batch / "ünï \n code.png").write_bytes(find([batch / "good"]).images[0].read_bytes() + b"\0")
    events = start(taught, in_batches(engine, 2), run, batch, batch / "vanished.png", class_name="washer")
    assert end(events).status is JobStatus.DONE
    failed = {row.name: row.error for row in rows(taught) if row.error}
    assert set(failed) == {"empty.png", "cut.png", "text.jpg", "vanished.png"}
    assert all(row.verdict is None for row in rows(taught) if row.error)
    said = {event.name: event.error for event in events if isinstance(event, JobItem) and event.error}
    assert set(said) == set(failed)
    assert end(events).result["inspected"] == good + 1
    assert "4 could not be inspected" in end(events).message


def test_a_batch_of_bad_files_alone_ends_well(
    taught: Project, engine: Engine, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    events = start(taught, engine, run, tmp_path / "empty.png")
    assert end(events).status is JobStatus.DONE
    assert count_results(taught) == Counts(failed=1)


def test_files_that_vanish_while_the_run_goes_on_become_failed_items(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    last = find([batch]).images[-1]

    def work(emit: Callable[[JobEvent], None]) -> None:
        def watch(event: JobEvent) -> None:
            if isinstance(event, JobProgress) and event.done == 0:
                last.unlink(missing_ok=True)
            emit(event)

        inspect(taught, in_batches(engine, 1), [batch], class_name="washer", emit=watch, cancel=CancelToken())

    assert end(run(work)).status is JobStatus.DONE
    assert [row.name for row in rows(taught) if row.error] == [last.relative_to(batch).as_posix()]


def test_images_of_one_name_keep_the_folders_that_tell_them_apart(
    taught: Project, engine: Engine, run: Run, demo: Path, tmp_path: Path
) -> None:
    picture = find([demo / "washer" / "test"]).images[0]
    for folder in ("line 1/today", "line 2/today"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(picture, tmp_path / folder / "1.png")
    start(taught, engine, run, tmp_path / "line 1" / "today", tmp_path / "line 2" / "today")
    start(
        taught, engine, run, *(tmp_path / "line 1" / "today").iterdir(), *(tmp_path / "line 2").rglob("*.png")
    )
    assert [row.name for row in rows(taught)] == ["line 1/today/1.png", "line 2/today/1.png"] * 2
    start(taught, engine, run, tmp_path / "line 2" / "today")
    assert rows(taught)[-1].name == "1.png"
    roots = {one.id: one.root for one in list_runs(taught)}
    for row in rows(taught):
        assert (Path(roots[row.run_id]) / row.name).read_bytes() == picture.read_bytes()
    assert roots[rows(taught)[-1].run_id] == str(tmp_path / "line 2" / "today")


def test_an_inspected_shot_is_marked(taught: Project, engine: Engine, run: Run, demo: Path) -> None:
    start(taught, engine, run, demo / "washer" / "train", class_name="washer")
    assert all(row.is_shot for row in rows(taught))


def test_the_same_image_twice_gives_two_results_and_one_copy(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    first = find([batch]).images[0]
    shutil.copy(first, batch / "again.jpeg")
    start(taught, engine, run, first, batch / "again.jpeg", class_name="washer")
    one, two = rows(taught)
    assert one.path == two.path
    assert one.image_score == two.image_score


def test_cancelling_keeps_what_was_finished(taught: Project, engine: Engine, run: Run, batch: Path) -> None:
    cancel = CancelToken()

    def work(emit: Callable[[JobEvent], None]) -> None:
        def watch(event: JobEvent) -> None:
            emit(event)
            if isinstance(event, JobItem):
                cancel.cancel()

        inspect(taught, in_batches(engine, 1), [batch], class_name="washer", emit=watch, cancel=cancel)

    events = run(work)
    assert end(events).status is JobStatus.CANCELLED
    announced = {event.result_id for event in events if isinstance(event, JobItem)}
    assert announced == {row.id for row in rows(taught)}
    assert 1 <= len(announced) < len(find([batch]).images)
    assert end(events).result["run_id"] == list_runs(taught)[0].id


def test_what_can_not_be_inspected_fails_with_a_sentence(
    project: Project, taught: Project, engine: Engine, run: Run, batch: Path, tmp_path: Path
) -> None:
    assert "Nothing was taught" in end(start(project, engine, run, batch)).message
    nut = add_class(taught, "Nut")
    assert (
        "No detector knows the class “Nut”"
        in end(start(taught, engine, run, batch, class_name="Nut")).message
    )
    chosen = find_detector(taught).id
    both = end(start(taught, engine, run, batch, detector_id=chosen, class_name="Nut"))
    assert both.status is JobStatus.FAILED
    assert "“Nut”" in both.message
    remove_class(taught, nut)
    (tmp_path / "nothing").mkdir()
    assert "no images" in end(start(taught, engine, run, tmp_path / "nothing")).message
    tensors = find_detector(taught).folder / "detector.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 255
    tensors.write_bytes(bytes(data))
    engine_again = Engine(device="cpu")
    engine_again.use(engine.backbone(), "inspector-tiny")
    ended = end(start(taught, engine_again, run, batch))
    assert (ended.status, ended.hint) == (JobStatus.FAILED, "Teach the detector again.")
    tensors.unlink()
    assert "missing" in end(start(taught, engine_again, run, batch)).message
    assert rows(taught) == []


def test_the_disk_filling_up_fails_the_run_and_keeps_what_was_stored(
    taught: Project, engine: Engine, run: Run, batch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from inspector import paths

    real, calls = paths.write_atomic, []

    def filling(path: Path, data: bytes, **how: bool) -> None:
        calls.append(path)
        if path.suffix == ".npy" and sum(path.suffix == ".npy" for path in calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data, **how)

    monkeypatch.setattr(paths, "write_atomic", filling)
    ended = end(start(taught, in_batches(engine, 1), run, batch, class_name="washer"))
    assert ended.status is JobStatus.FAILED
    assert "is full" in ended.message
    assert len(rows(taught)) == 2
    assert all(row.map_path is not None and row.map_path.is_file() for row in rows(taught))


def test_thresholds_moved_during_a_run_judge_its_later_results(
    taught: Project, engine: Engine, run: Run, batch: Path
) -> None:
    washer = find_class(taught, "washer")
    detector_id = find_detector(taught).id

    def work(emit: Callable[[JobEvent], None]) -> None:
        moved_before = False

        def watch(event: JobEvent) -> None:
            nonlocal moved_before
            emit(event)
            if isinstance(event, JobItem) and not moved_before:
                moved_before = True
                found = list_thresholds(taught, detector_id)[washer.id].thresholds
                moved = type(found)(-2.0, -1.0, found.pixel)
                set_thresholds(taught, detector_id, washer.id, moved, who="Ada")

        inspect(taught, in_batches(engine, 1), [batch], class_name="washer", emit=watch, cancel=CancelToken())

    run(work)
    assert {row.verdict for row in rows(taught)} == {Decision.NG}


def test_time_left_follows_the_recent_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(job_events.time, "monotonic", lambda: clock[0])
    pace = job_events.Pace(window=10)
    assert pace.at(0, 400) == (None, None)
    done = 0.0
    for second in range(120):  # one in two seconds at first, then four a second
        clock[0] += 1
        done += 0.5 if second < 60 else 4
        rate, left = pace.at(done, 400)
    assert rate == pytest.approx(4, rel=0.05)
    assert left == pytest.approx((400 - done) / 4, rel=0.05)


@pytest.mark.parametrize("where", ["score", "map"])
def test_an_image_that_gets_no_number_is_a_failed_item_and_the_run_goes_on(
    taught: Project, engine: Engine, run: Run, batch: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    detector = engine.detector(taught, find_detector(taught))
    real, seen = detector.score, []

    def score(images: Any, names: Any) -> Any:
        maps = real(images, names)
        if not seen:  # the first image only
            seen.append(True)
            if where == "score":
                maps[0] = replace(maps[0], image_score=float("nan"))
            else:
                maps[0].values[0, 0] = np.inf
        return maps

    monkeypatch.setattr(detector, "score", score)
    ended = end(start(taught, in_batches(engine, 1), run, batch, class_name="washer"))
    assert ended.status is JobStatus.DONE
    assert ended.result["failed"] == 1
    failed = [row for row in rows(taught) if row.error]
    assert len(failed) == 1
    assert "no number" in failed[0].error
    assert failed[0].path is not None  # the picture can still be looked at
    assert all(row.verdict is not None for row in rows(taught) if not row.error)


def test_a_decoder_that_breaks_on_a_file_ends_no_run(
    taught: Project, engine: Engine, run: Run, batch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspector.images import formats

    real, seen = formats.decode_pixels, []

    def decode(*arguments: Any) -> Any:
        seen.append(arguments)
        if len(seen) == 1:
            raise IndexError("boolean index did not match")
        return real(*arguments)

    monkeypatch.setattr(formats, "decode_pixels", decode)
    ended = end(start(taught, engine, run, batch, class_name="washer"))
    assert (ended.status, ended.result["failed"]) == (JobStatus.DONE, 1)
    (failed,) = [row for row in rows(taught) if row.error]
    assert "IndexError" in failed.error


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always Unicode")
def test_folders_and_files_whose_names_are_no_utf8_are_inspected_under_a_name_that_can_be_shown(
    taught: Project, engine: Engine, run: Run, batch: Path, tmp_path: Path
) -> None:
    good = find([batch]).images[0]
    folder = tmp_path / os.fsdecode(b"in\xff")
    folder.mkdir()
    file = folder / os.fsdecode(b"part\xff.png")
    file.write_bytes(good.read_bytes())
    for number, source in enumerate((folder, file)):
        ended = end(start(taught, engine, run, source))
        assert (ended.status, ended.result["inspected"]) == (JobStatus.DONE, 1)
        kept = list_jobs(taught)[0]
        assert kept.result["sources"] == [str(source)]  # so that the run can go on
        assert kept.title == ("Inspect in� with #1", "Inspect part�.png with #1")[number]
    assert {row.name for row in rows(taught)} == {"part�.png"}


def test_a_run_says_what_it_left_out_and_how_deep_images_were_read(
    taught: Project, engine: Engine, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "film.mp4").touch()
    for name in ("a.png", "b.png"):
        Pillow.fromarray(np.full((64, 64), 4000, np.uint16)).save(folder / name)
    ended = end(start(taught, engine, run, folder))
    assert "Left out: 1 MP4 file (film.mp4)." in ended.message
    assert "“a.png”: its values reach 4,000 of 65,535" in ended.message
    assert "So with 1 more." in ended.message
