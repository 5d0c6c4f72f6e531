"""Drift at a station: what moved, since when, and the first pictures that show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from inspector.records import schema as t
from inspector.records.files import pairs
from inspector.records.line.slots import Series, Slots, together, within
from inspector.records.line.stations import Reference as Chosen
from inspector.records.line.trends import JOINED, SQLITE, VALUES, moment_text
from inspector.records.project import Project
from inspector.records.tables.columns import EPOCH, Utc
from inspector.verdicts.watch import (
    FEWEST,
    LOOKS,
    REFERENCE,
    Alarm,
    Cause,
    Groups,
    Look,
    Move,
    Reference,
    joined,
    limit,
    place_of,
    watch,
    words,
)

SHOWN = 6
"""So many pictures are named by an alarm."""
_SLOT = timedelta(minutes=10)
_NEAR = 4000
_OF_DETECTOR = (Look.CONFIDENCE, Look.SCORE)
"""What a detector says of pictures; the other looks are theirs, whoever judges."""


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """`words`: what moved and what it points to, as a sentence. `since`: the first picture that shows it; `until`: when all was as
    usual again, None while it lasts. `noticed`: when it was sure. `result_ids`: the first pictures that show it, in order.
    `causes`, `moves`: see `watch.Alarm`."""

    class_id: int
    class_name: str
    detector_id: int
    words: str
    causes: tuple[Cause, ...]
    moves: tuple[Move, ...]
    since: datetime
    noticed: datetime
    until: datetime | None
    result_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Usual:
    """How one look of a class usually is: `mean` of its reference, and the smallest move to tell of."""

    mean: float
    least: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What moved at a station, newest first. `usual`: by class, what its pictures are held against now; nothing of a class of which
    too few parts came to the detector that judges it now. `reference`: what was chosen; `few`: classes of which too few parts came
    in that time."""

    alarms: tuple[AlarmRow, ...]
    usual: Mapping[int, Mapping[Look, Usual]]
    reference: Chosen
    few: frozenset[int]


class Following:
    """What is known of a station's drift from the last time, so that only what is new is looked at. Any thread."""

    def __init__(self) -> None:
        self.slots = Slots()
        self.known: dict[tuple[Any, ...], tuple[datetime, tuple[int, ...]]] = {}
        """Of each alarm: since when, and the first pictures that show it."""
        self.before: dict[tuple[Any, ...], tuple[datetime, tuple[int, ...]]] = {}


def watch_station(project: Project, station_id: int, following: Following | None = None) -> Watched:
    """What moved at a station, from the reference that was chosen for it, else since each detector began there. For a worker: a million
    arrivals take about a second; with `following` that was used for it before, what is new since then."""
    following = following or Following()
    alarms: list[AlarmRow] = []
    usual: dict[int, tuple[float, dict[Look, Usual]]] = {}
    few: set[int] = set()
    with following.slots.lock, project.reading() as session:
        connection = session.connection()
        following.before, following.known = following.known, {}
        chosen = _chosen(session.get(t.Station, station_id))
        series = following.slots.follow(session, station_id)
        names = pairs(session.execute(select(t.Class.id, t.Class.name)).all())
        for (class_id, detector_id), slots in series.items():
            groups = joined(slots)
            reference = _reference(series, (class_id, detector_id), groups, chosen, following.slots.every)
            begun = float(slots.moments[-1])  # the detector that judges it now is the one that judged last
            if class_id not in usual or usual[class_id][0] < begun:
                found = _usual(groups, reference)
                usual[class_id] = begun, found
                (few.discard if found or chosen.since is None else few.add)(class_id)
            of = class_id, names.get(class_id, ""), detector_id
            alarms += [
                _row(connection, station_id, of, (groups, following), alarm)
                for alarm in watch(groups, reference)
            ]
    newest = sorted(alarms, key=lambda one: one.since, reverse=True)
    kept = {key: found for key, (_, found) in usual.items() if found}
    return Watched(tuple(newest), kept, chosen, frozenset(few))


def _chosen(row: t.Station | None) -> Chosen:
    try:
        return Chosen.of(row.settings["reference"]) if row is not None else Chosen()
    except (KeyError, TypeError, ValueError):
        return Chosen()


