"""The regions of an image: box, area, highest score. A click, or Enter, brings one into view."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from inspector.domain import Region
from inspector.views.look import theme
from inspector.views.look.kit import quiet_table


class RegionsTable(QTableWidget):
    """`picked(number)` when a row is clicked or Enter is pressed on it."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 4, parent)
        self.setHorizontalHeaderLabels(["", "Size", "Area", "Score"])
        quiet_table(self, "Regions", 24)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.cellClicked.connect(lambda row, _column: self.picked.emit(row))
        self.cellActivated.connect(lambda row, _column: self.picked.emit(row))

    def show_regions(self, regions: Sequence[Region]) -> None:
        """As many as there are, at most 200 shown."""
        self.setRowCount(min(len(regions), 200))
        font = theme.font(figures=True)
        for number, region in enumerate(regions[:200]):
            x, y, w, h = region.box
            words = (str(number + 1), f"{w}×{h}", f"{region.area:,}", f"{region.peak:.3f}")
            for column, text in enumerate(words):
                item = QTableWidgetItem(text)
                item.setFont(font)
                item.setToolTip(f"From x {x}, y {y}: {w} × {h} px; {region.area:,} px of it marked")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(number, column, item)
