"""How large a pixel is, measured on a shot in the real window."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from inspector.records.classes import find_class
from inspector.views.teach.looking.scale_dialog import RulerCanvas, ScaleDialog
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(project_window: MainWindow, idle: Idle, picture: Callable[..., Path]) -> TeachPage:
    """A class with a shot of 400 × 300 pixels."""
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.add_class("part")
    idle()
    project_window.take_paths([picture("part.png", 0, (400, 300))])
    idle()
    return made


def opened(page: TeachPage, qtbot: QtBot, idle: Idle) -> ScaleDialog:
    page.look.scale.click()
    idle()
    (found,) = (one for one in page.look.findChildren(ScaleDialog) if one.isVisible())
    qtbot.waitUntil(lambda: found.canvas.picture is not None)
    return found


def point(canvas: RulerCanvas, x: float, y: float) -> QPoint:
    before, canvas.ends = canvas.ends, [(x, y), (0.0, 0.0)]
    found = canvas._points()[0].toPoint()
    canvas.ends = before
    return found


def scale(page: TeachPage) -> float | None:
    assert page.context.project is not None
    return find_class(page.context.project, "part").scale


def test_two_points_and_their_distance_say_how_large_a_pixel_is(
    page: TeachPage, qtbot: QtBot, idle: Idle
) -> None:
    dialog = opened(page, qtbot, idle)
    assert not dialog.use.isEnabled()
    canvas = dialog.canvas
    for end, (x, y) in ((canvas.ends[0], (0.1, 0.5)), (canvas.ends[1], (0.6, 0.5))):
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=point(canvas, *end))
        qtbot.mouseMove(canvas, point(canvas, x, y))
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=point(canvas, x, y))
    assert canvas.length == pytest.approx(200, abs=2)
    dialog.length.setFocus()
    dialog.length.selectAll()
    qtbot.keyClicks(dialog.length, "10")
    qtbot.keyClick(dialog.length, Qt.Key.Key_Return)
    idle()
    assert scale(page) == pytest.approx(0.05, rel=0.02)
    assert page.look.scale.text().startswith("Scale: 0.0")
    assert " mm. " in page.look.said.text()

    page.context.undo.undo()
    idle()
    assert (scale(page), page.look.scale.text()) == (None, "Scale…")
    page.context.undo.redo()
    idle()
    dialog = opened(page, qtbot, idle)
    assert dialog.length.value == pytest.approx(dialog.canvas.length * (scale(page) or 0), abs=0.01)
    dialog.none.click()
    idle()
    assert scale(page) is None


def test_an_end_moves_by_pixels_with_the_arrow_keys(page: TeachPage, qtbot: QtBot, idle: Idle) -> None:
    dialog = opened(page, qtbot, idle)
    canvas = dialog.canvas
    before = canvas.length
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.length == pytest.approx(before + 1)
    dialog.reject()
    idle()
    assert scale(page) is None
