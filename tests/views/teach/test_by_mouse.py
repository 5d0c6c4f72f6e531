"""Right and double clicks on Teach, and buttons that stay where the hand is."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, Emit, JobKind, JobLog, JobProgress, JobStarted
from inspector.records import project as projects
from inspector.records.classes import list_classes
from inspector.records.project import Project
from inspector.records.shots import list_shots
from inspector.views.teach.page import TeachPage
from inspector.views.viewer.image_dialog import ImageDialog
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(hand: Any, window: MainWindow, idle: Idle) -> TeachPage:
    """Teach, over a taught project with one class of three shots."""
    window.show_page("teach")
    idle()
    page = window.page
    assert isinstance(page, TeachPage)
    return page


def _project(page: TeachPage) -> Project:
    assert page.context.project is not None
    return page.context.project


def _right_click(view: QAbstractItemView, place: QPoint) -> QMenu:
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse,
        place,
        view.viewport().mapToGlobal(place),
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view.viewport(), event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def _pick(menu: QMenu, words: str) -> None:
    action = next(one for one in menu.actions() if one.text() == words)
    assert action.isEnabled()
    action.trigger()
    menu.close()


def _double_click(qtbot: QtBot, view: QAbstractItemView, row: int) -> ImageDialog:
    place = _middle(view, row)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, ImageDialog)
    qtbot.waitUntil(lambda: dialog.view.message != "Opening…")
    return dialog


def _middle(view: QAbstractItemView, row: int) -> QPoint:
    return view.visualRect(view.model().index(row, 0)).center()


def test_a_right_click_on_a_shot_copies_its_name_shows_it_large_and_removes_it(
    qtbot: QtBot, page: TeachPage, idle: Idle
) -> None:
    grid = page.grid
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.RightButton, pos=_middle(grid, 1))
    menu = _right_click(grid, _middle(grid, 1))
    assert [one.text() for one in menu.actions() if one.text()] == [
        "Show large",
        "Show in folder",
        "Copy name",
        "Remove",
    ]
    _pick(menu, "Copy name")
    name = grid.model().index(1, 0).data(Qt.ItemDataRole.UserRole).name
    assert QApplication.clipboard().text() == name
    _pick(_right_click(grid, _middle(grid, 1)), "Remove")
    idle()
    assert name not in [row.name for row in list_shots(_project(page))]
    assert len(list_shots(_project(page))) == 2
    page.context.undo.undo()
    idle()
    assert len(list_shots(_project(page))) == 3


def test_a_double_click_on_a_shot_shows_it_large_and_esc_leads_back(
    qtbot: QtBot, page: TeachPage, window: MainWindow, idle: Idle
) -> None:
    for _ in range(2):  # and once more
        dialog = _double_click(qtbot, page.grid, 0)
        assert dialog.view.picture is not None
        assert dialog.windowTitle() == "washer: shot 0.png"
        assert dialog.width() <= window.width()
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    assert window.page_name == "teach"


def test_a_shot_whose_file_is_gone_says_so_when_it_is_opened(
    qtbot: QtBot, page: TeachPage, idle: Idle
) -> None:
    list_shots(_project(page))[0].path.unlink()
    dialog = _double_click(qtbot, page.grid, 0)
    assert dialog.view.picture is None
    assert (
        "missing" in dialog.view.message or "no longer" in dialog.view.message or "not" in dialog.view.message
    )
    dialog.close()


def test_a_right_click_on_a_class_renames_and_removes_it_and_a_double_click_renames(
    qtbot: QtBot, page: TeachPage, idle: Idle
) -> None:
    view = page.class_view
    place = _middle(view, 0)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=place)
    _pick(_right_click(view, place), "Rename")
    editor = view.findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClicks(editor, "bolt")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    idle()
    assert [row.name for row in list_classes(_project(page))] == ["bolt"]
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=_middle(view, 0))
    qtbot.waitUntil(lambda: view.findChild(QLineEdit) is not None)
    qtbot.keyClick(view.findChild(QLineEdit), Qt.Key.Key_Escape)
    _pick(_right_click(view, _middle(view, 0)), "Remove the class")
    idle()
    assert list_classes(_project(page)) == []
    page.context.undo.undo()
    idle()
    assert [row.name for row in list_classes(_project(page))] == ["bolt"]


def test_beside_the_shots_a_right_click_adds_and_in_a_project_for_viewing_nothing_changes(
    stocked: Any, window: MainWindow, qtbot: QtBot, idle: Idle, tmp_path: Path
) -> None:
    folder = shutil.copytree(stocked[0], tmp_path / "viewed")
    with projects.open(folder):
        window.projects.open(folder, "teach", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        page = window.page
        assert isinstance(page, TeachPage)
        grid = page.grid
        beside = QPoint(grid.viewport().width() - 5, grid.viewport().height() - 5)
        for view, place in ((grid, beside), (page.class_view, _middle(page.class_view, 0))):
            menu = _right_click(view, place)
            assert [one for one in menu.actions() if one.text()]
            assert not [one for one in menu.actions() if one.text() and one.isEnabled()]
            menu.close()
        menu = _right_click(grid, _middle(grid, 0))
        assert [one.text() for one in menu.actions() if not one.isEnabled() and one.text()] == ["Remove"]
        menu.close()


def test_both_cancel_buttons_stay_where_they_are_while_a_teaching_learns_and_stops(
    qtbot: QtBot, page: TeachPage, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[object] = []

    def slow(project: Project, engine: object, *, emit: Emit, cancel: CancelToken, **_how: object) -> None:
        """A teaching as long as it takes to look at it."""
        told = 0
        while True:
            cancel.check()
            time.sleep(0.001)
            while told < len(steps):
                emit(steps[told])  # type: ignore[arg-type]
                told += 1

    monkeypatch.setattr("inspector.jobs.teach.teach", slow)
    qtbot.mouseClick(page.panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.panel.progress.isVisible() and window.job_bar.job.isVisible())
    buttons = (page.panel.progress.cancel, window.job_bar.cancel)
    qtbot.wait(30)

    def places() -> list[tuple[QPoint, int]]:
        return [(button.mapTo(window, QPoint(0, 0)), button.width()) for button in buttons]

    first = places()

    def stay() -> bool:
        """Within the pixel by which layouts round."""
        return all(
            (now - then).manhattanLength() <= 1 and width == before
            for (now, width), (then, before) in zip(places(), first, strict=True)
        )

    log = "A long line about what is being done, so long that it takes two lines of the panel or three."
    for event in (
        JobStarted(1, JobKind.TEACH, 100, "Teach 1 class with a long title that fills the bar"),
        JobProgress(1, 3, 100, "Reading the shots, which takes a moment", seconds_left=4000),
        JobLog(1, log),
        JobLog(1, "", {"loss": 0.5, "epoch": 1.0, "epochs": 9.0, "push": 0.1, "pull": 0.2, "entropy": 0.3}),
        JobLog(1, "", {"loss": 0.25, "epoch": 2.0, "epochs": 9.0, "push": 0.1, "pull": 0.2, "entropy": 0.3}),
        JobProgress(1, 97, 100, "Nearly", seconds_left=1),
        *[JobLog(1, log)] * 4,
    ):
        steps.append(event)
        qtbot.wait(30)
        assert stay()
    assert not page.panel.progress.curve.isVisible()  # who wants to see it, opens it
    page.panel.progress.details.click()
    assert page.panel.progress.curve.isVisible()
    # a second click of an impatient hand on Teach hits no Cancel
    assert not page.panel.progress.cancel.geometry().contains(QPoint(100, 22))
    qtbot.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    qtbot.wait(0)
    assert stay()
    assert buttons[0].text() == "Stopping…"
    qtbot.waitUntil(lambda: not window.context.runner.busy)
    focus = QApplication.focusWidget()
    assert focus is not None
    assert focus is page or page.isAncestorOf(focus)
