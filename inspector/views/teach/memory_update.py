"""New shots go into the memory of the detector in charge by themselves, shortly after they were added; what comes of it
is only proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from superqt.utils import qdebounced

from inspector.domain import CancelToken, Emit, JobKind
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine
    from inspector.records.detectors import DetectorRow

_What = tuple[int, frozenset[int]]  # a detector and the shots that are news to it


class MemoryUpdate(QObject):
    """Waits for a pause in the adding and for other jobs. What was new when the project was opened, and what was tried
    once, waits for the user to teach."""

    PAUSE = 2500  # ms

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._start_soon = qdebounced(self._start, timeout=self.PAUSE)
        self._wanted: _What | None = None
        self._seen: set[int] = set()  # shots that were tried, or there at the beginning
        self._fresh = True
        self._job: Job | None = None
        context.project_changed.connect(self._forget)
        context.runner.busy_changed.connect(self._busy_changed)
        context.runner.ended.connect(self._ended)

    @property
    def running(self) -> bool:
        """Whether an update is all that the runner works on."""
        runner = self._context.runner
        return self._job is not None and runner.current is self._job and runner.waiting == 0

    def look(self, row: DetectorRow | None, news: Mapping[int, Sequence[int]]) -> None:
        """Told after every reading: the newest detector, and class id → shots that are news to it."""
        project = self._context.project
        shots = frozenset(shot for own in news.values() for shot in own)
        what = (row.id, shots) if row is not None and shots else None
        if self._fresh:
            self._fresh = False
            self._seen |= shots
        if (
            what is None
            or shots <= self._seen
            or project is None
            or project.read_only
            or (row and row.problem)
        ):
            self._wanted = None
            self._start_soon.cancel()
        elif what != self._wanted:
            self._wanted = what
            self._start_soon()

    def cancel(self) -> None:
        """Somebody wants to teach now, which makes an update useless."""
        self._wanted = None
        self._start_soon.cancel()
        if self._job is not None:
            self._context.runner.cancel(self._job)

    def _start(self) -> None:
        project, what = self._context.project, self._wanted
        if project is None or what is None or self._context.runner.busy:
            return  # `_busy_changed` comes back to it
        self._wanted = None
        self._seen |= what[1]

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.update import update

            update(project, engine, propose=True, emit=emit, cancel=cancel)

        self._job = self._context.runner.start(JobKind.TEACH, "Remember new shots", work)

    def _busy_changed(self, busy: bool) -> None:
        if not busy and self._wanted is not None:
            self._start_soon()

    def _ended(self, job: Job, _event: object) -> None:
        if job is self._job:
            self._job = None

    def _forget(self) -> None:
        self._start_soon.cancel()
        self._wanted = None
        self._seen.clear()
        self._fresh = True
