"""Pages of HTML on paper, by a process of their own: Qt lays them out, which a station doesn't know, and which holds up nothing here."""

import os
import subprocess
import tempfile
from pathlib import Path
from threading import Event

from inspector import installation
from inspector.errors import Cancelled, ExportError
from inspector.text import printable

COMMAND = "print-page"
"""Of `inspector`: HTML from its input → a PDF file."""
_LONGEST = 300.0
"""Seconds that a report may take, on a slow computer that judges beside it."""
_LOOK = 0.1


def print_in_child(page: str, target: Path, stop: Event | None = None) -> None:
    """A page of HTML as PDF, to a new file. Raises `ExportError` where it can't be written, `Cancelled` once `stop` is set."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(page.encode("utf-8", "replace"))
        given.seek(0)
        child = subprocess.Popen(
            [*installation.command(), COMMAND, "--to", str(target)],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no console, on Windows
        )
        try:
            waited = 0.0
            while child.poll() is None:
                if stop is not None and stop.is_set():
                    raise Cancelled
                if waited > _LONGEST:
                    raise ExportError(f"“{target.name}” took too long to print.", "It is tried again.")
                try:
                    child.wait(_LOOK)
                except subprocess.TimeoutExpired:
                    waited += _LOOK
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode or not target.exists():
            said.seek(0)
            words = said.read().decode("utf-8", "replace").strip().splitlines()
            why = printable(words[0] if words else f"it ended with {child.returncode}", 200)
            raise ExportError(f"“{target.name}” can't be printed: {why}", "The report is there as HTML.")
