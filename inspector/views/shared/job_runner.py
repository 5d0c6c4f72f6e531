"""Work off the GUI thread: one thread owns the engine and runs its jobs in turn, a second one downloads, so that nothing
waits for the network, and a small pool does short reads."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QDeadlineTimer, QObject, Qt, QThread, QTimer, Signal

from inspector.domain import CancelToken, Emit, JobEnded, JobEvent, JobKind, JobStatus
from inspector.errors import Cancelled, InspectorError
from inspector.views.shared.reads import Reads

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine

_log = logging.getLogger("inspector.runner")
T = TypeVar("T")
Work = Callable[["Engine", Emit, CancelToken], Any]


def _make_engine() -> Engine:
    from inspector.jobs.engine import Engine

    return Engine()


@dataclass(eq=False, slots=True)
class Job:
    """A job that was handed in: `work(engine, emit, cancel)` runs on its lane's thread. Downloads get an engine of their
    own that stays empty, and each station one that it shares with nobody."""

    kind: JobKind
    title: str
    work: Work
    token: CancelToken = field(default_factory=CancelToken)


class _Lane(QThread):
    """Runs jobs in the order they came; leaves when told to, between two jobs. `current` and `pending` are the GUI
    thread's."""

    emitted = Signal(object, object)  # job, event
    turn = Signal(object, object)  # this lane, and the job that begins, None when idle again
    device = Signal(str)  # what the backbone runs on, once it is loaded

    def __init__(self, name: str, make_engine: Callable[[], Engine], parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.current: Job | None = None
        self.pending: list[Job] = []
        self._make_engine = make_engine
        self._asked: list[CancelToken] = []  # stop whoever explains something
        self.engine: Engine | None = None
        self._jobs: deque[Job] = deque()
        self._wake = Condition()
        self._leave = False

    def put(self, job: Job) -> None:
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()

    @property
    def busy(self) -> bool:
        return self.current is not None or bool(self.pending)

    def leave(self) -> None:
        """Cancel everything and end."""
        for job in (self.current, *self.pending):  # pending: also one that begins just now
            if job is not None:
                job.token.cancel()
        with self._wake:
            self._leave = True
            self._wake.notify()

    def run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._leave)
                if not self._jobs:
                    break
                job = self._jobs.popleft()
            self.turn.emit(self, job)
            self._do(job)
            if self.engine is not None and self.engine.loaded is not None:
                self.device.emit(self.engine.device_note)
            self.turn.emit(self, None)
        self.engine = None  # freed on the thread that made it

    def _do(self, job: Job) -> None:
        job_id = 0
        ended = False

        def emit(event: JobEvent) -> None:
            nonlocal job_id, ended
            job_id = event.job_id
            if ended:
                _log.error("job %r went on after its end: %r", job.title, event)
                return
            ended = isinstance(event, JobEnded)
            self.emitted.emit(job, event)

        def end(status: JobStatus, message: str, hint: str = "") -> None:
            if not ended:
                emit(JobEnded(job_id, job.kind, status, message, hint))

        try:
            job.token.check()
            if self.engine is None:
                self.engine = self._make_engine()
            job.work(self.engine, emit, job.token)
        except Cancelled as error:
            end(JobStatus.CANCELLED, error.message)
        except InspectorError as error:
            end(JobStatus.FAILED, error.message, error.hint)
        except Exception as error:
            _log.critical("job %r failed", job.title, exc_info=True)
            end(
                JobStatus.FAILED,
                f"{job.title} failed: {error or type(error).__name__}.",
                "The log has the details (Help, Show log).",
            )
        else:
            end(JobStatus.DONE, f"{job.title}: done.")


