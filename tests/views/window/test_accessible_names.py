"""Whoever sees no screen hears a name for everything that takes the keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from inspector.domain import Role
from inspector.records.classes import list_classes
from inspector.records.shots import list_shots
from inspector.views.inspect.page import InspectPage
from inspector.views.line.page import LinePage
from inspector.views.look.sections import SectionsPage
from inspector.views.review.name_dialog import NameDialog
from inspector.views.review.review_popup import ReviewPopup
from inspector.views.settings.roles_form import PinDialog
from inspector.views.teach.looking.area_dialog import AreaDialog
from inspector.views.teach.looking.scale_dialog import ScaleDialog
from inspector.views.teach.page import TeachPage
from inspector.views.viewer.image_dialog import ImageDialog
from inspector.views.window import pages
from inspector.views.window.errors_dialog import ErrorDialog
from inspector.views.window.main_window import MainWindow
from inspector.views.window.sign_in import SignInDialog

Idle = Callable[[], None]
_WHOLE = (QComboBox, QAbstractSpinBox, QAbstractScrollArea, QTabBar)
"""Controls whose parts are named as one."""


def nameless(top: QWidget) -> list[str]:
    """What takes the keyboard below `top`, can be seen and has no name for a screen reader."""
    return [_place(one) for one in controls(top) if not told(one)]


def controls(top: QWidget) -> Iterator[QWidget]:
    for one in top.findChildren(QWidget):
        part = isinstance(one.parent(), _WHOLE) or isinstance(one, QScrollBar)
        if one.focusPolicy() & Qt.FocusPolicy.TabFocus and one.isVisibleTo(top) and not part:
            yield one


def told(control: QWidget) -> str:
    """The name that a screen reader gets of Qt: its own, its text, or that of the label beside it."""
    interface = QAccessible.queryAccessibleInterface(control)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def _place(control: QWidget) -> str:
    above, names = control, []
    while above is not None:
        names.append(type(above).__name__)
        above = above.parentWidget()
    return " in ".join(names[:5])


@pytest.fixture
def idle(window: MainWindow, qtbot: QtBot) -> Idle:
    """As everywhere, with more patience: the pages that are made here load all there is, one after the other."""

    def wait() -> None:
        for _ in range(3):
            qtbot.waitUntil(lambda: not window.context.runner.reading, timeout=90_000)
            qtbot.wait(5)

    return wait


@pytest.fixture
def stocked_window(window: MainWindow, stocked: Any, tmp_path: Path, qtbot: QtBot, idle: Idle) -> MainWindow:
    folder = shutil.copytree(stocked[0], tmp_path / "project")
    window.open_project(folder, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    return window


def every_page(window: MainWindow, idle: Idle) -> Iterator[str]:
    for info in pages.PAGES:
        window.show_page(info.name)
        idle()
        yield info.name
        if isinstance(window.page, SectionsPage):
            for section in window.page.infos[1:]:
                window.page.show_section(section.name)
                idle()
                yield f"{info.name}, {section.name}"


def test_every_control_of_every_page_has_a_name(stocked_window: MainWindow, idle: Idle) -> None:
    found = {page: nameless(stocked_window) for page in every_page(stocked_window, idle)}
    assert {page: names for page, names in found.items() if names} == {}
    assert len(found) > len(pages.PAGES)


def test_every_control_of_every_page_of_an_empty_project_has_a_name(
    project_window: MainWindow, idle: Idle
) -> None:
    found = {page: nameless(project_window) for page in every_page(project_window, idle)}
    assert {page: names for page, names in found.items() if names} == {}


def test_every_control_of_every_dialog_has_a_name(
    stocked_window: MainWindow, idle: Idle, picture: Callable[..., Path], qtbot: QtBot
) -> None:
    window, found = stocked_window, dict[str, list[str]]()
    context, page = window.context, window.page
    assert context.project is not None
    assert isinstance(page, TeachPage)
    row = list_classes(context.project)[0]
    shots = list_shots(context.project, row.id)

    def look(dialog: QDialog) -> None:
        idle()
        assert [*controls(dialog)]
        found[type(dialog).__name__] = nameless(dialog)
        dialog.close()
        idle()

    def opened(parent: QWidget) -> QDialog:
        idle()
        return next(one for one in parent.findChildren(QDialog) if one.isVisible())

    for dialog in (
        AreaDialog(context, row, shots, [row], page),
        ScaleDialog(context, row, shots[0], page),
        ImageDialog(context, picture("part.png"), "Part", window),
        NameDialog(context, window),
        PinDialog(Role.ENGINEER, lambda _pin, _failed: None, window),
        SignInDialog(context, "Sign in to teach.", window),
        ErrorDialog(ValueError("broken"), window),
        ReviewPopup(window),
    ):
        dialog.show()
        look(dialog)
    window.menus.keys.trigger()
    look(opened(window))
    window.menus.about.trigger()
    look(opened(window))
    page.panel.history.click()
    look(opened(page))
    window.show_page("inspect")
    idle()
    assert isinstance(window.page, InspectPage)
    window.page.live.ask_others()
    idle()
    assert window.page.live.others is not None
    look(window.page.live.others)
    window.show_page("line")
    idle()
    assert isinstance(window.page, LinePage)
    window.page.section.empty.button.click()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: window.page.section.dialog is not None)  # type: ignore[attr-defined]
    setup = window.page.section.dialog  # type: ignore[attr-defined]
    for button in setup.tabs.buttons():
        button.click()
        idle()
        found[f"SetupDialog, {button.text()}"] = nameless(setup)
    look(setup)
    assert {dialog: names for dialog, names in found.items() if names} == {}
    assert len(found) >= 15


def test_a_control_without_a_name_is_found(window: MainWindow) -> None:
    field, button = QLineEdit(window.page), QToolButton(window.page)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    for one in (field, button):
        one.show()
    places = nameless(window)
    assert [place.partition(" in ")[0] for place in places] == ["QLineEdit", "QToolButton"]
    field.setAccessibleName("Name of the class")
    button.setText("Teach")
    assert nameless(window) == []


def test_f1_shows_the_help_also_on_start(window: MainWindow, qtbot: QtBot, idle: Idle) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    assert window.page_name == "start"
    qtbot.keyClick(window, Qt.Key.Key_F1)
    idle()
    shown = [one for one in window.findChildren(QDialog) if one.isVisible()]
    assert [one.windowTitle() for one in shown] == ["Help"]
    assert nameless(shown[0]) == []
    shown[0].close()
