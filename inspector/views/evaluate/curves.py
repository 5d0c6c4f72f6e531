"""Curves of an evaluation: ROC, precision over recall, and region overlap, one class or detector beside another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.views.look import theme
from inspector.views.look.plot import Chart, dress, text

KINDS = {
    "image_roc": ("Image ROC", "False-positive rate", "True-positive rate"),
    "image_pr": ("Image PR", "Recall", "Precision"),
    "pixel_roc": ("Pixel ROC", "False-positive rate", "True-positive rate"),
    "pixel_pr": ("Pixel PR", "Recall", "Precision"),
    "pro": ("PRO", "False-positive rate", "Region overlap"),
}
"""kind → title, x axis, y axis"""
_MARGINS = 52, 12, 16, 40
_LOOKS = ("quiet", "main", "second")
"""From the lowest to the uppermost."""
_LEGEND = 200  # px of words at most
_NEAR = 14  # px


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """`look`: "main" (accent), "second" (dashed) or "quiet". `name` stands in the legend and under the cursor."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    look: str = "quiet"


class CurvesView(Chart):
    """Axes run from 0 to 1 (the false-positive rate of PRO to its limit). `picked(name)` when a curve is clicked."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_MARGINS, ("left", "bottom"), bleed=2, parent=parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Curves")
        self.kind = "image_roc"
        self.lines: tuple[Line, ...] = ()
        self._limit = 1.0
        self._under: tuple[int, float, float] | None = None  # line, x, y
        self._grid = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), -1)
        self._curves: list[Any] = []  # of `lines`, and hidden ones to use again
        self._ring = self.put(pg.ScatterPlotItem(size=9), 8)
        self._said = self.put(text((0, 0), margin=4), 9)
        self._none = self.put(text((0.5, 0.5)), 1)
        self._swatches = {look: pg.PlotCurveItem() for look in _LOOKS}
        self._legend: Any = pg.LegendItem(offset=(-8, -8))
        self._legend.setParentItem(self.box)
        self._legend.setZValue(7)
        self.restyle()
        self.set_lines(self.kind, ())

    def sizeHint(self) -> QSize:
        return QSize(420, 320)

    def set_lines(self, kind: str, lines: Sequence[Line]) -> None:
        self.kind = kind
        self.lines = tuple(line for line in lines if line.x.size)
        ends = [float(line.x[-1]) for line in self.lines]
        self._limit = max(ends) if kind == "pro" and ends and max(ends) > 0 else 1.0
        self._under = None
        self.setAccessibleDescription(f"{KINDS[kind][0]}: {', '.join(line.name for line in self.lines)}")
        while len(self._curves) < len(self.lines):
            self._curves.append(self.put(pg.PlotCurveItem()))
        for number, curve in enumerate(self._curves):
            curve.setVisible(number < len(self.lines))
            if number < len(self.lines):
                curve.setData(self.lines[number].x, self.lines[number].y)
        self._draw_axes()
        self._draw_legend()
        self._none.setText("No masks, so no curve" if kind.startswith(("pixel", "pro")) else "No curve")
        self._none.setPos(self._limit / 2, 0.5)
        self._none.setVisible(not self.lines)
        self._mark()

    def restyle(self) -> None:
        super().restyle()
        self.box.setBackgroundColor(theme.colour("base"))
        self._grid.setPen(self.pen("line"))
        small = theme.font("small", figures=True)
        dress(self._none, "quiet", small)
        dress(self._said, "text", small)
        self._said.fill, self._said.border = pg.mkBrush(theme.colour("raised")), self.pen("line")
        self._ring.setPen(self.pen("text", 1.5))
        self._ring.setBrush(pg.mkBrush(theme.colour("base")))
        self._draw_legend()
        self._mark()

    def _points(self, line: Line) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        area = self.area()
        return (
            area.left() + line.x / self._limit * area.width(),
            area.bottom() - line.y * area.height(),
        )

    def _draw_axes(self) -> None:
        self.show_range(0, self._limit, 0, 1)
        ys = np.linspace(0, 1, 6)
        xs = ys if self._limit == 1.0 else np.linspace(0, self._limit, 4)
        self._grid.setData(
            np.concatenate([np.repeat(xs, 2), np.tile([0, self._limit], len(ys))]),
            np.concatenate([np.tile([0.0, 1.0], len(xs)), np.repeat(ys, 2)]),
        )
        self.axes["left"].setTicks([[(float(y), f"{y:.2g}") for y in ys]])
        self.axes["bottom"].setTicks([[(float(x), f"{x:.2g}") for x in xs]])
        _, across, up = KINDS[self.kind]
        self.name_axis("bottom", across)
        self.name_axis("left", up)

    def _pen(self, look: str, bold: bool = False) -> Any:
        if look == "main":
            made = self.pen(theme.ACCENT, 2.4)
        elif look == "second":
            made = self.pen("text", 2, style=Qt.PenStyle.DashLine)
        else:
            alone = all(line.look == "quiet" for line in self.lines)
            made = self.pen("text" if bold else "quiet" if alone else "faint", 1.4)
        if bold:
            ratio = self.devicePixelRatioF()
            made.setWidthF(max(made.widthF(), 2 * ratio) + 0.6 * ratio)
        return made

    def _draw_legend(self) -> None:
        """A row for each look: lines of one look are told apart under the cursor."""
        self._legend.clear()
        font = theme.font("small")
        metrics = QFontMetricsF(font)
        self._legend.setLabelTextColor(theme.colour("text"))
        self._legend.setLabelTextSize(f"{font.pointSizeF():.1f}pt")
        for look in ("main", "second", "quiet"):
            names = list(dict.fromkeys(line.name for line in self.lines if line.look == look))
            self._swatches[look].setPen(self._pen(look))
            if names:
                words = ", ".join(names)
                if len(names) > 1 and metrics.horizontalAdvance(words) > _LEGEND:
                    words = f"{names[0]} and {len(names) - 1} more"
                words = metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, _LEGEND)
                self._legend.addItem(self._swatches[look], escape(words))
        shade = theme.colour("base")
        shade.setAlpha(215)
        self._legend.setBrush(pg.mkBrush(shade))
        self._legend.setPen(self.pen("line"))
        # Where good curves don't run: they hug the upper left, or the upper right of precision over recall.
        self._legend.setOffset((8 if self.kind.endswith("pr") else -8, -8))
        self._legend.setVisible(bool(self.lines))

    def _mark(self) -> None:
        """Lift the curve under the cursor: its name and where on it."""
        number, x, y = self._under or (-1, 0.0, 0.0)
        for each, (line, curve) in enumerate(zip(self.lines, self._curves, strict=False)):
            curve.setPen(self._pen(line.look, bold=each == number))
            curve.setZValue(3 if each == number else _LOOKS.index(line.look))
        self._ring.setVisible(number >= 0)
        self._said.setVisible(number >= 0)
        if number < 0:
            return
        self._ring.setData([x], [y])
        self._said.setText(f"{self.lines[number].name}   {x:.3f} | {y:.3f}")
        area, size = self.area(), self._said.boundingRect()
        right, above = x / self._limit * area.width(), y * area.height()
        over = max(0.0, right + 10 + size.width() - area.width())
        down = 10 if above > size.height() + 10 else -10 - size.height()
        self._said.setPos(
            max(right + 10 - over, 0) / area.width() * self._limit, (above - down) / area.height()
        )

    def near(self, at: QPointF) -> tuple[int, float, float] | None:
        """(line, x, y) of the curve closest to a place of the widget, if it is close; a main one wins a tie."""
        best: tuple[float, int, float, float] | None = None
        area = self.area()
        for number, line in enumerate(self.lines):
            px, py = self._points(line)
            if px.size < 2:
                continue
            start, step = np.stack([px[:-1], py[:-1]], 1), np.stack([np.diff(px), np.diff(py)], 1)
            length = np.maximum((step**2).sum(1), 1e-12)
            along = np.clip((((at.x(), at.y()) - start) * step).sum(1) / length, 0, 1)
            foot = start + along[:, None] * step
            away = np.hypot(foot[:, 0] - at.x(), foot[:, 1] - at.y())
            place = int(away.argmin())
            distance = float(away[place]) - (0.5 if line.look != "quiet" else 0.0)
            if distance < _NEAR and (best is None or distance < best[0]):
                x = (foot[place, 0] - area.left()) / area.width() * self._limit
                best = distance, number, float(x), float((area.bottom() - foot[place, 1]) / area.height())
        return best[1:] if best else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._look_under(self.near(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._look_under(None)

    def _look_under(self, found: tuple[int, float, float] | None) -> None:
        if found != self._under:
            self._under = found
            self._mark()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self.near(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.lines[found[0]].name)
