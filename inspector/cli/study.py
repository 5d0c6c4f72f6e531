"""`inspector study`: studies of who judges how, and what came out of them."""

from pathlib import Path
from typing import Annotated

import typer

from inspector.cli import audit as cli_audit
from inspector.cli.output import say, table
from inspector.errors import InspectorError
from inspector.records.names import class_key

app = typer.Typer()


@app.command()
def study(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    every: Annotated[
        bool, typer.Option("--list", help="List the studies, which also happens without --title.")
    ] = False,
    title: Annotated[str | None, typer.Option(help="The study of this title, the newest of several.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the report of it (of the newest study that is finished without --title): FILE.html, .csv or .json."
        ),
    ] = None,
) -> None:
    """Show how people and the detector agree on parts that are known to be OK or NG. Studies are made and judged in the window."""
    from inspector.exports.study import HEADINGS, LIMITS, between_rows, export_study, figure_rows, notes
    from inspector.records import project as projects
    from inspector.records.audit import ActKind
    from inspector.records.qualification.outcome import outcome
    from inspector.records.qualification.studies import list_studies

    with projects.open(project, read_only=True) as opened:
        studies = list_studies(opened)
        if every or (title is None and export is None):
            rows = [
                [one.title, str(one.parts), "finished" if one.closed else "open", one.progress]
                for one in studies
            ]
            table("Studies", ["title", "parts", "state", "trials done"], rows)
            return
        found = next(
            (
                one
                for one in studies
                if (title is None and one.closed)
                or (title is not None and class_key(one.title) == class_key(title))
            ),
            None,
        )
        if found is None:
            wanted = f"is called “{title}”" if title is not None else "is finished"
            raise InspectorError(
                f"No study of this project {wanted}.", "List them: inspector study PROJECT --list"
            )
        result = outcome(opened, found.id)
        say(found.title)
        for line in notes(result):
            say(line)
        table("Who judges how", list(HEADINGS), [list(row) for row in figure_rows(result)])
        if between := between_rows(result):
            table("How people agree", ["what", "figure"], [list(row) for row in between])
        say(LIMITS)
        if export is not None:
            for problem in export_study(result, export):
                say(f"! {problem}", error=True)
            say(f"✓ {export}")
    if export is not None:
        cli_audit.note(project, ActKind.STUDY_EXPORTED, found.title, str(export))
