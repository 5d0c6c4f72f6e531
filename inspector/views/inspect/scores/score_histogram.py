"""The scores of a class as a histogram with two draggable thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import NEVER, Decision, Thresholds
from inspector.verdicts.judge import decide
from inspector.views.look import theme
from inspector.views.look.plot import Chart, dress, text

_BINS = 48
_MARGIN = 8
_HEAD = 18
_FOOT = 34


class ThresholdLine(pg.InfiniteLine):  # type: ignore[misc]
    """A threshold with its word above and a grip below. The histogram moves it: which of two lines at one place is
    meant, and where one stops, is not for a line to say."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(0.0, 90)
        self.label = text((0, 0))
        self.label.setText(theme.WORDS[decision])

    def stand(self, bottom: float, top: float, height: float) -> None:
        """From `bottom` to `top`, px from the upper edge of an area of `height` px; the grip at the bottom."""
        self.setSpan((height - bottom) / height, (height - top) / height)
        self.clearMarkers()
        self.addMarker("o", 6 / max(bottom - top, 1), 9)


class Histogram(Chart):
    """Bars of scores, a tick for each normal shot, a mark for the image at hand, and two lines to drag."""

    dragged = Signal(float, float)  # review, NG
    released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__((_MARGIN, 0, _MARGIN, 0), parent=parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Scores and thresholds")
        self.scores: NDArray[np.float64] = np.empty(0)  # ascending
        self.normal: NDArray[np.float64] = np.empty(0)
        self.one_shot = False  # whether `normal` are altered views of a single shot
        self.current: float | None = None
        self.review, self.ng = 0.0, 0.0
        self.enabled_lines = False
        self._low, self._high = 0.0, 1.0
        self._counts: NDArray[np.int64] = np.zeros(_BINS, np.int64)
        self._held: str | None = None
        self._grip = 0.0  # how far beside the line it was taken
        self._parted: tuple[int, ...] = ()  # where the lines part the bars
        self._bars = {
            d: self.put(pg.BarGraphItem(x=np.empty(0), height=np.empty(0), width=1, pen=None))
            for d in (*Decision, None)
        }
        self._floor = self.put(pg.PlotCurveItem(), 1)
        self._rug = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), 1)
        self._mark = self.put(pg.ScatterPlotItem(symbol="t", size=10, pen=None), 2)
        self._lines = {d: self.put(ThresholdLine(d), 3) for d in (Decision.REVIEW, Decision.NG)}
        for line in self._lines.values():
            self.put(line.label, 4)
        self._ends = [self.put(text(anchor), 4) for anchor in ((0, 1), (1, 1))]
        self._shots = self.put(text((0.5, 1)), 4)
        self.restyle()
        self._rescale()

    def sizeHint(self) -> QSize:
        return QSize(240, 150)

    def set_scores(
        self, scores: Sequence[float] | NDArray[np.float64], normal: Sequence[float] | NDArray[np.float64]
    ) -> None:
        """Both in any order; only finite ones are kept."""
        self.scores, self.normal = _ascending(scores), _ascending(normal)
        self._rescale()

    def set_lines(self, review: float, ng: float, enabled: bool = True) -> None:
        self.review, self.ng, self.enabled_lines = review, ng, enabled
        highest = ng if ng < NEVER else review
        if enabled and self._held is None and not (self._low <= review and highest < self._high):
            self._rescale()
        self._say_shots()
        self._draw_bars()
        self._draw_lines()

    def set_current(self, score: float | None) -> None:
        self.current = score
        self._mark.setVisible(score is not None)
        self._mark.setData([] if score is None else [score], [] if score is None else [5 * self._px()])

    @property
    def held(self) -> bool:
        """Whether a line is being dragged."""
        return self._held is not None

    def span(self) -> tuple[float, float]:
        """Scores at the left and the right end."""
        return self._low, self._high

    def _rescale(self) -> None:
        known = [float(end) for part in (self.scores, self.normal) if part.size for end in part[[0, -1]]]
        known += [one for one in (self.review, self.ng) if one < NEVER] if self.enabled_lines else []
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        space = (high - low) * 0.06 or max(abs(high) * 0.1, 0.05)
        # Scores that start at 0 leave no room below it for a threshold that none can have.
        self._low, self._high = max(low - space, 0.0) if low >= 0 else low - space, high + space
        edges = np.linspace(self._low, self._high, _BINS + 1)
        self._counts = np.diff(np.searchsorted(self.scores, edges))  # none lies on the last one
        self._ends[0].setText(f"{self._low:.3g}")
        self._ends[1].setText(f"{self._high:.3g}")
        self.fit()

    def _say_shots(self) -> None:
        shots = "1 normal shot" if self.normal.size == 1 else f"{self.normal.size} normal shots"
        if self.one_shot:
            shots = f"{self.normal.size} views of one shot"
        said = f"╵ {shots}" if self.normal.size else ""
        if said != self._shots.toPlainText():
            self._shots.setText(said)

    def _px(self) -> float:
        """How much 1 px is, where the tallest bar is 1."""
        return 1 / max(self.height() - _HEAD - _FOOT, 1)

    def fit(self) -> None:
        self._say_shots()
        px, height = self._px(), self.height()
        self.show_range(self._low, self._high, -_FOOT * px, 1 + _HEAD * px)
        self._floor.setData([self._low, self._high], [0.0, 0.0])
        self._rug.setData(np.repeat(self.normal, 2), np.tile([-3 * px, -10 * px], self.normal.size))
        foot = (2 - _FOOT) * px
        self._ends[0].setPos(self._low, foot)
        self._ends[1].setPos(self._high, foot)
        self._shots.setPos((self._low + self._high) / 2, foot)
        for line in self._lines.values():
            line.stand(height - _FOOT + 11, _HEAD - 3, height)
        self.set_current(self.current)
        self._parted = ()
        self._draw_bars()
        self._draw_lines()

    def restyle(self) -> None:
        faint = theme.colour("text")
        faint.setAlpha(90)
        for decision, bars in self._bars.items():
            bars.setOpts(brush=faint if decision is None else theme.VERDICTS[decision])
        self._floor.setPen(pg.mkPen(faint, width=self.devicePixelRatioF()))
        self._rug.setPen(self.pen("text"))
        self._mark.setBrush(theme.colour("text"))
        small = theme.font("small", figures=True)
        for words in (*self._ends, self._shots):
            dress(words, "quiet", small)
        for decision, line in self._lines.items():
            line.setPen(self.pen(theme.VERDICTS[decision], 2))
            dress(line.label, "text", theme.font())
        self._draw_lines()

    def x_of(self, score: float) -> float:
        """Where a score stands; one that nothing reaches at the right end."""
        if score >= NEVER:
            score = self._high
        return _MARGIN + (score - self._low) / (self._high - self._low) * (self.width() - 2 * _MARGIN)

    def _score(self, x: float) -> float:
        part = min(max((x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1), 0.0), 1.0)
        return self._low + part * (self._high - self._low)

    def _draw_bars(self) -> None:
        """Each bar in the colour of its verdict; nothing is done while no line passes the middle of one."""
        edges = np.linspace(self._low, self._high, _BINS + 1)
        middles = (edges[:-1] + edges[1:]) / 2
        lines = Thresholds(self.review, max(self.ng, self.review), 0.0)
        parted = (self.enabled_lines, *np.searchsorted(middles, (lines.review, lines.ng)))
        if parted == self._parted:
            return
        self._parted = parted
        filled = np.flatnonzero(self._counts)
        said = [decide(float(middles[bar]), lines) if self.enabled_lines else None for bar in filled]
        tall = np.maximum(self._counts / max(int(self._counts.max()), 1), 3 * self._px())
        gap = (self._high - self._low) / max(self.width() - 2 * _MARGIN, 1)  # 1 px
        width = max(edges[1] - edges[0] - gap, gap)
        for decision, bars in self._bars.items():
            those = filled[[verdict is decision for verdict in said]] if said else filled
            bars.setOpts(x0=edges[:-1][those], height=tall[those], width=width)
            bars.setVisible(bool(those.size))

    def _draw_lines(self) -> None:
        # The words stand left and right of their lines, side by side where that is too narrow.
        free = float(_MARGIN)
        lefts = []
        scores = {Decision.REVIEW: self.review, Decision.NG: self.ng}
        self._lines[Decision.NG].label.setText(theme.WORDS[Decision.NG] if self.ng < NEVER else "never NG")
        for decision, line in self._lines.items():
            line.setVisible(self.enabled_lines)
            line.label.setVisible(self.enabled_lines)
            line.setValue(min(scores[decision], self._high))
            wide = line.label.textItem.boundingRect().width()
            left = self.x_of(scores[decision]) - (wide + 5 if decision is Decision.REVIEW else -5)
            lefts.append(max(left, free))
            free = lefts[-1] + wide + 6
        over = max(0.0, free - 6 - self.width() + _MARGIN)
        top = 1 + _HEAD * self._px()
        for left, line in zip(lefts, self._lines.values(), strict=True):
            part = (left - over - _MARGIN) / max(self.width() - 2 * _MARGIN, 1)
            line.label.setPos(self._low + part * (self._high - self._low), top)

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
            self._rescale()
            self.released.emit()


def _ascending(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """In order, so that a million is counted in no time; those that are so already, as stored ones, stay as they are."""
    found = np.asarray(values, np.float64)
    if found.size and np.isfinite(found[[0, -1]]).all() and (found[1:] >= found[:-1]).all():
        return found
    return np.sort(found[np.isfinite(found)])