class JobRunner(QObject):
    """`start` a job, `cancel` it, `read` something short. All signals arrive on the GUI thread.

    The engine (and with it torch) is made on its own thread when the first job begins.
    """

    job_event = Signal(
        object
    )  # inspector.domain.JobEvent of the engine's jobs; each ends with exactly one JobEnded
    said = Signal(object, object)  # any Job, downloads too, and its JobEvent
    ended = Signal(object, object)  # the Job that `start` returned, its JobEnded
    busy_changed = Signal(bool)
    stations_changed = Signal(object)  # a station began, or its thread has left: its Job
    current_changed = Signal(object)  # another Job is `current`, or None
    cancelling = Signal(object)  # a Job that was asked to stop and has not ended yet
    device_changed = Signal(str)  # where the backbone runs, as people read it
    stopped = Signal()  # after `stop`: every thread has left and all is written, or `PATIENCE` is over

    PATIENCE = 60.0
    """Seconds to wait for a job's next check, or a drive's answer, before the window closes all the same."""

    def __init__(
        self, make_engine: Callable[[], Engine] = _make_engine, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._make_engine = make_engine
        self._asked: list[CancelToken] = []  # stop whoever explains something
        self._reads = Reads(self)
        self._engine = _Lane("engine", make_engine, self)
        self._downloads = _Lane("downloads", make_engine, self)
        self._stations: list[_Lane] = []
        for lane in self._lanes:
            self._listen(lane)
        self._engine.device.connect(self._device, Qt.ConnectionType.QueuedConnection)
        self._told: Job | None = None
        self._patience = QDeadlineTimer()
        self._leaving = QTimer(self)
        self._leaving.setInterval(20)
        self._leaving.timeout.connect(self._look_if_left)
        self.device_note = ""

    @property
    def _lanes(self) -> tuple[_Lane, ...]:
        return (self._engine, self._downloads, *self._stations)

    def _listen(self, lane: _Lane) -> None:
        lane.emitted.connect(self._forward, Qt.ConnectionType.QueuedConnection)
        lane.turn.connect(self._turned, Qt.ConnectionType.QueuedConnection)

    def make_engine(self, cancel: CancelToken) -> Engine:
        """For whichever thread: one that uses the backbone of the jobs' engine where that has the wanted one in memory. `cancel`:
        stops who works with it when the window closes."""
        engine = self._make_engine()
        engine.beside = lambda: self._engine.engine
        self._asked.append(cancel)
        return engine

    @property
    def busy(self) -> bool:
        """Whether a job holds the engine or waits for it."""
        return self._engine.busy

    @property
    def active(self) -> bool:
        """Whether anything runs or waits, downloads too."""
        return any(lane.busy for lane in self._lanes)

    @property
    def current(self) -> Job | None:
        """The engine's job that runs now, or the first that waits; else the download. Stations don't count: they run on."""
        jobs = [
            job
            for lane in (self._engine, self._downloads)
            for job in (lane.current, *lane.pending)
            if job is not None
        ]
        return jobs[0] if jobs else None

    @property
    def stations(self) -> list[Job]:
        """The stations that run or are about to stop."""
        return [job for lane in self._stations for job in (lane.current, *lane.pending) if job is not None]

    @property
    def waiting(self) -> int:
        """How many jobs wait for the engine behind the current one."""
        lane = self._engine
        return len(lane.pending) if lane.current else max(0, len(lane.pending) - 1)

    @property
    def reading(self) -> bool:
        """Whether a read or a write has not been answered yet."""
        return bool(self._reads._open)

    def start(self, kind: JobKind, title: str, work: Work) -> Job:
        """Queue `work(engine, emit, cancel)`. `title` is for people ("Teach 3 classes"). Returns at once."""
        job = Job(kind, title, work)
        lane = self._downloads if kind is JobKind.DOWNLOAD else self._engine
        was_busy = lane.busy
        lane.pending.append(job)
        lane.put(job)
        if not lane.isRunning():
            lane.start()
        self._tell_current()
        if not was_busy and lane is self._engine:
            self.busy_changed.emit(True)
        return job

    def start_station(self, title: str, work: Work) -> Job:
        """Begin `work` at once, on a thread and with an engine of its own, beside everything else, until it ends."""
        job = Job(JobKind.STATION, title, work)
        lane = _Lane(title, self._make_engine, self)
        self._listen(lane)
        lane.finished.connect(self._station_left, Qt.ConnectionType.QueuedConnection)
        self._stations.append(lane)
        lane.pending.append(job)
        lane.put(job)
        lane.start()
        return job

    def cancel(self, job: Job | None = None) -> None:
        """Ask a job (the current one if none is named) to stop; it ends with status CANCELLED soon after."""
        job = job or self.current
        if job is not None:
            job.token.cancel()
            self.cancelling.emit(job)

    def cancel_all(self, then: Callable[[], None]) -> None:
        """Ask every job that holds the engine or waits for it to stop, and every station, then call `then`."""
        for job in (self._engine.current, *self._engine.pending, *self.stations):
            if job is not None:
                self.cancel(job)
        self.when_idle(then)

    def when_idle(self, then: Callable[[], None]) -> None:
        """Call `then` once no job holds the engine or waits for it and no station is about to stop; at once where none does."""

        def done() -> bool:
            return not self.busy and not any(job.token.cancelled for job in self.stations)

        if done():
            then()
            return

        def idle(_change: object) -> None:
            if done():
                self.busy_changed.disconnect(idle)
                self.stations_changed.disconnect(idle)
                then()

        self.busy_changed.connect(idle)
        self.stations_changed.connect(idle)

    def read(
        self,
        owner: QObject,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None = None,
        priority: int = 0,
        latest: str = "",
    ) -> None:
        """Do short `work` (a query, a thumbnail) in the pool, then `done(value)` on the GUI thread.

        Nothing is called when `owner` was deleted meanwhile. Higher `priority` goes first. Without `failed`, an
        error goes to the log. Reads run side by side, so an answer can overtake an earlier one: with `latest`, a name
        for what is read, an answer that a newer one of the same owner and name has overtaken is dropped.
        """
        self._reads.ask(owner, work, done, failed, priority, latest=latest)

    def write(
        self,
        owner: QObject,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Like `read`, for short changes: they run one after another in the order they were asked for, and are done
        even when `owner` is gone or the window closes."""
        self._reads.ask(owner, work, done, failed, 0, in_line=True)

    def stop(self) -> None:
        """Cancel everything; `stopped` follows when the threads have left and what the user did is written."""
        self._leave()
        self._patience.setRemainingTime(round(self.PATIENCE * 1000))
        self._leaving.start()

    @property
    def settled(self) -> bool:
        """Whether no thread runs and nothing is being read or written."""
        return not any(lane.isRunning() for lane in self._lanes) and self._reads.settled()

    def close(self, seconds: float = PATIENCE) -> bool:
        """Stop and wait. Returns False if a job did not come to its next check, or a drive did not answer, in time."""
        self._leaving.stop()
        until = QDeadlineTimer(round(seconds * 1000))
        self._leave()
        left = [lane.wait(until) for lane in self._lanes]
        left.append(self._reads.settled(max(0, until.remainingTime())))
        self._reads.forget()
        return all(left)

    def _leave(self) -> None:
        for lane in self._lanes:
            lane.leave()
        for token in self._asked:
            token.cancel()

    def _look_if_left(self) -> None:
        if self.settled or self._patience.hasExpired():
            self._leaving.stop()
            self.stopped.emit()

    def _device(self, note: str) -> None:
        if note != self.device_note:
            self.device_note = note
            self.device_changed.emit(note)

    def _forward(self, job: Job, event: JobEvent) -> None:
        self.said.emit(job, event)
        if job.kind not in (JobKind.DOWNLOAD, JobKind.STATION):
            self.job_event.emit(event)
        if isinstance(event, JobEnded):
            self.ended.emit(job, event)

    def _turned(self, lane: _Lane, job: Job | None) -> None:
        lane.current = job
        if job is not None:
            with contextlib.suppress(ValueError):
                lane.pending.remove(job)
        self._tell_current()
        if not lane.busy and lane is self._engine:
            self.busy_changed.emit(False)
        if lane in self._stations:
            if job is None:
                lane.leave()
            else:
                self.stations_changed.emit(job)

    def _station_left(self) -> None:
        for lane in [one for one in self._stations if one.isFinished()]:
            self._stations.remove(lane)
            lane.deleteLater()
        self.stations_changed.emit(None)

    def _tell_current(self) -> None:
        if self.current is not self._told:
            self._told = self.current
            self.current_changed.emit(self._told)
