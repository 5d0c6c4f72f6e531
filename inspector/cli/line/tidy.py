"""`inspector tidy`: let go the images that stations' rules don't keep, as a station does by itself while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.output import say

app = typer.Typer()
_PIECE = 5.0


@app.command()
def tidy(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    station: Annotated[str | None, typer.Option(help="One station only, by name; all when left out.")] = None,
) -> None:
    """Let go the images that stations no longer keep by their rules. Results, anomaly maps and thumbnails stay; so does everything
    NG, to be reviewed or failed unless the rule names days, and whatever somebody said something of, that teaches, or is golden.
    """
    from inspector.records import project as projects
    from inspector.records.line.stations import find_station, list_stations
    from inspector.stations.upkeep.retention import tidy as work
    from inspector.stations.upkeep.retention import words

    with projects.open(project) as opened:
        opened.who = settings.load().reviewer
        found = list_stations(opened) if station is None else [find_station(opened, station)]
        if not found:
            say("This project has no station, so it keeps every image.")
        for row in found:
            if row.settings is None:
                say(f"! {row.name}: its settings are damaged, so it keeps every image.", error=True)
                continue
            images = freed = 0
            while True:
                done = work(opened, row, _PIECE)
                images, freed = images + done.images, freed + done.freed
                if not done.more:
                    break
            work(opened, row, 0.0, last=True)
            count = "1 image" if images == 1 else f"{images:,} images"
            say(f"{row.name}: {count} let go, {freed / 1e6:,.1f} MB. {words(row.settings.retention)}")
            if done.over:
                say(f"! {done.over}", error=True)
