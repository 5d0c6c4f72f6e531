"""The question before something that ends a running job."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from inspector.domain import JobKind
from inspector.views.look import theme
from inspector.views.shared.job_runner import JobRunner

_LEFT = {
    JobKind.TEACH: "No detector comes of it; thorough teaching, begun again, goes on near where it was.",
    JobKind.INSPECT: "What is inspected is saved; the run can be continued later.",
    JobKind.EXPORT: "What was at its target before stays.",
    JobKind.EVALUATE: "What is measured is saved; the evaluation can be continued later.",
    JobKind.DEMO: "The half-made demo is deleted.",
    JobKind.CHECK: "The golden set is checked anew the next time.",
    JobKind.SMALLEST: "Nothing of the test is kept.",
    JobKind.STATION: "Everything that came is stored. The next time the project is opened, you can start again.",
    JobKind.DOWNLOAD: "What is loaded is kept; the download can go on later.",
}


class StopQuestion(QMessageBox):
    """“Stop and close” calls `then`; “Keep running”, Esc and closing it change nothing."""

    def __init__(self, runner: JobRunner, then: Callable[[], None], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("A job is running")
        self.setTextFormat(Qt.TextFormat.PlainText)
        job = runner.current
        if job is not None:
            more = f", and {runner.waiting} more wait for it" if runner.waiting else ""
            self.setText(f"“{job.title}” is not done yet{more}.")
            self.setInformativeText(_LEFT.get(job.kind, ""))
        elif runner.stations:
            names = ", ".join(one.title for one in runner.stations)
            self.setWindowTitle("The line is running")
            self.setText(f"{names} {'is' if len(runner.stations) == 1 else 'are'} running.")
            self.setInformativeText(_LEFT[JobKind.STATION])
        self.stop = QPushButton("Stop and close")
        self.keep = QPushButton("Keep running")
        self.addButton(self.stop, QMessageBox.ButtonRole.AcceptRole)
        self.addButton(self.keep, QMessageBox.ButtonRole.RejectRole)
        theme.set_role(self.keep, "primary")
        self.setDefaultButton(self.keep)
        self.setEscapeButton(self.keep)
        self.stop.clicked.connect(then)
