"""Why is it red: a spot is clicked, and the good part most like it stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from inspector.records.inspected.results import list_results, result_ids
from inspector.records.shots import list_shots, remove_shots
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


@pytest.fixture
def inspected(
    window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, defective: list[Path], qtbot: QtBot
) -> Any:
    """The Inspect page with two defective parts, the first on screen."""
    window.show_page("inspect")
    drop(*defective[:2])
    inspect: Any = window.pages["inspect"]
    qtbot.waitUntil(lambda: inspect.model.rowCount() == 2)
    inspect.queue.list.choose_place(0)
    idle()
    return inspect


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _at(view: Any, x: float, y: float) -> QPoint:
    """Where a point in shares of the image lies in its view."""
    target = view._target()
    ratio = view.devicePixelRatioF()
    return QPointF(
        (target.x() + x * target.width()) / ratio, (target.y() + y * target.height()) / ratio
    ).toPoint()


def test_the_key_asks_about_the_hottest_spot_and_a_click_about_any_other(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    viewer = inspected.viewer
    viewer.view.setFocus()
    qtbot.keyClick(viewer.view, Qt.Key.Key_W)
    idle()
    hot = viewer.view.layer.hottest()
    assert viewer.good.isVisible()
    assert _centre(viewer.view.mark) == pytest.approx(hot, abs=0.1)
    assert viewer.good.view.mark is not None
    assert "differs" in viewer.good.words.text()
    project = window.context.project
    assert project is not None
    assert any(f"“{shot.name}”" in viewer.good.view.note for shot in list_shots(project))

    x, y = (0.06 if at > 0.5 else 0.94 for at in hot)
    qtbot.mouseClick(viewer.view, Qt.MouseButton.LeftButton, pos=_at(viewer.view, x, y))
    idle()
    left, top, width, height = viewer.view.mark
    assert left <= x <= left + width
    assert top <= y <= top + height
    assert viewer.good.words.text().startswith("Good parts look like this too")


def test_both_patches_stay_side_by_side_while_one_moves(inspected: Any, idle: Idle) -> None:
    viewer = inspected.viewer
    viewer.why.click()
    idle()
    for move in (lambda: viewer.view.zoom(3.0), lambda: viewer.good.view.pan(40, -25)):
        move()
        here = _at(viewer.view, *_centre(viewer.view.mark))
        there = _at(viewer.good.view, *_centre(viewer.good.view.mark))
        assert (here - there).manhattanLength() <= 4


def test_a_key_shows_the_good_shot_in_place_of_the_image_and_the_next_image_ends_it(
    inspected: Any, idle: Idle, qtbot: QtBot
) -> None:
    viewer = inspected.viewer
    viewer.view.setFocus()
    qtbot.keyClick(viewer.view, Qt.Key.Key_B)
    assert viewer.view.cover is None
    viewer.why.click()
    idle()
    own = viewer.view.grab().toImage()
    viewer.view.setFocus()
    qtbot.keyClick(viewer.view, Qt.Key.Key_B)
    assert viewer.view.grab().toImage() != own
    here = _at(viewer.view, *viewer.view.cover.here)
    good = viewer.good.view
    shown, beside = viewer.view.grab().toImage(), good.grab().toImage()
    there = _at(good, *viewer.view.cover.there)
    for dx, dy in ((-9, 0), (0, 11), (23, 17)):  # the same light at the same distance from the patch
        at, other = here + QPoint(dx, dy), there + QPoint(dx, dy)
        assert shown.pixelColor(at).lightness() == pytest.approx(beside.pixelColor(other).lightness(), abs=40)
    qtbot.keyClick(viewer.view, Qt.Key.Key_B)
    assert viewer.view.grab().toImage() == own
    qtbot.keyClick(viewer.view, Qt.Key.Key_B)
    inspected.step(1)
    idle()
    assert viewer.view.cover is None
    assert "differs" in viewer.good.words.text()


def test_the_other_comparison_takes_the_place_of_this_one_and_back(inspected: Any, idle: Idle) -> None:
    viewer = inspected.viewer
    viewer.why.click()
    idle()
    viewer.compare.click()
    idle()
    assert not viewer.why.isChecked()
    assert viewer.good.view.note.startswith("Nearest good shot")
    assert (viewer.good.words.isHidden(), viewer.view.mark, viewer.view.asking) == (True, None, False)
    viewer.why.click()
    idle()
    assert not viewer.compare.isChecked()
    assert viewer.good.view.note.startswith("Most alike")
    viewer.why.click()
    assert viewer.good.isHidden()
    assert viewer.good.words.isHidden()


def test_a_right_click_asks_about_the_spot_under_it(inspected: Any, idle: Idle, qtbot: QtBot) -> None:
    view = inspected.viewer.view
    view.customContextMenuRequested.emit(_at(view, 0.3, 0.6))
    menu = next(one for one in inspected.findChildren(QMenu) if one.isVisible())
    next(action for action in menu.actions() if action.text() == "Why is it red here?").trigger()
    menu.close()
    idle()
    left, top, width, height = view.mark
    assert left <= 0.3 <= left + width
    assert top <= 0.6 <= top + height
    assert inspected.viewer.why.isChecked()


def test_a_shot_that_was_removed_is_said_to_be_missing_and_comes_back_with_undo(
    inspected: Any, window: MainWindow, idle: Idle
) -> None:
    project = window.context.project
    assert project is not None
    shot = list_shots(project)[0]
    remove_shots(project, [shot.id])
    inspected.viewer.why.click()
    idle()
    assert "was removed in part" in inspected.viewer.good.view.message
    assert inspected.viewer.good.words.isHidden()


def test_the_next_image_is_asked_about_by_itself(inspected: Any, window: MainWindow, idle: Idle) -> None:
    viewer = inspected.viewer
    viewer.why.click()
    idle()
    first = viewer.view.mark
    inspected.step(1)
    idle()
    assert viewer.view.mark is not None
    assert viewer.view.mark != first
    project = window.context.project
    assert project is not None
    assert len(list_results(project, result_ids(project).tolist())) == 2


def test_a_fitted_image_stays_fitted_however_often_the_comparison_comes_and_goes(
    inspected: Any, idle: Idle
) -> None:
    viewer = inspected.viewer
    viewer.view.fit()
    scale = viewer.view.scale
    for _ in range(4):
        viewer.why.click()
        idle()
    assert viewer.view.scale == pytest.approx(scale)
    assert viewer.view._fitted


def test_what_nobody_waits_for_any_more_leaves_no_word_behind(inspected: Any, idle: Idle) -> None:
    viewer = inspected.viewer
    viewer.why.click()
    inspected.at_hand.clear()  # as when an item that failed is chosen
    idle()
    assert viewer.good.view.message == ""
