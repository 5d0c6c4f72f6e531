"""The anomaly map over the part of the image that is in sight, as the window paints it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from inspector.exports.heat import LEVELS, Heat, Mode, lookup, quantise
from inspector.views.look import theme
from inspector.views.viewer import map_overlay as sight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inspector.images.area import Polygon

_PIXELS = 1_600_000


class HeatLayer:
    """What is slow, enlarging the map, is done once per view and kept; a new threshold, colour map or opacity is only a
    look-up."""

    def __init__(self) -> None:
        self.heat = Heat(0.0, 1.0, 0.5)
        self.values: NDArray[np.float32] | None = None
        self.outline: Sequence[Polygon] = ()  # where somebody drew the defects
        self._range = (0.0, 1.0)
        self._field: NDArray[np.uint16] | None = None
        self._drawn: tuple[QImage, NDArray[np.uint32]] | None = None  # QImage does not own its bytes

    def set_values(self, values: NDArray[np.float32] | None) -> bool:
        """False where they are none that can be shown."""
        self.values = None
        if values is not None and values.size and np.isfinite(values).all():
            self.values = np.ascontiguousarray(values, np.float32)
            self._range = (float(values.min()), float(values.max()))
        self.moved()
        return self.values is not None or values is None

    def set_outline(self, rings: Sequence[Polygon]) -> None:
        self.outline = rings

    def set_heat(self, heat: Heat) -> None:
        self.heat, self._drawn = heat, None

    def moved(self) -> None:
        """Another part of the image is in sight."""
        self._field = self._drawn = None

    def value_at(self, x: float, y: float) -> float | None:
        """At a point in shares of the image's sides."""
        if self.values is None:
            return None
        return float(sight.enlarge(self.values, np.array([x]), np.array([y]))[0, 0])

    def hottest(self) -> tuple[float, float] | None:
        """Where the highest value lies, in shares of the image's sides."""
        if self.values is None:
            return None
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        return (float(column) + 0.5) / self.values.shape[1], (float(row) + 0.5) / self.values.shape[0]

    def paint(self, painter: QPainter, visible: QRect, image: QRectF) -> None:
        """`visible`: what is in sight of the `image`, both in device pixels."""
        if visible.isEmpty():
            return
        if self.values is not None:
            if self._drawn is None:
                self._drawn = self._draw(visible, image)
            painter.drawImage(visible, self._drawn[0])
        for colour, wide in ((QColor(0, 0, 0, 160), 4), (QColor(theme.ACCENT), 2)):
            painter.setPen(QPen(colour, wide))
            for ring in self.outline:
                painter.drawPolygon(
                    QPolygonF(
                        [
                            QPointF(image.x() + x * image.width(), image.y() + y * image.height())
                            for x, y in ring
                        ]
                    )
                )

    def _draw(self, visible: QRect, image: QRectF) -> tuple[QImage, NDArray[np.uint32]]:
        if self._field is None:
            self._field = self._make_field(visible, image)
        lowest, highest = self._range
        if self.heat.mode is Mode.CONTOUR:
            level = (self.heat.threshold - lowest) / max(highest - lowest, 1e-12) * (LEVELS - 1)
            argb = sight.outline(self._field >= level)
        else:
            table = lookup(self.heat, lowest, highest)
            argb = np.take(table, self._field, mode="clip")
        height, width = argb.shape
        drawn = QImage(argb.data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied)
        return drawn, argb

    def _make_field(self, rect: QRect, image: QRectF) -> NDArray[np.uint16]:
        """The visible part of the map at screen resolution."""
        assert self.values is not None
        step = max(1.0, math.sqrt(rect.width() * rect.height() / _PIXELS))
        columns, rows = max(1, round(rect.width() / step)), max(1, round(rect.height() / step))
        x = (rect.x() + (np.arange(columns) + 0.5) * rect.width() / columns - image.x()) / image.width()
        y = (rect.y() + (np.arange(rows) + 0.5) * rect.height() / rows - image.y()) / image.height()
        return quantise(sight.enlarge(self.values, x, y), *self._range)
