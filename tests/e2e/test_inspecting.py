"""Images in and verdicts out through the window, with runs that wait, stop and go on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage
from pytestqt.qtbot import QtBot
from stem_engine import in_batches

from inspector.domain import CancelToken, JobItem, JobKind, Thresholds
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.detectors import list_proposed
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.shots import list_shots
from inspector.records.thresholds import set_thresholds
from inspector.views.inspect.page import InspectPage
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, idle: Idle, taught: Path) -> InspectPage:
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    made = window.page
    assert isinstance(made, InspectPage)
    return made


def _paste(window: MainWindow, qtbot: QtBot, idle: Idle) -> None:
    qtbot.keyClick(window.page, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    idle()


def test_what_is_pasted_on_inspect_is_inspected_and_teaches_nothing(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, washers: Path
) -> None:
    project = window.context.project
    assert project is not None
    shots = len(list_shots(project, 1))
    detector = page.queue.detector_id
    files = sorted((washers / "test").rglob("*.png"))
    copied = QMimeData()
    copied.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    QGuiApplication.clipboard().setMimeData(copied)
    _paste(window, qtbot, idle)
    assert len(result_ids(project)) == len(files)
    QGuiApplication.clipboard().setImage(QImage(str(files[0])))
    _paste(window, qtbot, idle)
    rows = list_results(project, result_ids(project))
    assert rows[-1].name.startswith("Pasted ")
    assert rows[-1].verdict is not None
    QGuiApplication.clipboard().setText("no picture")
    _paste(window, qtbot, idle)
    assert len(result_ids(project)) == len(files) + 1
    assert len(list_shots(project, 1)) == shots
    assert page.queue.detector_id == detector


def test_a_drop_while_a_run_is_going_is_shown_when_its_turn_comes_and_moves_no_selection_before(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, washers: Path
) -> None:
    project = window.context.project
    assert project is not None
    first, second = washers / "train" / "good", washers / "test" / "good"
    seen: list[tuple[int | None, str]] = []

    def watch(event: object) -> None:
        if isinstance(event, JobItem):
            seen.append((page.queue.run_id, page.queue.run.currentText()))

    window.context.job_event.connect(watch)
    window.take_paths([first])
    window.take_paths([second])
    qtbot.waitUntil(lambda: "after what runs now" in window.toast.label.text())
    idle()
    newest, before = list_runs(project)
    assert page.queue.run_id == newest.id
    assert newest.counts.total == len(list(second.iterdir()))
    assert before.counts.total == len(list(first.iterdir()))
    assert page.queue.run.currentText().endswith(f"({newest.counts.total})")
    assert page.queue.list.result_id == result_ids(project)[before.counts.total]
    assert seen


def test_who_is_at_work_on_a_run_is_not_taken_to_the_next(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    drop(washers / "train" / "good")
    run = page.queue.run_id
    window.take_paths([washers / "test" / "good"])
    qtbot.waitUntil(lambda: window.context.runner.busy)
    qtbot.keyClick(page, Qt.Key.Key_Right)
    chosen = page.queue.list.result_id
    idle()
    assert (page.queue.run_id, page.queue.list.result_id) == (run, chosen)
    assert page.queue.run.count() == 3  # all results, and both runs


def test_an_interrupted_run_is_marked_and_continued_with_what_is_missing(
    qtbot: QtBot,
    window: MainWindow,
    idle: Idle,
    taught: Path,
    washers: Path,
    engine: Engine,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "to inspect"
    for number in range(6):
        shutil.copytree(washers / "test", folder / str(number))
    files = sorted(folder.rglob("*.png"))
    token = CancelToken()

    def stop(event: object) -> None:
        if isinstance(event, JobItem):
            token.cancel()

    with projects.open(taught) as project:
        inspect(project, in_batches(engine, 1), [folder], emit=stop, cancel=token)
        done = len(result_ids(project))
    assert 0 < done < len(files)
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page = window.page
    assert isinstance(page, InspectPage)
    assert page.queue.interrupted.isVisible()
    assert page.queue.interrupted.text() == f"Interrupted: {done} of {len(files)} inspected."
    assert page.queue.run.currentText().endswith(f"({done} of {len(files)})")
    folder.rename(tmp_path / "elsewhere")
    qtbot.mouseClick(page.queue.continue_button, Qt.MouseButton.LeftButton)
    idle()
    assert "is no longer there" in window.banner.message.text()
    (tmp_path / "elsewhere").rename(folder)
    assert page.queue.continue_button.isEnabled()
    qtbot.mouseClick(page.queue.continue_button, Qt.MouseButton.LeftButton)
    idle()
    project = window.context.project
    assert project is not None
    rows = list_results(project, result_ids(project))
    assert sorted(row.name for row in rows) == [path.relative_to(folder).as_posix() for path in files]
    assert len({row.run_id for row in rows}) == 1
    assert not page.queue.interrupted.isVisible()
    assert page.queue.run.currentText().endswith(f"({len(files)})")
    assert page.model.rowCount() == len(files)


def test_files_that_are_no_images_are_named_as_long_as_their_run_is_looked_at(
    window: MainWindow, page: InspectPage, drop: Drop, washers: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(washers / "test" / "good", tmp_path / "mixed")
    for name in ("phone.heic", "film.mp4"):
        (folder / name).write_bytes(b"not read")
    drop(folder)
    assert page.queue.left_out.isVisible()
    for name in ("phone.heic", "film.mp4"):
        assert name in page.queue.left_out.text()
    drop(washers / "train" / "good")
    assert not page.queue.left_out.isVisible()


def test_the_regions_of_an_image_are_the_same_after_a_threshold_was_moved_and_taken_back(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    bad = next(path for path in sorted((washers / "test").rglob("*.png")) if path.parent.name != "good")
    drop(bad)
    before = page.viewer.view.regions
    assert before
    box = page.panel.scores.review_box
    for text in ("0.1", f"{page.panel.scores.ng_box.value:.4f}"):
        box.setFocus()
        box.selectAll()
        qtbot.keyClicks(box, text)
        qtbot.keyClick(box, Qt.Key.Key_Return)
        idle()
    qtbot.wait(60)
    idle()
    for _ in range(window.context.undo.count()):
        window.menus.undo.trigger()
        idle()
    assert page.viewer.view.regions == before


def test_what_is_dropped_while_teaching_is_judged_and_named_by_the_detector_that_was_chosen_then(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    project, context = window.context.project, window.context
    assert project is not None
    old = page.queue.chosen_detector
    assert old is not None
    window.show_page("teach")
    teaching = window.page
    assert isinstance(teaching, TeachPage)
    idle()
    qtbot.mouseClick(teaching.panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: context.runner.busy)
    window.show_page("inspect")
    window.take_paths([washers / "test" / "good"])
    qtbot.waitUntil(lambda: window.toast.label.text().endswith(f"after what runs now, by {old.label}."))
    window.show_page("teach")
    seen: list[tuple[str, int | None, str]] = []

    def watch(event: object) -> None:  # the new detector is put in charge while the images wait
        if isinstance(event, JobItem):
            seen.append((window.job_bar.title.text(), page.queue.detector_id, page.queue.newer.text()))

    context.job_event.connect(watch)
    qtbot.waitUntil(teaching.proposal.isVisible, timeout=60_000)
    qtbot.mouseClick(teaching.proposal.accept_button, Qt.MouseButton.LeftButton)
    window.show_page("inspect")
    idle()
    (run,) = list_runs(project)
    assert (run.detector_id, run.detector_label) == (old.id, old.label)
    assert {row.detector_id for row in list_results(project, result_ids(project))} == {old.id}
    assert page.queue.run_id == run.id
    assert page.queue.judge.text() == f"Judged by {old.label}"
    assert page.panel.class_line.text().endswith(f"judged by #{old.id}")
    assert seen
    assert {title for title, *_ in seen} == {f"Inspect good with #{old.id}"}
    now = page.queue.chosen_detector
    assert now is not None
    assert now.id > old.id  # nothing waits any more
    drop(washers / "train" / "good")
    assert page.queue.judge.text() == f"Judged by {now.label}"


def test_the_choice_stays_while_images_wait_for_their_turn_and_then_follows_who_is_in_charge(
    qtbot: QtBot,
    window: MainWindow,
    page: InspectPage,
    idle: Idle,
    taught: Path,
    washers: Path,
    engine: Engine,
) -> None:
    project, context = window.context.project, window.context
    assert project is not None
    old = page.queue.chosen_detector
    assert old is not None
    teach(project, engine, method="patchcore", propose=True, emit=lambda event: None, cancel=CancelToken())
    (waiting,) = list_proposed(project)
    context.detectors_changed.emit()
    idle()
    go_on = Event()
    context.runner.start(JobKind.TEACH, "Teach", lambda *_: go_on.wait(60))
    window.take_paths([washers / "test" / "good"])
    window.show_page("teach")
    teaching = window.page
    assert isinstance(teaching, TeachPage)
    qtbot.waitUntil(teaching.proposal.isVisible)
    qtbot.mouseClick(teaching.proposal.accept_button, Qt.MouseButton.LeftButton)
    window.show_page("inspect")
    qtbot.waitUntil(page.queue.newer.isVisible)
    assert page.queue.newer.text().startswith(f"{waiting.label} is in charge now.")
    assert page.queue.detector_id == old.id
    window.take_paths([washers / "train" / "good"])  # by the one that stands there
    go_on.set()
    idle()
    assert {run.detector_id for run in list_runs(project)} == {old.id}
    assert page.queue.detector_id == waiting.id
    assert page.queue.newer.isHidden()
    assert page.queue.judge.text() == f"Judged by {old.label}"


def test_score_regions_and_exports_tell_one_scale_also_where_the_map_peaks_elsewhere_than_the_score(
    qtbot: QtBot,
    window: MainWindow,
    idle: Idle,
    drop: Drop,
    taught: Path,
    washers: Path,
    engine: Engine,
    tmp_path: Path,
) -> None:
    with projects.open(taught) as project:  # half of a map of WinCLIP's lies above all its scores
        teach(project, engine, method="winclip", emit=lambda event: None, cancel=CancelToken())
    window.open_project(taught, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page, opened = window.page, window.context.project
    assert isinstance(page, InspectPage)
    assert opened is not None
    drop(washers / "test")
    rows = list_results(opened, result_ids(opened))
    scores = sorted(row.image_score or 0.0 for row in rows)
    detector, (class_id,) = rows[0].detector_id, {row.class_id for row in rows}
    assert class_id is not None
    band = Thresholds(scores[1] - 1e-6, scores[2] - 1e-6, 0.0)
    set_thresholds(opened, detector, class_id, band)
    with sqlite3.connect(taught / "project.sqlite") as database:  # regions as earlier versions stored them
        place = ("x", "y", "width", "height", "area")
        for row in rows:
            names = ", ".join(("result_id", *place, "peak"))
            database.execute(f"INSERT INTO regions ({names}) VALUES (?, 1, 1, 9, 9, 81, 1.234)", (row.id,))
    database.close()
    window.context.detectors_changed.emit()
    idle()
    table, panel = page.panel.regions, page.panel
    assert table.horizontalHeaderItem(3).text() == "Score"
    for row in rows:
        page.queue.list.choose(row.id)
        qtbot.wait(60)  # regions are cut a moment later
        idle()
        score = row.image_score or 0.0
        peaks = [float(table.item(place, 3).text()) for place in range(table.rowCount())]
        assert panel.score.text() == f"{score:.3f}"
        assert max(peaks, default=None) == (None if score < band.review else round(score, 3))
        if peaks:
            assert min(peaks) >= round(band.review, 3)
            assert panel.regions_note.text().startswith(f"Marked from review ({band.review:.3f}) on.")
        values = page.viewer.view.values
        assert values is not None
        assert values.max() == pytest.approx(score, rel=1e-6)
    export(
        opened, tmp_path / "out", ["jsonl", "maps", "masks"], emit=lambda event: None, cancel=CancelToken()
    )
    told = [json.loads(line) for line in next((tmp_path / "out").rglob("*.jsonl")).read_text().splitlines()]
    assert len(told) == len(rows)
    for one in told:
        peaks = [region["peak"] for region in one["regions"]]
        assert max(peaks, default=None) == (None if one["verdict"] == "ok" else one["image_score"])
        assert "pixel" not in one["thresholds"]
    highest = sorted(float(np.load(path).max()) for path in (tmp_path / "out").rglob("*.npy"))
    assert highest == pytest.approx(scores, rel=1e-6)
    assert all(PIL.Image.open(path).getextrema()[1] for path in (tmp_path / "out").rglob("*_mask.png"))
