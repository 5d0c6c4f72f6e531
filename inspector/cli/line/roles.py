"""`inspector roles`: who asks for a PIN, for whoever may write the project's folder; also where the PIN was forgotten."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from inspector import settings
from inspector.cli.output import say
from inspector.domain import Role
from inspector.errors import InspectorError

app = typer.Typer()


@app.command()
def roles(
    project: Annotated[Path, typer.Argument(help="Project folder.", exists=True, file_okay=False)],
    new_pin: Annotated[
        Role | None, typer.Option("--set", help="Ask for a new PIN of this role; it may be piped in.")
    ] = None,
    remove: Annotated[
        Role | None,
        typer.Option(help="This role asks for no PIN any more; without the engineer's, none does."),
    ] = None,
) -> None:
    """Say which roles ask for a PIN, set one anew, or take one away. It needs no PIN, only the right to write the folder."""
    from inspector.records import project as projects
    from inspector.records.line.roles import remove_pin, set_pin

    if new_pin is not None and remove is not None:
        raise InspectorError("--set and --remove are two steps.", "Do one after the other.")
    with projects.open(project) as opened:
        opened.who = settings.load().reviewer
        if remove is not None:
            remove_pin(opened, remove)
        if new_pin is not None:
            set_pin(opened, new_pin, _asked(new_pin))
        for role in Role:
            say(f"{role.value}: {'asks for a PIN' if role in opened.guarded else 'no PIN'}")
        if not opened.guarded:
            say("Everybody may do everything.")


def _asked(role: Role) -> str:
    """A PIN, unseen and twice where somebody types it; as it comes where it is piped in."""
    words = f"New PIN of the {role.value}"
    if sys.stdin is not None and sys.stdin.isatty():
        return str(typer.prompt(words, hide_input=True, confirmation_prompt="Once more"))
    return sys.stdin.readline().strip() if sys.stdin is not None else ""
