"""`inspector operate`: the window right in the operator view of a station, as a line's screen starts it."""

from pathlib import Path
from typing import Annotated

import typer

from inspector.errors import InspectorError

app = typer.Typer()


@app.command()
def operate(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    station: Annotated[str, typer.Option(help="Name of the station.")],
    start: Annotated[bool, typer.Option(help="Start the station too.")] = True,
) -> None:
    """Open the window in the operator view of a station, and start it."""
    from inspector.views import display

    if reason := display.problem():
        raise InspectorError(
            reason, "Run it on a desktop, or the station without a window: inspector run --help."
        )
    from inspector.views import app as window

    raise typer.Exit(window.run(project, station=station, start=start))
