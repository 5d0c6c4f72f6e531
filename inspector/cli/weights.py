"""`inspector weights`: what is here, download, add a copied file, verify."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspector.cli.output import console, say, table
from inspector.domain import CancelToken, JobProgress
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.features.weights.catalogue import Weights

app = typer.Typer(help="Backbone weights: what is here, download, add a copied file, verify.")


@app.command("list")
def weights_list() -> None:
    """What can be used, what is here already."""
    from inspector.features.weights import catalogue

    rows = [
        [
            entry.name,
            catalogue.state(entry.name),
            f"{entry.size / 1e6:.0f} MB" if entry.size else "–",
            f"{entry.image_size} px",
            entry.licence,
        ]
        for entry in catalogue.entries()
    ]
    table("Weights", ["name", "state", "size", "image", "licence"], rows)


@app.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="Catalogue name, or ARCHITECTURE:TAG of any open_clip model.")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept size and licence without a question.")
    ] = False,
) -> None:
    """Download weights once you accepted their size and licence;
    an interrupted download goes on where it stopped."""
    from inspector.features.weights import catalogue, intake

    entry = catalogue.find(name)
    if not entry.here and entry.url:
        _ask(entry, yes)
    with console(f"Download {entry.name}") as emit:
        target = intake.fetch(
            name,
            progress=lambda _, message, values: emit(_download_progress(message, values)),
            cancel=CancelToken(),
        )
    say(f"✓ {target}")


def _ask(entry: "Weights", yes: bool) -> None:
    """Show what would come from where and under which licence. Raises InspectorError when it isn't wanted."""
    only = ": it allows research only, so don't use it in production" if entry.research_only else ""
    say(f"{entry.name}: {entry.title}")
    say(f"  size     {f'{entry.size / 1e6:,.0f} MB' if entry.size else 'not known before'}")
    say(f"  licence  {entry.licence}{only}")
    say(f"  source   {entry.url}")
    say(f"  kept in  {entry.folder}")
    try:
        if yes or typer.confirm("Accept and download?"):
            return
        hint = ""
    except typer.Abort:  # nobody is there to answer
        hint = "Accept size and licence with --yes, or copy the file here: inspector weights add FILE"
    raise InspectorError("Nothing was downloaded.", hint)


def _download_progress(message: str, values: Mapping[str, float]) -> JobProgress:
    done, total, rate = values["done"], values["total"], values["rate"]
    return JobProgress(0, done, total, message, rate, (total - done) / rate if rate else None)


@app.command("add")
def weights_add(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    name: Annotated[str | None, typer.Option(help="Which catalogue entry the file is.")] = None,
) -> None:
    """Take a copied weights file instead of downloading it."""
    from inspector.features.weights import intake

    say(f"✓ {intake.add(file, name)}")


@app.command("verify")
def weights_verify(
    name: Annotated[str | None, typer.Argument(help="All that are here when left out.")] = None,
) -> None:
    """Read them again: checksums, and whether their models can be built."""
    from inspector.features.weights import catalogue, intake

    good = True
    for entry in [catalogue.find(name)] if name else catalogue.entries():
        if name is None and catalogue.state(entry.name).startswith("not here"):
            say(f"– {entry.name}: not here")
            continue
        try:
            say(f"✓ {entry.name}: {intake.verify(entry.name)}")
        except InspectorError as error:
            good = False
            say(f"✗ {entry.name}: {error}")
    raise typer.Exit(0 if good else 1)
