"""What came to a station, added up in slots of ten minutes: read once, and from then on only what is new."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.records import schema as t
from inspector.records.line.trends import DRAWN, JOINED, VALUES
from inspector.verdicts.watch import Groups

_SAMPLE = 150_000
"""About so many parts say how pictures look, however many came."""
_SUMS = ", ".join(f"count({value}), total({value}), total(({value}) * ({value}))" for value in VALUES)
_READ = f"""SELECT r.class_id, r.detector_id, substr(a.arrived, 1, 15), count(*), {_SUMS}
    FROM {JOINED} WHERE a.station_id = ? AND a.id > ? AND a.id <= ? {{runs}}
    AND a.brightness IS NOT NULL AND r.class_id IS NOT NULL AND {DRAWN}
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""

Series = tuple[int, int]
"""Of a class, as a detector judged it: their ids."""


class Slots:
    """Of one station at a time. Arrivals never change, so that what was added up stays right; only where a run was removed or brought
    back, or twice as many came as the sample was chosen for, all is read anew. Any thread; `lock` is held while it follows."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.read = 0
        """How many arrivals were looked at so far, to be seen in tests and figures."""
        self._of: tuple[Any, ...] = ()
        self._last = self._count = self._chosen = 0
        self._every = 1
        self._series: dict[Series, _Table] = {}

    @property
    def every(self) -> int:
        """Every so-manieth part is counted, drawn evenly."""
        return self._every

    def follow(self, session: Session, station_id: int) -> dict[Series, Groups]:
        """All slots until now, in order of time, with `Groups.parts` as counted."""
        with self.lock:
            removed = tuple(
                session.scalars(
                    select(t.Run.id)
                    .where(t.Run.station_id == station_id, t.Run.removed.is_not(None))
                    .order_by(t.Run.id)
                )
            )
            of = str(session.get_bind().engine.url), station_id, removed
            if of != self._of:
                self._forget(of)
            connection = session.connection()
            count, last = connection.exec_driver_sql(
                "SELECT count(*), max(id) FROM arrivals WHERE station_id = ? AND id > ?",
                (station_id, self._last),
            ).one()
            if self._count + count > 2 * self._chosen:
                every = max(1, (self._count + count) // _SAMPLE)
                if self._chosen and every != self._every:
                    whole, newest = self._count + count, last
                    self._forget(of)
                    count, last = whole, newest
                self._every, self._chosen = every, self._count + count
            if count:
                runs = f"AND r.run_id NOT IN ({', '.join(map(str, map(int, removed)))})" if removed else ""
                rows = connection.exec_driver_sql(
                    _READ.format(runs=runs, every=self._every), (station_id, self._last, last)
                ).all()
                for row in rows:
                    self._series.setdefault((int(row[0]), int(row[1])), _Table()).add(row[2:])
                self._count, self._last = self._count + count, last
                self.read += count
            return {key: table.groups() for key, table in self._series.items()}

    def _forget(self, of: tuple[Any, ...]) -> None:
        self._of, self._series = of, {}
        self._last = self._count = self._chosen = 0
        self._every = 1


class _Table:
    """Sums of each slot. Columns: moment, parts, then count, sum and sum of squares of each of `VALUES`."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._sums = np.zeros((16, 2 + 3 * len(VALUES)))
        self._groups: Groups | None = None

    def add(self, row: Sequence[Any]) -> None:
        slot = str(row[0])
        place = self._places.setdefault(slot, len(self._places))
        if place >= len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        self._sums[place, 0] = _seconds(slot)
        self._sums[place, 1:] += [one if isinstance(one, int | float) else 0 for one in row[1:]]
        self._groups = None

    def groups(self) -> Groups:
        if self._groups is None:
            sums = self._sums[: len(self._places)]
            sums = sums[np.argsort(sums[:, 0], kind="stable")]
            known, total, squares = (sums[:, 2 + part :: 3] for part in range(3))
            with np.errstate(invalid="ignore", divide="ignore"):
                means = np.where(known > 0, total / known, np.nan)
                spreads = np.sqrt(np.maximum(squares / known - means**2, 0))
            self._groups = Groups(sums[:, 0].copy(), sums[:, 1].astype(np.int64), means, spreads)
        return self._groups


def within(groups: Groups, since: float, until: float) -> Groups:
    """Those that begin between two moments, in seconds."""
    inside: NDArray[np.bool_] = (groups.moments >= since) & (groups.moments < until)
    return Groups(*(one[inside] for one in _parts(groups)))


def together(several: Sequence[Groups]) -> Groups:
    """In order of time."""
    found = [np.concatenate(one) for one in zip(*map(_parts, several), strict=True)]
    order = np.argsort(found[0], kind="stable")
    return Groups(*(one[order] for one in found))


def _parts(groups: Groups) -> Iterator[Any]:
    yield from (groups.moments, groups.parts, groups.means, groups.spreads)


def _seconds(slot: str) -> float:
    """ "2026-11-27 14:3" → seconds since 1970."""
    try:
        return datetime.fromisoformat(f"{slot}0").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
