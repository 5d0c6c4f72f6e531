"""`inspector weights`: what is here, download, add a copied file, verify."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from inspector.cli.output import console, say, table
from inspector.domain import CancelToken, JobProgress
from inspector.errors import InspectorError

app = typer.Typer(help="Backbone weights: what is here, download, add a copied file, verify.")


@app.command("list")
def weights_list() -> None:
    """What can be used, what is here already."""
    from inspector.features import weights

    rows = [
        [
            entry.name,
            weights.state(entry.name),
            f"{entry.size / 1e6:.0f} MB",
            f"{entry.image_size} px",
            entry.licence,
        ]
        for entry in weights.catalogue()
    ]
    table("Weights", ["name", "state", "size", "image", "licence"], rows)


@app.command("fetch")
def weights_fetch(name: str) -> None:
    """Download weights; an interrupted download goes on where it stopped."""
    from inspector.features import weights

    with console(f"Download {name}") as emit:
        target = weights.fetch(
            name,
            progress=lambda _, message, values: emit(_download_progress(message, values)),
            cancel=CancelToken(),
        )
    say(f"✓ {target}")


def _download_progress(message: str, values: Mapping[str, float]) -> JobProgress:
    done, total, rate = values["done"], values["total"], values["rate"]
    return JobProgress(0, done, total, message, rate, (total - done) / rate if rate else None)


@app.command("add")
def weights_add(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    name: Annotated[str | None, typer.Option(help="Which catalogue entry the file is.")] = None,
) -> None:
    """Take a copied weights file instead of downloading it."""
    from inspector.features import weights

    say(f"✓ {weights.add(file, name)}")


@app.command("verify")
def weights_verify(
    name: Annotated[str | None, typer.Argument(help="All that are here when left out.")] = None,
) -> None:
    """Compare checksums."""
    from inspector.features import weights

    good = True
    for entry in weights.catalogue():
        if name in (None, entry.name):
            try:
                say(f"✓ {entry.name}: {weights.verify(entry.name)}")
            except InspectorError as error:
                good &= name is None and weights.state(entry.name) == "not here"
                say(f"✗ {entry.name}: {error}")
    raise typer.Exit(0 if good else 1)
