"""The range of 12-bit values in 16-bit files, offered and chosen on the Teach page of the real window."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deep_parts import write_part
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.records.classes import find_class
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(project_window: MainWindow, idle: Idle, tmp_path: Path) -> TeachPage:
    """A class of two such shots."""
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.add_class("part")
    idle()
    project_window.take_paths([write_part(tmp_path / f"{n}.png", n) for n in range(2)])
    idle()
    return made


def _stored(page: TeachPage) -> int | None:
    project = page.context.project
    assert project is not None
    return find_class(project, "part").white


def _thumbnail(page: TeachPage, qtbot: QtBot) -> set[int]:
    """Grey values that the picture of the first shot is drawn with."""
    row = page.shots.rows[0]
    found = []
    qtbot.waitUntil(
        lambda: bool(page._thumbnails.get(row.path, lambda: None, row.sha256, row.white)), timeout=10000
    )
    image = page._thumbnails.get(row.path, lambda: None, row.sha256, row.white).toImage()
    for x in range(0, image.width(), 7):
        found += [image.pixelColor(x, y).red() for y in range(0, image.height(), 7)]
    return set(found)


def test_a_range_is_offered_in_words_taken_with_one_press_and_undone(
    page: TeachPage, project_window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    choice = page.range
    assert choice.isVisible()
    assert len(page.shots.rows) == 2
    assert choice.said.text().startswith("12-bit values in 16-bit files: at most 17 of 256 grey levels")
    assert choice.choice.currentText() == "As the files say"
    assert choice.use.text() == "Use 0–4,095"
    assert len(_thumbnail(page, qtbot)) == 1  # one grey level is all there is
    choice.use.setFocus()
    qtbot.keyClick(choice.use, Qt.Key.Key_Space)
    idle()
    assert _stored(page) == 4095
    assert choice.choice.currentText() == "0–4,095 (12 bit)"
    assert not choice.use.isVisible()
    assert choice.said.text() == ""
    assert len(_thumbnail(page, qtbot)) > 4
    project_window.menus.undo.trigger()
    idle()
    assert _stored(page) is None
    assert choice.use.isVisible()
    project_window.menus.redo.trigger()
    idle()
    assert _stored(page) == 4095


def test_the_whole_range_can_be_kept_by_keyboard_and_is_not_asked_about_again(
    page: TeachPage, idle: Idle, qtbot: QtBot
) -> None:
    page.range.choice.setFocus()
    qtbot.keyClick(page.range.choice, Qt.Key.Key_End)
    idle()
    assert page.range.choice.currentText() == "0–65,535 (16 bit)"
    assert _stored(page) == 65535
    assert page.range.isVisible()
    assert page.range.said.text() == ""
    assert not page.range.use.isVisible()


def test_files_of_eight_bits_have_no_range_to_choose(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Callable[..., Path]
) -> None:
    page.add_class("plain")
    idle()
    project_window.take_paths([picture("a.png", 1)])
    idle()
    assert page.chosen_class is not None
    assert page.chosen_class.name == "plain"
    assert not page.range.isVisible()


def test_shots_that_use_the_whole_range_are_not_asked_about(
    project_window: MainWindow, page: TeachPage, idle: Idle, tmp_path: Path
) -> None:
    import cv2

    wide = np.random.default_rng(3).integers(0, 65535, (64, 64), np.uint16)
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    project_window.take_paths([tmp_path / "wide.png"])
    idle()
    assert page.range.isVisible()
    assert page.range.said.text() == ""
    assert not page.range.use.isVisible()
