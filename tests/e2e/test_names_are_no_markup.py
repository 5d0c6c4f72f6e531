"""Names come from outside: nothing on screen may read one as markup, which could open a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractTableModel, QModelIndex, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QLabel, QWidget
from pytestqt.qtbot import QtBot

from inspector.views.window.main_window import MainWindow

HOSTILE = '<img src="file:///nowhere.png">'


def _cells(model: QAbstractItemModel, parent: QModelIndex) -> Iterator[QModelIndex]:
    columns = model.columnCount(parent) if isinstance(model, QAbstractTableModel | QStandardItemModel) else 1
    for row in range(min(50, model.rowCount(parent))):
        for column in range(columns):
            yield model.index(row, column, parent)


def _read_as_markup(window: QWidget) -> list[str]:
    found = []
    for widget in window.findChildren(QWidget):
        texts = [widget.toolTip()]
        if isinstance(widget, QLabel) and widget.textFormat() is not Qt.TextFormat.PlainText:
            texts.append(widget.text())
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            texts += [
                str(cell.data(Qt.ItemDataRole.ToolTipRole) or "")
                for cell in _cells(widget.model(), QModelIndex())
            ]
        found += [f"{type(widget).__name__}: {text}" for text in texts if Qt.mightBeRichText(text)]
    return found


@pytest.mark.parametrize("page", ["teach", "inspect", "results", "evaluate", "start"])
def test_hostile_names_are_shown_as_they_are(
    qtbot: QtBot,
    window: MainWindow,
    idle: Callable[[], None],
    drop: Callable[..., None],
    washers: Path,
    tmp_path: Path,
    page: str,
) -> None:
    window.projects.create(tmp_path / "<b>line</b>", "<b>line</b>")
    qtbot.waitUntil(lambda: window.context.project is not None)
    teach = window.pages["teach"]
    teach.add_class(HOSTILE)
    idle()
    for number, shot in enumerate(sorted((washers / "train/good").iterdir())[:2]):
        copy = tmp_path / f"<b>{number}<b>.png"
        copy.write_bytes(shot.read_bytes())
        drop(copy)
    teach.panel.button.click()
    idle()
    window.show_page("inspect")
    drop(tmp_path / "<b>0<b>.png")
    window.show_page(page)
    idle()
    assert any(HOSTILE in label.text() for label in window.findChildren(QLabel)) or page in (
        "start",
        "evaluate",
    )
    assert not _read_as_markup(window)
