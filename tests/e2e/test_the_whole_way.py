"""The way of a person through the window, from good parts to an exported verdict, with the embedded model as it ships."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, Decision, JobEnded, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.inspected.results import ResultRow, find_result, list_results, result_ids
from inspector.records.project import Project
from inspector.records.reviews import list_reviews
from inspector.records.shots import add_shots
from inspector.views.inspect.page import InspectPage
from inspector.views.results.page import ResultsPage
from inspector.views.review.result_model import VERDICT
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    return demo_parts.write_demo(folder, shots=4, good=2, defective=4, kinds=("washer", "cloth"))


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, parts: Path) -> Path:
    """Twelve parts under names that tell product and true state, and a file that is none."""
    folder = tmp_path_factory.mktemp("batch") / "from the line"
    folder.mkdir()
    for file in sorted(parts.glob("*/test/*/*.png")):
        kind, _, state = file.relative_to(parts).parts[:3]
        shutil.copy(file, folder / f"{kind} {state} {file.name}")
    (folder / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory, parts: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("two") / "Line 3"
    with projects.create(folder, "Line 3") as project:
        for product in ("washer", "cloth"):
            shots = sorted((parts / product / "train" / "good").iterdir())
            add_shots(project, add_class(project, product), shots)
        teach(project, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
    return folder


@pytest.fixture(scope="module")
def inspected(
    tmp_path_factory: pytest.TempPathFactory, two_classes: Path, batch: Path, engine: Engine
) -> Path:
    folder = shutil.copytree(two_classes, tmp_path_factory.mktemp("inspected") / "Line 3")
    with projects.open(folder) as project:
        inspect(project, engine, [batch], emit=lambda event: None, cancel=CancelToken())
    return folder


def _open(qtbot: QtBot, window: MainWindow, idle: Idle, folder: Path, page: str) -> Project:
    window.resize(1280, 800)
    window.open_project(folder, page)
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    project = window.context.project
    assert project is not None
    return project


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, idle: Idle, inspected: Path, tmp_path: Path) -> InspectPage:
    """Inspect, with the worst washer in sight and all there is to see of it."""
    project = _open(qtbot, window, idle, shutil.copytree(inspected, tmp_path / "Line 3"), "inspect")
    made = window.page
    assert isinstance(made, InspectPage)
    worst = _worst(project)
    made.queue.list.choose(worst.id)
    qtbot.waitUntil(lambda: made.at_hand.shown is not None and made.at_hand.shown.detail.row.id == worst.id)
    qtbot.waitUntil(lambda: made.live.scores is not None and made.panel.regions.rowCount() > 0)
    with qtbot.waitActive(window):  # else it takes no keys
        window.activateWindow()
    return made


def _worst(project: Project) -> ResultRow:
    rows = [row for row in list_results(project, result_ids(project)) if row.class_name == "washer"]
    return max(rows, key=lambda row: row.image_score or 0.0)


@pytest.mark.timeout(600)
def test_a_new_project_is_made_filled_and_taught_by_typing_dropping_and_one_click(
    qtbot: QtBot, window: MainWindow, idle: Idle, drop: Drop, parts: Path, tmp_path: Path
) -> None:
    ended: list[JobEnded] = []
    window.context.job_event.connect(lambda e: ended.append(e) if isinstance(e, JobEnded) else None)
    window.menus.new.trigger()
    form = window.start.form
    form._parent_folder = tmp_path
    qtbot.keyClicks(form.name, "Line 3")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.context.project is not None and window.page_name == "teach")
    project = window.context.project
    assert project is not None
    idle()
    page = window.page
    assert isinstance(page, TeachPage)
    for product in ("washer", "cloth"):
        page.ask_class()
        qtbot.keyClicks(page.column.name, product)
        qtbot.keyClick(page.column.name, Qt.Key.Key_Return)
        idle()
        assert page.header.title.text() == product
        drop(*sorted((parts / product / "train" / "good").iterdir()))
    assert {row.name: (row.shots, str(row.state)) for row in list_classes(project)} == {
        "washer": (4, "ready to teach"),
        "cloth": (4, "ready to teach"),
    }
    qtbot.mouseClick(page.panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(ended), timeout=500_000)
    assert ended[-1].status is JobStatus.DONE, ended[-1].message
    idle()
    assert {str(row.state) for row in list_classes(project)} == {"taught"}


@pytest.mark.timeout(600)
def test_every_file_of_a_dropped_folder_is_judged_right_or_named(
    qtbot: QtBot,
    window: MainWindow,
    idle: Idle,
    drop: Drop,
    two_classes: Path,
    batch: Path,
    tmp_path: Path,
) -> None:
    project = _open(qtbot, window, idle, shutil.copytree(two_classes, tmp_path / "Line 3"), "inspect")
    page = window.page
    assert isinstance(page, InspectPage)
    drop(batch)
    rows = list_results(project, result_ids(project))
    assert len(rows) == 13
    assert {row.name for row in rows if row.error} == {"empty.png"}
    for row in rows:
        if not row.error:
            product, state = row.name.split()[:2]
            assert row.class_name == product
            expected = Decision.OK if state == "good" else Decision.NG
            assert row.verdict is expected, (row.name, row.image_score)
    qtbot.waitUntil(lambda: page.model.rowCount() == 13 and "! 1" in page.queue.counts.text())


def test_the_image_has_the_window(window: MainWindow, page: InspectPage) -> None:
    assert page.centre.width() * page.centre.height() >= 0.6 * window.width() * window.height()


def test_the_heat_of_a_defect_lies_on_the_defect(window: MainWindow, page: InspectPage, parts: Path) -> None:
    assert page.at_hand.shown is not None
    kind, state, number = page.at_hand.shown.detail.row.name.split()
    mask = np.asarray(PIL.Image.open(parts / kind / "ground_truth" / state / f"{Path(number).stem}_mask.png"))
    x, y, width, height = page.viewer.view.regions[0].box
    assert mask[y : y + height, x : x + width].any()


def test_a_dragged_threshold_shows_at_once_is_stored_on_release_and_undone(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle
) -> None:
    project = window.context.project
    assert project is not None
    worst = _worst(project)
    histogram = page.panel.scores.histogram
    line = histogram.height() // 2
    start = QPoint(round(histogram.x_of(page.panel.scores.thresholds.ng)), line)
    end = QPoint(histogram.width() - 9, line)
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(histogram, end)
    place = page.model.place(worst.id)
    assert page.model.index(place, 0).data(VERDICT) == Decision.REVIEW
    assert page.panel.chip.words == "? Review"
    qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=end)
    qtbot.waitUntil(lambda: find_result(project, worst.id).row.verdict is Decision.REVIEW)
    idle()
    washers = [row for row in list_results(project, result_ids(project)) if row.class_name == "washer"]
    assert {row.verdict for row in washers} == {Decision.OK, Decision.REVIEW}
    qtbot.keyClick(page, Qt.Key.Key_U)
    idle()
    assert find_result(project, worst.id).row.verdict is Decision.NG


def test_an_override_is_kept_with_its_reason_and_undone(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle
) -> None:
    project = window.context.project
    assert project is not None
    worst = _worst(project)
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    qtbot.keyClicks(page.popup.reason, "reflection, not a stain")
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)
    idle()
    row = find_result(project, worst.id).row
    assert (row.verdict, row.decision) == (Decision.OK, Decision.NG)
    assert list_reviews(project, worst.id)[-1].reason == "reflection, not a stain"
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.keyClick(page, Qt.Key.Key_U)
    idle()
    assert find_result(project, worst.id).row.verdict is Decision.NG


@pytest.mark.timeout(600)
def test_an_export_holds_every_result_in_every_format(
    qtbot: QtBot, window: MainWindow, page: InspectPage, idle: Idle, tmp_path: Path
) -> None:
    ended: list[JobEnded] = []
    window.context.job_event.connect(lambda e: ended.append(e) if isinstance(e, JobEnded) else None)
    project = window.context.project
    assert project is not None
    qtbot.mouseClick(window.tab_row.tabs["results"], Qt.MouseButton.LeftButton)
    idle()
    results = window.page
    assert isinstance(results, ResultsPage)
    results.export_button.click()
    for name, box in results.exporter.formats.items():
        box.setChecked(name in ("csv", "xlsx", "overlays", "masks", "coco", "report"))
    target = tmp_path / "out"
    results.exporter.folder.setText(str(target))
    qtbot.mouseClick(results.exporter.button, Qt.MouseButton.LeftButton)
    idle()
    assert ended[-1].status is JobStatus.DONE, ended[-1].message
    _check_exports(target, list_results(project, result_ids(project)))


@pytest.mark.timeout(600)
def test_what_a_killed_command_had_inspected_is_there_when_the_window_opens_and_the_rest_goes_on(
    qtbot: QtBot, window: MainWindow, idle: Idle, two_classes: Path, batch: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(two_classes, tmp_path / "Line 3")
    many = tmp_path / "many"
    for number in range(5):
        shutil.copytree(batch, many / str(number))
    names = sorted(path.relative_to(many).as_posix() for path in many.rglob("*.png"))
    files = len(names)
    command = [sys.executable, "-m", "inspector", "inspect", str(folder), str(many)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        while process.poll() is None and not _stored(folder):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    stored = _stored(folder)
    assert 0 < stored < files
    project = _open(qtbot, window, idle, folder, "inspect")
    assert not window.banner.isVisible()
    rows = list_results(project, result_ids(project))
    assert len(rows) == stored
    for row in rows:
        assert row.error or row.verdict is not None
    page = window.page
    assert isinstance(page, InspectPage)
    assert page.queue.interrupted.text() == f"Interrupted: {stored} of {files} inspected."
    qtbot.mouseClick(page.queue.continue_button, Qt.MouseButton.LeftButton)
    idle()
    assert sorted(row.name for row in list_results(project, result_ids(project))) == names


def _stored(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder / 'project.sqlite'}?mode=ro", uri=True) as connection:
        found: int = connection.execute("SELECT count(*) FROM results").fetchone()[0]
    connection.close()
    return found


def _check_exports(target: Path, rows: list[ResultRow]) -> None:
    defective = [row for row in rows if row.verdict is Decision.NG]
    with (target / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert sorted(line["image"] for line in lines) == sorted(row.name for row in rows)
    assert sum(line["verdict"] == "ng" for line in lines) == len(defective)
    with zipfile.ZipFile(target / "results.xlsx") as book:
        text = b"".join(book.read(name) for name in book.namelist()).decode("utf-8", "replace")
    assert all(row.name in text for row in rows)
    overlays = list((target / "overlays").rglob("*.png"))
    assert len(overlays) == 12
    with PIL.Image.open(overlays[0]) as overlay:
        assert overlay.size == (512, 512)
    masks = list((target / "masks").rglob("*_mask.png"))
    assert len(masks) == len(defective) == 8
    for path in masks:
        with PIL.Image.open(path) as mask:
            assert set(np.unique(np.asarray(mask))) == {0, 255}
    coco = json.loads((target / "coco.json").read_text("utf-8"))
    assert len(coco["images"]) == 12
    marked = {note["image_id"] for note in coco["annotations"]}
    assert {image["file_name"] for image in coco["images"] if image["id"] in marked} == {
        row.name for row in defective
    }
    report = (target / "report.html").read_text("utf-8")
    assert all(row.name in report for row in rows)
    assert "http://" not in report.replace("http://www.w3.org/", "")
