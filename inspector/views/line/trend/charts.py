"""What is followed at a station: NG rate, scores, looks of the pictures, latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from inspector.domain import NEVER
from inspector.views.line.trend.reading import Shown
from inspector.views.line.trend.time_chart import F, Series, TimeChart, bucket_words
from inspector.views.look import theme
from inspector.views.look.words import share_text

NG = theme.VERDICTS[next(one for one in theme.VERDICTS if one.value == "ng")]
REVIEW = theme.VERDICTS[next(one for one in theme.VERDICTS if one.value == "review")]


def steps(most: float, parts: int = 3) -> list[float]:
    """Round numbers from 0 to `most`, about so many."""
    if not most > 0 or not np.isfinite(most):
        return [0.0]
    raw = most / parts
    ten = 10.0 ** np.floor(np.log10(raw))
    size = next(one * ten for one in (1, 2, 2.5, 5, 10) if one * ten >= raw * 0.999)
    return [float(at) for at in np.arange(0, most + size * 1e-6, size)]


def _most(*values: F, least: float) -> float:
    known = np.concatenate([one[np.isfinite(one)] for one in values])
    return max(float(known.max()) if len(known) else 0.0, least) * 1.08


class RateChart(TimeChart):
    """NG rate with its control limits; what lies beyond them has a triangle."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("NG rate", parent=parent)
        self.shown: Shown | None = None
        self.out: NDArray[np.int64] = np.empty(0, np.int64)
        self._beyond = self.put(pg.ScatterPlotItem(), 4)
        self.restyle()

    def show_trend(self, shown: Shown) -> None:
        self.shown = shown
        trend, limits = shown.trend, shown.limits
        assert trend is not None
        parts = trend.parts
        rate = np.where(parts > 0, trend.ng / np.maximum(parts, 1), np.nan)
        none = np.full(len(parts), np.nan)
        low, high = (limits.low, limits.high) if limits else (none, none)
        self.out = limits.out if limits else np.zeros(len(parts), np.int64)
        middle = np.full(len(parts), limits.centre) if limits else none
        usual = np.where(low > 0, low, np.nan)
        # A bucket of few parts has a limit that would flatten all others.
        sized = high[np.isfinite(high) & (parts >= np.median(parts[parts > 0]) / 4)] if parts.any() else high
        top = min(_most(rate, sized, least=0.01), 1.0)
        self.draw(
            [
                Series("NG", rate, theme.ACCENT, symbol="o", width=1.8),
                Series("usual", middle, "quiet", "dot", width=1.2, stepped=True),
                Series("limit", high, "text", "dash", width=1.1, stepped=True),
                Series("", usual, "text", "dash", width=1.1, stepped=True),
            ],
            0.0,
            top,
            [(at, share_text(at, "g" if at * 100 % 1 else ".0f")) for at in steps(top)],
        )
        beyond = np.flatnonzero(self.out)
        self._beyond.setData(
            self.middles[beyond],
            np.clip(rate[beyond], 0, top),
            symbol=["t1" if self.out[at] > 0 else "t" for at in beyond],
            size=11,
        )

    def restyle(self) -> None:
        super().restyle()
        self._beyond.setPen(self.pen("text", 1))
        self._beyond.setBrush(pg.mkBrush(NG))

    def words(self, bucket: int) -> str:
        if self.shown is None or self.shown.trend is None:
            return ""
        trend, limits = self.shown.trend, self.shown.limits
        counts = trend.total if bucket < 0 else trend.words[bucket]
        parts, failed = int(counts[:-1].sum()), int(counts[-1])
        if not parts:
            return f"{failed:,} failed" if failed else "No parts"
        said = [f"{parts:,} part{'' if parts == 1 else 's'}", f"yield {share_text(counts[0] / parts, '.1f')}"]
        said.append(f"NG {share_text(counts[2] / parts, '.2g' if counts[2] / parts < 0.1 else '.0f')}")
        if counts[1]:
            said.append(
                f"review {share_text(counts[1] / parts, '.2g' if counts[1] / parts < 0.1 else '.0f')}"
            )
        if counts[3]:
            said.append(f"{counts[3]:,} not this product")
        if failed:
            said.append(f"{failed:,} failed")
        if bucket >= 0 and limits is not None:
            beyond = {1: "above its limits", -1: "below its limits"}.get(int(self.out[bucket]), "usual")
            ends = f"{limits.low[bucket] * 100:.2g}–{limits.high[bucket] * 100:.2g}\u00a0%"
            said.append(f"{beyond} ({ends})")
        when = f"{bucket_words(self.edges, bucket)} · " if bucket >= 0 else ""
        return when + " · ".join(said)


