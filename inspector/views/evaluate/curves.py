"""Curves of an evaluation: ROC, precision over recall, and region overlap, one class or detector beside another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.views.look import theme

KINDS = {
    "image_roc": ("Image ROC", "False-positive rate", "True-positive rate"),
    "image_pr": ("Image PR", "Recall", "Precision"),
    "pixel_roc": ("Pixel ROC", "False-positive rate", "True-positive rate"),
    "pixel_pr": ("Pixel PR", "Recall", "Precision"),
    "pro": ("PRO", "False-positive rate", "Region overlap"),
}
"""kind → title, x axis, y axis"""
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 12, 16, 44
_NEAR = 14  # px


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """`look`: "main" (accent), "second" (dashed) or "quiet". `name` is said under the cursor."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    look: str = "quiet"


class CurvesView(QWidget):
    """Axes run from 0 to 1 (the false-positive rate of PRO to its limit). `picked(name)` when a curve is clicked."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Curves")
        self.kind = "image_roc"
        self.lines: tuple[Line, ...] = ()
        self._limit = 1.0
        self._under: tuple[int, float, float] | None = None  # line, x, y

    def sizeHint(self) -> QSize:
        return QSize(420, 320)

    def set_lines(self, kind: str, lines: Sequence[Line]) -> None:
        self.kind = kind
        self.lines = tuple(line for line in lines if line.x.size)
        ends = [float(line.x[-1]) for line in self.lines]
        self._limit = max(ends) if kind == "pro" and ends and max(ends) > 0 else 1.0
        self._under = None
        self.setAccessibleDescription(f"{KINDS[kind][0]}: {', '.join(line.name for line in self.lines)}")
        self.update()

    def _area(self) -> QRectF:
        return QRectF(
            _LEFT, _TOP, max(self.width() - _LEFT - _RIGHT, 1), max(self.height() - _TOP - _BOTTOM, 1)
        )

    def _points(self, line: Line) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        area = self._area()
        return (
            area.left() + line.x / self._limit * area.width(),
            area.bottom() - line.y * area.height(),
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = self._area()
        painter.fillRect(area, theme.colour("base"))
        painter.setFont(theme.font("small", figures=True))
        self._draw_axes(painter, area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(area.adjusted(-2, -2, 2, 2))
        under = self._under[0] if self._under else -1
        for look in ("quiet", "main", "second"):
            for number, line in enumerate(self.lines):
                if line.look == look and number != under:
                    self._draw_line(painter, line)
        if under >= 0:
            self._draw_line(painter, self.lines[under], bold=True)
        painter.setClipping(False)
        if self._under is not None:
            self._say(painter, area)
        elif not self.lines:
            painter.setPen(theme.colour("quiet"))
            words = "No masks, so no curve" if self.kind.startswith(("pixel", "pro")) else "No curve"
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, words)
        painter.end()

    def _draw_axes(self, painter: QPainter, area: QRectF) -> None:
        steps = 5 if self._limit == 1.0 else 3
        for number in range(steps + 1):
            share = number / steps
            x, y = area.left() + share * area.width(), area.bottom() - share * area.height()
            painter.setPen(QPen(theme.colour("line"), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.colour("quiet"))
            under = QRectF(x - 30, area.bottom() + 3, 60, 16)
            painter.drawText(under, Qt.AlignmentFlag.AlignCenter, f"{share * self._limit:.2g}")
            beside = QRectF(area.left() - 40, y - 8, 34, 16)
            painter.drawText(
                beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{share:.2g}"
            )
        _, across, up = KINDS[self.kind]
        painter.drawText(
            QRectF(area.left(), area.bottom() + 20, area.width(), 18), Qt.AlignmentFlag.AlignCenter, across
        )
        painter.save()
        painter.translate(9, area.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-area.height() / 2, -9, area.height(), 18), Qt.AlignmentFlag.AlignCenter, up)
        painter.restore()

    def _draw_line(self, painter: QPainter, line: Line, bold: bool = False) -> None:
        alone = all(other.look == "quiet" for other in self.lines)
        pen = QPen(theme.colour("quiet" if alone else "faint"), 1.4)
        if line.look == "main":
            pen = QPen(QColor(theme.ACCENT), 2.4)
        elif line.look == "second":
            pen = QPen(theme.colour("text"), 2, Qt.PenStyle.DashLine)
        if bold:
            pen.setWidthF(max(pen.widthF(), 2) + 0.6)
            if line.look == "quiet":
                pen.setColor(theme.colour("text"))
        painter.setPen(pen)
        x, y = self._points(line)
        painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]))

    def _say(self, painter: QPainter, area: QRectF) -> None:
        """The curve under the cursor: its name and where on it."""
        assert self._under is not None
        number, x, y = self._under
        at = QPointF(area.left() + x / self._limit * area.width(), area.bottom() - y * area.height())
        painter.setPen(QPen(theme.colour("text"), 1.5))
        painter.setBrush(theme.colour("base"))
        painter.drawEllipse(at, 4, 4)
        words = f"{self.lines[number].name}   {x:.3f} | {y:.3f}"
        size = painter.fontMetrics().horizontalAdvance(words) + 16
        box = QRectF(min(at.x() + 10, area.right() - size), at.y() + 10, size, 22)
        if box.bottom() > area.bottom():
            box.moveBottom(at.y() - 10)
        box.moveLeft(max(box.left(), 0))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.setBrush(theme.colour("raised"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme.colour("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    def near(self, at: QPointF) -> tuple[int, float, float] | None:
        """(line, x, y) of the curve closest to a place of the widget, if it is close; a main one wins a tie."""
        best: tuple[float, int, float, float] | None = None
        area = self._area()
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
        self._under = self.near(event.position())
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._under = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self.near(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.lines[found[0]].name)
