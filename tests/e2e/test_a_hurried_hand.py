"""Wrong turns on the way: the detector in charge stays the one that somebody has put there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.records.inspected.results import list_results, result_ids
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def _inspect(window: MainWindow, drop: Drop, paths: list[Path]) -> list[str]:
    """Verdicts of these images, by the detector in charge, in order of their names."""
    project = window.context.project
    assert project is not None
    known = set(result_ids(project).tolist())
    window.show_page("inspect")
    drop(*paths)
    new = [key for key in result_ids(project).tolist() if key not in known]
    rows = sorted(list_results(project, new), key=lambda row: row.name)
    assert len(rows) == len(paths)
    return [str(row.verdict) for row in rows]


def _settle(qtbot: QtBot, window: MainWindow, idle: Idle) -> None:
    idle()
    qtbot.wait(150)
    idle()


def test_a_defective_part_among_the_shots_lets_nothing_pass_before_or_after_undo(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, defective: list[Path]
) -> None:
    before = _inspect(window, drop, defective)
    assert set(before) == {"ng"}
    window.show_page("teach")
    drop(*defective[:2])
    _settle(qtbot, window, idle)
    assert page.proposal.isVisible()
    assert "would pass" in page.proposal.alarm.text()
    assert page.proposal.flips.count()
    assert _inspect(window, drop, defective) == before
    window.context.undo.undo()
    _settle(qtbot, window, idle)
    assert not page.proposal.isVisible()
    assert _inspect(window, drop, defective) == before


def test_a_result_that_would_change_opens_with_a_click(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, defective: list[Path]
) -> None:
    _inspect(window, drop, defective)
    window.show_page("teach")
    drop(*defective[:2])
    _settle(qtbot, window, idle)
    flips = page.proposal.flips
    place = flips.visualItemRect(flips.item(0)).center()
    qtbot.mouseClick(flips.viewport(), Qt.MouseButton.LeftButton, pos=place)
    idle()
    assert window.page_name == "inspect"


def test_the_keys_teach_whatever_the_button_says_and_keep_the_project_s_method(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    assert page.panel.button.text() == "Teach again"
    window.context.settings.method = "subspace"
    window.context.settings_changed.emit()
    assert page.panel.choice.method.currentData() == "patchcore"
    page.setFocus()
    qtbot.keyClick(page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.context.runner.busy)
    _settle(qtbot, window, idle)
    assert page.proposal.isVisible()
    assert "PatchCore" in page.proposal.heading.text()


def test_a_long_name_without_spaces_pushes_nothing_out_of_the_window(
    window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    page.add_class("Gehaeusedeckelverschraubung_" * 3)
    idle()
    button = page.panel.button
    right = button.mapTo(window, button.rect().topRight()).x()
    assert right < window.width()
