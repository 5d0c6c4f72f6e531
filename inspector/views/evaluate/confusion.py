"""What a threshold does: good and defective scores as two histograms, a slider, and the confusion matrix."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision
from inspector.views.evaluate.scores import Scores
from inspector.views.look import theme
from inspector.views.look.labels import plain
from inspector.views.look.verdict_chip import VerdictChip
from inspector.views.look.words import share_text
from inspector.views.shared.number_field import NumberField

CELLS = {
    (False, False): "right",
    (False, True): "false alarms",
    (True, False): "missed",
    (True, True): "found",
}
"""(defective, called NG) → what such images are"""
_BINS = 48
_STEPS = 1000
_SIDE = 8  # the slider's handle stands over its value with this much room at both ends


class TwoSides(QWidget):
    """Good parts above the line, defective ones below it; each bar in the colour of the verdict that it gets."""

    dragged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(96)
        self.setAccessibleName("Scores of good and defective images")
        self.low, self.high, self.threshold = 0.0, 1.0, 0.5
        self._good = self._bad = np.zeros(_BINS, np.int64)

    def sizeHint(self) -> QSize:
        return QSize(320, 140)

    def set_scores(self, scores: Scores) -> None:
        known = scores.scores if scores.scores.size else np.array([0.0, 1.0])
        low, high = float(known.min()), float(known.max())
        space = (high - low) * 0.04 or max(abs(high) * 0.1, 0.05)
        self.low, self.high = low - space, high + space
        self._good, _ = np.histogram(scores.scores[~scores.defective], _BINS, (self.low, self.high))
        self._bad, _ = np.histogram(scores.scores[scores.defective], _BINS, (self.low, self.high))
        self.update()

    def set_threshold(self, threshold: float) -> None:
        self.threshold = threshold
        self.update()

    def x_of(self, score: float) -> float:
        return _SIDE + (score - self.low) / (self.high - self.low) * (self.width() - 2 * _SIDE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font("small"))
        middle, reach = self.height() / 2, self.height() / 2 - 4
        edges = np.linspace(self.low, self.high, _BINS + 1)
        for counts, sign in ((self._good, -1), (self._bad, 1)):
            tallest = max(int(counts.max()), 1)
            for number in np.flatnonzero(counts):
                left, right = self.x_of(edges[number]), self.x_of(edges[number + 1])
                ng = (edges[number] + edges[number + 1]) / 2 >= self.threshold
                tall = max(3.0, reach * int(counts[number]) / tallest)
                box = QRectF(left, middle, max(right - left - 1, 1), sign * tall).normalized()
                painter.fillRect(box, QColor(theme.VERDICTS[Decision.NG if ng else Decision.OK]))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawLine(QPointF(_SIDE, middle), QPointF(self.width() - _SIDE, middle))
        x = self.x_of(self.threshold)
        painter.setPen(QPen(theme.colour("text"), 1.5))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        # The words stand where the bars of their side are fewest: good parts score low, defective ones high.
        sides = QRectF(self.rect()).adjusted(_SIDE, 2, -_SIDE, -2)
        for words, where in (
            ("good ▲", Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop),
            ("▼ defective", Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom),
        ):
            behind = theme.colour("window")
            behind.setAlpha(210)
            painter.fillRect(painter.boundingRect(sides, where, words).adjusted(-3, 0, 3, 0), behind)
            painter.setPen(theme.colour("quiet"))
            painter.drawText(sides, where, words)
        painter.end()

    def _drag(self, x: float) -> None:
        share = min(max((x - _SIDE) / max(self.width() - 2 * _SIDE, 1), 0.0), 1.0)
        self.dragged.emit(self.low + share * (self.high - self.low))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event.position().x())


class ConfusionView(QWidget):
    """`opened(defective, ng)` when a cell is clicked. `threshold` is where the slider stands."""

    opened = Signal(bool, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores: Scores | None = None
        self.threshold = 0.0
        self.histogram = TwoSides()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName("Threshold")
        self.box = NumberField("The threshold")
        self._decimals = 3
        self.box.setFixedWidth(84)
        self.own = QLabel("Each class at its own best F1. Choose a class in the table to move its threshold.")
        self.own.setWordWrap(True)
        theme.set_role(self.own, "quiet")
        self.best = QPushButton("Best F1")
        self.best.setToolTip(
            "Where F1 is highest on these test images; a test result, not a setting to inspect with"
        )
        theme.set_role(self.best, "link")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setFont(theme.font(figures=True))
        theme.set_role(self.words, "quiet")
        self.cells: dict[tuple[bool, bool], QPushButton] = {}

        choose = QHBoxLayout()
        choose.setSpacing(8)
        label = QLabel("Threshold")
        label.setBuddy(self.slider)
        choose.addWidget(label)
        self._label = label
        choose.addWidget(self.box)
        choose.addWidget(self.best)
        choose.addWidget(self.own, 1)
        choose.addStretch(0)
        grid = QGridLayout()
        grid.setSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for column, decision in enumerate((Decision.OK, Decision.NG), 1):
            chip = VerdictChip()
            chip.show_decision(decision)
            grid.addWidget(chip, 0, column, Qt.AlignmentFlag.AlignCenter)
        for line, defective in enumerate((False, True), 1):
            side = QLabel("Defective" if defective else "Good")
            theme.set_role(side, "heading")
            grid.addWidget(side, line, 0)
            for column, ng in enumerate((False, True), 1):
                button = QPushButton()
                button.setMinimumHeight(44)
                button.setFont(theme.font(figures=True))
                button.clicked.connect(partial(self.opened.emit, defective, ng))
                self.cells[defective, ng] = button
                grid.addWidget(button, line, column)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.setSpacing(8)
        column_.addWidget(self.histogram, 1)
        column_.addWidget(self.slider)
        column_.addLayout(choose)
        column_.addLayout(grid)
        column_.addWidget(self.words)
        self.histogram.dragged.connect(self.set_threshold)
        self.slider.valueChanged.connect(lambda step: self.set_threshold(self._score(step)))
        self.box.entered.connect(self.set_threshold)
        self.box.refused.connect(self._refused)
        self.best.clicked.connect(self._to_best)

    def set_scores(self, scores: Scores) -> None:
        """Show other images; the threshold goes where F1 is highest. Scores of several classes have no threshold in
        common: each class stays at its own, and nothing can be moved."""
        self.scores = scores
        for widget in (self.slider, self.box, self.best, self._label):
            widget.setVisible(not scores.several)
        self.own.setVisible(scores.several)
        self.histogram.setEnabled(not scores.several)
        self.histogram.set_scores(scores)
        span = self.histogram.high - self.histogram.low
        self._decimals = decimals = int(np.clip(2 - np.floor(np.log10(max(span, 1e-9))), 3, 6))
        self.box.set_range(self.histogram.low, self.histogram.high)
        self.box.setToolTip(
            f"NG from this score on, {self.histogram.low:.{decimals}f} to {self.histogram.high:.{decimals}f}"
        )
        self.set_threshold(scores.best_threshold())

    def _to_best(self) -> None:
        if self.scores is not None:
            self.set_threshold(self.scores.best_threshold())

    def _refused(self, sentence: str) -> None:
        self.words.setText(f"{sentence} The threshold stays.")

    def _score(self, step: int) -> float:
        return self.histogram.low + step / _STEPS * (self.histogram.high - self.histogram.low)

    def set_threshold(self, threshold: float) -> None:
        if self.scores is None:
            return
        self.threshold = threshold
        self.histogram.set_threshold(threshold)
        share = (threshold - self.histogram.low) / (self.histogram.high - self.histogram.low)
        blocker = QSignalBlocker(self.slider)
        self.slider.setValue(round(share * _STEPS))
        blocker.unblock()
        self.box.set_value(threshold, self._decimals)
        counts = {key: self.scores.cell(*key, threshold).size for key in CELLS}
        for key, button in self.cells.items():
            images = f"{counts[key]:,} image{'s' if counts[key] != 1 else ''}"
            button.setText(f"{counts[key]:,}  {CELLS[key]}")
            button.setEnabled(counts[key] > 0)
            words = f"{'Defective' if key[0] else 'Good'} parts called {'NG' if key[1] else 'OK'}"
            button.setToolTip(plain(f"{words}: show {images}"))
            button.setAccessibleName(f"{words}: {images}")
        self.words.setText(_rates(counts))


def _rates(counts: dict[tuple[bool, bool], int]) -> str:
    good = counts[False, False] + counts[False, True]
    bad = counts[True, False] + counts[True, True]
    called = counts[False, True] + counts[True, True]
    parts = []
    if bad:
        parts.append(f"{share_text(counts[True, True] / bad, '.1f')} of defects found")
    if good:
        parts.append(f"{share_text(counts[False, True] / good, '.1f')} false alarms")
    if called:
        parts.append(f"precision {share_text(counts[True, True] / called, '.1f')}")
    return " · ".join(parts)
