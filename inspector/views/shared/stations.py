"""The stations of the open project that run in this window, each on a thread and with an engine of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.domain import JobEnded, JobStatus
from inspector.views.shared.job_runner import Job, JobRunner

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.project import Project
    from inspector.stations.watch import StationState, Watch


class Stations(QObject):
    """What a station says of itself is looked up (`state`), whenever somebody wants to know: the newest counts, and nothing
    queues up."""

    changed = Signal()  # one was started, began to stop, or has left

    def __init__(self, runner: JobRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = runner
        self._jobs: dict[int, Job] = {}
        self._watches: dict[int, Watch] = {}
        self._ends: dict[int, JobEnded] = {}
        runner.ended.connect(self._ended)
        runner.stations_changed.connect(self._left)

    def start(self, project: Project, station_id: int, name: str) -> None:
        """Begin; nothing where it runs already."""
        if station_id in self._jobs:
            return
        from inspector.stations.watch import Watch

        watch = self._watches[station_id] = Watch()
        self._ends.pop(station_id, None)

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.stations.running import run_station

            run_station(project, engine, station_id, emit=emit, cancel=cancel, watch=watch)

        self._jobs[station_id] = self._runner.start_station(f"“{name}”", work)
        self.changed.emit()

    def stop(self, station_id: int) -> None:
        """Ask it to stop; what came is judged and stored first."""
        job = self._jobs.get(station_id)
        if job is not None:
            self._runner.cancel(job)
            self.changed.emit()

    def running(self, station_id: int) -> bool:
        return station_id in self._jobs

    def stopping(self, station_id: int) -> bool:
        job = self._jobs.get(station_id)
        return job is not None and job.token.cancelled

    def watch(self, station_id: int) -> Watch | None:
        """Of one that runs."""
        return self._watches.get(station_id) if station_id in self._jobs else None

    def state(self, station_id: int) -> StationState | None:
        """What one that runs says of itself."""
        watch = self.watch(station_id)
        return watch.state if watch else None

    def trouble(self, station_id: int) -> str:
        """Why it ended by itself, and what to do; ""."""
        end = self._ends.get(station_id)
        return f"{end.message} {end.hint}".strip() if end and end.status is JobStatus.FAILED else ""

    def forget(self) -> None:
        """Another project is open."""
        self._jobs.clear()
        self._watches.clear()
        self._ends.clear()

    def _ended(self, job: Job, end: JobEnded) -> None:
        for station_id, own in self._jobs.items():
            if own is job:
                self._ends[station_id] = end

    def _left(self, _job: object) -> None:
        alive = self._runner.stations
        gone = [key for key, job in self._jobs.items() if job not in alive]
        for key in gone:
            del self._jobs[key]
        self.changed.emit()
