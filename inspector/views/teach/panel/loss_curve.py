"""How the loss falls while a method learns."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy

from inspector.views.look import theme
from inspector.views.look.plot import Chart


class LossCurve(Chart):
    """Loss over epochs, the newest value marked and written. An epoch that is not after the last one begins a new curve:
    some methods learn in two rounds."""

    KEPT = 1000
    HEIGHT = 132

    def __init__(self) -> None:
        super().__init__((44, 28, 10, 20), ("left", "bottom"), bleed=6)
        self.setFixedHeight(self.HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Loss over epochs")
        self.points: list[tuple[float, float]] = []  # (epoch, loss)
        self.last = 0.0  # the epoch where teaching ends, 0 while unknown
        self._rules = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), -1)
        self._line = self.put(pg.PlotCurveItem(), 1)
        self._newest = self.put(pg.ScatterPlotItem(size=8), 2)
        self._said, self._when = QLabel(), QLabel()
        head = QHBoxLayout(self)
        head.setContentsMargins(0, 0, 0, 0)
        for label, side in (
            (self._said, Qt.AlignmentFlag.AlignLeft),
            (self._when, Qt.AlignmentFlag.AlignRight),
        ):
            label.setTextFormat(Qt.TextFormat.PlainText)
            head.addWidget(label, alignment=side | Qt.AlignmentFlag.AlignTop)
        theme.set_role(self._when, "quiet")
        self.restyle()

    def clear(self) -> None:
        self.points, self.last = [], 0.0
        self._show()

    def add(self, epoch: float, loss: float, last: float | None = None) -> None:
        if not math.isfinite(loss):
            return
        if self.points and epoch <= self.points[-1][0]:
            self.points = []
        self.points.append((epoch, loss))
        if len(self.points) > self.KEPT:
            self.points = [*self.points[:-1:2], self.points[-1]]
        self.last = max(epoch, last or 0.0)
        self.setAccessibleDescription(f"Epoch {epoch:.0f}: loss {loss:.4g}")
        self._show()

    def restyle(self) -> None:
        super().restyle()
        self._rules.setPen(self.pen("line"))
        self._line.setPen(self.pen(theme.ACCENT, 1.6))
        self._newest.setBrush(pg.mkBrush(theme.ACCENT))
        self._newest.setPen(self.pen("base", 1.5))
        self._said.setFont(theme.font(bold=True, figures=True))
        self._when.setFont(theme.font("small", figures=True))

    def _show(self) -> None:
        self.plot.setVisible(bool(self.points))
        if not self.points:
            self._said.clear()
            self._when.clear()
            return
        epoch, loss = self.points[-1]
        self._said.setText(f"Loss {loss:.4g}")
        self._when.setText(f"epoch {epoch:.0f}" + (f" of {self.last:.0f}" if self.last > epoch else ""))
        epochs, losses = np.array(self.points).T
        low, high = float(losses.min()), float(losses.max())
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        first = float(epochs[0])
        end = max(self.last, first + 1)
        self.show_range(first, end, low, high)
        self.axes["left"].setTicks([[(value, f"{value:.3g}") for value in (low, high)]])
        self.axes["bottom"].setTicks(
            [[(first, f"{first:.0f}"), ((first + end) / 2, "epoch"), (end, f"{end:.0f}")]]
        )
        self._rules.setData([first, end, first, end], [low, low, high, high])
        self._line.setData(epochs, losses)
        self._newest.setData([epoch], [loss])
