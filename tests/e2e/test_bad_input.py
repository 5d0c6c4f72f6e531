"""What goes wrong on a shop floor: each gives a sentence with a next step, all else goes on, nothing is lost.

The stages prove their own share; here it is the jobs and the window that meet it.
"""

import csv
import errno
import io
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
import pytest
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobStatus
from inspector.errors import InspectorError
from inspector.images.find import find
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.detectors import find_detector, list_detectors
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.shots import add_shots
from inspector.views.inspect.page import InspectPage
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Job = Callable[..., JobEnded]
Idle = Callable[[], None]


@pytest.fixture
def project(taught: Path) -> Iterator[Project]:
    with projects.open(taught) as opened:
        yield opened


@pytest.fixture
def job(project: Project) -> Job:
    """Run a job to its end."""

    def run(work: Callable[..., None], *given: object, **options: object) -> JobEnded:
        events: list[JobEvent] = []
        work(project, *given, emit=events.append, cancel=CancelToken(), **options)
        assert isinstance(events[-1], JobEnded)
        items = [event for event in events if isinstance(event, JobItem)]
        assert all(len(event.error) > 20 for event in items if event.error)
        return events[-1]

    return run


def _png_header(width: int, height: int) -> bytes:
    """A PNG file that states its size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def _saved(kind: str, size: tuple[int, int], **options: object) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", size, "grey").save(file, kind, **options)
    return file.getvalue()


def _flipped(data: bytes) -> bytes:
    """One bit in the middle is another."""
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 4
    return bytes(changed)


def _bad_files(good: bytes) -> dict[str, tuple[bytes, str]]:
    """name → (content, what the sentence must say)"""
    frames = [PIL.Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    return {
        "zero bytes.png": (b"", "is empty"),
        "truncated.png": (good[: len(good) // 2], "truncated"),
        "a letter.jpg": (b"Dear customer, " * 40, "not an image"),
        "a document.png": (b"%PDF-1.7 " * 40, "PDF"),
        "animated.webp": (_saved("WEBP", (64, 64), save_all=True, append_images=frames), "frames"),
        "dot.bmp": (_saved("BMP", (1, 1)), "1 × 1"),
        "enormous.png": (_png_header(20_000, 20_000), "20,000 × 20,000"),
        "line\nbreak ünï.png": (_flipped(good), "damaged"),
    }


_ODD_NAMES = (
    "Prüfteil Ø 8 – 部品.png",
    "  two  words .png",
    "line\nbreak.png",
    "x" * 246 + ".png",
    "=1+1.png",
)


@pytest.fixture
def mixed(tmp_path: Path, washers: Path) -> Path:
    """A folder as it comes from the line: bad files, good files with odd names, a link to nowhere, a shot."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = sorted((washers / "test" / "good").iterdir())[0].read_bytes()
    for name, (content, _) in _bad_files(good).items():
        (folder / name).write_bytes(content)
    for name in _ODD_NAMES:
        (folder / name).write_bytes(good)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    shutil.copy(sorted((washers / "train" / "good").iterdir())[0], folder / "a shot.png")
    return folder


