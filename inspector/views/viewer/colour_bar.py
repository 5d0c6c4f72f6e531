"""The detector's colour scale with its thresholds: the same for every image."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.exports.heat import MASK_COLOUR, Heat, Mode, ramp
from inspector.views.look import theme
from inspector.views.look.plot import Chart, dress, text

_SIDE = 4
_HEIGHT = 34
_BAR = 3, 15  # px from the upper edge


class ColourBar(Chart):
    """Low values at the left, high at the right; empty where nothing is drawn over the image.

    Not a `pg.ColorBarItem`: that belongs to one `ImageItem`, has no part that stays transparent and lets its levels be
    dragged, while this scale stands for every image.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__((_SIDE,) * 4, bleed=_SIDE, parent=parent)
        self.heat: Heat | None = None
        self.value: float | None = None
        self._start = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(420)
        self.setToolTip("Colour scale of this detector: the same for every image")
        self._ground = self.put(pg.BarGraphItem(x0=np.zeros(1), x1=1.0, y0=0.0, y1=1.0), -1)
        self._strip = self.put(pg.ImageItem(autoDownsample=False))
        self._threshold = self.put(pg.InfiniteLine(angle=90), 1)
        self._values = [self.put(pg.InfiniteLine(angle=90), 2) for _ in range(2)]
        self._words = [self.put(text((0, 0)), 3) for _ in range(3)]
        self.restyle()
        self.fit()

    def sizeHint(self) -> QSize:
        return QSize(220, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(48, _HEIGHT)

    def show_heat(self, heat: Heat | None) -> None:
        self.heat = heat
        if heat is not None:
            self.setAccessibleName(f"Colour scale from {heat.low:.3g} to {heat.high:.3g}")
        self.fit()

    def show_value(self, value: float | None) -> None:
        """Mark the value under the cursor."""
        self.value = value
        for line in self._values:
            line.setVisible(value is not None)
            if value is not None and self.heat is not None:
                line.setValue(min(max(value, self._start), self.heat.high))

    def restyle(self) -> None:
        super().restyle()
        self._ground.setOpts(brush=theme.colour("surround"), pen=self.pen("line"))
        self._threshold.setPen(self.pen("text", 2))
        for line, ink, width in zip(self._values, ("#000000", "#ffffff"), (3, 1), strict=True):
            line.setPen(self.pen(ink, width))
        for words in self._words:
            dress(words, "quiet", theme.font("small", figures=True))

    def fit(self) -> None:
        self.plot.setVisible(self.heat is not None)
        if self.heat is None:
            return
        low, high, height = self.heat.low, self.heat.high, self.height()
        start = low - (high - low) * 0.25  # a stretch of what stays untouched is part of the scale
        start = max(start, 0.0) if low >= 0 else start
        high = max(high, start + 1e-12)
        self._start = start
        self.show_range(start, high, _SIDE, height - _SIDE)  # upwards in px
        top, bottom = (height - y for y in _BAR)
        self._ground.setOpts(x0=np.array([start]), x1=high, y0=bottom, y1=top)
        self._strip.setImage(
            _colours(self.heat, np.linspace(start, high, 256)), autoLevels=False, levels=None
        )
        self._strip.setRect(QRectF(start, bottom, high - start, top - bottom))
        at = min(max(self.heat.threshold, start), high)
        self._threshold.setValue(at)
        self._threshold.setSpan((height - 18) / height, 1)
        for line in self._values:
            line.setSpan((height - 14) / height, (height - 4) / height)
        self.show_value(self.value)
        self._say(start, high)

    def _say(self, start: float, high: float) -> None:
        """The threshold and the ends in figures; an end gives way where the threshold's figure stands."""
        assert self.heat is not None
        area, metrics = self.area(), QFontMetricsF(theme.font("small", figures=True))
        taken: tuple[float, float] | None = None
        for words, value, align in zip(
            self._words, (self.heat.threshold, high, start), (0.5, 1.0, 0.0), strict=True
        ):
            said = f"{value:.3g}"
            wide = metrics.horizontalAdvance(said)
            x = area.left() + min(max((value - start) / (high - start), 0), 1) * area.width()
            left = min(max(x - wide * align, 0), self.width() - wide)
            free = taken is None or left - 4 > taken[1] or left + wide + 4 < taken[0]
            words.setVisible(free)
            if words.toPlainText() != said:
                words.setText(said)
            words.setPos(start + (left - area.left()) / area.width() * (high - start), self.height() - 19)
            taken = taken or (left, left + wide)


def _colours(heat: Heat, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(1, N, 4) RGBA of map values (N,), transparent below the threshold."""
    if heat.mode is Mode.HEAT:
        at = np.clip((values - heat.low) / max(heat.high - heat.low, 1e-12) * 255, 0, 255).astype(np.intp)
        colours = ramp(heat.colour_map)[at].astype(np.uint8)
    else:
        colours = np.broadcast_to(np.array(MASK_COLOUR, np.uint8), (len(values), 3))
    solid = np.concatenate([colours, np.full((len(values), 1), 255, np.uint8)], axis=1)
    return np.where((values >= heat.threshold)[:, None], solid, 0).astype(np.uint8)[None]
