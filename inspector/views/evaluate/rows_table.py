"""The table of an evaluation's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from inspector.jobs.evaluation.plan import method_title
from inspector.jobs.evaluation.stored import MEAN, Row
from inspector.jobs.evaluation.tables import TITLES
from inspector.verdicts.metrics import FIGURES
from inspector.views.evaluate.scores import cell, class_words
from inspector.views.look import theme
from inspector.views.look.kit import quiet_table

_Index = QModelIndex | QPersistentModelIndex
HEADINGS = ("Method", "Shots", "Class", *(TITLES[figure] for figure in FIGURES), "ms")
_FIRST = 3  # column of the first figure
_TIPS = {
    "Shots": "Normal shots a class that the detector was taught with",
    "Image AUROC": "How well image scores part good from defective: 50 is chance, 100 is perfect",
    "Image AP": "Precision averaged over recall, from image scores",
    "Image F1": "The best balance of precision and recall that any one threshold gives",
    "Pixel AUROC": "The same for single pixels",
    "Pixel AP": "Precision averaged over recall, from single pixels",
    "Pixel F1": "The best F1 over all thresholds, from single pixels",
    "AUPRO": "How much of each defect is covered, up to 30\u00a0% false-positive pixels; small defects count as much as large",
    "ms": "Milliseconds an image for the method by itself, the network included",
}
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class RowModel(QAbstractTableModel):
    """Rows of an evaluation; `sort` by any column, undefined figures last."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._speed: dict[str, float] = {}
        self._order = (-1, Qt.SortOrder.AscendingOrder)

    def set_rows(self, rows: Sequence[Row], speed: dict[str, float]) -> None:
        self.beginResetModel()
        self.rows, self._speed = list(rows), dict(speed)
        self._arrange()
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(HEADINGS)

    def text(self, row: Row, column: int) -> str:
        if column < _FIRST:
            return (
                method_title(row.series.method),
                str(row.series.shots),
                class_words(row.class_name),
            )[column]
        if column < _FIRST + len(FIGURES):
            return cell(row.means[column - _FIRST], row.stds[column - _FIRST])
        speed = self._speed.get(row.series.method)
        return "" if speed is None or row.class_name else f"{speed:.1f}"

    def data(self, index: _Index, role: int = 0) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() not in (0, 2):
            return _RIGHT
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(bold=row.class_name == MEAN, figures=True)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return HEADINGS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _LEFT if section in (0, 2) else _RIGHT
            if role == Qt.ItemDataRole.ToolTipRole:
                return _TIPS.get(HEADINGS[section])
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.beginResetModel()
        self._order = (column, order)
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        column, order = self._order
        down = order == Qt.SortOrder.DescendingOrder
        if column < 0:
            return
        if column < _FIRST:
            self.rows.sort(
                key=lambda row: (
                    row.series.shots if column == 1 else self.text(row, column).casefold(),
                    row.class_name,
                ),
                reverse=down,
            )
            return

        def figure(row: Row) -> float:
            if column < _FIRST + len(FIGURES):
                value = row.means[column - _FIRST]
            else:
                value = self._speed.get(row.series.method)
            return float("inf") if value is None else -value if down else value

        self.rows.sort(key=figure)

    def as_text(self) -> str:
        """The whole table for other programs: tabs between cells."""
        lines = [HEADINGS, *([self.text(row, c) for c in range(len(HEADINGS))] for row in self.rows)]
        return "\n".join("\t".join(line) for line in lines)


def table_of(model: QAbstractTableModel, name: str) -> QTableView:
    """A quiet table of whole rows with a sortable head."""
    table = QTableView()
    table.setModel(model)
    quiet_table(table, name, 26)
    table.setStyleSheet(
        "QTableView::item { padding: 0 4px; border: none; } QHeaderView::section { padding: 6px 7px; }"
    )
    header = table.horizontalHeader()
    header.setFont(theme.font("small", bold=True))
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    return table
