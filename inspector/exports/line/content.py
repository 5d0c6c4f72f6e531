"""What a report of a station tells: read once, for HTML and paper alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from inspector.errors import ProjectError
from inspector.exports.heat import scale
from inspector.exports.rows import ExportRow
from inspector.records.inspected.results import list_details
from inspector.records.line.alarms import AlarmRow, watch_station
from inspector.records.line.judged_by import JudgedBy, judged_by
from inspector.records.line.shifts import shift_at
from inspector.records.line.stations import StationRow
from inspector.records.line.trends import WORDS, Trend, TrendOf, edges_of, read_trend, span_of
from inspector.records.line.worst import worst_results
from inspector.records.project import Project
from inspector.records.qualification.checks import GoldenCheck, list_checks
from inspector.records.qualification.outcome import Outcome, outcome
from inspector.records.qualification.studies import list_studies
from inspector.records.thresholds import list_calibrated
from inspector.verdicts.control import Control, control

PICTURES = 8
"""So many of the worst results are shown."""
_LINES = 26
"""Of the table of how it went, at most about."""
_STUDIES = 3


@dataclass(frozen=True, slots=True)
class ReportOf:
    """What a report is of: arrivals of a station from `since` until before `until` (aware). `title`: what kind, with what it is
    called."""

    station: StationRow
    of: TrendOf
    since: datetime
    until: datetime
    title: str

    @classmethod
    def shift(cls, station: StationRow, moment: datetime) -> "ReportOf":
        """Of the shift that a moment (aware) lies in."""
        found = shift_at(station.settings.shifts if station.settings else (), moment)
        return cls(station, TrendOf(station.id), found.begins, found.ends, f"Shift {found.words}")

    @classmethod
    def order(cls, project: Project, station: StationRow, lot: str) -> "ReportOf":
        """Of an order. Raises `ProjectError` where no part of it came."""
        of = TrendOf(station.id, lot=lot)
        return cls(station, of, *_span(project, of, f"order “{lot}”", station), f"Order {lot}")

    @classmethod
    def run(cls, project: Project, station: StationRow, run_id: int) -> "ReportOf":
        """Of a run. Raises `ProjectError` where no part of it came to the station."""
        of = TrendOf(station.id, run_id=run_id)
        return cls(station, of, *_span(project, of, f"run #{run_id}", station), f"Run #{run_id}")


@dataclass(frozen=True, slots=True, eq=False)
class LineReport:
    """`trend`: how it went, `limits` of its NG rate by what came before; `worst`: rows with their pictures' places; `checks`: of the
    golden set in the span; `studies`: the newest that are closed."""

    project: str
    of: ReportOf
    class_name: str
    trend: Trend
    limits: Control | None
    reviewed: int
    judged: Sequence[JudgedBy]
    alarms: Sequence[AlarmRow]
    worst: Sequence[ExportRow]
    checks: Sequence[GoldenCheck]
    studies: Sequence[Outcome]


def gather(project: Project, what: ReportOf) -> LineReport:
    """Read it. For a worker: about two seconds where a million parts came."""
    of, since, until = what.of, what.since, what.until
    trend = read_trend(project, of, edges_of(since, until, _LINES))
    reviewed = int(np.abs(trend.words - trend.said).sum() // 2)
    alarms = [
        one
        for one in watch_station(project, of.station_id).alarms
        if one.since < until and (one.until is None or one.until > since)
    ]
    checks = [one for one in list_checks(project, None) if since <= one.created < until]
    closed = [row for row in list_studies(project) if row.closed is not None and row.closed < until]
    newest = sorted(closed, key=lambda row: row.closed or row.created, reverse=True)[:_STUDIES]
    judged = judged_by(project, of, since, until)
    names = list(dict.fromkeys(one.class_name for one in judged))
    return LineReport(
        project.name,
        what,
        ", ".join(names),
        trend,
        control(trend.ng, trend.parts, np.ones(len(trend.parts), np.bool_)),
        reviewed,
        judged,
        alarms,
        _rows(project, worst_results(project, of, since, until, PICTURES)),
        checks,
        [outcome(project, row.id) for row in newest],
    )


def counts_of(report: LineReport) -> dict[str, int]:
    """By word, with people's words."""
    return dict(zip(WORDS, report.trend.total.tolist(), strict=True))


def _rows(project: Project, ids: Sequence[int]) -> list[ExportRow]:
    scales: dict[int, tuple[float, float]] = {}
    rows = []
    for detail in list_details(project, ids):
        key = detail.row.detector_id
        if key not in scales:
            scales[key] = scale(list(list_calibrated(project, key).values()))
        rows.append(
            ExportRow(detail.row, detail.thresholds, detail.regions, detector=f"#{key}", scale=scales[key])
        )
    return rows


def _span(project: Project, of: TrendOf, what: str, station: StationRow) -> tuple[datetime, datetime]:
    found = span_of(project, of)
    if found is None:
        raise ProjectError(
            f"No part of {what} came to the station “{station.name}”.", "Look at what came on the Trend page."
        )
    return found[0], found[1] + timedelta(seconds=1)
