"""How large a pixel is: a line between two points of a shot, and how long it is in millimetres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QWidget

from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import around, switch
from inspector.views.shared.number_field import NumberField
from inspector.views.viewer import picture as pictures
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow
    from inspector.views.shared.context import WindowContext

_NEAR = 12.0
"""Px from an end at which it is taken hold of."""
_LONGEST = 100_000.0
"""Millimetres."""
_LINE = theme.DARK.warning  # seen on any picture, with its dark edge
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class RulerCanvas(ImageView):
    """Drag an end of the line, or drag anywhere else to draw it anew; arrow keys move the end that was touched last by a
    pixel. The middle button and the wheel move the image."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Shot, to measure on")
        self.ends = [(0.25, 0.5), (0.75, 0.5)]
        """In shares of the picture's sides."""
        self._held: int | None = None
        self._touched = 1

    @property
    def length(self) -> float:
        """Pixels of the picture."""
        if self.picture is None:
            return 0.0
        (x, y), (u, v) = self.ends
        return math.hypot((u - x) * self.picture.width, (v - y) * self.picture.height)

    def _points(self) -> list[QPointF]:
        target, ratio = self._target(), self.devicePixelRatioF()
        return [
            QPointF((target.x() + x * target.width()) / ratio, (target.y() + y * target.height()) / ratio)
            for x, y in self.ends
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        start, end = self._points()
        for colour, wide in ((QColor(0, 0, 0, 190), 5), (QColor(_LINE), 2)):
            painter.setPen(QPen(colour, wide))
            painter.drawLine(start, end)
            for point in (start, end):
                painter.drawEllipse(point, 5, 5)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self.share_at(event.position())
        if event.button() is not Qt.MouseButton.LeftButton or at is None:
            super().mousePressEvent(event)
            return
        away = [(event.position() - point).manhattanLength() for point in self._points()]
        near = min((0, 1), key=lambda end: away[end])
        if away[near] > _NEAR:
            self.ends, near = [at, at], 1
        self._held = self._touched = near
        self._told()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            super().mouseMoveEvent(event)
        elif (at := self.share_at(event.position())) is not None:
            self.ends[self._held] = at
            self._told()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            super().mouseReleaseEvent(event)
        self._held = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _ARROWS.get(Qt.Key(event.key()))
        if step is None or self.picture is None:
            super().keyPressEvent(event)
            return
        x, y = self.ends[self._touched]
        self.ends[self._touched] = (
            min(max(x + step[0] / self.picture.width, 0.0), 1.0),
            min(max(y + step[1] / self.picture.height, 0.0), 1.0),
        )
        self._told()

    def _told(self) -> None:
        self.update()
        self.changed.emit()


class ScaleDialog(QDialog):
    """`chosen` carries millimetres of a pixel, or None for no scale; closing it otherwise changes nothing."""

    chosen = Signal(object)

    def __init__(self, context: WindowContext, row: ClassRow, shot: ShotRow, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"How large “{row.name}” is")
        self.resize(parent.window().size() * 0.85)
        context.project_changed.connect(self.reject)
        self.canvas = RulerCanvas()
        self.canvas.set_overlay(False)
        self.canvas.show_message("Opening…")
        self.canvas.changed.connect(self._told)
        self.length = NumberField("Length of the line, in millimetres")
        self.length.set_range(0.0, _LONGEST)
        self.length.setFixedWidth(110)
        self.length.entered.connect(lambda _value: self._told())
        label = QLabel("The line is")
        unit = QLabel("&mm long")
        unit.setBuddy(self.length)
        line = QHBoxLayout()
        line.setSpacing(8)
        for widget in (label, self.length, unit):
            line.addWidget(widget)
        line.addStretch(1)
        self.said = Elided()
        theme.set_role(self.said, "quiet")
        self.length.refused.connect(lambda words: self.said.setText(f"⚠ {words}"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use = buttons.addButton("Use", QDialogButtonBox.ButtonRole.AcceptRole)
        self.none = buttons.addButton("No scale", QDialogButtonBox.ButtonRole.ResetRole)
        switch(self.none, "" if row.scale else "There is none.")
        self.use.clicked.connect(self._use)
        self.none.clicked.connect(self._remove)
        buttons.rejected.connect(self.reject)
        around(self.canvas, self, line, self.said, buttons)
        self._before = row.scale

        def read(_project: Project) -> pictures.Picture:
            from inspector.images.read import read

            return pictures.picture(read(shot.path, white=row.white).pixels, shot.name)

        def show(found: pictures.Picture) -> None:
            self.canvas.show_picture(found)
            if self._before:
                self.length.set_value(self.canvas.length * self._before, 2)
            self._told()

        context.query(
            self, read, show, failed=lambda error: self.canvas.show_message(str(error)), latest="scale"
        )
        self._told()

    @property
    def scale(self) -> float | None:
        """Millimetres of a pixel; None while it isn't known."""
        pixels, millimetres = self.canvas.length, self.length.value
        return millimetres / pixels if pixels >= 1 and millimetres > 0 else None

    def _told(self) -> None:
        scale = self.scale
        if scale is None:
            said = "Drag the ends of the line to two points that you know the distance of, and type it."
        else:
            said = f"The line is {self.canvas.length:,.1f} pixels long, so a pixel is {words(scale)}."
        self.said.setText(said)
        switch(self.use, "" if scale else "Type how long the line is.")

    def _use(self) -> None:
        self.chosen.emit(self.scale)
        self.accept()

    def _remove(self) -> None:
        self.chosen.emit(None)
        self.accept()


def words(scale: float) -> str:
    """A scale for people."""
    return f"{scale:.3g} mm" if scale >= 0.001 else f"{scale * 1000:.3g} µm"
