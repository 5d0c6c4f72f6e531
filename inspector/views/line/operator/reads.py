"""What the operator view reads of its station: the last parts, and counters that add up what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.records.line.stations import StationRow
    from inspector.records.line.tally import Tally
    from inspector.records.project import Project
    from inspector.views.review.result_loader import Pixels

STRIP = 20


@dataclass(frozen=True, slots=True)
class Counted:
    """The shift since `begun`, and the order `lot`, counted up to what the tallies looked at last."""

    begun: datetime
    lot: str
    shift: Tally
    order: Tally


@dataclass(frozen=True, slots=True)
class Line:
    """`arrivals`: the newest first, at most `STRIP`. `disk`: a sentence where the drive is nearly full."""

    row: StationRow
    arrivals: tuple[ArrivalRow, ...]
    counted: Counted
    disk: str
    details: Mapping[int, ResultDetail] = field(default_factory=dict)


def read_line(project: Project, station_id: int, before: Counted | None, known: frozenset[int]) -> Line:
    """`before`: what was counted the last time; None counts anew. `known`: results that needn't be read again. Raises `ProjectError` for a station that is gone."""
    from inspector.errors import ProjectError
    from inspector.records.inspected.results import list_details
    from inspector.records.line.arrivals import list_arrivals
    from inspector.records.line.stations import list_stations
    from inspector.records.line.tally import shift_start, tally
    from inspector.views.line.troubles import disk

    row = next((one for one in list_stations(project) if one.id == station_id), None)
    if row is None or row.settings is None:
        raise ProjectError(
            "The station was removed, or its settings are damaged.", "Leave the operator view."
        )
    begun = shift_start(row.settings.shifts, datetime.now().astimezone())
    lot = row.settings.lot
    arrivals = list_arrivals(project, station_id, limit=STRIP, newest=True)
    if before is None or (before.begun, before.lot) != (begun, lot):
        shift = tally(project, station_id, since=begun)
        order = tally(project, station_id, lot=lot) if lot else shift
    else:
        shift = before.shift + tally(project, station_id, since=begun, after=before.shift.last)
        order = before.order + tally(project, station_id, lot=lot, after=before.order.last) if lot else shift
    details = {
        one.row.id: one
        for one in list_details(
            project, [key for key in (one.result_id for one in arrivals) if key not in known]
        )
    }
    return Line(row, tuple(arrivals), Counted(begun, lot, shift, order), disk(project), details)


def read_part(_project: Project, detail: ResultDetail) -> Pixels:
    """The picture and map of a result."""
    from inspector.views.review.result_loader import read_pixels

    detail.row.files.look_up()
    return read_pixels(detail.row)
