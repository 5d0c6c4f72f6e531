"""What every job says while it runs, and that it ends with exactly one `JobEnded`."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from inspector.domain import (
    Emit,
    JobEnded,
    JobItem,
    JobKind,
    JobLog,
    JobProgress,
    JobStarted,
    JobStatus,
)
from inspector.errors import Cancelled, InspectorError
from inspector.records.jobs import end_job, start_job
from inspector.records.project import Project
from inspector.text import reason

_log = logging.getLogger("inspector.jobs")


class Pace:
    """Rate and time left from the last `window` seconds, so that a slow start is soon forgotten."""

    def __init__(self, window: float = 20.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, float]] = deque([(time.monotonic(), 0.0)])

    def at(self, done: float, total: float) -> tuple[float | None, float | None]:
        """(units per second, seconds left) with `done` of
        `total` units; None while nothing can be said yet."""
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > self._window:
            self._seen.popleft()
        began, first = self._seen[0]
        elapsed = now - began
        if done <= first or elapsed < 0.2:
            return None, None
        rate = (done - first) / elapsed
        return rate, max(0.0, total - done) / rate


class Reporter:
    """Passed to the body of a job. What the body puts into `message` and `result` ends up in `JobEnded`."""

    def __init__(self, project: Project | None, kind: JobKind, emit: Emit) -> None:
        self.job_id = 0
        self.message = ""
        self.result: dict[str, Any] = {}
        self.emit = emit
        self._project = project if project is not None and not project.read_only else None
        self._kind = kind
        self._total = 0.0
        self._pace = Pace()
        self._started = False

    def start(self, title: str, total: int = 0, *, window: float = 20.0) -> None:
        """Say `JobStarted`; a project that can be written gets a row with the `result` so far, so that a
        crash is known of later, and what it left undone.

        `window`: seconds over which the rate is taken.
        """
        self._started = True
        self._total = total
        self._pace = Pace(window)
        if self._project is not None:
            self.job_id = start_job(self._project, self._kind, title, total, self.result)
        self.emit(JobStarted(self.job_id, self._kind, total, title))

    def progress(self, done: float, message: str = "", total: float | None = None) -> None:
        """Say that so much of `total` is done, 0–`total`."""
        self._total = self._total if total is None else total
        rate, left = self._pace.at(done, self._total)
        self.emit(JobProgress(self.job_id, done, self._total, message, rate, left))

    def item(self, name: str, result_id: int | None = None, error: str = "") -> None:
        """Say that an image is through: stored as a result, or what went wrong."""
        self.emit(JobItem(self.job_id, name, result_id, error))

    def log(self, message: str, values: Mapping[str, float] | None = None) -> None:
        """A line for the log, with the live numbers of learning."""
        self.emit(JobLog(self.job_id, message, values or {}))

    def _end(self, status: JobStatus, message: str, hint: str = "") -> None:
        if not self._started:
            self.emit(JobStarted(0, self._kind, 0, self._kind.value.capitalize()))
        if self._project is not None and self.job_id:
            try:
                end_job(self._project, self.job_id, status, message, hint, self.result)
            except (
                Exception
            ):  # a full disk must not swallow the end; the row becomes ABORTED at the next opening
                _log.warning("the end of job %d was not stored", self.job_id, exc_info=True)
        self.emit(JobEnded(self.job_id, self._kind, status, message, hint, dict(self.result)))


@contextmanager
def job(project: Project | None, kind: JobKind, emit: Emit) -> Iterator[Reporter]:
    """Run a job's body: whatever happens in it, one `JobEnded`
    follows, and no error leaves (only an interrupt does)."""
    reporter = Reporter(project, kind, emit)
    try:
        yield reporter
    except Cancelled as error:
        reporter._end(JobStatus.CANCELLED, reporter.message or error.message)
    except InspectorError as error:
        reporter._end(JobStatus.FAILED, error.message, error.hint)
    except Exception as error:
        _log.critical("%s failed", kind, exc_info=True)
        reporter._end(
            JobStatus.FAILED,
            f"{kind.value.capitalize()} failed unexpectedly: {reason(error)}",
            "The log has the details.",
        )
    except BaseException:
        reporter._end(JobStatus.CANCELLED, "Interrupted.")
        raise
    else:
        reporter._end(JobStatus.DONE, reporter.message)
