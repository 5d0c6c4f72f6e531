"""Tells a bench how long this process took to its first paint, and what was imported by then."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from inspector import paths

HEAVY = ("torch", "open_clip", "timm", "cv2", "sqlalchemy", "scipy", "sklearn", "pyqtgraph", "superqt")
"""What must not be imported before the window is on screen."""

PROBE, STARTED = "INSPECTOR_STARTUP_PROBE", "INSPECTOR_STARTED"
"""Environment of a process that is only measured: the file for its figures, and when it was started."""


def wanted() -> bool:
    """Whether this process was started only to be measured."""
    return bool(os.environ.get(PROBE))


def record() -> None:
    """Called right after the first paint: write the figures to the file that was asked for."""
    figures = {
        "first_paint_s": time.time() - float(os.environ[STARTED]),
        "torch_imported": "torch" in sys.modules,
        "imported": [name for name in HEAVY if name in sys.modules],
    }
    paths.write_atomic(Path(os.environ[PROBE]), json.dumps(figures).encode())
