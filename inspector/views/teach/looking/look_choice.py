"""How a class's pictures are looked at: where, and how small a defect matters: as a whole, or tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from inspector.errors import InspectorError, ProjectError
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.teach.looking.area_dialog import AreaDialog
from inspector.views.teach.looking.area_dialog import words as area_words
from inspector.views.teach.looking.scale_dialog import ScaleDialog
from inspector.views.teach.looking.scale_dialog import words as scale_words
from inspector.views.teach.teach_reads import read_shots

if TYPE_CHECKING:
    from inspector.images.area import Area
    from inspector.records.classes import ClassRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow
    from inspector.views.shared.context import WindowContext
    from inspector.views.teach.edits import ClassEdits

_TIP = (
    "How many pixels of your pictures the smallest defect to find is across. Small ones are looked for tile by tile, which takes "
    "longer. Teaching uses it; a detector keeps what it was taught with."
)
_AREA_TIP = "Draw what is inspected on your pictures, and what is ignored. Teaching uses it; a detector keeps what it was taught with."
_SCALE_TIP = "Say how large a pixel is, by two points of a shot: sizes are told in millimetres then."
_SIDE = 240
"""Pixels at which a tile is looked at, by the tower that comes with the app."""


class LookChoice(QWidget):
    """Across how many pixels the smallest defect reaches, what that means for pictures of this size, and where to look on
    them."""

    def __init__(self, context: WindowContext, edits: ClassEdits) -> None:
        super().__init__()
        self._context, self._edits = context, edits
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
        self.area = QPushButton()
        self.area.setToolTip(_AREA_TIP)
        self.area.clicked.connect(self.draw)
        self.scale = QPushButton()
        self.scale.setToolTip(_SCALE_TIP)
        self.scale.clicked.connect(self.measure)
        row.addWidget(self.scale)
        row.addWidget(self.area)
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
        across = f"{self.pixels.value() * row.scale:.3g} mm. " if row.scale else ""
        self.said.setText(across + _words(row.smallest, row.sides, row.area))
        self.scale.setText(f"Scale: {scale_words(row.scale)}…" if row.scale else "Scale…")
        self.scale.setEnabled(not read_only)
        self.area.setText(area_words(row.area))
        self.area.setEnabled(not read_only)

    def _choose(self, pixels: int) -> None:
        from inspector.features.tiles import resolution

        row = self._row
        if row is None:
            return
        chosen = pixels if resolution(pixels, row.sides, _SIDE) else None
        if chosen != row.smallest:
            self._edits.choose_smallest(row, chosen)

    def draw(self) -> None:
        """Open the shots to draw on."""
        self._read(self._open_area)

    def measure(self) -> None:
        """Open a shot to measure on."""
        self._read(self._open_scale)

    def _read(self, show: Callable[[ClassRow, list[ShotRow], list[ClassRow]], None]) -> None:
        """`show` the class with its shots that are there, and all classes."""
        row = self._row
        if row is None:
            return

        def read(project: Project) -> tuple[list[ShotRow], list[ClassRow]]:
            from inspector.records.classes import list_classes

            return read_shots(project, row.id), list_classes(project)

        def done(found: tuple[list[ShotRow], list[ClassRow]]) -> None:
            seen = [shot for shot in found[0] if not shot.missing]
            if self._row is None or row.id != self._row.id or self.findChildren(QDialog):
                return  # another class is shown by now, or it was asked for twice
            if not seen:
                gone = f"The images of all shots of “{row.name}” are missing from the project folder."
                self._context.show_error(ProjectError(gone, "Add the shots again."))
                return
            show(self._row, seen, found[1])

        self._context.query(self, read, done, latest="where to look")

    def _open_area(self, row: ClassRow, shots: list[ShotRow], classes: list[ClassRow]) -> None:
        dialog = AreaDialog(self._context, row, shots, classes, self)
        dialog.chosen.connect(lambda area: self._edits.choose_area(row, area))
        dialog.open()

    def _open_scale(self, row: ClassRow, shots: list[ShotRow], _classes: list[ClassRow]) -> None:
        dialog = ScaleDialog(self._context, row, shots[0], self)
        dialog.chosen.connect(lambda scale: self._edits.choose_scale(row, scale))
        dialog.open()


def _words(smallest: int | None, sides: tuple[tuple[int, int], ...], area: Area | None) -> str:
    """What a choice means for pictures of these sizes (width, height)."""
    from inspector.features.tiles import View, resolution, tiles

    looked = resolution(smallest, sides, _SIDE)
    if not looked:
        return "Pictures are looked at as a whole."
    width, height = max(sides, key=lambda size: size[0] * size[1])
    try:
        found = tiles((height, width), View(looked, area), _SIDE, _SIDE // 4)
    except InspectorError as error:
        return str(error)
    count = len(found.starts) if found else 1
    return f"Pictures are looked at in {count:,} tiles, which takes about {count:,} times as long."
