"""The outline of a defect, drawn by hand in the real window: kept, undone, shown again, and exported as the mask."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken
from inspector.errors import ProjectError
from inspector.jobs.export import export
from inspector.records import project as projects
from inspector.records.outlines import list_outlines, set_outline
from inspector.views.window.main_window import MainWindow
from tests.views.conftest import Stock

Idle = Callable[[], None]
SQUARE = ((0.5, 0.5), (0.75, 0.5), (0.75, 0.75), (0.5, 0.75))


def _point(canvas: Any, x: float, y: float) -> QPoint:
    ratio, place = canvas.devicePixelRatioF(), canvas._target()
    at = QPointF(place.x() + x * place.width(), place.y() + y * place.height()) / ratio
    return at.toPoint()


def _open(page: Any, qtbot: QtBot) -> Any:
    page.viewer.view.setFocus()
    qtbot.keyClick(page.viewer.view, Qt.Key.Key_E)
    dialog = page.outline.dialog
    qtbot.waitUntil(dialog.isVisible)
    return dialog


def _stroke(qtbot: QtBot, canvas: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, *start))
    for share in (0.5, 1.0):
        x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        _moved(canvas, _point(canvas, x, y))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, *end))


def _moved(canvas: Any, at: QPoint) -> None:
    """qtbot's moves hold no button."""
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    place = QPointF(at)
    event = QMouseEvent(
        QEvent.Type.MouseMove, place, canvas.mapToGlobal(place), none, left, Qt.KeyboardModifier.NoModifier
    )
    canvas.mouseMoveEvent(event)


def _masks(stock: Stock, target: Path) -> dict[str, np.ndarray]:
    ended: list[Any] = []
    export(stock.project, target, ["masks", "coco", "csv"], emit=ended.append, cancel=CancelToken())
    return {path.name: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in target.rglob("*_mask.png")}


