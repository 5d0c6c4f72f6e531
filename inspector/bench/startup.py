"""How long the window takes from process start to its first paint, and what was imported by then."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inspector import installation
from inspector.errors import InspectorError
from inspector.views import display, startup


def measure(repeats: int = 5) -> dict[str, Any]:
    """Start the window `repeats` times, after one start that warms the disk.

    Returns `first_paint_s` (median, seconds from process start to first paint), `worst_s`, `torch_imported`,
    `imported` (of `HEAVY`), `repeats` and `platform`. Raises InspectorError when the window does not come up.
    """
    environment = dict(os.environ)
    if sys.platform.startswith("linux") and not environment.get("QT_QPA_PLATFORM"):
        if not display.display_available():
            environment["QT_QPA_PLATFORM"] = "offscreen"
    found = [_once(environment) for _ in range(repeats + 1)][1:]
    times = [one["first_paint_s"] for one in found]
    return {
        "first_paint_s": statistics.median(times),
        "worst_s": max(times),
        "torch_imported": any(one["torch_imported"] for one in found),
        "imported": sorted({name for one in found for name in one["imported"]}),
        "repeats": repeats,
        "platform": environment.get("QT_QPA_PLATFORM", "") or sys.platform,
    }


def _once(environment: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "figures.json")
        started = {**environment, startup.PROBE: str(target), startup.STARTED: repr(time.time())}
        try:
            done = subprocess.run(
                installation.command(),
                env=started,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InspectorError("The window did not come up within two minutes.", "See the log.") from None
        if not target.exists():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InspectorError(f"The window did not come up: {last}.", "Run `inspector doctor`.")
        figures: dict[str, Any] = json.loads(target.read_text("utf-8"))
        return figures
