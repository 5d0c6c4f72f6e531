"""The scores of a class as a histogram with two draggable thresholds, and where those thresholds came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision, Thresholds
from inspector.verdicts.calibrate import words
from inspector.verdicts.judge import decide
from inspector.views.look import theme

_BINS = 48
_MARGIN = 8
_HEAD = 18
_FOOT = 34


def moved(start: Thresholds, review: float, ng: float) -> Thresholds:
    """`start` with other image thresholds. The pixel threshold moves in the same proportion as the review threshold, so
    that a stricter verdict also marks more of the image, whatever the two scales are."""
    if start.review > 0 and start.pixel > 0:
        pixel = start.pixel * max(review, 0.0) / start.review
    else:
        pixel = start.pixel + review - start.review
    return replace(start, review=review, ng=max(ng, review), pixel=pixel)


def provenance_text(thresholds: Thresholds | None) -> str:
    """Where thresholds came from and what they can promise."""
    return words(thresholds) if thresholds else ""


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
        self._low, self._high = low - space, high + space
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


class ScoreView(QWidget):
    """`moved` while a threshold moves, `chosen` once it is let go; both carry the new `Thresholds`."""

    moved = Signal(object)
    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.thresholds: Thresholds | None = None
        self.calibrated: Thresholds | None = None
        self._stored: Thresholds | None = None
        self.histogram = Histogram()
        self.counts = QLabel()
        self.provenance = QLabel()
        self.provenance.setWordWrap(True)
        theme.set_role(self.provenance, "small")
        self.provenance.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.review_box, self.ng_box = QDoubleSpinBox(), QDoubleSpinBox()
        self.reset = QPushButton("Reset to calibrated")
        self.reset.setToolTip("Back to the thresholds that the normal shots gave")
        theme.set_role(self.reset, "link")
        row = QHBoxLayout()
        row.setSpacing(8)
        for decision, box in ((Decision.REVIEW, self.review_box), (Decision.NG, self.ng_box)):
            words = f"{theme.WORDS[decision]} from this score on"
            box.setKeyboardTracking(False)
            box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            box.setMinimumWidth(64)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setRange(-1e9, 1e9)
            box.setToolTip(words)
            box.setAccessibleName(words)
            label = QLabel(theme.SIGNS[decision])
            label.setToolTip(words)
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box, 1)
            box.valueChanged.connect(self._typed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.histogram)
        layout.addWidget(self.counts)
        layout.addLayout(row)
        layout.addWidget(self.reset, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.provenance)
        self.histogram.dragged.connect(self._dragged)
        self.histogram.released.connect(self._released)
        self.reset.clicked.connect(self._reset)
        self.set_thresholds(None, None)

    def set_scores(
        self, scores: Sequence[float] | NDArray[np.float64], normal: Sequence[float] | NDArray[np.float64]
    ) -> None:
        """Image scores of the class, and what its normal shots scored without themselves."""
        self.histogram.set_scores(scores, normal)
        self._count()

    def set_current(self, score: float | None) -> None:
        """Mark the score of the image at hand."""
        self.histogram.set_current(score)

    def set_thresholds(self, thresholds: Thresholds | None, calibrated: Thresholds | None) -> None:
        """`thresholds` are in force; `calibrated` came from the normal shots."""
        self._stored, self.calibrated = thresholds, calibrated
        self._show(thresholds)
        self.provenance.setText(provenance_text(thresholds or calibrated).replace(" %", "\u00a0%"))
        for widget in (self.review_box, self.ng_box):
            widget.setEnabled(thresholds is not None)

    def move_to(self, review: float, ng: float) -> None:
        """Move both thresholds as a hand would, without letting go."""
        self._dragged(review, ng)

    def _show(self, thresholds: Thresholds | None) -> None:
        self.thresholds = thresholds
        if thresholds is None:
            self.histogram.set_lines(0, 0, enabled=False)
        else:
            self.histogram.set_lines(thresholds.review, thresholds.ng)
        low, high = self.histogram.span()
        decimals = int(np.clip(2 - np.floor(np.log10(max(high - low, 1e-9))), 3, 6))
        for box, value in (
            (self.review_box, thresholds.review if thresholds else 0.0),
            (self.ng_box, thresholds.ng if thresholds else 0.0),
        ):
            was = box.blockSignals(True)
            box.setDecimals(decimals)
            box.setSingleStep(10.0**-decimals)
            box.setValue(value)
            box.blockSignals(was)
        same = (
            thresholds is None
            or self.calibrated is None
            or (thresholds.review, thresholds.ng) == (self.calibrated.review, self.calibrated.ng)
        )
        self.reset.setEnabled(not same)
        self._count()

    def _count(self) -> None:
        scores = self.histogram.scores
        if self.thresholds is None or not scores.size:
            self.counts.setText("")
            return
        ng = int(np.count_nonzero(scores >= self.thresholds.ng))
        above = int(np.count_nonzero(scores >= self.thresholds.review))
        self.counts.setText(f"✓ {scores.size - above:,} OK   ? {above - ng:,} review   ✕ {ng:,} NG")

    def _dragged(self, review: float, ng: float) -> None:
        if self.thresholds is not None:
            self._show(moved(self.calibrated or self.thresholds, review, ng))
            self.moved.emit(self.thresholds)

    def _released(self) -> None:
        if self.thresholds is not None and self.thresholds != self._stored:
            self._stored = self.thresholds
            self.chosen.emit(self.thresholds)

    def _typed(self) -> None:
        review, ng = self.review_box.value(), self.ng_box.value()
        if self.sender() is self.review_box:
            ng = max(review, ng)
        else:
            review = min(review, ng)
        self._dragged(review, ng)
        self._released()

    def _reset(self) -> None:
        if self.calibrated is not None:
            self._show(self.calibrated)
            self.moved.emit(self.calibrated)
            self._released()
