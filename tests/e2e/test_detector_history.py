"""Every detector of a project with what changed, and back to an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from inspector.records.detectors import find_detector, list_proposed
from inspector.views.teach.detector_history import DetectorHistory
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def _settle(qtbot: QtBot, idle: Idle) -> None:
    idle()
    qtbot.wait(200)
    idle()


def _open(page: TeachPage, qtbot: QtBot, idle: Idle) -> DetectorHistory:
    qtbot.mouseClick(page.panel.history, Qt.MouseButton.LeftButton)
    idle()
    return next(one for one in page.findChildren(DetectorHistory) if one.isVisible())


def _texts(history: DetectorHistory) -> list[list[str]]:
    table = history.table
    cells = [
        [table.item(row, column) for column in range(table.columnCount())] for row in range(table.rowCount())
    ]
    return [[cell.text() if cell else "" for cell in row] for row in cells]


def test_an_earlier_detector_is_put_in_charge_again_and_nothing_is_proposed_by_itself(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    project = window.context.project
    assert project is not None
    first = find_detector(project).id
    window.show_page("inspect")
    drop(*sorted((washers / "test" / "good").iterdir()))
    window.show_page("teach")
    drop(sorted((washers / "test" / "good").iterdir())[0])
    _settle(qtbot, idle)
    history = _open(page, qtbot, idle)
    assert [row[5] for row in _texts(history)] == ["Waits for your decision", "In charge"]
    history.table.selectRow(0)
    assert (history.button.isEnabled(), "Teach page" in history.button.toolTip()) == (False, True)
    page.proposal.accept_button.click()
    _settle(qtbot, idle)
    newer = find_detector(project).id
    assert newer != first
    rows = _texts(history)  # it follows
    assert [row[1] for row in rows] == ["4 shots", "3 shots"]
    assert rows[0][2] == "+1 shot"
    assert [row[3] for row in rows] == ["0", "2"]
    assert [row[5] for row in rows] == ["In charge", "Earlier"]

    history.table.selectRow(1)
    qtbot.mouseClick(history.button, Qt.MouseButton.LeftButton)
    _settle(qtbot, idle)
    assert find_detector(project).id == first
    assert [row[5] for row in _texts(history)] == ["Earlier", "In charge"]
    assert not history.button.isEnabled()
    _settle(qtbot, idle)
    assert list_proposed(project) == []
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert find_detector(project).id == newer
    window.context.undo.undo()
    _settle(qtbot, idle)
    assert [row.id for row in list_proposed(project)] == [newer]
    history.close()


def test_another_method_is_told_and_the_dialog_closes_with_the_project(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, tmp_path: Path
) -> None:
    page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("subspace"))
    page.teach()
    _settle(qtbot, idle)
    history = _open(page, qtbot, idle)
    assert _texts(history)[0][2].startswith("SubspaceAD instead of PatchCore")
    close = next(one for one in history.findChildren(QPushButton) if one.text() == "Close")
    close.click()
    again = _open(page, qtbot, idle)
    window.projects.create(tmp_path / "other", "Other")
    qtbot.waitUntil(lambda: not page.findChildren(DetectorHistory))
    assert again is not None
