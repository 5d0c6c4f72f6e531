"""A false alarm is called no defect: by key, button or menu; what comes of it is seen on Teach, accepted, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.detectors import find_detector, list_proposed
from inspector.records.inspected.results import find_result
from inspector.records.project import Project
from inspector.records.shots import list_places
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


@pytest.fixture
def odd(tmp_path: Path, washers: Path) -> list[Path]:
    """Two good washers with an inspector's mark, which nobody minds."""
    found = []
    for number, path in enumerate(sorted((washers / "test" / "good").iterdir())):
        pixels = cv2.imread(str(path))
        height, width = pixels.shape[:2]
        cv2.circle(pixels, (width // 2, height // 5), height // 25, (40, 200, 30), -1)
        found.append(tmp_path / f"marked {number}.png")
        assert cv2.imwrite(str(found[-1]), pixels)
    return found


@pytest.fixture
def inspected(
    window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, odd: list[Path], qtbot: QtBot
) -> Any:
    """The Inspect page with the marked washers, the first on screen."""
    window.show_page("inspect")
    drop(*odd)
    inspect: Any = window.pages["inspect"]
    inspect.no_defects._learn_soon.setTimeout(50)
    qtbot.waitUntil(lambda: inspect.model.rowCount() == 2)
    inspect.queue.list.choose_place(0)
    idle()
    assert inspect.at_hand.rows[0].verdict is Decision.NG
    return inspect


def _project(window: MainWindow) -> Project:
    assert window.context.project is not None
    return window.context.project


def _settle(qtbot: QtBot, idle: Idle) -> None:
    idle()
    qtbot.wait(200)
    idle()


def _press(qtbot: QtBot, inspected: Any, idle: Idle) -> None:
    inspected.viewer.view.setFocus()
    qtbot.keyClick(inspected.viewer.view, Qt.Key.Key_N)
    _settle(qtbot, idle)


def test_a_false_alarm_is_called_no_defect_accepted_and_ok_from_then_on(
    inspected: Any, window: MainWindow, idle: Idle, drop: Drop, odd: list[Path], qtbot: QtBot
) -> None:
    project, first = _project(window), inspected.at_hand.rows[0].id
    before = find_detector(project).id
    _press(qtbot, inspected, idle)
    (place,) = list_places(project)
    assert (place.who, place.name, find_detector(project).id) == ("Ada", "marked 0.png", before)
    (proposed,) = list_proposed(project)
    assert proposed.proposal is not None
    assert {one.result_id: one.after for one in proposed.proposal.flips}[first] is Decision.OK
    assert find_result(project, first).row.verdict is Decision.NG  # nothing is changed yet

    window.show_page("teach")
    idle()
    teach: Any = window.pages["teach"]
    assert teach.proposal.isVisible()
    teach.proposal.accept_button.click()
    _settle(qtbot, idle)
    window.show_page("inspect")
    drop(odd[0])
    newest = inspected.at_hand.rows[0]
    assert (newest.verdict, newest.detector_id) == (Decision.OK, proposed.id)

    window.context.undo.undo()  # of the acceptance
    _settle(qtbot, idle)
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert list_places(project) == []
    assert list_proposed(project) == []
    assert find_detector(project).id == before
    window.context.undo.redo()
    _settle(qtbot, idle)
    assert [one.id for one in list_places(project)] == [place.id]


def test_two_regions_called_one_after_the_other_are_learned_together(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    inspected.no_defects._learn_soon.setTimeout(1500)
    inspected.panel.no_defect.click()
    inspected.step(1)
    idle()
    inspected.panel.no_defect.click()
    qtbot.waitUntil(lambda: len(list_proposed(_project(window))) == 1, timeout=60_000)
    _settle(qtbot, idle)
    (proposed,) = list_proposed(_project(window))
    assert proposed.proposal is not None
    assert {one.after for one in proposed.proposal.flips} == {Decision.OK}
    assert len(proposed.proposal.flips) == 2


def test_a_place_taken_back_before_it_is_learned_changes_nothing(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    inspected.panel.no_defect.click()
    qtbot.waitUntil(lambda: window.context.undo.canUndo())
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert list_places(_project(window)) == []
    assert list_proposed(_project(window)) == []


def test_the_menu_offers_it_on_a_region_only(inspected: Any, window: MainWindow, idle: Idle) -> None:
    view = inspected.viewer.view
    x, y, width, height = view.regions[0].box
    ratio = view.devicePixelRatioF()
    target = view._target()

    def asked(at_x: float, at_y: float) -> list[str]:
        at = QPoint(
            round((target.x() + at_x * view.scale) / ratio), round((target.y() + at_y * view.scale) / ratio)
        )
        view.customContextMenuRequested.emit(at)
        menu = next(one for one in inspected.findChildren(QMenu) if one.isVisible())
        words = [action.text() for action in menu.actions() if action.text()]
        menu.close()
        menu.deleteLater()
        idle()
        return words

    assert asked(x + width / 2, y + height / 2)[:2] == ["Why is it red here?", "Not a defect"]
    assert asked(2, view.picture.height - 2)[:2] == ["Why is it red here?", "Draw the defects…"]


def test_where_only_teaching_helps_it_is_said(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    from inspector.records.shots import list_shots, remove_shots

    project = _project(window)
    said: list[str] = []
    window.context.toast_requested.connect(lambda text, _undo: said.append(text))
    remove_shots(project, [list_shots(project)[0].id])
    _press(qtbot, inspected, idle)
    assert list_proposed(project) == []
    assert any("at the next teaching" in text for text in said)


def test_discarding_what_was_learned_takes_the_place_back_and_undo_brings_both(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    project = _project(window)
    _press(qtbot, inspected, idle)
    (place,) = list_places(project)
    (proposed,) = list_proposed(project)
    window.show_page("teach")
    idle()
    teach: Any = window.pages["teach"]
    assert teach.proposal.line.text().startswith("It has learned 1 place called no defect.")
    teach.proposal.discard_button.click()
    _settle(qtbot, idle)
    assert (list_places(project), list_proposed(project)) == ([], [])
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert [one.id for one in list_places(project)] == [place.id]
    assert [one.id for one in list_proposed(project)] == [proposed.id]


def test_the_same_region_counts_once_however_often_the_key_is_pressed(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    inspected.viewer.view.setFocus()
    for _ in range(3):
        qtbot.keyClick(inspected.viewer.view, Qt.Key.Key_N)
    _settle(qtbot, idle)
    assert len(list_places(_project(window))) == 1
    assert len(list_proposed(_project(window))) == 1
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert list_places(_project(window)) == []


def test_what_is_not_seen_is_not_called_no_defect(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    said: list[str] = []
    window.context.toast_requested.connect(lambda text, _undo: said.append(text))
    inspected.viewer.overlay.click()
    _press(qtbot, inspected, idle)
    assert list_places(_project(window)) == []
    assert any("Turn the heat" in text for text in said)


def test_only_what_the_outline_holds_is_kept_and_shown_on_teach(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    region, picture = inspected.viewer.view.regions[0], inspected.viewer.view.picture
    _press(qtbot, inspected, idle)
    (place,) = list_places(_project(window))
    assert place.place is not None
    assert place.box is not None
    x, y, width, height = region.box
    wanted = (x / picture.width, y / picture.height, width / picture.width, height / picture.height)
    assert place.box == pytest.approx(wanted, abs=0.03)
    assert len(place.place) > 4  # round, not its box
    window.show_page("teach")
    idle()
    teach: Any = window.pages["teach"]
    assert [row.place is None for row in teach.shots.rows] == [True, True, True, False]
    teach.grid.setCurrentIndex(teach.shots.index(3))
    qtbot.keyClick(teach.grid, Qt.Key.Key_Delete)
    _settle(qtbot, idle)
    assert list_places(_project(window)) == []
    assert list_proposed(_project(window)) == []


def test_a_project_opened_again_says_that_something_was_not_learned(
    inspected: Any, window: MainWindow, idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    from inspector.records.classes import ClassState, list_classes

    inspected.no_defects._learn_soon.setTimeout(60_000)
    folder = _project(window).folder
    inspected.panel.no_defect.click()
    qtbot.waitUntil(window.context.undo.canUndo)
    window.projects.create(tmp_path / "other", "Other")
    qtbot.waitUntil(lambda: _project(window).name == "Other")
    window.open_project(folder, "teach")
    qtbot.waitUntil(lambda: _project(window).folder == folder)
    idle()
    (row,) = list_classes(_project(window))
    assert row.state is ClassState.OUT_OF_DATE
    assert "called no defect" in row.note
