"""`inspector report`: what a station did in a shift, an order or a run, to print and to sign."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspector.cli.output import say
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.exports.line.content import ReportOf
    from inspector.records.project import Project

app = typer.Typer()


@app.command()
def report(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    to: Annotated[Path, typer.Option("--to", help="FILE.pdf or FILE.html; must be new.", dir_okay=False)],
    station: Annotated[
        str | None, typer.Option(help="Name of the station; not needed where there is one.")
    ] = None,
    shift: Annotated[
        str | None,
        typer.Option(help="A moment in the shift, as “2026-11-27 06:00”; the last that ended when left out."),
    ] = None,
    order: Annotated[str | None, typer.Option(help="An order instead of a shift.")] = None,
    run: Annotated[int | None, typer.Option(help="A run of the station instead, by number.")] = None,
) -> None:
    """Write the report of a shift, an order or a run of a station: counts, drift, thresholds, worst parts, shift checks, signature."""
    from inspector.cli import audit
    from inspector.records import project as projects
    from inspector.records.audit import ActKind

    if sum(one is not None for one in (shift, order, run)) > 1:
        raise InspectorError("A report is of one thing.", "Name a shift, an order or a run.")
    if to.suffix.lower() == ".pdf":
        _start_qt()
    from inspector.views.line.report_pdf import write_report

    with projects.open(project, read_only=True) as opened:
        what = _what(opened, station, shift, order, run)
        for problem in write_report(opened, what, to):
            say(f"! {problem}", error=True)
    audit.note(project, ActKind.REPORTED, f"{what.station.name}, {what.title}", str(to))
    say(f"✓ {what.title}: {to}")


@app.command("print-page", hidden=True)
def print_page(
    to: Annotated[Path, typer.Option("--to", help="FILE.pdf; must be new.", dir_okay=False)],
) -> None:
    """A page of HTML from the input as PDF: how running stations print their reports."""
    _start_qt()
    from inspector.views.line import report_pdf

    report_pdf.print_page(sys.stdin.buffer.read().decode("utf-8", "replace"), to)


def _what(
    project: "Project", station: str | None, shift: str | None, order: str | None, run: int | None
) -> "ReportOf":
    from inspector.exports.line.content import ReportOf
    from inspector.records.line.shifts import shift_at
    from inspector.records.line.stations import find_station, list_stations

    rows = list_stations(project)
    if station is None and len(rows) != 1:
        names = ", ".join(row.name for row in rows)
        raise InspectorError(
            "Which station the report is of isn't said." if rows else "There is no station in this project.",
            f"Add --station with one of: {names}." if rows else "Set one up on the Line page first.",
        )
    found = rows[0] if station is None else find_station(project, station)
    if order is not None:
        return ReportOf.order(project, found, order)
    if run is not None:
        return ReportOf.run(project, found, run)
    if shift is None:
        now = datetime.now().astimezone()
        last = shift_at(found.settings.shifts if found.settings else (), now).begins
        return ReportOf.shift(found, datetime.fromtimestamp(last.timestamp() - 1).astimezone())
    try:
        return ReportOf.shift(found, datetime.fromisoformat(shift).astimezone())
    except ValueError:
        raise InspectorError(f"“{shift}” is no moment.", "Write it as 2026-11-27 06:00.") from None


def _start_qt() -> None:
    """Only to lay text out: no display is needed."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from inspector.views.line.report_pdf import start

    start()