def test_a_batch_with_every_kind_of_bad_file_runs_to_its_end(
    project: Project, engine: Engine, job: Job, mixed: Path, tmp_path: Path
) -> None:
    bad = _bad_files((mixed / _ODD_NAMES[0]).read_bytes())
    ended = job(inspect, engine, [mixed])
    assert ended.status is JobStatus.DONE, ended.message
    rows = {row.name: row for row in list_results(project, result_ids(project))}
    bad = {name.replace("\n", " "): what for name, what in bad.items()}
    odd = [name.replace("\n", " ") for name in _ODD_NAMES]
    assert set(rows) == {*bad, *odd, "gone.png", "a shot.png"}
    for name, (_, words) in bad.items():
        assert words in rows[name].error, name
        assert "\n" not in rows[name].error
        assert rows[name].hint, name
        assert rows[name].verdict is None
    assert "no longer there" in rows["gone.png"].error
    assert rows["a shot.png"].is_shot
    scores = {rows[name].image_score for name in odd}
    assert len(scores) == 1  # one part, whatever its file is called
    assert None not in scores

    # everything can be exported, under names that any file system takes
    target = tmp_path / "out"
    ended = job(export, target, ["csv", "xlsx", "jsonl", "report", "overlays", "masks", "maps", "coco"])
    assert ended.status is JobStatus.DONE, ended.message
    with (target / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = {line["image"]: line for line in csv.DictReader(file)}
    assert set(lines) == {name if not name.startswith("=") else f"'{name}" for name in rows}
    assert lines["enormous.png"]["error"].startswith(rows["enormous.png"].error)
    assert len(list((target / "overlays").rglob("*.png"))) == len(_ODD_NAMES) + 1


def test_bad_shots_are_named_and_the_good_one_teaches(
    project: Project, engine: Engine, job: Job, mixed: Path
) -> None:
    gear, empty = add_class(project, "gear"), add_class(project, "empty")
    added = add_shots(project, gear, find([mixed]).images)
    failed = [item for item in added if item.status == "failed"]
    assert len(failed) == len(_bad_files(b"any")) + 1
    assert all(len(item.message) > 20 for item in failed)
    ended = job(teach, engine, method="patchcore", class_ids=[gear, empty])
    assert ended.status is JobStatus.DONE, ended.message
    assert ended.result["classes"] == ["gear"]
    states = {row.name: str(row.state) for row in list_classes(project)}
    assert states == {"washer": "taught", "gear": "taught", "empty": "needs shots"}


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file gets on the disk any more."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


def test_a_full_disk_fails_a_teaching_and_the_old_detector_still_inspects(
    project: Project, engine: Engine, job: Job, washers: Path
) -> None:
    before = [row.id for row in list_detectors(project)]
    with _full_disk():
        ended = job(teach, engine, method="patchcore")
    assert ended.status is JobStatus.FAILED
    assert "full" in ended.message
    assert ended.hint
    assert [row.id for row in list_detectors(project)] == before
    assert not any((project.folder / "detectors").glob("*tmp*"))
    assert job(inspect, engine, [washers / "test"]).result["inspected"] == 4


def test_a_full_disk_fails_an_export_and_leaves_the_one_before(
    project: Project, engine: Engine, job: Job, washers: Path, tmp_path: Path
) -> None:
    def exported() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    job(inspect, engine, [washers / "test"])
    assert job(export, tmp_path / "out", ["csv", "overlays"]).status is JobStatus.DONE
    before = exported()
    with _full_disk():
        ended = job(export, tmp_path / "again", ["csv", "overlays"])
    assert ended.status is JobStatus.FAILED
    assert "full" in ended.message
    assert not (tmp_path / "again").exists()
    assert exported() == before


def test_an_image_that_is_missing_from_the_project_is_left_out_of_an_export_and_named(
    project: Project, engine: Engine, job: Job, washers: Path, tmp_path: Path
) -> None:
    job(inspect, engine, [washers / "test"])
    rows = list_results(project, result_ids(project))
    assert rows[0].path is not None
    rows[0].path.unlink()
    ended = job(export, tmp_path / "out", ["csv", "overlays", "report"])
    assert ended.status is JobStatus.DONE
    assert len(list((tmp_path / "out" / "overlays").rglob("*.png"))) == len(rows) - 1
    assert (tmp_path / "out" / "report.html").is_file()


# in the window


def test_bad_files_dropped_as_shots_are_named_in_the_window(
    window: MainWindow, drop: Callable[..., None], idle: Idle, taught: Path, mixed: Path, qtbot: QtBot
) -> None:
    window.open_project(taught, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page = window.page
    assert isinstance(page, TeachPage)
    drop(*find([mixed]).images)
    assert window.banner.isVisible()
    assert window.banner.hint.text()
    assert page.shots.rowCount() == 4  # the three there were and the good part; its copies are one picture
    assert window.toast.isVisible()


def test_a_project_that_is_only_for_viewing_is_said_when_images_are_dropped(
    window: MainWindow, drop: Callable[..., None], idle: Idle, taught: Path, washers: Path, qtbot: QtBot
) -> None:
    with projects.open(taught):  # somebody else has it
        window.projects.open(taught, "inspect", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        assert "viewing only" in window.windowTitle()
        drop(washers / "test" / "good")
        assert "viewing only" in window.banner.message.text()
        assert window.banner.hint.text()


def test_a_damaged_detector_is_said_and_what_was_inspected_can_still_be_seen(
    window: MainWindow,
    drop: Callable[..., None],
    idle: Idle,
    taught: Path,
    washers: Path,
    engine: Engine,
    qtbot: QtBot,
) -> None:
    with projects.open(taught) as project:
        inspect(project, engine, [washers / "test"], emit=lambda event: None, cancel=CancelToken())
        tensors = find_detector(project).folder / "detector.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 255
    tensors.write_bytes(bytes(data))
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page = window.page
    assert isinstance(page, InspectPage)
    drop(washers / "test" / "good")
    assert "damaged" in window.banner.message.text()
    assert window.banner.hint.text() == "Teach the detector again."
    qtbot.waitUntil(lambda: page.at_hand.shown is not None and page.at_hand.shown.pixels.picture is not None)
    assert page.model.rowCount() == 4


def test_a_folder_that_can_not_hold_a_project_is_said_and_the_start_stays(
    window: MainWindow, idle: Idle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("in the way")
    window.projects.create(tmp_path / "a file" / "project", "Line 9")
    idle()
    assert window.context.project is None
    assert window.page_name == "start"
    assert window.banner.isVisible()
    assert window.banner.hint.text()
    with pytest.raises(InspectorError):
        projects.create(tmp_path / "a file" / "project", "Line 9")
