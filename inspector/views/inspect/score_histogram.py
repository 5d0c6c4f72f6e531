"""The scores of a class as a histogram with two draggable thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import Decision, Thresholds
from inspector.verdicts.judge import decide
from inspector.views.look import theme

_BINS = 48
_MARGIN = 8
_HEAD = 18
_FOOT = 34


class Histogram(QWidget):
    """Bars of scores, a tick for each normal shot, a mark for the image at hand, and two lines to drag."""

    dragged = Signal(float, float)  # review, NG
    released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Scores and thresholds")
        self.scores: NDArray[np.float64] = np.empty(0)
        self.normal: NDArray[np.float64] = np.empty(0)
        self.one_shot = False  # whether `normal` are altered views of a single shot
        self.current: float | None = None
        self.review, self.ng = 0.0, 0.0
        self.enabled_lines = False
        self._low, self._high = 0.0, 1.0
        self._counts: NDArray[np.int64] = np.zeros(_BINS, np.int64)
        self._held: str | None = None
        self._grip = 0.0  # how far beside the line it was taken

    def sizeHint(self) -> QSize:
        return QSize(240, 150)

    def set_scores(
        self, scores: Sequence[float] | NDArray[np.float64], normal: Sequence[float] | NDArray[np.float64]
    ) -> None:
        self.scores = np.asarray(scores, np.float64)
        self.normal = np.asarray(normal, np.float64)
        self._rescale()

    def set_lines(self, review: float, ng: float, enabled: bool = True) -> None:
        self.review, self.ng, self.enabled_lines = review, ng, enabled
        if enabled and self._held is None and not (self._low < review and ng < self._high):
            self._rescale()
        self.update()

    def set_current(self, score: float | None) -> None:
        self.current = score
        self.update()

    @property
    def held(self) -> bool:
        """Whether a line is being dragged."""
        return self._held is not None

    def span(self) -> tuple[float, float]:
        """Scores at the left and the right end."""
        return self._low, self._high

    def _rescale(self) -> None:
        known = np.concatenate(
            [self.scores, self.normal, [self.review, self.ng] if self.enabled_lines else []]
        )
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        space = (high - low) * 0.06 or max(abs(high) * 0.1, 0.05)
        self._low = low - space if low < 0 else max(0.0, low - space)  # no scores below 0, no room for them
        self._high = high + space
        self._counts, _ = np.histogram(self.scores, _BINS, (self._low, self._high))
        self.update()

    def x_of(self, score: float) -> float:
        return _MARGIN + (score - self._low) / (self._high - self._low) * (self.width() - 2 * _MARGIN)

    def _score(self, x: float) -> float:
        part = min(max((x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1), 0.0), 1.0)
        return self._low + part * (self._high - self._low)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ink = self.palette().windowText().color()
        faint = QColor(ink)
        faint.setAlpha(90)
        floor = self.height() - _FOOT
        tallest = max(int(self._counts.max()), 1)
        edges = np.linspace(self._low, self._high, _BINS + 1)
        lines = Thresholds(self.review, max(self.ng, self.review), 0.0)
        for number in np.flatnonzero(self._counts):
            middle = (edges[number] + edges[number + 1]) / 2
            left, right = self.x_of(edges[number]), self.x_of(edges[number + 1])
            tall = max(3.0, (floor - _HEAD) * int(self._counts[number]) / tallest)
            colour = QColor(theme.VERDICTS[decide(middle, lines)]) if self.enabled_lines else faint
            painter.fillRect(QRectF(left, floor - tall, max(right - left - 1, 1), tall), colour)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QPointF(_MARGIN, floor + 0.5), QPointF(self.width() - _MARGIN, floor + 0.5))
        painter.setPen(QPen(ink, 1))
        for score in self.normal:
            painter.drawLine(QPointF(self.x_of(score), floor + 3), QPointF(self.x_of(score), floor + 10))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.current is not None:
            x = self.x_of(self.current)
            painter.setBrush(ink)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawPolygon(
                QPolygonF([QPointF(x, floor - 1), QPointF(x - 5, floor - 9), QPointF(x + 5, floor - 9)])
            )
        if self.enabled_lines:
            self._draw_lines(painter, floor)
        painter.setFont(theme.font("small", figures=True))
        painter.setPen(theme.colour("quiet"))
        foot = QRectF(_MARGIN, self.height() - 18, self.width() - 2 * _MARGIN, 18)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, f"{self._low:.3g}")
        painter.drawText(
            foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{self._high:.3g}"
        )
        if self.normal.size:
            shots = "1 normal shot" if self.normal.size == 1 else f"{self.normal.size} normal shots"
            if self.one_shot:
                shots = f"{self.normal.size} views of one shot"
            painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, f"╵ {shots}")
        painter.end()

    def _draw_lines(self, painter: QPainter, floor: float) -> None:
        metrics = QFontMetricsF(painter.font())
        names = {Decision.REVIEW: self.review, Decision.NG: self.ng}
        places: dict[Decision, QRectF] = {}
        free = 0.0  # the words stand left and right of their lines, side by side where that is too narrow
        for decision, score in names.items():
            wide = metrics.horizontalAdvance(theme.WORDS[decision]) + 4
            left = self.x_of(score) - (wide + 3 if decision is Decision.REVIEW else -3)
            places[decision] = QRectF(max(left, free), 0, wide, _HEAD - 3)
            free = places[decision].right() + 4
        over = max(0.0, free - 4 - self.width())
        for place in places.values():
            place.translate(-over, 0)
        ink = self.palette().windowText().color()
        for decision, score in names.items():
            x = self.x_of(score)
            painter.setPen(QPen(QColor(theme.VERDICTS[decision]), 2))
            painter.drawLine(QPointF(x, _HEAD - 3), QPointF(x, floor + 2))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.VERDICTS[decision]))
            painter.drawRoundedRect(QRectF(x - 5, floor - 2, 10, 12), 3, 3)
            painter.setPen(ink)
            painter.drawText(places[decision], Qt.AlignmentFlag.AlignCenter, theme.WORDS[decision])

    def _line_at(self, x: float) -> str | None:
        if not self.enabled_lines:
            return None
        review, ng = abs(x - self.x_of(self.review)), abs(x - self.x_of(self.ng))
        if min(review, ng) > 10:
            return None
        if abs(review - ng) < 0.5:  # on top of each other: the side of the cursor decides
            return "ng" if x >= self.x_of(self.ng) else "review"
        return "review" if review < ng else "ng"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            x = event.position().x()
            self._held = self._line_at(x)
            self._grip = x - self.x_of(self.ng if self._held == "ng" else self.review)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._held is None:
            near = self._line_at(x) is not None
            self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
            return
        score = self._score(x - self._grip)
        if abs(self.x_of(score) - self.x_of(self.ng if self._held == "ng" else self.review)) < 0.5:
            return
        if self._held == "review":  # one line pushes the other
            self.dragged.emit(score, max(self.ng, score))
        else:
            self.dragged.emit(min(self.review, score), score)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self._held = None
            self.set_lines(self.review, self.ng)
            self.released.emit()
