"""A camera of 12 bits that writes 16: from the offer on Teach to the defect on Inspect, in the real window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deep_parts import write_part, write_set
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.inspected.results import find_result, list_results, result_ids
from inspector.views.inspect.page import InspectPage
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


@pytest.fixture
def teach(qtbot: QtBot, window: MainWindow, idle: Idle, drop: Drop, tmp_path: Path) -> TeachPage:
    """A new project in which the shots were dropped."""
    window.projects.create(tmp_path / "Line 5", "Line 5")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    drop(write_set(tmp_path / "set"))
    page = window.page
    assert isinstance(page, TeachPage)
    assert len(page.shots.rows) == 4
    return page


def _inspect(window: MainWindow, idle: Idle, drop: Drop, qtbot: QtBot, *paths: Path) -> InspectPage:
    window.show_page("inspect")
    idle()
    drop(*paths)
    page = window.page
    assert isinstance(page, InspectPage)
    qtbot.waitUntil(lambda: bool(page.at_hand.rows))
    idle()
    return page


def test_the_range_that_was_taken_is_taught_inspected_and_shown_and_stays_with_the_detector(
    qtbot: QtBot, window: MainWindow, teach: TeachPage, idle: Idle, drop: Drop, tmp_path: Path
) -> None:
    qtbot.mouseClick(teach.range.use, Qt.MouseButton.LeftButton)
    idle()
    teach.teach()
    idle()
    page = _inspect(window, idle, drop, qtbot, tmp_path / "set/part/test")
    project = window.context.project
    assert project is not None
    rows = {row.name: row for row in list_results(project, result_ids(project))}
    bad, good = rows["bad/0.png"], rows["good/0.png"]
    assert bad.verdict is Decision.NG
    assert (bad.image_score or 0) > (good.image_score or 0)
    page.show_result(bad.id)
    qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [bad.id])
    assert page.at_hand.shown is not None
    picture = page.at_hand.shown.pixels.picture
    assert picture is not None
    assert np.unique(picture.small[..., 0]).size > 5  # in the whole range there is one grey level
    page.viewer.compare.setChecked(True)
    idle()
    shot = page.viewer.good.view.picture
    assert shot is not None
    assert np.unique(shot.small[..., 0]).size > 5

    window.show_page("teach")
    idle()
    teach.range.choice.setFocus()
    qtbot.keyClick(teach.range.choice, Qt.Key.Key_Home)  # as the files say
    idle()
    assert "0–65,535 was chosen after it was taught" in teach.range.said.text()
    assert "read in 0–4,095" in teach.range.said.text()
    page = _inspect(window, idle, drop, qtbot, tmp_path / "set/part/test/bad/0.png")
    assert page.at_hand.rows[0].image_score == pytest.approx(bad.image_score, rel=1e-4)


def test_pixels_beyond_the_range_are_said_over_the_image(
    qtbot: QtBot, window: MainWindow, teach: TeachPage, idle: Idle, drop: Drop, tmp_path: Path
) -> None:
    qtbot.mouseClick(teach.range.use, Qt.MouseButton.LeftButton)
    idle()
    teach.teach()
    idle()
    page = _inspect(window, idle, drop, qtbot, write_part(tmp_path / "bright.png", 5, bright=True))
    assert page.viewer.view.note.startswith("1.0 % of its pixels are brighter than 4,095")
    assert "brighter than 4,095" in window.toast.label.text()  # in two lines
    assert window.toast.label.height() >= window.toast.label.heightForWidth(window.toast.label.width())
    assert window.rect().contains(window.toast.geometry())
    assert "brighter than 4,095" in window.toast.label.toolTip()
    project = window.context.project
    assert project is not None
    assert find_result(project, page.at_hand.rows[0].id).row.white == 4095
