"""How the loss falls while a method learns."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.views.look import theme


class LossCurve(QWidget):
    """Loss over epochs, the newest value marked and written. An epoch that is not after the last one begins a new curve:
    some methods learn in two rounds."""

    KEPT = 1000
    HEIGHT = 132

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(self.HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Loss over epochs")
        self.points: list[tuple[float, float]] = []  # (epoch, loss)
        self.last = 0.0  # the epoch where teaching ends, 0 while unknown

    def clear(self) -> None:
        self.points, self.last = [], 0.0
        self.update()

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
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.points:
            return
        t = theme.tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(bold=True, figures=True))
        line = float(painter.fontMetrics().height())
        epoch, loss = self.points[-1]
        painter.setPen(QColor(t.text))
        top = QRectF(0, 0, self.width(), line)
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft, f"Loss {loss:.4g}")
        painter.setFont(theme.font("small", figures=True))
        painter.setPen(QColor(t.quiet))
        of = f" of {self.last:.0f}" if self.last > epoch else ""
        painter.drawText(
            top, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, f"epoch {epoch:.0f}{of}"
        )

        small = float(painter.fontMetrics().height())
        losses = [value for _, value in self.points]
        low, high = min(losses), max(losses)
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        words = [f"{value:.3g}" for value in (high, low)]
        left = 6.0 + max(painter.fontMetrics().horizontalAdvance(word) for word in words)
        box = QRectF(left, line + 8, self.width() - left - 6, self.height() - line - small - 14)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for y, word in zip((box.top(), box.bottom()), words, strict=True):
            painter.drawText(QRectF(0, y - small / 2, left - 6, small), right, word)
        painter.setPen(QPen(QColor(t.line), 1))
        for y in (box.top(), box.bottom()):
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
        first, end = self.points[0][0], max(self.last, self.points[0][0] + 1)
        painter.setPen(QColor(t.quiet))
        foot = QRectF(box.left(), box.bottom() + 3, box.width(), small)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, f"{first:.0f}")
        painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, "epoch")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{end:.0f}")

        def place(at: float, value: float) -> QPointF:
            return QPointF(
                box.left() + box.width() * (at - first) / (end - first),
                box.bottom() - box.height() * (value - low) / (high - low),
            )

        drawn = QPolygonF([place(*point) for point in self.points])
        painter.setPen(QPen(QColor(theme.ACCENT), 1.6))
        painter.drawPolyline(drawn)
        painter.setBrush(QColor(theme.ACCENT))
        painter.setPen(QPen(QColor(t.base), 1.5))
        painter.drawEllipse(place(epoch, loss), 4.0, 4.0)
        painter.end()
