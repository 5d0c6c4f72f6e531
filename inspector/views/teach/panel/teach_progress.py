"""The teaching job while it runs: per cent, time left, Cancel; on request the loss as it falls and the last lines of its log."""

from __future__ import annotations

import time
from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from inspector.domain import JobEvent, JobKind, JobLog, JobProgress, JobStarted
from inspector.views.look import icons, theme
from inspector.views.look.kit import Fold
from inspector.views.look.labels import wrapped
from inspector.views.look.words import share_text, time_left
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job
from inspector.views.teach.panel.loss_curve import LossCurve

_NO_TERMS = ("loss", "epoch", "epochs", "seconds_left")


class TeachProgress(QFrame):
    """Whoever starts the job connects `cancel` and passes its events to `take`."""

    LINES = 5

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._begun = 0.0
        self._lines: list[str] = []
        theme.set_role(self, "card")
        self.percent = QLabel()
        self.percent.setFont(theme.font("title", bold=True, figures=True))
        self.left = QLabel()
        theme.set_role(self.left, "quiet")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.message = wrapped("")
        self.curve = LossCurve()
        self.terms = wrapped("small")
        self.log = wrapped("small")
        self.log.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.cancel = QPushButton("Cancel")
        self.cancel.setIcon(icons.icon("stop"))
        context.runner.cancelling.connect(self._stopping)
        head = QHBoxLayout()
        head.addWidget(self.percent)
        head.addStretch(1)
        head.addWidget(self.left)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addLayout(head)
        # Cancel stands above all that grows while it learns: nobody presses beside it
        column.addWidget(self.bar)
        column.addWidget(self.cancel)
        column.addWidget(self.message)
        inside = QWidget()
        deeper = QVBoxLayout(inside)
        deeper.setContentsMargins(0, 0, 0, 0)
        deeper.setSpacing(8)
        for widget in (self.curve, self.terms, self.log):
            deeper.addWidget(widget)
        self.details = Fold("Details", inside)
        self.details.setToolTip("How the loss falls, and what was said meanwhile")
        column.addWidget(self.details)
        column.addWidget(inside)
        self.hide()

    def begin(self) -> None:
        self._begun = time.monotonic()
        self._lines = []
        self.curve.clear()
        for widget in (self.curve, self.terms, self.log):
            widget.hide()
        self.percent.setText(share_text(0))
        self.left.setText("")
        self.bar.setRange(0, 0)
        self.message.setText("Getting ready…")
        self.cancel.setText("Cancel")
        self.cancel.setEnabled(True)
        self.show()

    def end(self) -> None:
        self.hide()

    def take(self, event: JobEvent) -> None:
        if isinstance(event, JobStarted):
            self._begun = time.monotonic()
        elif isinstance(event, JobProgress):
            share = min(1.0, event.done / event.total) if event.total > 0 else 0.0
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(share * 1000))
            self.percent.setText(share_text(share))
            elapsed = time.monotonic() - self._begun
            left = event.seconds_left
            if left is None and share > 0.02 and elapsed > 1:
                left = elapsed * (1 - share) / share
            self.left.setText(time_left(left) if left is not None and share < 1 else "")
            if event.message and ": loss " not in event.message:
                self.message.setText(event.message)  # the loss stands above its curve
        elif isinstance(event, JobLog):
            if "loss" in event.values:
                self._show_loss(event.values)
            elif event.message:  # what the curve shows needs no line
                self._lines = [*self._lines, event.message][-self.LINES :]
                self.log.setText("\n".join(self._lines))
                self.log.show()

    def _show_loss(self, values: Mapping[str, float]) -> None:
        epoch = values.get("epoch", float(len(self.curve.points) + 1))
        self.curve.add(epoch, values["loss"], values.get("epochs"))
        self.curve.show()
        self.message.setText("Learning")
        terms = {name: value for name, value in values.items() if name not in _NO_TERMS}
        self.terms.setText(" · ".join(f"{name} {value:.3g}" for name, value in terms.items()))
        self.terms.setToolTip("The terms that the loss is the sum of")
        self.terms.setVisible(len(terms) > 1)

    def _stopping(self, job: Job) -> None:
        if job.kind is not JobKind.TEACH:
            return
        self.cancel.setText("Stopping…")
        self.cancel.setEnabled(False)
