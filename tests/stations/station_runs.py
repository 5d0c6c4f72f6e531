"""A station that runs on a thread of its own, as a window or `inspector run` has it; pictures for it, and what it said of them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from inspector.bench.drawn_parts import copy_with_own_hash
from inspector.domain import CancelToken, JobEnded, JobEvent
from inspector.jobs.engine import Engine
from inspector.records.line.arrivals import ArrivalRow, list_arrivals
from inspector.records.line.stations import Part, StationSettings, Value, add_station
from inspector.records.project import Project
from inspector.stations.running import run_station
from inspector.stations.watch import Watch

PATIENCE = 60.0


class Running:
    def __init__(self, project: Project, engine: Engine, station_id: int) -> None:
        self.project, self.station_id = project, station_id
        self.events: list[JobEvent] = []
        self.watch = Watch()
        self._cancel = CancelToken()
        self._thread = threading.Thread(
            target=lambda: run_station(
                project,
                engine,
                station_id,
                emit=self.events.append,
                cancel=self._cancel,
                watch=self.watch,
            )
        )
        self._thread.start()

    def stop(self) -> JobEnded:
        self._cancel.cancel()
        return self.ended()

    def ended(self) -> JobEnded:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        last = self.events[-1]
        assert isinstance(last, JobEnded)
        return last

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, (self.watch.state, self.events[-3:])
            assert self._thread.is_alive() or holds(), self.events[-1]
            time.sleep(0.01)

    def until_judged(self, count: int) -> list[ArrivalRow]:
        """Everything that came, once so many did."""
        self.until(lambda: self.watch.state.judged >= count)
        return arrivals(self.project, self.station_id)


def station(project: Project, kind: str, name: str = "Press 3", **values: Value) -> int:
    return add_station(project, name, StationSettings(Part(kind, values)))


def arrivals(project: Project, station_id: int) -> list[ArrivalRow]:
    return list_arrivals(project, station_id, limit=10_000)


def pictures(washers: Path, kind: str = "good") -> list[Path]:
    return sorted((washers / "test").glob("good/*" if kind == "good" else "[!g]*/*"))


def put(source: Path, folder: Path, name: str, number: int = 0) -> Path:
    """A copy, of other bytes for each number, that gets its name once it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_with_own_hash(source, folder / f".{name}", number)
    return (folder / f".{name}").rename(folder / name)
