"""The golden set checked from the operator's view, beside what the station does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.domain import CancelToken, Deed, Emit, JobEnded, JobKind, JobStatus

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine
    from inspector.records.line.stations import StationRow
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import Job


class ShiftCheck(QObject):
    """`running`: whether one runs now. `said`: how one ended, in words, and whether they are to stay."""

    running = Signal(bool)
    said = Signal(str, bool)

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._job: Job | None = None
        context.runner.ended.connect(self._ended)

    def begin(self, row: StationRow) -> None:
        """Check it for a station, unless a check runs already."""
        project = self._context.writable()
        if project is None or self._job is not None or not self._context.may(Deed.CHECK):
            return
        who = self._context.who

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.golden import check_golden

            check_golden(project, engine, station=row, who=who, emit=emit, cancel=cancel)

        self._job = self._context.runner.start(JobKind.CHECK, "Shift check", work)
        self.running.emit(True)

    def _ended(self, job: Job, end: JobEnded) -> None:
        if job is not self._job:
            return
        self._job = None
        self.running.emit(False)
        self._context.golden_changed.emit()
        if end.status is JobStatus.DONE:
            good = not end.result.get("missed")
            self.said.emit(f"{'✓ Passed.' if good else '✕ Not passed.'} {end.message}", not good)
        else:
            self.said.emit(f"{end.message} {end.hint}".strip(), True)
