"""Arrivals: what came to a station, in the order in which it was judged."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote, unquote

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.project import Project

_PIECE = 500
"""So many marks are asked for at once."""


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """`id` rises in the order of judging. `said`: the decision when it was judged, None where it failed (`error`). `word`: a
    person's since, None where nobody said any. `threshold`: from which score on it would have been NG (None: unknown). `took`: seconds from its coming to
    its being stored."""

    id: int
    station: str
    result_id: int
    run_id: int
    detector_id: int
    name: str
    lot: str
    class_name: str
    said: Decision | None
    word: Decision | None
    image_score: float | None
    threshold: float | None
    error: str
    arrived: datetime
    took: float
    mark: str = ""

    @property
    def job(self) -> str:
        """What whoever triggered the picture named it; ""."""
        found = _JOB.match(self.mark)
        return unquote(found[1]) if found else ""


_JOB = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8} [0-9]+ job ([^ ]+)$")


def mark_with(mark: str, job: str) -> str:
    """The mark of a camera's picture with the job that it was taken for, which is kept with it."""
    return f"{mark} job {quote(job, safe='')}"


def list_arrivals(
    project: Project, station_id: int, *, after: int = 0, limit: int = 500, newest: bool = False
) -> list[ArrivalRow]:
    """At most `limit` with an id above `after`, oldest first; `newest`: the last ones, newest first."""
    order = t.Arrival.id.desc() if newest else t.Arrival.id
    query = _rows().where(t.Arrival.station_id == station_id, t.Arrival.id > after)
    with project.reading() as session:
        return [_row(row) for row in session.execute(query.order_by(order).limit(limit))]


def _rows() -> Select[Any]:
    query = (
        select(
            t.Arrival.id,
            t.Station.name,
            t.Result.id,
            t.Result.run_id,
            t.Result.detector_id,
            t.Result.name,
            t.Arrival.lot,
            t.Class.name,
            t.Arrival.said,
            t.Result.override,
            t.Result.image_score,
            t.Threshold.ng,
            t.Result.error,
            t.Arrival.arrived,
            t.Arrival.took,
            t.Arrival.mark,
        )
        .join(t.Station, t.Arrival.station_id == t.Station.id)
        .join(t.Result, t.Arrival.result_id == t.Result.id)
        .outerjoin(t.Class, t.Result.class_id == t.Class.id)
        .outerjoin(t.Threshold, t.Result.regions_threshold_id == t.Threshold.id)
    )
    return cast("Select[Any]", query)


def _row(row: Sequence[Any]) -> ArrivalRow:
    return ArrivalRow(*row[:7], row[7] or "", t.word(Decision, row[8]), t.word(Decision, row[9]), *row[10:])  # type: ignore[call-arg]


def known_marks(project: Project, station_id: int, marks: Iterable[str]) -> set[str]:
    """Those of `marks` that came to the station before."""
    with project.reading() as session:
        return came_before(session, station_id, list(marks))


def came_before(session: Session, station_id: int, marks: Sequence[str]) -> set[str]:
    """`known_marks` in a session that is open."""
    found: set[str] = set()
    for start in range(0, len(marks), _PIECE):
        own = t.Arrival.mark.in_(marks[start : start + _PIECE])
        found |= set(session.scalars(select(t.Arrival.mark).where(t.Arrival.station_id == station_id, own)))
    return found


def find_arrivals(project: Project, station_id: int, marks: Sequence[str]) -> dict[str, ArrivalRow]:
    """Mark → what came to the station under it, of those that did."""
    found: dict[str, ArrivalRow] = {}
    with project.reading() as session:
        for start in range(0, len(marks), _PIECE):
            query = _rows().where(
                t.Arrival.station_id == station_id, t.Arrival.mark.in_(marks[start : start + _PIECE])
            )
            found |= {row[-1]: _row(row) for row in session.execute(query)}
    return found


def content_of(project: Project, station_id: int, mark: str) -> str | None:
    """The SHA-256 of the image that came to a station under a mark; "" where no copy of it found room, None where it could not be
    read, or there is none."""
    query = (
        select(t.StoredImage.sha256, t.Result.image_score)
        .select_from(t.Arrival)
        .join(t.Result, t.Arrival.result_id == t.Result.id)
        .outerjoin(t.StoredImage, t.Result.image_id == t.StoredImage.id)
        .where(t.Arrival.station_id == station_id, t.Arrival.mark == mark)
    )
    with project.reading() as session:
        found = session.execute(query).first()
    return None if found is None else found[0] or (None if found[1] is None else "")


def last_arrival(project: Project, station_id: int) -> int:
    """The highest id of a station's arrivals; 0 where there is none."""
    with project.reading() as session:
        query = select(func.max(t.Arrival.id)).where(t.Arrival.station_id == station_id)
        return session.scalars(query).one() or 0


@dataclass(frozen=True, slots=True)
class Looks:
    """How a picture itself looks, whatever is on it: mean `brightness` (0–255), `sharpness` (variance of the Laplacian of the grey
    picture, shrunk), mean differences `red_green` and `blue_yellow` (−255–255)."""

    brightness: float
    sharpness: float
    red_green: float
    blue_yellow: float


@dataclass(frozen=True, slots=True)
class NewArrival:
    """What goes with a new result. `mark`: see `schema.Arrival`. `looks` None: it could not be read."""

    mark: str
    lot: str
    arrived: datetime
    looks: Looks | None


def as_rows(
    station_id: int,
    items: Sequence[NewArrival],
    result_ids: Sequence[int],
    said: Sequence[Decision | None],
    now: datetime,
) -> list[t.Arrival]:
    """Rows of new arrivals, with their results' ids and decisions, to be added in the transaction of these."""
    return [
        t.Arrival(
            station_id=station_id,
            result_id=result_id,
            mark=item.mark,
            lot=item.lot,
            said=decision,
            arrived=item.arrived,
            took=max(0.0, (now - item.arrived).total_seconds()),
            brightness=item.looks and item.looks.brightness,
            sharpness=item.looks and item.looks.sharpness,
            red_green=item.looks and item.looks.red_green,
            blue_yellow=item.looks and item.looks.blue_yellow,
        )
        for item, result_id, decision in zip(items, result_ids, said, strict=True)
    ]
