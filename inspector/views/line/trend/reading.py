"""What the trend shows, read off the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from inspector.records.line.alarms import AlarmRow, Following, Usual, Watched
    from inspector.records.line.stations import StationRow
    from inspector.records.line.trends import Trend, TrendOf
    from inspector.records.project import Project
    from inspector.verdicts.control import Control
    from inspector.verdicts.watch import Look

SPANS = {"shift": "Shift", "day": "Day", "week": "Week", "month": "Month", "all": "All"}
_LENGTHS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
_BUCKETS = 48
"""Of a reference that was chosen, about."""
_ENOUGH = 100
"""Parts of a reference, at least."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to show of a station. `back`: so many spans before now."""

    station_id: int
    class_id: int | None
    lot: str | None
    span: str
    back: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """`trend` None: nothing came in all the time. `until`, `since`: the span. `limits`: of the NG rate, from `source`. `steps`: (since, review, NG) of thresholds. `usual`: by look. `seconds`: what reading took."""

    asked: Asked
    stations: Sequence[StationRow]
    classes: Mapping[int, str]
    lots: Sequence[str]
    watched: Watched | None = None
    trend: Trend | None = None
    limits: Control | None = None
    source: str = "this time"
    following: Following | None = None
    steps: Sequence[tuple[datetime, float, float]] = ()
    usual: Mapping[Look, Usual] | None = None
    seconds: float = 0.0

    @property
    def edges(self) -> NDArray[np.float64]:
        """Seconds since 1970, [b + 1]."""
        assert self.trend is not None
        return np.array([one.timestamp() for one in self.trend.edges])

    @property
    def station(self) -> StationRow | None:
        return next((one for one in self.stations if one.id == self.asked.station_id), None)

    @property
    def too_few(self) -> bool:
        """Whether too few parts came in the reference that was chosen."""
        classes = self.watched.few if self.watched else frozenset()
        return bool(classes) if self.asked.class_id is None else self.asked.class_id in classes

    @property
    def alarms(self) -> list[AlarmRow]:
        """Of the class in sight."""
        found = self.watched.alarms if self.watched else ()
        return [one for one in found if self.asked.class_id in (None, one.class_id)]


def read(
    project: Project, asked: Asked, known: Watched | None = None, following: Following | None = None
) -> Shown:
    """For a worker. `asked` without a station (0) takes the first. `known`: what moved, where that was found just now; `following`: from
    the last time."""
    from inspector.records.classes import list_classes
    from inspector.records.line.alarms import Following, watch_station
    from inspector.records.line.stations import list_stations
    from inspector.records.line.trends import TrendOf, list_lots, read_trend, threshold_steps
    from inspector.verdicts.control import control

    began = time.perf_counter()
    stations = list_stations(project)
    classes = {row.id: row.name for row in list_classes(project)}
    if not any(one.id == asked.station_id for one in stations):
        asked = replace(asked, station_id=stations[0].id if stations else 0, class_id=None, lot=None, back=0)
    station = next((one for one in stations if one.id == asked.station_id), None)
    if station is None:
        return Shown(asked, stations, classes, ())
    lots = list_lots(project, station.id)
    if asked.lot not in lots:
        asked = replace(asked, lot=None)
    if asked.class_id not in classes:
        asked = replace(asked, class_id=None)
    # A station of one class needs no look at each result's class.
    of = TrendOf(station.id, None if station.class_id == asked.class_id else asked.class_id, asked.lot)
    edges = _edges(project, of, asked, station)
    shown = Shown(asked, stations, classes, lots)
    if edges is None:
        return shown
    trend = read_trend(project, of, edges)
    hits, parts, is_reference, source = _reference(project, of, trend, asked.span, station)
    limits = control(hits, parts, is_reference)
    if limits is not None and len(parts) > len(trend.parts):
        b = len(trend.parts)
        limits = replace(limits, low=limits.low[-b:], high=limits.high[-b:], out=limits.out[-b:])
    following = following or Following()
    watched = known or watch_station(project, station.id, following)
    class_id = asked.class_id or station.class_id or (next(iter(classes)) if len(classes) == 1 else None)
    return replace(
        shown,
        watched=watched,
        trend=trend,
        limits=limits,
        source=source,
        following=following,
        steps=threshold_steps(project, TrendOf(station.id, class_id)),
        usual=watched.usual.get(class_id or 0),
        seconds=time.perf_counter() - began,
    )


def _edges(project: Project, of: TrendOf, asked: Asked, station: StationRow) -> tuple[datetime, ...] | None:
    from inspector.records.line.shifts import shift_at
    from inspector.records.line.trends import edges_of, span_of

    whole = span_of(project, of)
    if whole is None:
        return None
    first, last = whole
    now = datetime.now().astimezone()
    if of.lot is not None:
        now = min(now, last + timedelta(seconds=1))
    if asked.span == "all":
        return edges_of(first, last + timedelta(seconds=1))
    if asked.span == "shift":
        shift = shift_at(station.settings.shifts if station.settings else (), now)
        for _ in range(asked.back):
            shift = shift_at(
                station.settings.shifts if station.settings else (), shift.begins - timedelta(seconds=1)
            )
        return edges_of(shift.begins, shift.ends)
    length = _LENGTHS[asked.span]
    until = now - asked.back * length
    return edges_of(until - length, until)


def _reference(
    project: Project, of: TrendOf, trend: Trend, span: str, station: StationRow
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], str]:
    """(NG, parts, which of them are the reference, what that is): what was chosen, else the span before, else the span itself."""
    from inspector.records.line.trends import WORDS, edges_of, read_counts

    chosen = station.settings.reference if station.settings else None
    found: list[tuple[list[datetime], str]] = []
    if chosen is not None and chosen.since is not None and chosen.until is not None:
        found.append(([*edges_of(chosen.since, chosen.until, _BUCKETS)], f"the reference, {chosen.words}"))
    if span != "all":
        length = trend.edges[-1] - trend.edges[0]
        found.append(([one - length for one in trend.edges], "the time before"))
    for edges, words in found:
        counts = read_counts(project, of, edges)
        if counts[:, :-1].sum() >= _ENOUGH:
            hits = np.concatenate([counts[:, WORDS.index("ng")], trend.ng])
            parts = np.concatenate([counts[:, :-1].sum(1), trend.parts])
            return hits, parts, np.arange(len(parts)) < len(counts), words
    return trend.ng, trend.parts, np.ones(len(trend.parts), np.bool_), "this time"
