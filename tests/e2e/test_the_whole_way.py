"""From four good parts to an exported verdict, as a user goes it."""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from inspector.domain import Decision, JobEnded, JobStatus
from inspector.images import demo_parts
from inspector.records.classes import list_classes
from inspector.records.results import ResultRow, find_result, list_results, result_ids
from inspector.records.reviews import list_reviews
from inspector.views.inspect.page import InspectPage
from inspector.views.results.page import ResultsPage
from inspector.views.review.result_model import VERDICT
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    return demo_parts.write_demo(folder, shots=4, good=2, defective=4, kinds=("washer", "cloth"))


@pytest.mark.timeout(900)  # 30 s on a quiet machine
def test_from_four_good_parts_to_an_exported_verdict(
    qtbot: QtBot,
    window: MainWindow,
    idle: Callable[[], None],
    drop: Callable[..., None],
    parts: Path,
    tmp_path: Path,
) -> None:
    ended: list[JobEnded] = []
    window.context.job_event.connect(lambda e: ended.append(e) if isinstance(e, JobEnded) else None)
    window.resize(1280, 800)

    def press(key: Qt.Key) -> None:
        with qtbot.waitActive(window):  # else it takes no keys
            window.activateWindow()
        qtbot.keyClick(page, key)

    # a new project
    window.menus.new.trigger()
    form = window.start.form
    form._parent_folder = tmp_path
    qtbot.keyClicks(form.name, "Line 3")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.context.project is not None and window.page_name == "teach")
    project = window.context.project
    assert project is not None
    idle()

    # two classes, four shots each
    teach = window.page
    assert isinstance(teach, TeachPage)
    for product in ("washer", "cloth"):
        teach.ask_class()
        qtbot.keyClicks(teach.column.name, product)
        qtbot.keyClick(teach.column.name, Qt.Key.Key_Return)
        idle()
        assert teach.header.title.text() == product
        drop(*sorted((parts / product / "train" / "good").iterdir()))
    assert {row.name: (row.shots, str(row.state)) for row in list_classes(project)} == {
        "washer": (4, "ready to teach"),
        "cloth": (4, "ready to teach"),
    }

    # teach
    qtbot.mouseClick(teach.panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(ended), timeout=500_000)
    assert ended[-1].status is JobStatus.DONE, ended[-1].message
    idle()
    assert {str(row.state) for row in list_classes(project)} == {"taught"}

    # inspect good and defective parts and a file that is none
    qtbot.mouseClick(window.tab_row.tabs["inspect"], Qt.MouseButton.LeftButton)
    idle()
    page = window.page
    assert isinstance(page, InspectPage)
    batch = tmp_path / "from the line"
    batch.mkdir()
    for file in sorted(parts.glob("*/test/*/*.png")):
        kind, _, state = file.relative_to(parts).parts[:3]
        (batch / f"{kind} {state} {file.name}").write_bytes(file.read_bytes())
    (batch / "empty.png").write_bytes(b"")
    drop(batch)
    assert ended[-1].status is JobStatus.DONE, ended[-1].message
    assert ended[-1].result["inspected"] == 12
    assert ended[-1].result["failed"] == 1
    rows = list_results(project, result_ids(project))
    assert {row.name for row in rows if row.error} == {"empty.png"}
    for row in rows:
        if not row.error:
            product, state = row.name.split()[:2]
            assert row.class_name == product
            assert row.verdict is (Decision.OK if state == "good" else Decision.NG), (
                row.name,
                row.image_score,
            )
    qtbot.waitUntil(lambda: page.model.rowCount() == 13 and "! 1" in page.queue.counts.text())

    # the image has the window
    assert page.centre.width() * page.centre.height() >= 0.6 * window.width() * window.height()

    # the heat of a defect lies on the defect
    worst = max((row for row in rows if row.class_name == "washer"), key=lambda row: row.image_score or 0.0)
    page.queue.list.choose(worst.id)
    qtbot.waitUntil(lambda: page.at_hand.shown is not None and page.at_hand.shown.detail.row.id == worst.id)
    qtbot.waitUntil(lambda: page.live.scores is not None and page.panel.regions.rowCount() > 0)
    kind, state, number = worst.name.split()
    mask = np.asarray(PIL.Image.open(parts / kind / "ground_truth" / state / f"{Path(number).stem}_mask.png"))
    x, y, width, height = page.viewer.view.regions[0].box
    assert mask[y : y + height, x : x + width].any()

    # NG moves above every score: list at once, store on release
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
    washers = [row for row in list_results(project, [row.id for row in rows]) if row.class_name == "washer"]
    assert {row.verdict for row in washers} == {Decision.OK, Decision.REVIEW}
    press(Qt.Key.Key_U)
    idle()
    assert find_result(project, worst.id).row.verdict is Decision.NG

    # a person knows better, then thinks again
    press(Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    qtbot.keyClicks(page.popup.reason, "reflection, not a stain")
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)
    idle()
    row = find_result(project, worst.id).row
    assert (row.verdict, row.decision) == (Decision.OK, Decision.NG)
    assert list_reviews(project, worst.id)[-1].reason == "reflection, not a stain"
    press(Qt.Key.Key_U)
    idle()
    assert find_result(project, worst.id).row.verdict is Decision.NG

    # export
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
    _check_exports(target, rows)


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
