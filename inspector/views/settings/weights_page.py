"""The pretrained networks: which are here, which can be downloaded on the user's order, and adding a copied file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from inspector.domain import (
    CancelToken,
    Emit,
    JobEnded,
    JobEvent,
    JobKind,
    JobProgress,
    JobStarted,
    JobStatus,
)
from inspector.views.look import icons, theme
from inspector.views.look.kit import centred_column
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job, Work
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.features.weights.catalogue import Weights
    from inspector.jobs.engine import Engine

FILES = "Weights (*.safetensors *.pt *.pth *.bin)"


def size_text(size: int) -> str:
    """ "350 MB", "1.7 GB"; "" for 0."""
    if size <= 0:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


class WeightsPage(Page):
    drop_text = "Drop weights files to add them"
    shortcuts = (("Esc", "Back to the page before"),)

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._context = context
        self.jobs: dict[Job, str] = {}  # what is being downloaded or added
        self.rows: dict[str, WeightsRow] = {}
        title = QLabel("Weights")
        theme.set_role(title, "title")
        line = QLabel(
            "The pretrained network under every detector. The built-in one needs no network connection; nothing is"
            " downloaded before you accept its size and licence. Detectors that are taught already keep the network they have."
        )
        line.setWordWrap(True)
        theme.set_role(line, "quiet")
        self.add_button = QPushButton("Add a file…")
        self.add_button.setIcon(icons.icon("add"))
        self.add_button.setToolTip("Take in a weights file that was copied to this computer")
        self.add_button.clicked.connect(self._choose)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.add_button)
        self.list = QVBoxLayout()
        self.list.setSpacing(8)
        column = centred_column(self, "Weights", 880)
        column.addLayout(head)
        column.addWidget(line)
        column.addSpacing(8)
        column.addLayout(self.list)
        column.addStretch(1)
        context.runner.ended.connect(self._ended)
        context.runner.said.connect(self._said)
        context.settings_changed.connect(self._mark)

    def activated(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        self._context.runner.read(self, _catalogue, self._fill, self._context.show_error)

    def _fill(self, found: list[tuple[Weights, bool]]) -> None:
        names = [entry.name for entry, _ in found]
        if names != list(self.rows):
            for row in self.rows.values():
                self.list.removeWidget(row)
                row.deleteLater()
            self.rows = {}
            for entry, _ in found:
                row = WeightsRow(entry)
                row.use.clicked.connect(partial(self._use, entry.name))
                row.accepted.connect(partial(self.download, entry.name))
                row.verify.clicked.connect(partial(self._verify, entry.name))
                row.cancelled.connect(partial(self._cancel, entry.name))
                self.rows[entry.name] = row
                self.list.addWidget(row)
        for entry, here in found:
            self.rows[entry.name].here = here
        self._mark()

    def _mark(self) -> None:
        for name, row in self.rows.items():
            row.show_state(name == self._context.settings.weights, name in self.jobs.values())

    def _use(self, name: str) -> None:
        before = self._context.settings.weights

        def choose(which: str) -> None:
            self._context.settings.weights = which
            self._context.save_settings()

        choose(name)
        self._context.toast(f"{name} is used from the next teaching on.", partial(choose, before))

    def download(self, name: str) -> None:
        """On the user's order only, once she saw size and licence."""

        def work(_engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.features.weights import catalogue, intake

            entry = catalogue.find(name)
            emit(JobStarted(0, JobKind.DOWNLOAD, entry.size, f"Download {name}"))

            def progress(share: float, message: str, values: Mapping[str, float]) -> None:
                rate, total = values.get("rate"), values.get("total", 0.0)
                left = total * (1 - share) / rate if rate and total else None
                emit(JobProgress(0, share * 100, 100, message, rate, left))

            intake.fetch(name, progress, cancel)
            emit(JobEnded(0, JobKind.DOWNLOAD, JobStatus.DONE, f"{name} is here and was checked."))

        self._start(name, f"Download {name}", work)

    def add_file(self, path: Path) -> None:
        def work(_engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.features.weights import intake

            emit(JobStarted(0, JobKind.DOWNLOAD, 0, f"Add {path.name}"))
            entry = intake.add(path, cancel=cancel)
            emit(JobEnded(0, JobKind.DOWNLOAD, JobStatus.DONE, f"{entry.name} was checked and added."))

        self._start("", f"Add {path.name}", work)

    def _verify(self, name: str) -> None:
        def work(_engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.features.weights import intake

            emit(JobStarted(0, JobKind.DOWNLOAD, 0, f"Verify {name}"))
            intake.verify(name, cancel)
            done = f"{name} is unchanged, and its model can be built."
            emit(JobEnded(0, JobKind.DOWNLOAD, JobStatus.DONE, done))

        self._start(name, f"Verify {name}", work)

    def _start(self, name: str, title: str, work: Work) -> None:
        if name and name in self.jobs.values():
            return
        job = self._context.runner.start(JobKind.DOWNLOAD, title, work)
        self.jobs[job] = name
        self._mark()

    def _cancel(self, name: str) -> None:
        for job, what in self.jobs.items():
            if what == name:
                self._context.runner.cancel(job)
        self.rows[name].stopping()

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        for path in paths:
            self.add_file(path)
        return True

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add weights", "", f"{FILES};;All files (*)")
        if name:
            self.add_file(Path(name))

    def _said(self, job: Job, event: JobEvent) -> None:
        name = self.jobs.get(job, "")
        if name in self.rows and isinstance(event, JobProgress):
            self.rows[name].progress(event)

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job in self.jobs:
            del self.jobs[job]
            self.refresh()
            self._mark()


class WeightsRow(QFrame):
    accepted = Signal()  # size and licence were seen, and the download is wanted
    cancelled = Signal()

    def __init__(self, entry: Weights) -> None:
        super().__init__()
        self.here = False
        self._entry = entry
        self._asking = self._used = self._loading = False
        theme.set_role(self, "card")
        name = QLabel(entry.name)
        theme.set_role(name, "heading")
        line = QLabel(entry.title)
        facts = [
            f"{entry.image_size}×{entry.image_size} pixels",
            size_text(entry.size),
            f"licence: {entry.licence}",
        ]
        self.facts = QLabel(" · ".join(fact for fact in facts if fact))
        theme.set_role(self.facts, "small")
        self.state = QLabel()
        self.use = QPushButton("Use")
        self.download = QPushButton()
        self.download.setIcon(icons.icon("download"))
        self.verify = QPushButton("Verify")
        self.verify.setToolTip("Read the file again and compare its checksum")
        self.download.clicked.connect(self._ask)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.cancelled)
        self.accept = QPushButton("Accept and download")
        theme.set_role(self.accept, "primary")
        self.accept.clicked.connect(self.accepted)
        self.later = QPushButton("Not now")
        self.later.clicked.connect(self._take_back)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(160)
        self.said = QLabel()
        self.said.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(2)
        for label in (name, line, self.facts, self.said):
            words.addWidget(label)
        answers = QHBoxLayout()  # not where Download was: a double click accepts nothing
        answers.setSpacing(8)
        answers.addWidget(self.accept)
        answers.addWidget(self.later)
        answers.addStretch(1)
        words.addLayout(answers)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(8)
        row.addLayout(words, 1)
        for widget in (self.state, self.bar, self.verify, self.use, self.download, self.cancel):
            row.addWidget(widget)

    def show_state(self, used: bool, loading: bool) -> None:
        began = loading and not self._loading
        self._used, self._loading = used, loading
        self._asking &= not loading and not self.here
        self.state.setText("✓ In use" if used and self.here else "Chosen, but not here" if used else "")
        theme.set_role(self.state, "good" if self.here else "warning")
        self.state.setVisible(not loading)
        self.use.setVisible(self.here and not used and not loading)
        self.verify.setVisible(self.here and not loading)
        asking = self._asking
        self.download.setVisible(not self.here and not loading and not asking and bool(self._entry.url))
        size = size_text(self._entry.size)
        self.download.setText(f"Download ({size})" if size else "Download")
        self.bar.setVisible(loading)
        self.cancel.setVisible(loading)
        for button in (self.accept, self.later):
            button.setVisible(asking)
        self.said.setVisible(loading or asking)
        if began:
            self.bar.setRange(0, 0)
        if began or not loading:
            self.said.setText(self._question() if asking else "Waiting…")
            self.cancel.setText("Cancel")
            self.cancel.setEnabled(True)
            theme.set_role(self.said, "warning" if asking and self._entry.research_only else "small")

    def _question(self) -> str:
        host = urlsplit(self._entry.url).hostname
        size = size_text(self._entry.size) or "A file of unknown size"
        only = " It allows research only: don't use it in production." if self._entry.research_only else ""
        return f"{size} will come from {host}. Its licence is {self._entry.licence}.{only}"

    def _ask(self) -> None:
        """Size and licence first, then the download."""
        self._asking = True
        self.show_state(self._used, self._loading)
        self.later.setFocus()

    def _take_back(self) -> None:
        self._asking = False
        self.show_state(self._used, self._loading)
        self.download.setFocus()

    def progress(self, event: JobProgress) -> None:
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * event.done / event.total) if event.total else 0)
        self.said.setText(event.message)

    def stopping(self) -> None:
        self.cancel.setText("Stopping…")
        self.cancel.setEnabled(False)


def _catalogue() -> list[tuple[Weights, bool]]:
    from inspector.features.weights import catalogue

    return [(entry, entry.here) for entry in catalogue.entries()]
