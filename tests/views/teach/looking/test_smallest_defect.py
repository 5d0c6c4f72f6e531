"""The smallest defect to find, chosen on the Teach page of the real window."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.records.classes import find_class
from inspector.views.teach.looking.look_choice import _words
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(project_window: MainWindow, idle: Idle, picture: Callable[..., Path]) -> TeachPage:
    """A class of two shots of 960 × 1200 pixels."""
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.add_class("part")
    idle()
    assert not made.look.isVisible()  # nobody knows yet how large its pictures are
    project_window.take_paths([picture(f"{number}.png", number, (960, 1200)) for number in range(2)])
    idle()
    return made


def stored(page: TeachPage) -> int | None:
    project = page.context.project
    assert project is not None
    return find_class(project, "part").smallest


def typed(page: TeachPage, qtbot: QtBot, pixels: int) -> None:
    page.look.pixels.setFocus()
    page.look.pixels.selectAll()
    qtbot.keyClicks(page.look.pixels, str(pixels))
    qtbot.keyClick(page.look.pixels, Qt.Key.Key_Return)


def test_at_first_pictures_are_looked_at_as_a_whole_and_what_that_finds_is_said(page: TeachPage) -> None:
    assert page.look.isVisible()
    assert stored(page) is None
    assert page.look.pixels.value() == 48  # 12 of the 240 pixels that the tower sees
    assert page.look.said.text() == "Pictures are looked at as a whole."


def test_a_smaller_defect_is_typed_told_in_tiles_kept_and_undone(
    page: TeachPage, project_window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    typed(page, qtbot, 16)
    idle()
    assert stored(page) == 16
    assert page.look.pixels.value() == 16
    assert page.look.said.text().startswith("Pictures are looked at in 20 tiles")
    project_window.menus.undo.trigger()
    idle()
    assert stored(page) is None
    assert page.look.pixels.value() == 48
    project_window.menus.redo.trigger()
    idle()
    assert stored(page) == 16


def test_the_largest_value_goes_back_to_the_whole_picture(page: TeachPage, idle: Idle, qtbot: QtBot) -> None:
    typed(page, qtbot, 20)
    idle()
    assert stored(page) == 20
    typed(page, qtbot, 48)
    idle()
    assert stored(page) is None
    assert page.look.said.text() == "Pictures are looked at as a whole."


def test_a_picture_too_elongated_for_tiles_is_said_to_be_while_the_page_goes_on(
    page: TeachPage, project_window: MainWindow, idle: Idle, qtbot: QtBot, picture: Callable[..., Path]
) -> None:
    page.add_class("wire")
    idle()
    project_window.take_paths([picture("wire.png", 9, (12_000, 40))])
    idle()
    assert page.look.said.text() == "Pictures are looked at as a whole."
    typed(page, qtbot, 2)
    idle()
    assert (
        page.look.said.text() == "Pictures are looked at as a whole."
    )  # 2 of 40 pixels are seen well enough
    assert "too elongated" in _words(2, ((100_000, 300),), None)


def test_pictures_that_the_tower_sees_whole_offer_no_smaller_defect_than_a_few_pixels(
    page: TeachPage, project_window: MainWindow, idle: Idle, picture: Callable[..., Path]
) -> None:
    page.add_class("tiny")
    idle()
    project_window.take_paths([picture("tiny.png", 9, (40, 40))])
    idle()
    assert page.look.pixels.value() == page.look.pixels.maximum() == 3
