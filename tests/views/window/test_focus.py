"""Where the focus is, and the way back."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from inspector.views.teach.page import TeachPage
from inspector.views.window import pages
from inspector.views.window.main_window import MainWindow


@pytest.mark.parametrize("page", ["preferences", "weights"])
def test_esc_leads_back_to_the_page_before(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None], page: str
) -> None:
    window = project_window
    window.show_page("results")
    with qtbot.waitActive(window):
        window.activateWindow()
    window.show_page("preferences")
    window.show_page(page)  # from one to the other: back is still the page with a tab
    idle()
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert window.page_name == "results"


@pytest.mark.parametrize("how", ["off", "hidden"])
def test_a_button_that_goes_off_keeps_the_focus_on_its_page(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None], how: str
) -> None:
    window = project_window
    idle()
    with qtbot.waitActive(window):
        window.activateWindow()
    page = window.page
    last = QPushButton("The last of its page", page)
    last.show()
    last.setFocus()
    assert last.hasFocus()
    last.setEnabled(False) if how == "off" else last.hide()
    qtbot.wait(5)
    focus = QApplication.focusWidget()
    assert focus is not None
    assert focus is page or page.isAncestorOf(focus)


def test_the_window_opens_within_its_screen_and_its_title_names_the_program_once(
    window: MainWindow,
) -> None:
    room = window.screen().availableSize()
    assert window.width() <= room.width()
    assert window.height() <= room.height()
    assert QGuiApplication.applicationDisplayName() == "Inspector"
    assert window.windowTitle().count("Inspector") == 1
    assert window.windowTitle().endswith("Inspector")  # else Qt puts it behind once more


def test_the_toast_never_undoes_what_came_later(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None]
) -> None:
    page = project_window.page
    assert isinstance(page, TeachPage)
    for name in ("washer", "gear"):
        page.add_class(name)
        idle()
    page.remove_class()
    idle()
    assert project_window.toast.undo_button.isVisible()
    with qtbot.waitActive(project_window):
        project_window.activateWindow()
    qtbot.keyClick(project_window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    idle()
    assert not project_window.toast.undo_button.isVisible()
    project_window.toast.undo_button.click()  # as a finger that was already on its way
    idle()
    assert sorted(row.name for row in page.classes.rows) == ["gear", "washer"]


class _Shown(QObject):
    """Windows of their own that appear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.found.append(f"{watched!r} {watched.property('text')}")
        return False


def test_no_page_lets_a_part_of_it_flash_up_as_a_window_and_take_the_keyboard(
    qtbot: QtBot, hand: object, window: MainWindow, idle: Callable[[], None]
) -> None:
    shown = _Shown()
    QApplication.instance().installEventFilter(shown)  # type: ignore[union-attr]
    for info in pages.PAGES:
        window.show_page(info.name)
        idle()
        assert shown.found == []
        assert window.isActiveWindow()
