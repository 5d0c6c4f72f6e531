"""`inspector restore` and `inspector doctor`: what is done when something is wrong."""

from pathlib import Path
from typing import Annotated

import typer

from inspector.cli import audit as cli_audit
from inspector.cli.output import say

app = typer.Typer()


@app.command()
def restore(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    backup: Annotated[
        Path | None, typer.Argument(help="File in its backups folder; the newest sound one when left out.")
    ] = None,
) -> None:
    """Put a backup of a project's database back. The database that it replaces is kept; images, detectors and maps stay."""
    from inspector.records.audit import ActKind
    from inspector.records.disk.backups import list_backups, restore_backup

    for found in list_backups(project):
        say(f"{found.created.astimezone():%Y-%m-%d %H:%M}  {found.path.name}  {found.size / 1e6:.1f} MB")
    replaced = restore_backup(project, backup)
    cli_audit.note(project, ActKind.BACKUP_RESTORED, backup.name if backup else "the newest", replaced.name)
    say(f"✓ Restored. What was there before is kept as {replaced}")


@app.command()
def doctor() -> None:
    """Check versions, devices, weights and folders; one line each, with what to do."""
    from inspector.jobs.doctor import examine
    from inspector.views import display

    good = True
    for check in examine():
        good &= check.ok or not check.needed
        say(check)
    reason = display.problem()
    say(
        f"✗ display: {reason} → Use the commands that need no window."
        if reason
        else "✓ display: a window can be opened"
    )
    raise typer.Exit(0 if good else 1)
