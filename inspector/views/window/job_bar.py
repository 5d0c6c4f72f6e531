"""The status bar: what is loaded at the left, the running job with its progress and Cancel at the right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QStatusBar, QWidget

from inspector.domain import JobEvent, JobKind, JobProgress, JobStarted
from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.words import rate_text, share_text, time_left
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job

if TYPE_CHECKING:
    from inspector.records.project import Project


class JobBar(QStatusBar):
    def __init__(self, context: WindowContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._context = context
        self._begun = 0.0
        self._counts = False  # the units are things to count, not per cent
        self.about = QLabel(self)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.about, "small")
        self.about.setContentsMargins(8, 0, 0, 0)
        self.addWidget(self.about, 1)

        self.job = QWidget(self)
        self.title = QLabel(self.job)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar(self.job)
        self.bar.setFixedWidth(160)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.figures = QLabel(self.job)
        self.figures.setFont(theme.font(figures=True))
        self.cancel = QPushButton("Cancel", self.job)
        self.cancel.setIcon(icons.icon("stop"))
        wide = max(self.cancel.fontMetrics().horizontalAdvance(text) for text in ("Cancel", "Stopping…"))
        self.cancel.setMinimumWidth(wide + 56)  # it stays where it is, whatever it says
        self.cancel.setToolTip("Stop the job; what is finished stays")
        self.cancel.clicked.connect(self.stop)
        row = QHBoxLayout(self.job)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(8)
        for widget in (self.title, self.bar, self.figures, self.cancel):
            row.addWidget(widget)
        self.addPermanentWidget(self.job)
        self.job.hide()
        context.runner.said.connect(self._take)
        context.runner.current_changed.connect(self._show)
        context.runner.cancelling.connect(self._cancelling)
        for changed in (context.project_changed, context.detectors_changed, context.settings_changed):
            changed.connect(self._describe)
        context.runner.device_changed.connect(lambda _note: self._describe())
        context.runner.stations_changed.connect(lambda _job: self._describe())
        self._describe()

    def _describe(self) -> None:
        """Device · backbone · method · stations, at the left."""

        def said(method: str) -> None:
            settings = self._context.settings
            asked = {"auto": "Automatic device", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}
            device = self._context.runner.device_note or asked.get(settings.device, settings.device)
            count = len(self._context.runner.stations)
            line = "" if not count else "1 station running" if count == 1 else f"{count} stations running"
            self.about.setText(" · ".join(part for part in (device, settings.weights, method, line) if part))

        if not self._context.query(self, _newest_detector, said, latest="detector"):
            said("")

    def stop(self) -> None:
        self._context.runner.cancel()

    def _cancelling(self, job: Job) -> None:
        if job is self._context.runner.current:
            self.stopping()

    def stopping(self) -> None:
        self.cancel.setText("Stopping…")
        self.cancel.setEnabled(False)

    def _show(self, job: Job | None) -> None:
        """The engine's job, else a download; none, nothing."""
        self.job.setVisible(job is not None)
        if job is not None:
            self._counts = job.kind in (JobKind.INSPECT, JobKind.EXPORT, JobKind.EVALUATE, JobKind.CHECK)
            self._begin(job.title)

    def _begin(self, title: str) -> None:
        self._begun = time.monotonic()
        self.title.setText(self.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, 260))
        self.bar.setRange(0, 0)  # moves without a figure until there is one
        self.figures.setText("Starting…")
        self.cancel.setText("Cancel")
        self.cancel.setEnabled(True)

    def _take(self, job: Job, event: JobEvent) -> None:
        if job is not self._context.runner.current:
            return
        if isinstance(event, JobStarted):
            self._begin(event.title)
        elif isinstance(event, JobProgress):
            self._progress(event)

    def _progress(self, event: JobProgress) -> None:
        share = event.done / event.total if event.total > 0 else 0.0
        share = min(1.0, max(0.0, share))
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(share * 1000))
        words = [share_text(share)]
        if self._counts:
            words.append(f"{event.done:.0f}/{event.total:.0f}")
        if event.rate is not None and self._counts:
            words.append(rate_text(event.rate))
        left = event.seconds_left
        elapsed = time.monotonic() - self._begun
        if left is None and share > 0.02 and elapsed > 1:
            left = elapsed * (1 - share) / share
        if left is not None and share < 1:
            words.append(time_left(left))
        self.figures.setText("  ".join(words))
        self.bar.setToolTip(plain(event.message))


def _newest_detector(project: Project) -> str:
    from inspector.methods import catalogue
    from inspector.records.detectors import list_detectors

    rows = list_detectors(project)
    if not rows:
        return "nothing taught yet"
    row = rows[0]
    title = catalogue.title(row.method)
    count = len(row.classes)
    return f"{title}, {count} class{'es' if count != 1 else ''}"
