"""How the command line shows jobs, tables and figures."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspector.domain import Emit, JobEnded, JobEvent, JobItem, JobLog, JobProgress, JobStarted, JobStatus
from inspector.errors import InspectorError


@contextmanager
def console(title: str) -> Iterator[Emit]:
    """Show job events as a progress bar with time left; the body runs one job and its end is checked here."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    ended: list[JobEnded] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(title, total=None, left="")

        def emit(event: JobEvent) -> None:
            if isinstance(event, JobStarted):
                progress.update(bar, description=event.title, total=event.total or None)
            elif isinstance(event, JobProgress):
                left = "" if event.seconds_left is None else f"{event.seconds_left:.0f} s left"
                progress.update(bar, completed=event.done, total=event.total, left=left)
            elif isinstance(event, JobLog):
                progress.console.print(event.message, style="dim", highlight=False, markup=False)
            elif isinstance(event, JobItem) and event.error:
                progress.console.print(f"✗ {event.name}: {event.error}", highlight=False, markup=False)
            elif isinstance(event, JobEnded):
                ended.append(event)

        yield emit
    if ended and ended[-1].status is not JobStatus.DONE:
        raise InspectorError(ended[-1].message, ended[-1].hint)
    if ended and ended[-1].message:
        console.print(f"✓ {ended[-1].message}", highlight=False, markup=False)


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left")
    for index, name in enumerate(head):
        made.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    Console().print(made)


def figures(values: Mapping[str, Any], target: Path | None) -> None:
    """Print a measurement as JSON, or write it to a file."""
    from inspector import paths

    text = json.dumps(values, indent=2)
    if target is None:
        print(text)
    else:
        paths.write_atomic(target, text.encode())
        print(f"✓ {target}")
