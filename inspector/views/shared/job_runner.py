"""Work off the GUI thread: one thread owns the engine and runs jobs in turn, a small pool does short reads."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, Any, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QRunnable, Qt, QThread, QThreadPool, Signal

from inspector.domain import CancelToken, Emit, JobEnded, JobEvent, JobKind, JobStatus
from inspector.errors import Cancelled, InspectorError

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
    """A job that was handed in: `work(engine, emit, cancel)` runs on the engine's thread."""

    kind: JobKind
    title: str
    work: Work
    token: CancelToken = field(default_factory=CancelToken)


class _Worker(QThread):
    """Owns the engine. Takes jobs in the order they came; leaves when told to, between two jobs."""

    emitted = Signal(object, object)  # job, event
    turn = Signal(object)  # the job that begins, None when idle again
    device = Signal(str)  # what the backbone runs on, once it is loaded

    def __init__(self, make_engine: Callable[[], Engine], parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName("engine")
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._jobs: deque[Job] = deque()
        self._wake = Condition()
        self._leave = False

    def put(self, job: Job) -> None:
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()

    def waiting(self) -> list[Job]:
        with self._wake:
            return list(self._jobs)

    def leave(self) -> None:
        with self._wake:
            self._leave = True
            for job in self._jobs:
                job.token.cancel()
            self._wake.notify()

    def run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._leave)
                if not self._jobs:
                    break
                job = self._jobs.popleft()
            self.turn.emit(job)
            self._do(job)
            if self._engine is not None and self._engine.loaded is not None:
                self.device.emit(self._engine.loaded.device_note)
            self.turn.emit(None)
        self._engine = None  # freed on the thread that made it

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
            if self._engine is None:
                self._engine = self._make_engine()
            job.work(self._engine, emit, job.token)
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


class _Read(QRunnable):
    def __init__(self, reads: _Reads, number: int, work: Callable[[], Any], always: bool) -> None:
        super().__init__()
        self.reads, self.number, self.work, self.always = reads, number, work, always

    def run(self) -> None:
        value: Any = None
        error: BaseException | None = None
        if self.always or self.reads.wanted(self.number):
            try:
                value = self.work()
            except Exception as problem:
                error = problem
        with contextlib.suppress(RuntimeError):  # the window is gone, and with it whoever asked
            self.reads.arrived.emit(self.number, value, error)


class _Reads(QObject):
    """Lives on the GUI thread; hands each answer to who asked, if it still exists."""

    arrived = Signal(int, object, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.pool = QThreadPool(self)
        self.pool.setMaxThreadCount(2)
        self.line = QThreadPool(self)  # one thread, so that writes keep their order
        self.line.setMaxThreadCount(1)
        self._open: dict[
            int, tuple[QObject, Callable[[Any], None], Callable[[BaseException], None] | None, str]
        ] = {}
        self._told: dict[
            tuple[int, str], int
        ] = {}  # owner's id, `latest` → the newest read that was answered
        self._number = 0
        self.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def wanted(self, number: int) -> bool:
        asked = self._open.get(number)
        return asked is not None and shiboken6.isValid(asked[0])

    def ask(
        self,
        owner: QObject,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None] | None,
        priority: int,
        in_line: bool = False,
        latest: str = "",
    ) -> None:
        self._number += 1
        self._open[self._number] = (owner, done, failed, latest)
        (self.line if in_line else self.pool).start(_Read(self, self._number, work, in_line), priority)

    def forget(self) -> None:
        self.pool.clear()
        self.pool.waitForDone()
        self.line.waitForDone()  # what the user did is still written
        self._open.clear()

    def _deliver(self, number: int, value: Any, error: BaseException | None) -> None:
        owner, done, failed, latest = self._open.pop(number, (None, None, None, ""))
        if owner is None or done is None or not shiboken6.isValid(owner):
            return
        if latest:
            key = (id(owner), latest)
            if number < self._told.get(key, 0):
                return
            self._told[key] = number
        if error is None:
            done(value)
        elif failed is not None:
            failed(error)
        else:
            _log.error("a read failed", exc_info=error)


class JobRunner(QObject):
    """`start` a job, `cancel` it, `read` something short. All signals arrive on the GUI thread.

    The engine (and with it torch) is made on its own thread when the first job begins.
    """

    job_event = Signal(object)  # inspector.domain.JobEvent; each job ends with exactly one JobEnded
    ended = Signal(object, object)  # the Job that `start` returned, its JobEnded
    busy_changed = Signal(bool)
    cancelling = Signal(object)  # a Job that was asked to stop and has not ended yet
    device_changed = Signal(str)  # where the backbone runs, as people read it
    stopped = Signal()  # the engine's thread has left after `stop`

    def __init__(
        self, make_engine: Callable[[], Engine] = _make_engine, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._current: Job | None = None
        self._pending: list[Job] = []
        self._reads = _Reads(self)
        self._worker = _Worker(make_engine, self)
        self._worker.emitted.connect(self._forward, Qt.ConnectionType.QueuedConnection)
        self._worker.turn.connect(self._turned, Qt.ConnectionType.QueuedConnection)
        self._worker.device.connect(self._device, Qt.ConnectionType.QueuedConnection)
        self._worker.finished.connect(self.stopped)
        self.device_note = ""

    @property
    def busy(self) -> bool:
        return self._current is not None or bool(self._pending)

    @property
    def current(self) -> Job | None:
        """The job that runs now, or the first that waits."""
        return self._current or (self._pending[0] if self._pending else None)

    @property
    def waiting(self) -> int:
        """How many jobs wait behind the current one."""
        return len(self._pending) if self._current else max(0, len(self._pending) - 1)

    @property
    def reading(self) -> bool:
        """Whether a read or a write has not been answered yet."""
        return bool(self._reads._open)

    def start(self, kind: JobKind, title: str, work: Work) -> Job:
        """Queue `work(engine, emit, cancel)`. `title` is for people ("Teach 3 classes"). Returns at once."""
        job = Job(kind, title, work)
        was_busy = self.busy
        self._pending.append(job)
        self._worker.put(job)
        if not self._worker.isRunning():
            self._worker.start()
        if not was_busy:
            self.busy_changed.emit(True)
        return job

    def cancel(self, job: Job | None = None) -> None:
        """Ask a job (the current one if none is named) to stop; it ends with status CANCELLED soon after."""
        job = job or self.current
        if job is not None:
            job.token.cancel()
            self.cancelling.emit(job)

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
        """Cancel everything; `stopped` follows when the thread has left. Safe to call twice."""
        for job in (self._current, *self._pending):
            if job is not None:
                job.token.cancel()
        if self._worker.isRunning():
            self._worker.leave()
        else:
            self.stopped.emit()

    def close(self, seconds: float = 60.0) -> bool:
        """Stop and wait. Returns False if a job did not come to its next check within `seconds`."""
        self._reads.forget()
        for job in (self._current, *self._pending):
            if job is not None:
                job.token.cancel()
        if not self._worker.isRunning():
            return True
        self._worker.leave()
        return self._worker.wait(int(seconds * 1000))

    def _device(self, note: str) -> None:
        if note != self.device_note:
            self.device_note = note
            self.device_changed.emit(note)

    def _forward(self, job: Job, event: JobEvent) -> None:
        self.job_event.emit(event)
        if isinstance(event, JobEnded):
            self.ended.emit(job, event)

    def _turned(self, job: Job | None) -> None:
        if job is not None:
            self._current = job
            with contextlib.suppress(ValueError):
                self._pending.remove(job)
            return
        self._current = None
        if not self._pending:
            self.busy_changed.emit(False)
