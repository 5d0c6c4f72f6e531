"""Inspect jobs as the page starts them: files in, the run that comes of them, and what an interrupted run still lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector import paths
from inspector.domain import Deed, JobEnded, JobEvent, JobItem, JobKind
from inspector.views.shared import clipboard
from inspector.views.shared.job_runner import Job

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.detectors import DetectorRow
    from inspector.records.inspected.runs import RunRow
    from inspector.views.shared.context import WindowContext

_KEPT_PICTURES = 20


class Inspections(QObject):
    """`began(first result's id)` once for each run that was started here, `streamed` for every result that came."""

    began = Signal(int)
    streamed = Signal()

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self._waiting: set[Job] = set()  # nothing of them was seen yet
        self._open: set[Job] = set()  # they have not ended
        context.runner.said.connect(self._said)
        context.job_event.connect(self._event)

    @property
    def under_way(self) -> bool:
        """Whether images that were added here are being inspected or wait for it."""
        return bool(self._open)

    def start(self, sources: Sequence[Path], detector: DetectorRow, class_name: str | None) -> None:
        """Inspect files and folders with this detector, whoever is in charge by then; behind the job that runs, when one
        does."""
        first = sources[0]
        name = first.name if len(sources) == 1 else ""
        self._start(name, sources, detector.id, detector.label, class_name)

    def resume(self, run: RunRow) -> None:
        """Inspect what an interrupted run still lacks."""
        sources = [Path(source) for source in run.sources]
        self._start(run.title, sources, run.detector_id, run.detector_label, run.class_name or None, run.id)

    def _start(
        self,
        name: str,
        sources: Sequence[Path],
        detector_id: int,
        label: str,
        class_name: str | None,
        run_id: int | None = None,
    ) -> None:
        project = self.context.writable()
        if project is None or not self.context.may(Deed.INSPECT):
            return
        files = list(sources)

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs import inspect

            inspect.inspect(
                project,
                engine,
                files,
                detector_id=detector_id,
                class_name=class_name,
                run_id=run_id,
                emit=emit,
                cancel=cancel,
            )

        what = f"“{name}”" if name else f"{len(files)} files and folders"
        if self.context.runner.busy:
            self.context.toast(f"{what} will be inspected after what runs now, by {label}.")
        job = self.context.runner.start(JobKind.INSPECT, f"Inspect {what} with #{detector_id}", work)
        self._open.add(job)
        if run_id is None:
            self._waiting.add(job)

    def forget(self) -> None:
        """Another project: what comes of the jobs so far is not shown."""
        self._waiting.clear()
        self._open.clear()

    def _said(self, job: Job, event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            self._open.discard(job)
        if job not in self._waiting:
            return
        if isinstance(event, JobItem) and event.result_id is not None:
            self._waiting.discard(job)
            self.began.emit(event.result_id)
        elif isinstance(event, JobEnded):
            self._waiting.discard(job)

    def _event(self, event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None:
            self.streamed.emit()


def keep_picture(picture: QImage) -> Path:
    """A pasted picture as a file, for a job reads files. The last few stay, so that an interrupted run finds them.

    Raises `OSError` where it can't be written.
    """
    from datetime import datetime

    folder = paths.cache_dir() / "pasted"
    for old in sorted(folder.glob("*.png"))[: -_KEPT_PICTURES + 1]:
        old.unlink(missing_ok=True)
    target = folder / f"Pasted {datetime.now():%Y-%m-%d %H.%M.%S.%f}.png"
    paths.write_atomic(target, clipboard.png(picture))
    return target
