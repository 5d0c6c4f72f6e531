"""The detector's colour scale with its thresholds: the same for every image."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.exports.heat import MASK_COLOUR, Heat, Mode, ramp
from inspector.views.look import theme


class ColourBar(QWidget):
    """Low values at the left, high at the right; chequered where nothing is drawn over the image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heat: Heat | None = None
        self.value: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(420)
        self.setToolTip("Colour scale of this detector: the same for every image")

    def sizeHint(self) -> QSize:
        return QSize(220, 34)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 34)

    def show_heat(self, heat: Heat | None) -> None:
        self.heat = heat
        if heat is not None:
            self.setAccessibleName(f"Colour scale from {heat.low:.3g} to {heat.high:.3g}")
        self.update()

    def show_value(self, value: float | None) -> None:
        """Mark the value under the cursor."""
        self.value = value
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.heat is None:
            return
        low, high = self.heat.low, self.heat.high
        start = low - (high - low) * 0.25  # a stretch of what stays untouched is part of the scale
        start = max(start, 0.0) if low >= 0 else start
        painter = QPainter(self)
        font = theme.font("small", figures=True)
        painter.setFont(font)
        bar = QRectF(4, 3, self.width() - 8, 12)
        values = np.linspace(start, high, 256)
        if self.heat.mode is Mode.HEAT:
            at = np.clip((values - low) / max(high - low, 1e-12) * 255, 0, 255).astype(np.intp)
            colours = ramp(self.heat.colour_map)[at].astype(np.uint8)
        else:
            colours = np.broadcast_to(np.array(MASK_COLOUR, np.uint8), (256, 3))
        shown = (values >= self.heat.threshold)[:, None]
        strip = np.where(shown, np.concatenate([colours, np.full((256, 1), 255, np.uint8)], axis=1), 0)
        strip = np.ascontiguousarray(strip, np.uint8)
        painter.fillRect(bar, theme.colour("surround"))
        painter.drawImage(bar, QImage(strip.data, 256, 1, 1024, QImage.Format.Format_RGBA8888))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))

        def x(value: float) -> float:
            return bar.left() + min(max((value - start) / max(high - start, 1e-12), 0), 1) * bar.width()

        painter.setPen(QPen(theme.colour("text"), 2))
        painter.drawLine(QPointF(x(self.heat.threshold), 0), QPointF(x(self.heat.threshold), 18))
        if self.value is not None:
            painter.setPen(QPen(QColor("#000000"), 3))
            painter.drawLine(QPointF(x(self.value), 4), QPointF(x(self.value), 14))
            painter.setPen(QPen(QColor("#ffffff"), 1))
            painter.drawLine(QPointF(x(self.value), 4), QPointF(x(self.value), 14))
        painter.setPen(theme.colour("quiet"))
        metrics = QFontMetricsF(font)
        taken = QRectF()
        for value, align in ((self.heat.threshold, 0.5), (high, 1.0), (start, 0.0)):
            text = f"{value:.3g}"
            wide = metrics.horizontalAdvance(text)
            left = min(max(x(value) - wide * align, 0), self.width() - wide)
            box = QRectF(left, 19, wide, self.height() - 19)
            if not box.adjusted(-4, 0, 4, 0).intersects(taken):
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                taken = taken.united(box) if taken.isNull() else taken
        painter.end()
