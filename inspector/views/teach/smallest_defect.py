"""How small a defect matters: a class's pictures are looked at as a whole, or tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from inspector.errors import InspectorError
from inspector.views.look import theme
from inspector.views.look.elided import Elided

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.views.teach.edits import ClassEdits

_TIP = (
    "How many pixels of your pictures the smallest defect to find is across. Small ones are looked for tile by tile, which takes "
    "longer. Teaching uses it; a detector keeps what it was taught with."
)
_SIDE = 240
"""Pixels at which a tile is looked at, by the tower that comes with the app."""


class SmallestChoice(QWidget):
    """Across how many pixels the smallest defect reaches, and what that means for pictures of this size."""

    def __init__(self, edits: ClassEdits) -> None:
        super().__init__()
        self._edits = edits
        self._row: ClassRow | None = None
        self.pixels = QSpinBox()
        self.pixels.setAccessibleName("Smallest defect, in pixels")
        self.pixels.setToolTip(_TIP)
        self.pixels.setSuffix(" px")
        self.pixels.setKeyboardTracking(False)
        self.pixels.setFixedWidth(110)
        label = QLabel("S&mallest defect")
        label.setToolTip(_TIP)
        label.setBuddy(self.pixels)
        self.said = Elided()
        theme.set_role(self.said, "quiet")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 8)
        row.setSpacing(8)
        row.addWidget(label)
        row.addWidget(self.pixels)
        row.addWidget(self.said, 1)
        self.pixels.valueChanged.connect(self._choose)
        self.hide()

    def show_class(self, row: ClassRow | None, read_only: bool) -> None:
        from inspector.features.tiles import NEEDED

        self._row = row
        self.setVisible(row is not None and bool(row.sides))
        if row is None or not row.sides:
            return
        short = min(map(min, row.sides))
        whole = max(3, round(NEEDED * short / _SIDE))
        self.pixels.blockSignals(True)
        self.pixels.setRange(2, max(whole, row.smallest or 0))
        self.pixels.setValue(row.smallest or whole)
        self.pixels.setEnabled(not read_only)
        self.pixels.blockSignals(False)
        self.said.setText(_words(row.smallest, row.sides))

    def _choose(self, pixels: int) -> None:
        from inspector.features.tiles import resolution

        row = self._row
        if row is None:
            return
        chosen = pixels if resolution(pixels, row.sides, _SIDE) else None
        if chosen != row.smallest:
            self._edits.choose_smallest(row, chosen)


def _words(smallest: int | None, sides: tuple[tuple[int, int], ...]) -> str:
    """What a choice means for pictures of these sizes (width, height)."""
    from inspector.features.tiles import resolution, tiles

    looked = resolution(smallest, sides, _SIDE)
    if not looked:
        return "Pictures are looked at as a whole."
    width, height = max(sides, key=lambda size: size[0] * size[1])
    try:
        found = tiles((height, width), looked, _SIDE, _SIDE // 4)
    except InspectorError as error:
        return str(error)
    count = len(found.starts) if found else 1
    return f"Pictures are looked at in {count:,} tiles, which takes about {count:,} times as long."
