"""Small screens and high scales: nothing is cut off, nothing covers what is needed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QScrollArea, QSlider, QWidget
from pytestqt.qtbot import QtBot

from inspector.views.window import pages
from inspector.views.window.main_window import MainWindow

FULL_HD_AT_200 = (944, 500)
"""What a screen of 1920×1080 leaves of itself at 200 %, in the units of the window, without a window's frame."""


def _room(window: MainWindow) -> QScrollArea:
    room = window.stack.currentWidget()
    assert isinstance(room, QScrollArea)
    return room


def _cut(page: QWidget) -> list[str]:
    """Controls that are narrower than what they say, or reach out of their page."""
    found = []
    for kind in (QAbstractButton, QComboBox, QSlider):
        for control in page.findChildren(kind):
            if not control.isVisible() or isinstance(control.parent(), QComboBox | QLineEdit):
                continue
            scrolled = control.parentWidget()
            while scrolled is not page and not isinstance(scrolled, QScrollArea):
                scrolled = scrolled.parentWidget()
            right = control.mapTo(page, control.rect().topRight()).x()
            shortens = type(control).__name__ == "_Narrow"  # its words, by itself
            if not shortens and control.width() < control.minimumSizeHint().width():
                found.append(f"{control.accessibleName() or control.toolTip() or control} is too narrow")
            if scrolled is page and right >= page.width():
                found.append(f"{control.accessibleName() or control.toolTip()} reaches out of the page")
    return found


@pytest.mark.parametrize("size", [FULL_HD_AT_200, (1008, 660), (496, 310)])
def test_no_page_is_cut_off(
    hand: Any,
    choose: Callable[[int], Any],
    window: MainWindow,
    idle: Callable[..., Any],
    size: tuple[int, int],
) -> None:
    choose(hand.ids[2])
    window.setMinimumSize(*size)
    window.resize(*size)
    assert (window.width(), window.height()) == size
    for info in pages.PAGES:
        window.show_page(info.name)
        idle()
        page, least = window.page, window.page.minimumSizeHint()
        assert page.width() >= least.width()
        assert page.height() >= least.height()
        assert _cut(page) == []
        across = _room(window).horizontalScrollBar()
        assert page.width() == _room(window).viewport().width() or across.isVisible()
        if size[0] >= FULL_HD_AT_200[0]:
            assert not across.isVisible(), info.name


def test_the_export_panel_finds_room_beside_the_results(
    hand: Any, choose: Callable[[int], Any], window: MainWindow, idle: Callable[..., Any]
) -> None:
    choose(hand.ids[2])
    window.setMinimumSize(1008, 660)
    window.resize(1008, 660)
    window.show_page("results")
    idle()
    page = window.page
    assert page.export()
    assert page.exporter.isVisible()  # type: ignore[attr-defined]
    idle()
    assert not _room(window).horizontalScrollBar().isVisible()
    assert _cut(page) == []


@pytest.mark.parametrize("width", [FULL_HD_AT_200[0], 496])
def test_menus_and_tabs_stay_in_reach_beside_a_long_name(
    qtbot: QtBot, window: MainWindow, width: int
) -> None:
    window.setMinimumSize(width, 310)
    window.resize(width, 500)
    window.tab_row.show_project("Gehaeusedeckelverschraubung links unten " * 4, True)
    row = window.tab_row
    qtbot.waitUntil(lambda: row.menu_bar.width() > 80)
    for button in row.findChildren(QAbstractButton):
        assert button.mapTo(window, button.rect().bottomRight()).x() < width
        assert button.width() >= button.minimumSizeHint().width()
    assert row.menu_bar.width() > 80
    window.resize(1400, 800)
    qtbot.waitUntil(lambda: all(tab.width() > 80 for tab in row.tabs.values()))  # words again
    assert row.project.text().startswith("Gehaeuse")
    assert row.project.mapTo(window, row.project.rect().topRight()).x() < 1400


@pytest.mark.parametrize("size", [FULL_HD_AT_200, (1008, 660), (1280, 800), (1920, 1080)])
def test_the_toast_stays_above_the_viewers_tools_and_in_the_window(
    hand: Any, choose: Callable[[int], Any], window: MainWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    page = choose(hand.ids[2])
    window.setMinimumSize(*size)
    window.context.toast(
        "A long sentence about what was done just now, and what to do next. " * 4, lambda: None
    )
    window.resize(*size)  # while it is shown
    qtbot.waitUntil(window.toast.isVisible)
    toast = QRect(window.toast.pos(), window.toast.size())
    assert window.rect().contains(toast)
    tools = [*page.viewer.findChildren(QAbstractButton), page.viewer.colours, page.viewer.opacity]
    shown = [tool for tool in (*tools, page.viewer.bar) if tool.isVisible()]
    assert len(shown) > 8
    for tool in shown:
        assert not toast.intersects(QRect(tool.mapTo(window, QPoint(0, 0)), tool.size()))


_OPEN = """
from inspector.settings import Settings
from inspector.views import app

app.application()
window = app.build(Settings())
window.show()
room = window.screen().availableGeometry()
print(window.devicePixelRatioF(), room.width(), room.height(), window.width(), window.height())
window.show_page("evaluate")
print(window.page.minimumSizeHint().width())
window.shut_down()
"""


@pytest.mark.parametrize("screen", [(1920, 1080), (1024, 700)])
def test_on_a_screen_at_200_percent_the_window_opens_within_it(
    tmp_path: Path, screen: tuple[int, int]
) -> None:
    told = {
        "name": "s", "x": 0, "y": 0, "width": screen[0], "height": screen[1],
        "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1,
    }  # fmt: skip
    (tmp_path / "screen.json").write_text(json.dumps({"screens": [told]}), "utf-8")
    around = {
        **os.environ,
        "QT_QPA_PLATFORM": f"offscreen:configfile={tmp_path / 'screen.json'}",
        "QT_SCALE_FACTOR": "2",
    }
    ran = subprocess.run(
        [sys.executable, "-c", _OPEN], env=around, capture_output=True, text=True, check=True
    )
    scale, wide, high, width, height = map(float, ran.stdout.split()[:5])
    assert (scale, wide, high) == (2, screen[0] / 2, screen[1] / 2)
    assert width <= wide
    assert height <= high
