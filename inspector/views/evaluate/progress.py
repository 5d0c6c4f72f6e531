"""The evaluation that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import JobEnded, JobEvent, JobItem, JobKind, JobLog, JobProgress, JobStarted
from inspector.views.look import icons, theme
from inspector.views.look.words import share_text, time_left

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext


class EvaluationProgress(QWidget):
    """The evaluation that runs: how far, how long still, what it said."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._own = False  # the job that speaks is an evaluation
        self.title = QLabel()
        theme.set_role(self.title, "heading")
        self.title.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.figures = QLabel()
        self.figures.setFont(theme.font(figures=True))
        self.message = QLabel()
        self.message.setWordWrap(True)
        theme.set_role(self.message, "quiet")
        self.lines = QPlainTextEdit()
        self.lines.setReadOnly(True)
        self.lines.setMaximumBlockCount(2000)
        self.lines.setAccessibleName("What was measured so far")
        self.cancel = QPushButton(icons.icon("stop"), "Cancel")
        self.cancel.setToolTip("Stop; nothing is written")
        row = QHBoxLayout()
        row.addWidget(self.figures, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(8)
        for widget in (self.title, self.bar):
            column.addWidget(widget)
        column.addLayout(row)
        column.addWidget(self.message)
        column.addWidget(self.lines, 1)
        context.job_event.connect(self.take)

    def begin(self) -> None:
        self._own = False
        self.title.setText("Waiting for the job before it…" if self._context.runner.busy else "Starting…")
        self.bar.setRange(0, 0)
        self.figures.clear()
        self.message.clear()
        self.lines.clear()
        self.cancel.setEnabled(True)
        self.cancel.setText("Cancel")

    def stopping(self) -> None:
        self.cancel.setText("Stopping…")
        self.cancel.setEnabled(False)

    def take(self, event: JobEvent) -> None:
        if isinstance(event, JobStarted):
            self._own = event.kind == JobKind.EVALUATE
            if self._own:
                self.title.setText(event.title)
        elif not self._own:
            return
        elif isinstance(event, JobProgress):
            share = min(1.0, event.done / event.total) if event.total > 0 else 0.0
            self.bar.setRange(0, 1000 if event.done else 0)
            self.bar.setValue(round(share * 1000))
            words = [share_text(share)]
            if event.seconds_left is not None and share < 1:
                words.append(time_left(event.seconds_left))
            self.figures.setText("   ".join(words) if event.done else "")
            self.message.setText(event.message)
        elif isinstance(event, JobLog):
            self.lines.appendPlainText(event.message)
        elif isinstance(event, JobItem) and event.error:
            self.lines.appendPlainText(f"{event.name}: {event.error}")
        elif isinstance(event, JobEnded):
            self._own = False