def _closed(x: F, low: F, high: F) -> tuple[F, F, F]:
    """A band from `low` to `high` that is as thin as nothing where they lack."""
    places = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    pieces = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []:
        ends = run[[0, -1]]
        middle = (low[ends] + high[ends]) / 2
        first, last = (np.array([[x[at], one, one]]) for at, one in zip(ends, middle, strict=True))
        pieces += [first, np.column_stack([x[run], low[run], high[run]]), last]
    whole = np.concatenate(pieces) if pieces else np.zeros((1, 3))
    return whole[:, 0], whole[:, 1], whole[:, 2]


class ScoreChart(TimeChart):
    """Quantiles of the scores against the thresholds that judged."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Scores", parent=parent)
        self.shown: Shown | None = None
        self._low, self._high = (pg.PlotCurveItem(connect="finite") for _ in range(2))
        self._band = self.put(pg.FillBetweenItem(self._low, self._high), 0)
        self.restyle()

    def show_trend(self, shown: Shown) -> None:
        self.shown = shown
        trend = shown.trend
        assert trend is not None
        review, ng = (self._threshold(shown, which) for which in (1, 2))
        lower, middle, upper = trend.scores[:, 0], trend.scores[:, 2], trend.scores[:, -1]
        reach = np.where(ng < NEVER, ng, np.nan)
        top = _most(upper, reach, review, least=1e-6)
        # Under the highest, at least one threshold is in sight however low all scores are.
        x, low, high = _closed(self.middles, lower, upper)
        self._low.setData(x, np.clip(low, 0, top))
        self._high.setData(x, np.clip(high, 0, top))
        self._band.setCurves(self._low, self._high)
        self.draw(
            [
                Series("NG", reach, NG, "dash", stepped=True),
                Series("review", review, REVIEW, "dashdot", stepped=True),
                Series("95 %", upper, theme.ACCENT, "dot", width=1.2),
                Series("median", middle, theme.ACCENT, symbol="o", width=1.8),
            ],
            0.0,
            top,
            [(at, f"{at:.3g}") for at in steps(top)],
        )

    def _threshold(self, shown: Shown, which: int) -> F:
        found = np.full(len(self.edges) - 1, np.nan)
        for step in shown.steps:
            found[self.edges[1:] > step[0].timestamp()] = step[which]
        return found

    def restyle(self) -> None:
        super().restyle()
        shade = theme.colour("link")
        shade.setAlpha(45)
        self._band.setBrush(pg.mkBrush(shade))

    def words(self, bucket: int) -> str:
        if self.shown is None or self.shown.trend is None:
            return ""
        if bucket < 0:
            return "" if self.shown.steps else "Choose a class to see its thresholds"
        found = self.shown.trend.scores[bucket]
        if not np.isfinite(found).all():
            return ""
        return f"median {found[2]:.3g} · 5–95\u00a0% {found[0]:.3g}–{found[-1]:.3g}"


_LOOK_SERIES: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (0, "brightness", {"colour": theme.ACCENT, "symbol": "o", "width": 1.8}),
    (1, "sharpness", {"colour": "text", "dash": "dash", "symbol": "t1"}),
    (2, "red/green", {"colour": NG, "dash": "dashdot", "symbol": "d"}),
    (3, "blue/yellow", {"colour": REVIEW, "dash": "dot", "symbol": "s"}),
    (4, "class", {"colour": "quiet", "symbol": "x"}),
)
_REACH = 5.0


class LooksChart(TimeChart):
    """How far each look of the pictures is from what is usual, in the smallest moves that are told of: within the two lines there is
    nothing to tell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Pictures", parent=parent)
        self.shown: Shown | None = None
        self.setToolTip(
            "Brightness, sharpness and colours of the pictures themselves, at equal light, and how certain their class is. "
            "Between the dashed lines nothing has changed that matters."
        )
        self.restyle()

    def show_trend(self, shown: Shown) -> None:
        self.shown = shown
        trend = shown.trend
        assert trend is not None
        moves = self.moves(shown)
        reach = min(_REACH, max(1.6, _most(np.abs(moves), least=0.1)))
        drawn = [
            Series(name, moves[:, place], **how)
            for place, name, how in _LOOK_SERIES
            if np.isfinite(moves[:, place]).any() and (place < 4 or np.nanstd(trend.means[:, 4]) > 0)
        ]
        one = np.ones(len(moves))
        ends = [Series("", sign * one, "quiet", "dash", width=1, stepped=True) for sign in (1, -1)]
        self.draw([*drawn, *ends], -reach, reach, [(-1.0, "−"), (0.0, "usual"), (1.0, "+")])

    def moves(self, shown: Shown) -> F:
        """[buckets, looks] from usual, or, where too few parts came, from the middle of what is shown."""
        from inspector.verdicts.watch import LOOKS, limit

        trend = shown.trend
        assert trend is not None
        found = np.full_like(trend.means, np.nan)
        for place, look in enumerate(LOOKS):
            values = trend.means[:, place]
            known = np.isfinite(values)
            if not known.any():
                continue
            if shown.usual and look in shown.usual:
                usual, least = shown.usual[look].mean, shown.usual[look].least
            else:
                usual = float(np.median(values[known]))
                least = limit(usual, float(np.median(trend.spreads[known, place])), place)
            found[:, place] = (values - usual) / max(least, 1e-12)
        return found

    def words(self, bucket: int) -> str:
        if self.shown is None or self.shown.trend is None:
            return ""
        if bucket < 0:
            return (
                ""
                if self.shown.usual
                else "Held against the middle of this time: too few parts of one class came yet"
            )
        found = self.shown.trend.means[bucket]
        if not np.isfinite(found[0]):
            return ""
        said = [f"brightness {found[0]:.0f}", f"sharpness {found[1] * 100:.3g}"]
        said.append(f"red/green {found[2] * 100:+.1f}\u00a0%")
        said.append(f"blue/yellow {found[3] * 100:+.1f}\u00a0%")
        if np.isfinite(found[4]):
            said.append(f"class {found[4]:.2f}")
        return " · ".join(said)


