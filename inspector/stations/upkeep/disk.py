"""How much room the drive of a project has left, said while there is time to do something."""

import shutil
from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from inspector.records.disk import spare


class Room(IntEnum):
    """How it stands; higher is worse. FULL: images are no longer kept, results still are."""

    ENOUGH = 0
    LITTLE = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Below which `share` of the drive or how many `bytes` it is little, and how many `hours` it must last as it is filled now."""

    share: float = 0.05
    bytes: int = 2_000_000_000
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Disk:
    """`free`, `total`: bytes. `hours`: how long it lasts as it was filled lately; None where nothing can be said. `said`: a sentence
    for people, "" while there is enough."""

    room: Room
    free: int
    total: int
    hours: float | None
    said: str


class DiskWatch:
    """Of one project's drive; used by one thread."""

    _WINDOW, _LEAST = 3600.0, 120.0
    """Seconds over which the rate is taken, and below which none is told."""

    def __init__(self, folder: Path, limits: Limits = Limits()) -> None:
        self._folder, self._limits = folder, limits
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, now: float) -> Disk:
        """How it stands `now` (seconds of any clock that only goes forward). Also holds back the room for results again, once there
        is some. Raises OSError for a drive that can't be reached."""
        held = spare.reserve(self._folder)
        usage = shutil.disk_usage(self._folder)
        free, total = usage.free, usage.total
        self._seen.append((now, free))
        while now - self._seen[0][0] > self._WINDOW:
            self._seen.popleft()
        hours = self._hours(now, free)
        left = f"{free / 1e9:,.1f} GB are free on the drive of the project"
        if spare.is_short(self._folder) or not held:
            said = (
                f"The disk is full: {free / 1e6:,.0f} MB are free. Results are still stored, without their images and maps. "
                "Free some space, or let the station keep fewer images."
            )
            return Disk(Room.FULL, free, total, hours, said)
        if free < max(self._limits.bytes, 0) or free < self._limits.share * total:
            return Disk(Room.LITTLE, free, total, hours, f"Only {left}. Free some space soon.")
        if hours is not None and hours < self._limits.hours:
            said = f"{left}, which last for about {_span(hours)} as it is filled now. Free some space, or keep fewer images."
            return Disk(Room.LITTLE, free, total, hours, said)
        return Disk(Room.ENOUGH, free, total, hours, "")

    def _hours(self, now: float, free: int) -> float | None:
        then, before = self._seen[0]
        if now - then < self._LEAST or before <= free:
            return None
        return free / (before - free) * (now - then) / 3600


def _span(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(hours * 60))} minutes"
    return f"{round(hours)} hour{'' if round(hours) == 1 else 's'}"
