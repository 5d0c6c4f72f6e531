"""`inspector golden`: the golden set checked without a window, at the start of a shift or in a script."""

from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.output import console, say, table
from inspector.domain import CancelToken

app = typer.Typer()


@app.command()
def golden(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    who: Annotated[
        str | None, typer.Option(help="Who checks; the reviewer of the preferences when left out.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Also write every record of the golden set, as CSV.", dir_okay=False)
    ] = None,
    station: Annotated[
        str | None,
        typer.Option(help="The shift check of this station: the parts of its class, by its detector."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="Also write this record as a page to print.", dir_okay=False)
    ] = None,
) -> None:
    """Check the golden set with the detectors in charge, and keep the record.

    Exit codes: 0 every part is judged as it must be; 2 a part is not; 3 a part could not be judged; 1 nothing was checked, for
    the reason given.
    """
    from inspector.exports.files import check_free
    from inspector.exports.golden import export_check, export_checks
    from inspector.jobs.engine import Engine
    from inspector.jobs.golden import check_golden
    from inspector.records import project as projects
    from inspector.records.line.stations import find_station
    from inspector.records.qualification.checks import list_checks
    from inspector.stations.shift_check import said_of

    chosen = settings.load()
    for target in filter(None, (export, page)):
        check_free(target)
    with projects.open(project) as opened:
        with console("Golden set") as emit:
            name = chosen.reviewer if who is None else " ".join(who.split())
            check_golden(
                opened,
                Engine(device=chosen.device),
                station=None if station is None else find_station(opened, station),
                who=name,
                emit=emit,
                cancel=CancelToken(),
            )
        records = list_checks(opened)
        parts = records[0].parts
        rows = [
            [
                one.name,
                one.class_name,
                one.expected.value,
                one.said.value if one.said else one.error or "not judged",
                "" if one.score is None else f"{one.score:.3f}",
            ]
            for one in sorted(parts, key=lambda one: one.kept)
        ]
        table("Golden set", ["part", "class", "must be", "judged", "score"], rows)
        say(said_of(records[0]))
        if page is not None:
            export_check(records[0], said_of(records[0]), opened.name, page)
            say(f"✓ {page}")
        if export is not None:
            export_checks(list_checks(opened, None), export)
            say(f"✓ {export}")
    judged = all(one.said is not None for one in parts)
    raise typer.Exit(3 if not judged else 0 if all(one.kept for one in parts) else 2)
