"""What the operator view reads of its station: the last parts, and counters that add up what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.records.line.stations import StationRow
    from inspector.records.line.tally import Tally
    from inspector.records.project import Project
    from inspector.views.review.result_loader import Shown

STRIP = 20
FIRST = 1_000_000
"""Priority of what the answer waits for: before every small picture."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The shift since `begun`, and the order `lot`, counted up to what the tallies looked at last."""

    begun: datetime
    lot: str
    shift: Tally
    order: Tally


@dataclass(frozen=True, slots=True)
class Line:
    """`arrivals`: the newest first, at most `STRIP`."""

    row: StationRow
    arrivals: tuple[ArrivalRow, ...]
    counted: Counted


def read_line(project: Project, station_id: int, before: Line | None, counted: Counted | None) -> Line:
    """`before`: what of the station needn't be looked up again; `counted`: what was counted the last time, None
    counts anew. Raises `ProjectError` for a station that is gone."""
    from inspector.records.line.arrivals import list_arrivals
    from inspector.records.line.shifts import shift_at
    from inspector.records.line.stations import station_of
    from inspector.records.line.tally import tally

    row = before.row if before else station_of(project, station_id)
    assert row.settings is not None
    begun = shift_at(row.settings.shifts, datetime.now().astimezone()).begins
    lot = row.settings.lot
    arrivals = list_arrivals(project, station_id, limit=STRIP, newest=True)
    if counted is None or (counted.begun, counted.lot) != (begun, lot):
        shift = tally(project, station_id, since=begun)
        order = tally(project, station_id, lot=lot) if lot else shift
    else:
        shift = counted.shift + tally(project, station_id, since=begun, after=counted.shift.last)
        order = (
            counted.order + tally(project, station_id, lot=lot, after=counted.order.last) if lot else shift
        )
    return Line(row, tuple(arrivals), Counted(begun, lot, shift, order))


def read_part(project: Project, result_id: int) -> Shown:
    """A result with its picture and map. Never raises for a bad file: the sentence is in the answer."""
    from inspector.records.inspected.results import find_result
    from inspector.views.review.result_loader import Shown, read_pixels

    detail = find_result(project, result_id)
    detail.row.files.look_up()
    return Shown(detail, read_pixels(detail.row))


def read_rows(project: Project, result_ids: Sequence[int]) -> list[ResultRow]:
    """Where the pictures of these results are, for small ones."""
    from inspector.records.inspected.results import list_results

    return list_results(project, result_ids)
