"""An image to draw its defects on: by brush, eraser and polygon, or grown from the anomaly map."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen

from inspector.verdicts.regions import drawn, enlarge, rings_of
from inspector.views.look import theme
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.images.area import Polygon
    from inspector.views.viewer.picture import Picture

_FINE = 1024
"""Pixels of the mask along the longer side of the image."""
_STEPS = 50
"""So many steps can be undone."""
_NEAR = 10
"""Pixels of the screen within which a click meets a corner."""
_POLYGON_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Backspace, Qt.Key.Key_Escape)


def mask_size(picture: Picture) -> tuple[int, int]:
    """(width, height) of the mask that is drawn for a picture."""
    scale = min(1.0, _FINE / max(picture.width, picture.height))
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


class Tool(StrEnum):
    BRUSH = "brush"
    ERASER = "eraser"
    POLYGON = "polygon"
    GROW = "grow"


class OutlineCanvas(ImageView):
    """Drag to paint or erase, click corner after corner of a polygon, or click to grow; the middle button and the wheel move the
    image.

    `changed` follows every stroke that is complete; `undo` takes back the last.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Image, to draw its defects on")
        self._tool = Tool.BRUSH
        self._corners: list[
            tuple[float, float]
        ] = []  # of the polygon that is being drawn, in shares of the sides
        self.brush = 0.03  # of the brush, in shares of the longer side
        self.reach = 0.6  # how low the map may fall from where it is clicked, in shares of its value there
        self._mask: NDArray[np.uint8] = np.zeros((1, 1), np.uint8)
        self._history: list[NDArray[np.uint8]] = []
        self._last: tuple[float, float] | None = None  # None also while the stroke is beside the image
        self._painting = False
        self._cursor: QPointF | None = None
        self._sheet: tuple[QImage, NDArray[np.uint32]] | None = None

    @property
    def tool(self) -> Tool:
        return self._tool

    @tool.setter
    def tool(self, kind: Tool) -> None:
        self._tool = kind
        self._corners.clear()
        self._told()

    @property
    def rings(self) -> tuple[Polygon, ...]:
        return rings_of(self._mask)

    @property
    def empty(self) -> bool:
        return not self._mask.any()

    @property
    def can_undo(self) -> bool:
        return bool(self._history or self._corners)

    def start(self, rings: tuple[Polygon, ...]) -> None:
        """Begin with what is drawn already; there is nothing to undo then. An image must be shown."""
        assert self.picture is not None
        self._mask = drawn(rings, mask_size(self.picture))
        self._history.clear()
        self._told()

    def clear(self) -> None:
        self._step()
        self._mask[:] = 0
        self._told()

    def undo(self) -> None:
        if self._corners:
            self._corners.pop()
            self._told()
        elif self._history and not self._painting:
            self._mask = self._history.pop()
            self._told()

    def close_polygon(self) -> None:
        """What lies within its corners is defective; fewer than three are none."""
        corners, self._corners = self._corners, []
        if len(corners) > 2:
            self._step()
            rows, columns = self._mask.shape
            self._mask |= drawn((tuple(corners),), (columns, rows))
        self._told()

    def grow(self, x: float, y: float) -> None:
        """Add what of the map hangs together with a point (in shares of the sides) and reaches `reach` of its value there."""
        if self.values is None:
            return
        import cv2

        rows, columns = self._mask.shape
        field = enlarge(self.values, (columns, rows))
        row, column = min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)
        lowest, here = float(field.min()), float(field[row, column])
        above = (field >= lowest + (here - lowest) * self.reach).astype(np.uint8)
        _, labels = cv2.connectedComponents(above, connectivity=8)
        self._step()
        self._mask[labels == labels[row, column]] = 255
        self._told()

    def paint_at(self, x: float, y: float) -> None:
        """Go on with the stroke to a point in shares of the sides."""
        import cv2

        rows, columns = self._mask.shape
        wide = max(1, round(self.brush * max(rows, columns)))
        here = round(x * columns - 0.5), round(y * rows - 0.5)
        before = self._last or (x, y)
        there = round(before[0] * columns - 0.5), round(before[1] * rows - 0.5)
        cv2.line(self._mask, there, here, 0 if self.tool is Tool.ERASER else 255, wide)
        self._last, self._sheet = (x, y), None
        self.update()

    def _step(self) -> None:
        self._history.append(self._mask.copy())
        del self._history[:-_STEPS]

    def _told(self) -> None:
        self._sheet = None
        self.update()
        self.changed.emit()

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = self.devicePixelRatioF()
        target = self._target()
        place = QRectF(
            target.x() / ratio, target.y() / ratio, target.width() / ratio, target.height() / ratio
        )
        if self._sheet is None:
            self._sheet = self._draw()
        painter.drawImage(place, self._sheet[0])
        self._paint_corners(painter, place)
        if self._cursor is not None and self.tool in (Tool.BRUSH, Tool.ERASER):
            radius = self.brush * max(place.width(), place.height()) / 2
            for colour, wide in ((QColor(0, 0, 0, 160), 3), (QColor("white"), 1)):
                painter.setPen(QPen(colour, wide))
                painter.drawEllipse(self._cursor, radius, radius)
        painter.end()

    def _paint_corners(self, painter: QPainter, place: QRectF) -> None:
        points = [
            QPointF(place.x() + x * place.width(), place.y() + y * place.height()) for x, y in self._corners
        ]
        way = points if self._cursor is None else [*points, self._cursor]
        for colour, wide in ((QColor(0, 0, 0, 160), 4), (QColor(theme.ACCENT), 2)):
            painter.setPen(QPen(colour, wide))
            painter.drawPolyline(way if points else [])
            for point in points:
                painter.drawEllipse(point, 3, 3)

    def _draw(self) -> tuple[QImage, NDArray[np.uint32]]:
        """The mask as a sheet of colour with a strong edge; QImage does not own its bytes."""
        import cv2

        inside = self._mask > 0
        edge = inside & (cv2.erode(self._mask, np.ones((3, 3), np.uint8)) == 0)
        accent = QColor(theme.ACCENT)
        argb = np.zeros(self._mask.shape, np.uint32)
        for where, alpha in ((inside, 110), (edge, 255)):
            tint = [value * alpha // 255 for value in (accent.red(), accent.green(), accent.blue())]
            argb[where] = alpha << 24 | tint[0] << 16 | tint[1] << 8 | tint[2]
        height, width = len(argb), argb.size // len(argb)
        sheet = QImage(argb.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
        return sheet, argb

    # events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self.share_at(event.position())
        if event.button() is not Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
        elif at is not None and self.tool is Tool.GROW:
            self.grow(*at)
        elif at is not None and self.tool is Tool.POLYGON:
            self._corner(at)
        elif at is not None:
            self._step()
            self._last, self._painting = None, True
            self.paint_at(*at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._cursor = event.position()
        at = self.share_at(event.position())
        if self._painting and event.buttons() & Qt.MouseButton.LeftButton:
            if at is not None:
                self.paint_at(*at)
            else:
                self._last = None
        else:
            super().mouseMoveEvent(event)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._painting and event.button() is Qt.MouseButton.LeftButton:
            self._last, self._painting = None, False
            self._told()
        else:
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.tool is Tool.POLYGON:
            self.close_polygon()
        else:
            self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if not self._corners or key not in _POLYGON_KEYS:
            super().keyPressEvent(event)
        elif key is Qt.Key.Key_Backspace:
            self.undo()
        elif key is Qt.Key.Key_Escape:
            self._corners.clear()
            self._told()
        else:
            self.close_polygon()

    def _corner(self, at: tuple[float, float]) -> None:
        """Another corner, or, where the first one is met, the end."""
        if len(self._corners) > 2:
            (x, y), target = self._corners[0], self._target()
            if np.hypot((x - at[0]) * target.width(), (y - at[1]) * target.height()) < _NEAR:
                self.close_polygon()
                return
        self._corners.append(at)
        self._told()
