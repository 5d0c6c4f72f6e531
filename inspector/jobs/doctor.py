"""Is this machine ready? One line each: what was checked, what was found, what to do."""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from inspector import installation, paths
from inspector.errors import InspectorError

_PACKAGES = (
    "PySide6-Essentials",
    "torch",
    "open_clip_torch",
    "timm",
    "numpy",
    "opencv-python-headless",
    "SQLAlchemy",
)


@dataclass(frozen=True, slots=True)
class Check:
    """`ok`: it is here and in order. `hint`: the next step
    when not ok. `needed`: Inspector can't do without it."""

    what: str
    ok: bool
    found: str
    hint: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "✓" if self.ok else "✗" if self.needed else "–"
        return f"{mark} {self.what}: {self.found}" + (f" → {self.hint}" if self.hint and not self.ok else "")


def _folder(what: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return Check(
            what,
            False,
            f"{folder}: {error.strerror}",
            "Make it writable, or set INSPECTOR_HOME to a folder that is.",
        )
    enough = free >= 1
    return Check(
        what,
        enough,
        f"{folder}, {free:.1f} GiB free",
        "" if enough else "Free some disk space: teaching wants 1 GiB.",
    )


def _devices() -> Iterator[Check]:
    from inspector.features.device import devices

    for device in devices():
        hint = "Update its driver; until then another device is used."
        found = device.found if device.usable else f"can't be used: {device.found}"
        yield Check(f"device {device.name}", device.usable, found, hint, needed=False)


def _runtimes() -> Iterator[Check]:
    from inspector import settings
    from inspector.features.runtimes import choice
    from inspector.features.runtimes.engines import RUNTIMES

    for one in RUNTIMES.values():
        found = one.version or "not installed"
        hint = f'It scores faster on many processors: pip install "inspector[{one.name}]"'
        yield Check(f"runtime {one.title}", bool(one.version), found, hint, needed=False)
    wanted = settings.load().runtime
    if wanted != "auto":
        yield Check("runtime for scores", True, f"{wanted}, as chosen in the settings")
    for said in choice.decisions():
        yield Check(f"runtime for {said.backbone}", True, str(said))


def _weights() -> Iterator[Check]:
    from inspector.features.weights import catalogue, intake

    for entry in catalogue.entries():
        what, state = f"weights {entry.name}", catalogue.state(entry.name)
        if state.startswith("not here"):
            yield Check(what, False, state, needed=False)
            continue
        try:
            yield Check(what, True, str(intake.verify(entry.name)))
        except InspectorError as error:
            yield Check(what, False, error.message, error.hint)


def examine() -> Iterator[Check]:
    """Checks as they are done; never raises for something that is merely missing."""
    kind, place = installation.package(), installation.place()
    yield Check("Inspector", True, f"{metadata.version('inspector')}, {kind} in {place}")
    python = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", sys.version_info >= (3, 11), python, "Install Python 3.11 or newer.")
    for package in _PACKAGES:
        try:
            yield Check(package, True, metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Check(package, False, "not installed", installation.again())
    yield Check(
        "SQLite", sqlite3.sqlite_version_info >= (3, 27), sqlite3.sqlite_version, "Install a newer Python."
    )
    yield Check("processor cores", True, str(os.cpu_count()))
    for probe, what in ((_devices, "devices"), (_runtimes, "runtimes"), (_weights, "weights")):
        try:
            yield from probe()
        except Exception as error:  # a broken driver or package must not hide the other lines
            yield Check(what, False, f"{type(error).__name__}: {error}", installation.again())
    yield _folder("settings folder", paths.config_dir())
    yield _folder("cache folder", paths.cache_dir())
    yield _folder("log folder", paths.log_dir())
    yield _folder("weights folder", paths.weights_dir())
    yield _folder("projects folder", paths.documents_dir())