class LatencyChart(TimeChart):
    """From a picture's coming to its result being stored."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Latency", last=True, parent=parent)
        self.shown: Shown | None = None
        self.restyle()

    def show_trend(self, shown: Shown) -> None:
        self.shown = shown
        trend = shown.trend
        assert trend is not None
        top = _most(trend.took[:, 1], least=0.01)
        self.draw(
            [
                Series("95 %", trend.took[:, 1], "text", "dash"),
                Series("median", trend.took[:, 0], theme.ACCENT, symbol="o", width=1.8),
            ],
            0.0,
            top,
            [(at, seconds_text(at)) for at in steps(top, 2)],
        )

    def words(self, bucket: int) -> str:
        if bucket < 0 or self.shown is None or self.shown.trend is None:
            return ""
        median, most = self.shown.trend.took[bucket]
        return (
            ""
            if not np.isfinite(median)
            else f"median {seconds_text(median)} · 95\u00a0% {seconds_text(most)}"
        )


def seconds_text(seconds: float) -> str:
    """ "120 ms", "1.5 s"."""
    return f"{seconds * 1000:.3g}\u00a0ms" if seconds < 0.9995 else f"{seconds:.3g}\u00a0s"


def all_charts() -> Sequence[RateChart | ScoreChart | LooksChart | LatencyChart]:
    return RateChart(), ScoreChart(), LooksChart(), LatencyChart()