def _reference(
    series: Mapping[Series, Groups], of: Series, groups: Groups, chosen: Chosen, every: int
) -> Reference | None:
    """What says how a series of pictures usually looks; None: its first hours."""
    if chosen.since is not None and chosen.until is not None:
        since, until = chosen.since.timestamp(), chosen.until.timestamp()
        own = joined(within(series[of], since, until))
        others = [slots for (class_id, _), slots in series.items() if class_id == of[0]]
        every_one = joined(within(together(others), since, until))
        if len(own.moments) < FEWEST <= len(every_one.moments):  # this detector came later
            own = within(groups, -1.0, float("inf"))
            own = Groups(
                own.moments[:REFERENCE], own.parts[:REFERENCE], own.means[:REFERENCE], own.spreads[:REFERENCE]
            )
        return Reference(tuple(own if look in _OF_DETECTOR else every_one for look in LOOKS), until)
    if chosen.parts and len(groups.moments):
        enough = int(np.searchsorted(np.cumsum(groups.parts), chosen.parts / every)) + 1
        until = groups.moments[min(max(enough, FEWEST), len(groups.moments) - 1)]
        return Reference((within(groups, -1.0, float(until)),) * len(LOOKS), float(until))
    return None


def _usual(groups: Groups, reference: Reference | None) -> dict[Look, Usual]:
    found = {}
    for place, look in enumerate(LOOKS):
        of = groups if reference is None else reference.of[place]
        if len(of.moments) < (REFERENCE if reference is None else FEWEST):
            continue
        first = slice(REFERENCE if reference is None else None)
        mean, spread = (float(np.median(one[first, place])) for one in (of.means, of.spreads))
        if np.isfinite(mean) and np.isfinite(spread):
            found[look] = Usual(mean, limit(mean, spread, place))
    return found


def _row(
    connection: Connection,
    station_id: int,
    of: tuple[int, str, int],
    found: tuple[Groups, Following],
    alarm: Alarm,
) -> AlarmRow:
    class_id, class_name, detector_id = of
    groups, following = found
    move, ended = alarm.moves[0], alarm.ended
    key = station_id, class_id, detector_id, move.look, groups.moments[move.begun], move.before, move.now
    if key not in following.before:
        of_series = class_id, detector_id
        following.before[key] = _first(connection, station_id, of_series, groups, alarm)
    since, shown = following.known[key] = following.before[key]
    return AlarmRow(
        class_id,
        class_name,
        detector_id,
        words(alarm),
        alarm.causes,
        alarm.moves,
        since,
        _moment(groups.moments[alarm.noticed]),
        None if ended is None else _moment(groups.moments[ended]),
        shown,
    )


def _first(
    connection: Connection, station_id: int, of: tuple[int, int], groups: Groups, alarm: Alarm
) -> tuple[datetime, tuple[int, ...]]:
    """The picture from which on the look that tells it is another, and the first that show it."""
    move = alarm.moves[0]
    begun = _moment(groups.moments[move.begun])
    last = min(move.begun + 2, len(groups.moments) - 1)
    first = groups.moments[max(move.begun - 1, 0)]
    within = _moment(first), max(_moment(groups.moments[last]), begun + _SLOT)
    rows = connection.exec_driver_sql(
        f"SELECT r.id, a.arrived, {VALUES[LOOKS.index(move.look)]} FROM {JOINED} WHERE a.station_id = ? AND r.class_id = ? "
        f"AND r.detector_id = ? AND a.arrived >= ? AND a.arrived < ? ORDER BY a.arrived LIMIT {_NEAR}",
        (station_id, *of, *map(moment_text, within)),
    ).all()
    known = [row for row in rows if isinstance(row[2], int | float)]
    if not known:
        return begun, ()
    values = np.array([row[2] for row in known], np.float64)
    place = place_of(values, move.before, move.now)
    middle = (move.before + move.now) / 2
    shows = (values[place:] > middle) == (move.now > move.before)
    ids = [int(row[0]) for row, shown in zip(known[place:], shows, strict=True) if shown]
    at = Utc().result_processor(SQLITE, None)(known[place][1]) or EPOCH
    return at if at > EPOCH else begun, tuple(ids[:SHOWN])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
