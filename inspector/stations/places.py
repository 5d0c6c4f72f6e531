"""Folders that a station may not watch: what it finds there would be its own doing, or another station would take it away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from inspector.errors import SettingsError
from inspector.records.line.stations import Part, StationRow, StationSettings, list_stations
from inspector.records.project import Project
from inspector.stations.sources.catalogue import source_values
from inspector.stations.sources.judged_files import LEAVE

_IMAGES = "sorting"
"""The output that writes images."""
_lock = Lock()
_running: dict[int, "_Watched"] = {}
"""Of every station that runs in this process, by what tells its run from all others."""


@dataclass(frozen=True, slots=True)
class _Watched:
    name: str
    folder: Path
    subfolders: bool
    leaves: bool

    def holds(self, place: Path) -> bool:
        """Whether files in a folder come to the station."""
        return place == self.folder or (self.subfolders and self.folder in place.parents)


def require_places(project: Project, settings: StationSettings, station_id: int = 0) -> None:
    """Raises `SettingsError` where the folder that is watched is the project's, or images are sorted into it by this station or another
    one: what was judged would come again, for ever. `station_id`: whose settings they are to be, 0 for a new one's."""
    found = _watched("", settings.source)
    if found is None:
        return
    own = _real(project.folder)
    if own == found.folder or own in found.folder.parents or found.holds(own):
        raise SettingsError(
            f"The folder {found.folder} holds images of the project itself, so it can't be watched.",
            "Let pictures come into a folder outside the project.",
        )
    others = [row for row in list_stations(project) if row.id != station_id]
    told = [("", settings), *((row.name, row.settings) for row in others)]
    for whose, one in told:
        for output in one.outputs if one is not None else ():
            if output.kind != _IMAGES or not output.values.get("folder"):
                continue
            target = _real(Path(str(output.values["folder"])))
            if target in found.folder.parents or (found.subfolders and found.holds(target)):
                by = f"the station “{whose}”" if whose else "the station itself"
                raise SettingsError(
                    f"Images are sorted into {target} by {by}, and would be judged again in {found.folder}, for ever.",
                    "Sort them into a folder that isn't watched.",
                )


@contextmanager
def watching(project: Project, row: StationRow) -> Iterator[None]:
    """While a station runs. Raises `SettingsError` as `require_places` does, and where another one that runs takes pictures out of the
    same folder, or this one would: each picture would come to one of them only."""
    assert row.settings is not None
    require_places(project, row.settings, row.id)
    mine = _watched(row.name, row.settings.source)
    if mine is None:
        yield
        return
    with _lock:
        for other in _running.values():
            shared = mine.holds(other.folder) or other.holds(mine.folder)
            if shared and not (mine.leaves and other.leaves):
                taker, loser = (other, mine) if mine.leaves else (mine, other)
                raise SettingsError(
                    f"“{taker.name}” takes judged pictures out of {taker.folder}, which “{loser.name}” watches too: it would miss them.",
                    "Let both leave pictures where they are, or give each a folder of its own.",
                )
        _running[id(mine)] = mine
    try:
        yield
    finally:
        with _lock:
            del _running[id(mine)]


def _watched(name: str, source: Part) -> _Watched | None:
    if source.kind != "folder":
        return None
    values = source_values(source)
    folder = _real(Path(str(values["path"])))
    return _Watched(name, folder, bool(values["subfolders"]), values["after"] == LEAVE)


def _real(path: Path) -> Path:
    """Without links, as far as it is there."""
    return Path(os.path.realpath(path))
