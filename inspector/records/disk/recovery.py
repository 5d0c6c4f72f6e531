"""What an opening makes good: leftovers of killed processes
are swept, detectors that nobody knows moved aside.

Only names that Inspector gives to unfinished things are ever deleted, and no link is followed.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.errors import ProjectError
from inspector.records.disk.database import DATABASE, SIDES
from inspector.records.disk.lock import FILES
from inspector.records.schema import now

FOLDERS = ("images", "detectors", "maps", "thumbnails")
ASIDE = "set-aside"
UNCOMMITTED = ".uncommitted"
"""In a detector's folder until its row is stored."""
CHECKPOINTS = ".teaching"
"""In `detectors`: what a teaching that was killed goes on from."""
_EARLIER = re.compile(r"\.([0-9a-f]{40}|lock-owner\.json)\.[0-9a-f]{12}")
"""What versions before 0.3 called unfinished files."""


def is_own(name: str) -> bool:
    """Whether a file or folder of this name, directly in a
    project ("" for itself), is or may become the project's."""
    name = name.casefold()
    return name in ("", *FOLDERS, "backups", ASIDE) or name.startswith((".", "project.", "lock-owner"))


def refuse_links(folder: Path) -> None:
    """Raises `ProjectError` when a part of a project is a
    symbolic link: it would be written and swept elsewhere."""
    sides = (f"{DATABASE}{side}" for side in SIDES)
    for name in (DATABASE, *sides, *FILES, *FOLDERS, "backups", ASIDE):
        if (folder / name).is_symlink():
            raise ProjectError(
                f"“{name}” in {folder} is a link, and Inspector follows no link inside a project.",
                "Put the real file or folder in its place.",
            )


def sweep_create(folder: Path) -> bool:
    """Whether a folder is empty but for what a killed `create` left in it, which is then gone."""
    ours, empty = [], []
    for entry in _entries(folder):
        if entry.is_file(follow_symlinks=False) and (
            paths.is_unfinished(entry.name) or entry.name.startswith(f"{DATABASE}.new") or entry.name in FILES
        ):
            ours.append(Path(entry.path))
        elif (
            entry.name in FOLDERS and entry.is_dir(follow_symlinks=False) and not any(os.scandir(entry.path))
        ):
            empty.append(Path(entry.path))
        else:
            return False
    for path in ours:
        path.unlink()
    for path in empty:
        path.rmdir()
    return True


def sweep(folder: Path, *, crashed: bool) -> None:
    """Delete what killed processes left unfinished; the places
    of many files only after a crash, as it takes time."""
    for part in FOLDERS:
        (folder / part).mkdir(exist_ok=True)
    _sweep(folder)  # who was killed while saying that it opens the project isn't known to have crashed
    _sweep(folder / "detectors")
    for kept in (entry for entry in _folders(folder / "detectors") if entry.name == CHECKPOINTS):
        for place in (kept, *_folders(kept)):
            _sweep(place)
    if crashed:
        for part in ("images", "maps", "thumbnails", "backups"):
            _sweep(folder / part)
            for entry in _folders(folder / part):
                _sweep(entry)


def settle_detectors(folder: Path, known: Mapping[int, Mapping[str, Any]]) -> str:
    """Move detectors that the database doesn't know aside, bring back
    those that it knows and that lie there; a sentence about it, or "".

    `known`: detector id → what its `detector.json` says (`method`, `classes`, `key` of the backbone).
    """
    unknown, back = 0, 0
    for entry in list(_folders(folder / "detectors")):
        if not entry.name.isdecimal():
            continue
        if str(int(entry.name)) == entry.name and int(entry.name) in known:
            (entry / UNCOMMITTED).unlink(missing_ok=True)
        elif (entry / UNCOMMITTED).is_file():
            shutil.rmtree(entry)
        else:
            aside = folder / ASIDE / "detectors" / f"{entry.name}-{now():%Y%m%d-%H%M%S}"
            aside.parent.mkdir(parents=True, exist_ok=True)
            entry.rename(aside)
            unknown += 1
    for detector_id, about in known.items():
        place = folder / "detectors" / str(detector_id)
        if not place.exists():
            fits = (path for path in _set_aside(folder, detector_id) if _fits(path, about))
            if (found := next(fits, None)) is not None:
                found.rename(place)
                back += 1
    said = []
    if unknown:
        said.append(
            f"{_count(unknown, ' that this database does not know')} moved to {ASIDE}/detectors; nothing was deleted."
        )
    if back:
        said.append(f"{_count(back)} brought back from {ASIDE}.")
    return " ".join(said)


def _count(number: int, which: str = "") -> str:
    return f"One detector{which} was" if number == 1 else f"{number} detectors{which} were"


def _set_aside(folder: Path, detector_id: int) -> list[Path]:
    aside = _folders(folder / ASIDE / "detectors")
    return sorted((path for path in aside if path.name.startswith(f"{detector_id}-")), reverse=True)


def _fits(path: Path, about: Mapping[str, Any]) -> bool:
    try:
        manifest = json.loads((path / "detector.json").read_text("utf-8"))
        found = (manifest["method"], sorted(manifest["classes"]), manifest["backbone"]["key"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return found == (about["method"], sorted(about["classes"]), about["key"])


def _folders(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return []
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)]


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _sweep(folder: Path) -> None:
    if not folder.is_dir():
        return
    for entry in _entries(folder):
        if not (paths.is_unfinished(entry.name) or _EARLIER.fullmatch(entry.name)):
            continue
        if entry.name.startswith(".old-"):  # what a killed swap had set aside, perhaps the only copy
            with suppress(OSError):
                Path(entry.path).rmdir()
        elif entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)
