"""What a running station does beside judging: lets images go by its rule, looks at the drive, asks for shift checks, writes reports."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event, Lock, Thread
from types import TracebackType

from inspector.errors import Cancelled, InspectorError
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.stations import Retention, StationRow, station_of
from inspector.records.project import Project
from inspector.stations.shift_check import check_due
from inspector.stations.upkeep.clock import Clock
from inspector.stations.upkeep.disk import DiskWatch
from inspector.stations.upkeep.printing import print_in_child
from inspector.stations.upkeep.reporting import due_reports
from inspector.stations.upkeep.retention import tidy

_log = logging.getLogger("inspector.stations")
_DISK, _TIDY, _REPORTS = 5.0, 60.0, 60.0
"""Seconds between two turns of each."""
_AGAIN = {"reports": 600.0}
"""Seconds after which what failed is tried again, where that isn't a minute."""
_PIECE, _PAUSE = 0.2, 0.3
"""Seconds that letting images go takes at a time, and rests, while there is more to do."""


class Upkeep:
    """A thread beside one station, while this context lasts. Nothing that goes wrong in it stops the station: it is `said`."""

    def __init__(self, project: Project, station_id: int) -> None:
        self._project, self._station_id = project, station_id
        self._disk = DiskWatch(project.folder)
        newest = list_arrivals(project, station_id, limit=1, newest=True)
        self._clock = Clock(newest[0].arrived if newest else None)
        self._said: dict[str, str] = {}
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> "Upkeep":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def said(self) -> tuple[str, ...]:
        """What people should know now, in sentences."""
        with self._lock:
            return tuple(words for words in self._said.values() if words)

    def blocked(self, row: StationRow) -> str:
        """Why the station, as it is set up now, may judge nothing until a shift check was passed; "" where it may. One query: to be
        asked every second."""
        due = check_due(self._project, row, datetime.now(UTC))
        self._say("check", due.said if due and not due.blocks else "")
        return due.said if due and due.blocks else ""

    def _run(self) -> None:
        turns: dict[str, tuple[Callable[[], float], float]] = {
            "disk": (self._look, 0.0),
            "images": (self._tidy, 0.0),
            "reports": (self._report, 0.0),
        }
        while not self._stop.wait(_PAUSE):
            for name, (work, due) in turns.items():
                now = time.monotonic()
                if now < due or self._stop.is_set():
                    continue
                try:
                    after = work()
                except Cancelled:
                    return
                except (InspectorError, OSError) as error:
                    _log.warning("%s: %s", name, error)
                    self._say(name, str(error))
                    after = _AGAIN.get(name, _TIDY)
                turns[name] = work, time.monotonic() + after

    def _look(self) -> float:
        self._say("disk", self._disk.look(time.monotonic()).said)
        return _DISK

    def _tidy(self) -> float:
        row = station_of(self._project, self._station_id)
        rule = row.settings.retention if row.settings else Retention()
        doubt = self._clock.doubt() if rule.days is not None else ""
        done = tidy(self._project, row, _PIECE, by_days=not doubt)
        self._say("images", done.over)
        self._say("clock", doubt)
        return 0.0 if done.more else _TIDY

    def _report(self) -> float:
        row = station_of(self._project, self._station_id)
        due_reports(self._project, row, datetime.now(UTC), partial(print_in_child, stop=self._stop))
        self._say("reports", "")
        return _REPORTS

    def _say(self, about: str, words: str) -> None:
        with self._lock:
            self._said[about] = words
