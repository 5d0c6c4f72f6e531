"""How the command line shows sentences, jobs, tables and figures.

Nothing here fails for a character that the terminal, or the file that it is redirected to, can't hold.
"""

import codecs
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspector.domain import Emit, JobEnded, JobEvent, JobItem, JobLog, JobProgress, JobStarted, JobStatus
from inspector.errors import InspectorError
from inspector.text import printable

_PLAIN = {
    "✓": "OK",
    "✗": "!!",
    "✕": "X",
    "→": "->",
    "·": "-",
    "“": '"',
    "”": '"',
    "’": "'",
    "…": "...",
    "–": "-",
    "×": "x",
}
_PLAIN |= {"≠": "!=", "±": "+/-", "␣": "_", "≥": ">=", "≤": "<="}


def take_any_character() -> None:
    """Let standard output and error write plain signs for
    what their encoding lacks (Windows code pages, ASCII)."""

    def plain(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        signs = error.object[error.start : error.end]
        return "".join(_PLAIN.get(sign, "?") for sign in signs), error.end

    codecs.register_error("inspector.plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="inspector.plain")


def say(text: object, error: bool = False) -> None:
    """Print `text`, line by line, with nothing in it that a terminal would obey."""
    for line in str(text).split("\n"):
        print(printable(line, longest=0), file=sys.stderr if error else sys.stdout)


def explain(error: InspectorError) -> None:
    """What happened and what to do next, in lines of their own."""
    say(f"✗ {error.message}", error=True)
    if error.hint:
        say(f"  {error.hint}", error=True)
    if "Weights page" in error.hint:
        say("  Without a window: inspector weights list, fetch NAME, add FILE.", error=True)


@contextmanager
def console(title: str) -> Iterator[Emit]:
    """Show job events as a progress bar with time left; the body runs one job and its end is checked here."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)

    def show(text: str, style: str | None = None) -> None:
        console.print(printable(text, longest=0), style=style, highlight=False, markup=False)

    ended: list[JobEnded] = []
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(printable(title), total=None, left="")

        def emit(event: JobEvent) -> None:
            if isinstance(event, JobStarted):
                progress.update(bar, description=printable(event.title), total=event.total or None)
            elif isinstance(event, JobProgress):
                left = "" if event.seconds_left is None else f"{event.seconds_left:.0f} s left"
                progress.update(bar, completed=event.done, total=event.total, left=left)
            elif isinstance(event, JobLog):
                show(event.message, style="dim")
            elif isinstance(event, JobItem) and event.error:
                show(f"✗ {event.name}: {event.error}")
            elif isinstance(event, JobEnded):
                ended.append(event)

        yield emit
    if ended and ended[-1].status is not JobStatus.DONE:
        raise InspectorError(ended[-1].message, ended[-1].hint)
    if ended and ended[-1].message:
        show(f"✓ {ended[-1].message}")


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left")
    for index, name in enumerate(head):
        made.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        made.add_row(*(Text(printable(cell, longest=0)) for cell in row))
    Console().print(made)


def figures(values: Mapping[str, Any], target: Path | None) -> None:
    """Print a measurement as JSON, or write it to a file."""
    from inspector import paths

    text = json.dumps(values, indent=2)
    if target is None:
        say(text)
    else:
        paths.write_atomic(target, text.encode())
        say(f"✓ {target}")
