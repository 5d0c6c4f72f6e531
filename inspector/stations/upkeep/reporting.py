"""Reports that a running station writes by itself: one when each of its shifts has ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from inspector.exports.files import safe_name
from inspector.exports.line.content import LineReport, ReportOf, gather
from inspector.exports.line.report import export_line_report, render
from inspector.records.audit import ActKind, record
from inspector.records.line.shifts import shifts_between
from inspector.records.line.stations import StationRow
from inspector.records.line.trends import TrendOf, read_counts
from inspector.records.project import Project

REPORTS = "reports"
"""Inside a project: where reports are written."""
_BACK = timedelta(days=3)
"""A station that stood still writes what it missed, so far back."""
_SETTLED = timedelta(minutes=1)
"""After the end of a shift, until its last parts are judged."""
Printer = Callable[[str, Path], None]
"""Writes a page of HTML as PDF to a new file, like `views.line.report_pdf.print_page`. Raises `ExportError`."""


def report_path(project: Project, station: StationRow, begins: datetime, suffix: str = ".html") -> Path:
    """Where the report of the shift lies that begins then (aware, said in local time)."""
    stem = f"{begins.astimezone():%Y-%m-%d %H.%M} {safe_name(station.name, limit=60)}"
    return project.folder / REPORTS / f"{stem}{suffix}"


def due_reports(
    project: Project, station: StationRow, now: datetime, printer: Printer | None = None
) -> list[Path]:
    """Write the report of every shift that has ended (`now` aware) and has none yet into the project's `reports`, where any part came;
    the files that were written. Quick where nothing is due: it may be asked every minute. With a `printer` as PDF too, once all are
    there as HTML.

    Raises `ExportError` where one can't be written; it is due again then. Notes each in the audit.
    """
    settings = station.settings
    if settings is None or project.read_only:
        return []
    written: list[Path] = []
    shifts = shifts_between(settings.shifts, now - _BACK, now - _SETTLED)
    ways: list[tuple[str, Callable[[LineReport, Path], object]]] = [(".html", export_line_report)]
    if printer is not None:
        ways.append((".pdf", lambda found, target: printer(render(found)[0], target)))
    for suffix, write in ways:
        for shift in shifts:
            target = report_path(project, station, shift.begins, suffix)
            if target.exists():
                continue
            if not read_counts(project, TrendOf(station.id), (shift.begins, shift.ends)).sum():
                continue
            target.parent.mkdir(exist_ok=True)
            write(gather(project, ReportOf.shift(station, shift.begins)), target)
            written.append(target)
            record(project, ActKind.REPORTED, f"{station.name}, {shift.words}", new=target.name)
    return written
