"""What parts that are confirmed good make of the false alarms of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHeaderView, QVBoxLayout, QWidget

from inspector.views.look.kit import fill, word_table
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.jobs.evaluation.tables import ConfirmedTable


class ConfirmedView(QWidget):
    """The table that `inspector evaluate --confirmed` prints. `shown`: what is in it, None for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: ConfirmedTable | None = None
        self.title = wrapped("heading")
        self.note = wrapped("small")
        self.table = word_table((), "Good parts called NG, by parts confirmed good", 0)
        self.table.setStyleSheet("QTableView::item { padding: 0 8px; border: none; }")  # as the headings
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for words in (self.title, self.note):
            words.setContentsMargins(16, 0, 16, 0)
            column.addWidget(words)
        column.addWidget(self.table, 1)

    def show_table(self, found: ConfirmedTable | None) -> None:
        """Another evaluation is shown."""
        self.shown = found
        self.table.setRowCount(0)
        if found is None:
            return
        self.title.setText(found.title)
        self.note.setText(found.note)
        self.table.setColumnCount(len(found.head))
        self.table.setHorizontalHeaderLabels(found.head)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        fill(self.table, found.rows)

    def as_text(self) -> str:
        """The whole table for other programs: tabs between cells."""
        found = self.shown
        return "" if found is None else "\n".join("\t".join(line) for line in (found.head, *found.rows))
