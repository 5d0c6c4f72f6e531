"""A tour of the window on the demo project."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector import paths
from inspector.views.help.tour import STOPS, Tour
from inspector.views.window.main_window import MainWindow


@pytest.fixture
def touring(qtbot: QtBot, window: MainWindow, stocked: tuple[Path, object]) -> MainWindow:
    """The window after the link on Start was clicked; another project stands for the demo, which takes long to make."""
    folder = paths.documents_dir() / "Demo"
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(stocked[0], folder)
    window.resize(1280, 800)
    qtbot.mouseClick(window.start.tour, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(window.findChildren(Tour)))
    return window


def _tour(window: MainWindow) -> Tour:
    (found,) = window.findChildren(Tour)
    return found


def test_the_tour_opens_the_demo_and_leads_past_every_stop_to_her_own_project(
    touring: MainWindow, qtbot: QtBot
) -> None:
    tour = _tour(touring)
    assert touring.context.project is not None
    for number, stop in enumerate(STOPS):
        assert tour.title.text() == stop.title
        assert tour.count.text() == f"{number + 1} of {len(STOPS)}"
        assert touring.page_name == stop.page
        assert touring.rect().contains(tour.geometry())
        qtbot.waitUntil(tour._ring.isVisible)  # what a page reads comes a moment later
        assert tour.back.isHidden() == (number == 0)
        qtbot.keyClick(tour.next, Qt.Key.Key_Space)
    assert touring.start.new_card.isVisible()
    qtbot.waitUntil(lambda: not touring.findChildren(Tour))


def test_it_stays_in_the_window_and_can_be_left_at_any_stop(touring: MainWindow, qtbot: QtBot) -> None:
    tour = _tour(touring)
    tour.next.click()
    tour.next.click()
    tour.back.click()
    assert tour.title.text() == STOPS[1].title
    touring.resize(1024, 700)
    assert touring.rect().contains(tour.geometry())
    touring.show_page("results")  # she looks around
    assert not tour._ring.isVisible()
    tour.next.setFocus()
    qtbot.keyClick(tour.next, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not touring.findChildren(Tour))
    assert touring.context.project is not None


def test_it_ends_with_the_project_and_begins_only_once(touring: MainWindow, qtbot: QtBot) -> None:
    touring.menus.tour.trigger()
    qtbot.waitUntil(lambda: len(touring.findChildren(Tour)) == 1)
    touring.close_project()
    qtbot.waitUntil(lambda: not touring.findChildren(Tour))
