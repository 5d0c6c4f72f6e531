"""Drift at a station: what moved, since when, and the first pictures that show it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from inspector.records import schema as t
from inspector.records.files import pairs
from inspector.records.line.trends import DRAWN, JOINED, SQLITE, VALUES, TrendOf, conditions, moment_text
from inspector.records.project import Project
from inspector.records.tables.columns import EPOCH, Utc
from inspector.verdicts.watch import (
    LOOKS,
    REFERENCE,
    Alarm,
    Cause,
    Groups,
    Look,
    Move,
    joined,
    limit,
    place_of,
    watch,
    words,
)

SHOWN = 6
"""So many pictures are named by an alarm."""
_SAMPLE = 150_000
"""About so many parts say how pictures look, however many came."""
_SLOT = timedelta(minutes=10)
_NEAR = 4000
_MOMENTS = ", ".join(f"avg({value}), avg(({value}) * ({value}))" for value in VALUES)
_SLOTS = f"""SELECT r.class_id, r.detector_id, substr(a.arrived, 1, 15), count(*), {_MOMENTS}
    FROM {JOINED} WHERE {{condition}} AND a.brightness IS NOT NULL AND r.class_id IS NOT NULL AND {DRAWN}
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


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
    too few parts came to the detector that judges it now."""

    alarms: tuple[AlarmRow, ...]
    usual: Mapping[int, Mapping[Look, Usual]]


def watch_station(project: Project, station_id: int) -> Watched:
    """What moved at a station since each detector began there. For a worker: a million arrivals take about a second."""
    alarms: list[AlarmRow] = []
    usual: dict[int, tuple[float, dict[Look, Usual]]] = {}
    with project.reading() as session:
        connection = session.connection()
        condition, given, _ = conditions(session, TrendOf(station_id))
        names = pairs(session.execute(select(t.Class.id, t.Class.name)).all())
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM arrivals AS a WHERE a.station_id = ?", (station_id,)
        ).scalar_one()
        every = max(1, count // _SAMPLE)
        rows = connection.exec_driver_sql(
            _SLOTS.format(condition=condition, every=every), (*given, "", "9999")
        ).all()
        for (class_id, detector_id), slots in _series(rows):
            groups = joined(slots)
            begun = float(slots.moments[-1])  # the detector that judges it now is the one that judged last
            if class_id not in usual or usual[class_id][0] < begun:
                usual[class_id] = begun, _usual(groups)
            of = class_id, names.get(class_id, ""), detector_id
            alarms += [_row(connection, station_id, of, groups, alarm) for alarm in watch(groups)]
    newest = sorted(alarms, key=lambda one: one.since, reverse=True)
    return Watched(tuple(newest), {key: found for key, (_, found) in usual.items() if found})


def _usual(groups: Groups) -> dict[Look, Usual]:
    if len(groups.moments) < REFERENCE:
        return {}
    means, spreads = (np.median(one[:REFERENCE], axis=0) for one in (groups.means, groups.spreads))
    return {
        look: Usual(float(means[place]), limit(float(means[place]), float(spreads[place]), place))
        for place, look in enumerate(LOOKS)
        if np.isfinite(means[place]) and np.isfinite(spreads[place])
    }


def _series(rows: Sequence[Any]) -> Iterator[tuple[tuple[int, int], Groups]]:
    """Rows of `_SLOTS`, of each class and detector together."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place < len(rows) and rows[place][:2] == rows[start][:2]:
            continue
        of = rows[start:place]
        values = np.array(
            [[one if isinstance(one, int | float) else np.nan for one in row[3:]] for row in of], np.float64
        )
        means, squares = values[:, 1::2], values[:, 2::2]
        moments = np.array([_seconds(row[2]) for row in of])
        yield (
            (int(rows[start][0]), int(rows[start][1])),
            Groups(moments, values[:, 0].astype(np.int64), means, np.sqrt(np.maximum(squares - means**2, 0))),
        )
        start = place


def _row(
    connection: Connection, station_id: int, of: tuple[int, str, int], groups: Groups, alarm: Alarm
) -> AlarmRow:
    class_id, class_name, detector_id = of
    since, shown = _first(connection, station_id, (class_id, detector_id), groups, alarm)
    ended = alarm.ended
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


def _seconds(slot: object) -> float:
    """ "2026-11-27 14:3" → seconds since 1970."""
    try:
        return datetime.fromisoformat(f"{slot}0").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