def test_a_stroke_is_kept_signed_and_exported_as_the_mask(
    window: MainWindow, hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    page = choose(hand.ids[2])
    dialog = _open(page, qtbot)
    assert not dialog.canvas.empty  # begins with what the map says
    dialog.clear.click()
    _stroke(qtbot, dialog.canvas, (0.2, 0.8), (0.6, 0.8))
    dialog.use.click()
    idle()
    kept = list_outlines(hand.project, hand.ids)[hand.ids[2]]
    assert kept.who == "Ada"
    assert page.viewer.view.layer.outline == kept.rings
    mask = _masks(hand, tmp_path / "one")["part 2_mask.png"]
    assert mask[round(0.8 * 64), round(0.4 * 96)] == 255
    assert mask[: 64 // 2].max() == 0  # where the map is hot
    found = json.loads(next((tmp_path / "one").rglob("*.json")).read_text("utf-8"))
    boxes = [
        one["bbox"]
        for path in (tmp_path / "one").rglob("*.json")
        for one in json.loads(path.read_text("utf-8")).get("annotations", [])
        if one["bbox"][1] > 40
    ]
    assert found
    assert boxes
    with next((tmp_path / "one").rglob("*.csv")).open(encoding="utf-8-sig") as file:
        (line,) = (one for one in csv.DictReader(file) if one["image"] == "part 2.png")
    assert line["boxes (x y width height)"] == " ".join(f"{value:g}" for value in boxes[0])
    assert int(line["anomalous pixels"]) == np.count_nonzero(mask)

    window.context.undo.undo()
    idle()
    assert list_outlines(hand.project, hand.ids) == {}
    assert _masks(hand, tmp_path / "two")["part 2_mask.png"][: 64 // 2].max() == 255
    window.context.undo.redo()
    idle()
    assert list_outlines(hand.project, hand.ids)[hand.ids[2]].rings == kept.rings


def test_erasing_growing_and_undoing_change_what_is_drawn(
    hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    page = choose(hand.ids[2])
    dialog = _open(page, qtbot)
    canvas = dialog.canvas
    dialog.clear.click()
    assert canvas.empty
    dialog.tools["grow"].click()
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, 9 / 24, 6 / 16))  # the hot spot
    grown = canvas.rings
    assert not canvas.empty
    dialog.tools["eraser"].click()
    dialog.slider.setValue(100)
    _stroke(qtbot, canvas, (0.2, 6 / 16), (0.6, 6 / 16))
    assert canvas.empty
    dialog.undo.click()
    assert canvas.rings == grown
    dialog.reject()
    idle()
    assert list_outlines(hand.project, hand.ids) == {}


def test_what_the_map_says_comes_back_by_its_button_and_after_opening_again(
    hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    set_outline(hand.project, hand.ids[2], [SQUARE], who="Bo")
    page = choose(hand.ids[2])
    assert page.outline.outline.who == "Bo"
    dialog = _open(page, qtbot)
    mask = dialog.canvas._mask
    assert mask[round(0.6 * mask.shape[0]), round(0.6 * mask.shape[1])] == 255
    dialog.map.click()
    idle()
    assert list_outlines(hand.project, hand.ids) == {}
    assert page.viewer.view.layer.outline == ()


def test_outlines_beside_the_image_are_refused_and_damaged_ones_not_used(hand: Stock, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="within the image"):
        set_outline(hand.project, hand.ids[2], [((0.5, 0.5), (1.5, 0.5), (0.5, 0.6))], who="Ada")
    for result_id in hand.ids[:3]:
        set_outline(hand.project, result_id, [SQUARE], who="Ada")
    database = hand.project.folder / projects.DATABASE
    with closing(sqlite3.connect(database)) as connection, connection:
        with pytest.raises(sqlite3.DatabaseError, match="never changed"):
            connection.execute("DELETE FROM outlines")
        connection.execute("DROP TRIGGER outlines_no_update")
        connection.execute("UPDATE outlines SET outline = '{\"rings\": 3}' WHERE id = 1")
    assert list_outlines(hand.project, hand.ids).keys() == {*hand.ids[1:3]}


def test_a_stroke_that_leaves_the_image_does_not_cross_it_and_no_stroke_changes_nothing(
    hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    page = choose(hand.ids[2])
    dialog = _open(page, qtbot)
    dialog.use.click()
    idle()
    assert list_outlines(hand.project, hand.ids) == {}
    dialog = _open(page, qtbot)
    canvas = dialog.canvas
    dialog.clear.click()
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, 0.02, 0.5))
    for x, y in ((-0.05, 0.5), (-0.05, 1.1), (1.05, 1.1), (1.05, 0.5), (0.98, 0.5)):
        _moved(canvas, _point(canvas, x, y))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, 0.98, 0.5))
    rows, columns = canvas._mask.shape
    assert canvas._mask[rows // 2, columns // 2] == 0
    assert canvas._mask[rows // 2, columns - 2] == 255
    dialog.reject()


def test_a_polygon_is_drawn_corner_by_corner_and_closed_by_its_first_by_enter_or_by_use(
    hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    page = choose(hand.ids[2])
    dialog = _open(page, qtbot)
    canvas = dialog.canvas
    dialog.clear.click()
    dialog.tools["polygon"].click()

    def click(*corners: tuple[float, float]) -> None:
        for corner in corners:
            qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=_point(canvas, *corner))

    click((0.1, 0.6), (0.3, 0.6))
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert canvas.empty
    click((0.1, 0.6), (0.3, 0.6), (0.9, 0.1))
    qtbot.keyClick(canvas, Qt.Key.Key_Backspace)
    click((0.3, 0.9), (0.1, 0.6))
    rows, columns = canvas._mask.shape
    assert canvas._mask[round(0.7 * rows), round(0.25 * columns)] == 255
    assert canvas._mask[round(0.85 * rows), round(0.15 * columns)] == 0
    click((0.6, 0.6), (0.8, 0.6), (0.8, 0.9))
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert len(canvas.rings) == 2
    dialog.undo.click()
    assert len(canvas.rings) == 1
    click((0.6, 0.6), (0.8, 0.6), (0.8, 0.9))
    dialog.use.click()
    idle()
    assert len(list_outlines(hand.project, hand.ids)[hand.ids[2]].rings) == 2
