"""A chart over time, one of several above each other: all share their edges left and right, and the bucket under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from inspector.views.look import theme
from inspector.views.look.plot import Chart

F = NDArray[np.float64]
_LEFT, _TOP, _RIGHT, _BOTTOM, _LAST = 52, 24, 92, 8, 28
_TICKS = 9
"""At most, from left to right."""
_DASHES = {
    "solid": Qt.PenStyle.SolidLine,
    "dash": Qt.PenStyle.DashLine,
    "dot": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}
_STEPS = [timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """`y` [buckets]; `name` stands at its right end. `colour`: of the theme or "#rrggbb"; `dash` and `symbol` tell it from others
    without the colour. `stepped`: it holds for the whole bucket."""

    name: str
    y: F
    colour: str = theme.ACCENT
    dash: str = "solid"
    symbol: str = ""
    width: float = 1.6
    stepped: bool = False


class TimeChart(Chart):
    """`hovered(bucket)` while the mouse moves, -1 when it leaves; `picked(bucket)` on a click. A subclass gives `series`, the range up
    and what is said of a bucket."""

    hovered = Signal(int)
    picked = Signal(int)

    def __init__(self, title: str, *, last: bool = False, parent: QWidget | None = None) -> None:
        axes = ("left", "bottom") if last else ("left",)
        super().__init__((_LEFT, _TOP, _RIGHT, _LAST if last else _BOTTOM), axes, bleed=2, parent=parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(86 if last else 66)
        self.setAccessibleName(title)
        self.edges: F = np.array([0.0, 1.0])
        self.under = -1
        self._span = 0.0, 1.0
        self._marks: Sequence[float] = ()
        self._series: list[Series] = []
        self._lines: list[Any] = []
        self._points: list[Any] = []
        self._names: list[QLabel] = []
        self._grid = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), -3)
        self._since = self.put(pg.PlotCurveItem(connect="pairs", antialias=False), -1)
        self._cursor = self.put(pg.PlotCurveItem(antialias=False), 6)
        self.title = QLabel(title, self)
        theme.set_role(self.title, "heading")
        self.said = QLabel(self)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for label in (self.title, self.said):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    # what a subclass says

    def words(self, bucket: int) -> str:
        """Of one bucket, or of all for -1."""
        return ""

    # what it shows

    def set_times(self, edges: F, marks: Sequence[float]) -> None:
        """`edges` [b + 1] in seconds; `marks`: moments that alarms begin at."""
        self.edges, self._marks = edges, marks
        self.under = -1

    @property
    def middles(self) -> F:
        return np.asarray((self.edges[:-1] + self.edges[1:]) / 2)

    def draw(
        self, series: Sequence[Series], low: float, high: float, ticks: Sequence[tuple[float, str]]
    ) -> None:
        self._series, self._span = list(series), (low, high)
        begun, ended = float(self.edges[0]), float(self.edges[-1])
        self.show_range(begun, ended, low, high)
        downs = time_ticks(self.edges)
        across = np.array([[begun, at, ended, at] for at, _ in ticks]).reshape(-1, 2)
        up = np.array([[at, low, at, high] for at, _ in downs]).reshape(-1, 2)
        both = np.concatenate([across, up])
        self._grid.setData(both[:, 0], both[:, 1])
        self.axes["left"].setTicks([list(ticks)])
        if "bottom" in self.axes:
            self.axes["bottom"].setTicks([downs])
        since = np.array([[at, low, at, high] for at in self._marks if begun <= at <= ended]).reshape(-1, 2)
        self._since.setData(since[:, 0], since[:, 1])
        while len(self._lines) < len(series):
            self._lines.append(self.put(pg.PlotCurveItem(connect="finite"), 2))
            self._points.append(self.put(pg.ScatterPlotItem(), 3))
            self._names.append(self._label())
        for place, (line, points, name) in enumerate(
            zip(self._lines, self._points, self._names, strict=True)
        ):
            there = place < len(series)
            for item in (line, points, name):
                item.setVisible(there)
            if there:
                self._draw_one(place, line, points)
        self._dress()
        self.point_at(-1)

    def _label(self) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        theme.set_role(label, "small")
        return label

    def _draw_one(self, place: int, line: Any, points: Any) -> None:
        series = self._series[place]
        y = np.where(np.isfinite(series.y), np.clip(series.y, *self._span), np.nan)
        if series.stepped:
            line.setData(np.repeat(self.edges, 2)[1:-1], np.repeat(y, 2))
        else:
            line.setData(self.middles, y)
        known = np.isfinite(y)
        alone = known & ~np.append(False, known[:-1]) & ~np.append(known[1:], False)
        some = np.zeros_like(known) if series.stepped else alone
        if series.symbol:  # now and then, at other places than those of the other series
            places = np.flatnonzero(known)
            every = max(1, len(places) // 14)
            some[places[(place * 3) % every :: every]] = True
        points.setData(self.middles[some], y[some], symbol=series.symbol or "o", size=6)

    def _dress(self) -> None:
        taken: list[float] = []
        gap = QFontMetricsF(theme.font("small")).height()
        area = self.area()
        low, high = self._span
        scale = area.height() / max(high - low, 1e-12)
        ends = []
        for place, series in enumerate(self._series):
            pen = self.pen(series.colour, series.width, style=_DASHES[series.dash])
            self._lines[place].setPen(pen)
            self._points[place].setPen(self.pen(series.colour, 1))
            self._points[place].setBrush(pg.mkBrush(pen.color()))
            known = np.flatnonzero(np.isfinite(series.y))
            shown = bool(series.name) and bool(len(known))
            self._names[place].setVisible(shown)
            if shown:
                at = float(np.clip(series.y[known[-1]], low, high))
                ends.append((area.bottom() - (at - low) * scale, place))
        for y, _ in sorted(ends):
            free = max(y, taken[-1] + gap) if taken else max(y, area.top() + gap / 3)
            taken.append(free)
        over = max(0.0, (taken[-1] if taken else 0.0) - area.bottom())
        for (_, place), y in zip(sorted(ends), taken, strict=True):
            label, series = self._names[place], self._series[place]
            label.setText(f"{_SIGNS.get(series.symbol, '')}{series.name}")
            label.setGeometry(round(area.right()) + 6, round(y - over - gap / 2), _RIGHT - 8, round(gap))
            label.show()

    def restyle(self) -> None:
        super().restyle()
        self.box.setBackgroundColor(theme.colour("base"))
        self._grid.setPen(self.pen("line"))
        self._since.setPen(self.pen("warning", 1.4, style=Qt.PenStyle.DashLine))
        self._cursor.setPen(self.pen("quiet"))
        self.title.setFont(theme.font("small"))
        self.said.setFont(theme.font("small", figures=True))
        self._dress()

    def fit(self) -> None:
        wide = self.title.sizeHint().width()
        self.title.setGeometry(_LEFT, 3, wide, _TOP - 5)
        self.said.setGeometry(_LEFT + wide + 12, 3, max(self.width() - _LEFT - wide - 24, 1), _TOP - 5)
        if self._series:
            self._dress()

    # what is under the cursor

    def bucket(self, at: QPointF) -> int:
        """Which lies at a place of the widget; -1 beside all."""
        area = self.area()
        begun, ended = self.edges[0], self.edges[-1]
        moment = begun + (at.x() - area.left()) / area.width() * (ended - begun)
        if not begun <= moment < ended:
            return -1
        return int(np.searchsorted(self.edges, moment, "right")) - 1

    def point_at(self, bucket: int) -> None:
        """Mark a bucket and say what it holds; -1: none."""
        self.under = bucket if bucket < len(self.edges) - 1 else -1
        self._cursor.setVisible(self.under >= 0)
        if self.under >= 0:
            x = float(self.middles[self.under])
            self._cursor.setData([x, x], list(self._span))
        self.said.setText(self.words(self.under))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hovered.emit(self.bucket(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        bucket = self.bucket(event.position())
        if bucket >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(bucket)


_SIGNS = {"o": "● ", "t1": "▲ ", "d": "◆ ", "s": "■ ", "x": "✕ "}


def time_ticks(edges: F) -> list[tuple[float, str]]:
    """Moments that are easily named, in local time, at most `_TICKS`: hours, else days; a day's first hour says the day."""
    begun, ended = (datetime.fromtimestamp(float(at)).astimezone() for at in (edges[0], edges[-1]))
    span = ended - begun
    step = next((one for one in _STEPS if span / one <= _TICKS), None)
    found = []
    midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if step is not None:
        at = midnight
        while (moment := at.astimezone()) < ended:
            if moment >= begun:
                first = at.hour == at.minute == 0
                found.append((moment.timestamp(), f"{moment:%d %b}" if first else f"{moment:%H:%M}"))
            at += step
        return found
    days = next(one for one in (1, 2, 7, 14, 30, 60, 120, 240, 480, 3650) if span.days / one < _TICKS)
    at = midnight
    while (moment := at.astimezone()) < ended:
        if moment >= begun:
            found.append((moment.timestamp(), f"{moment:%d %b}" if days < 120 else f"{moment:%b %Y}"))
        at += timedelta(days=days)
    return found


def bucket_words(edges: F, bucket: int) -> str:
    """ "27 Nov 14:30–14:40", in local time."""
    begun, ended = (datetime.fromtimestamp(float(edges[bucket + more])).astimezone() for more in (0, 1))
    if ended - begun >= timedelta(hours=23):
        last = ended - timedelta(minutes=1)
        return f"{begun:%d %b}" if last.date() == begun.date() else f"{begun:%d %b} – {last:%d %b}"
    return f"{begun:%d %b %H:%M}–{ended:%H:%M}"
