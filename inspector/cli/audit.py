"""`inspector audit`: who did what in a project, and whether the list is whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspector import settings
from inspector.cli.output import say
from inspector.errors import ProjectInUseError

if TYPE_CHECKING:
    from inspector.records.audit import ActKind

app = typer.Typer()


@app.command()
def audit(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that no act was changed, removed or put in.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option(help="Only acts of this kind, as the list calls it: “thresholds set”.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only acts of this person.")] = None,
    text: Annotated[str, typer.Option(help="Only acts with these words.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="So many at most, the newest.")] = 50,
    export: Annotated[
        Path | None,
        typer.Option(help="Write all that match to this new file, .csv or .json.", dir_okay=False),
    ] = None,
) -> None:
    """Show who did what in a project, newest first, and check that the list is whole.

    Exit codes: 0 it is whole; 2 an act was changed, removed or put in; 1 it could not be read, for the reason given.
    """
    from inspector.exports.audit import export_audit
    from inspector.records import audit as acts
    from inspector.records import project as projects

    with projects.open(project, read_only=True) as opened:
        chain = acts.verify(opened)
        where = acts.ActFilter(kind=kind, who=who, text=text)
        if export is not None:
            count = export_audit(opened, export, where)
            say(f"✓ {_acts(count)} exported to {export}")
        elif not verify:
            for row in acts.list_acts(opened, where, limit=limit):
                change = f"{row.old} → {row.new or 'none'}" if row.old else row.new
                words = (row.who, row.kind, row.subject, change, row.reason)
                say(f"{row.created.astimezone():%Y-%m-%d %H:%M}  {' · '.join(filter(None, words))}")
    if export is not None:
        note(project, acts.ActKind.AUDIT_EXPORTED, _acts(count), str(export))
    if chain.broken is not None:
        say(f"✗ The audit isn't as it was written: {chain.broken.what}", error=True)
        raise typer.Exit(2)
    say(f"✓ The chain is whole: {_acts(chain.acts)}. Last checksum: {chain.head or 'none'}")


def note(folder: Path, kind: "ActKind", subject: str, new: str, reason: str = "") -> None:
    """A line in the audit of a project for what was only read from it, which nobody else had to wait for meanwhile. A sentence
    where it can't be written now."""
    from inspector.records import project as projects
    from inspector.records.audit import record

    try:
        with projects.open(folder) as opened:
            opened.who = settings.load().reviewer
            record(opened, kind, subject, new=new, reason=reason)
            written = not opened.read_only
    except ProjectInUseError:
        written = False
    if not written:
        say("! The project can't be written now, so its audit doesn't hold this export.", error=True)


def _acts(count: int) -> str:
    return f"{count:,} act{'' if count == 1 else 's'}"
