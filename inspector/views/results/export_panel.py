"""Export: which formats, which results, where to. Runs as a job; its progress is at the foot of the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
)

from inspector.domain import Deed, JobEnded, JobEvent, JobKind, JobStarted, JobStatus
from inspector.exports.catalogue import FORMATS, MANIFEST, dated_folder
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import tool

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.result_filter import ResultFilter
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import Job

_FIRST_CHOICE = ("csv", "report")


class ExportPanel(QFrame):
    """`set_scope` tells it what may be exported; `start` exports."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        theme.set_role(self, "panel")
        self.setFixedWidth(296)
        self._filter: ResultFilter | None = None
        self._ids: tuple[int, ...] = ()
        self._shown = 0
        self._job: Job | None = None
        self._made: Path | None = None
        self._offered = ""

        title = QLabel("Export")
        theme.set_role(title, "heading")
        self.close_button = tool("close", "Close")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.close_button)
        self.all = QRadioButton()
        self.chosen = QRadioButton()
        self.all.setChecked(True)
        self.formats: dict[str, QCheckBox] = {}
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("Choose a folder")
        self.folder.setAccessibleName("Target folder")
        browse = tool("open", "Choose a folder")
        where = QHBoxLayout()
        where.setSpacing(4)
        where.addWidget(self.folder, 1)
        where.addWidget(browse)
        self.button = QPushButton(icons.icon("export", "#ffffff"), "Export")
        theme.set_role(self.button, "primary")
        self.answer = QLabel()
        self.answer.setWordWrap(True)
        self.answer.setTextFormat(Qt.TextFormat.PlainText)
        self.made = Elided()
        theme.set_role(self.made, "small")
        self.open_button = QPushButton("Open the folder")
        theme.set_role(self.open_button, "link")

        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 16)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.all)
        layout.addWidget(self.chosen)
        layout.addSpacing(4)
        for name, format_ in FORMATS.items():
            box = QCheckBox(format_.title)
            box.setToolTip(format_.about)
            box.setChecked(name in _FIRST_CHOICE)
            box.toggled.connect(self._refresh)
            about = QLabel(format_.about)
            theme.set_role(about, "small")
            about.setContentsMargins(24, 0, 0, 0)
            pair = QVBoxLayout()
            pair.setSpacing(0)
            pair.addWidget(box)
            pair.addWidget(about)
            self.formats[name] = box
            layout.addLayout(pair)
        layout.addSpacing(4)
        layout.addLayout(where)
        layout.addWidget(self.button)
        layout.addWidget(self.answer)
        layout.addWidget(self.made)
        layout.addWidget(self.open_button, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addStretch(1)

        browse.clicked.connect(self._browse)
        self.folder.textChanged.connect(self._refresh)
        self.all.toggled.connect(self._refresh)
        self.button.clicked.connect(self.start)
        self.open_button.clicked.connect(self._open)
        context.runner.said.connect(self._said)
        context.runner.ended.connect(self._ended)
        context.project_changed.connect(self._project_changed)
        self._project_changed()

    def set_scope(self, where: ResultFilter, shown: int, ids: tuple[int, ...]) -> None:
        """`shown` results match the filter; `ids` of them are selected in the table."""
        self._filter, self._shown, self._ids = where, shown, ids
        if not ids and self.chosen.isChecked():
            self.all.setChecked(True)
        self._refresh()

    def start(self) -> None:
        self._renew()
        project, where = self.context.project, self._filter
        wanted = [name for name, box in self.formats.items() if box.isChecked()]
        folder = self.folder.text().strip()
        if project is None or where is None or not wanted or not folder or not self.context.may(Deed.EXPORT):
            return
        from dataclasses import replace

        if self.chosen.isChecked():
            where = replace(where, ids=self._ids)
        target, scope = Path(folder).expanduser(), where

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs import export

            export.export(project, target, wanted, filter=scope, emit=emit, cancel=cancel)

        self._say("Waiting for the job before it…" if self.context.runner.busy else "Exporting…")
        self._job = self.context.runner.start(JobKind.EXPORT, "Export", work)
        self._refresh()

    def _said(self, job: Job, event: JobEvent) -> None:
        if job is self._job and isinstance(event, JobStarted):
            self._say("Exporting…")

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job is not self._job:
            return
        self._job = None
        self._made = Path(str(event.result["folder"])) if event.result.get("folder") else None
        if event.status is JobStatus.DONE and self._made is not None:
            lost = event.result["left_out"]
            self._say(
                f"Exported, but for what {MANIFEST} names as left out ({lost:,}):" if lost else "Exported to"
            )
            self.made.setText(str(self._made))
            self._renew()
        else:
            self._say(f"{event.message} {event.hint}".strip())
        self._refresh()

    def _say(self, text: str) -> None:
        self.answer.setText(text)
        self.made.setText("")

    def _refresh(self) -> None:
        count = len(self._ids)
        self.all.setText("The one result shown" if self._shown == 1 else f"All {self._shown:,} results shown")
        self.chosen.setText(
            f"The {count:,} selected results" if count > 1 else f"The {'one ' * count}selected result"
        )
        self.chosen.setEnabled(count > 0)
        self.chosen.setToolTip("" if count else "Select some of the results in the table first.")
        running = self._job is not None
        why = self._why_not()
        self.button.setEnabled(not why)
        self.button.setToolTip(why)
        self.answer.setVisible(bool(self.answer.text()))
        self.made.setVisible(bool(self.made.text()))
        self.open_button.setVisible(self._made is not None and not running)

    def _why_not(self) -> str:
        """Why nothing can be exported now; "" when it can."""
        if self._job is not None:
            return "An export is under way; the foot of the window shows how far it is."
        if not self._shown:
            return "There are no results to export."
        if not any(box.isChecked() for box in self.formats.values()):
            return "Choose a format."
        return "" if self.folder.text().strip() else "Choose a folder."

    def _project_changed(self) -> None:
        project = self.context.project
        self._made = self._job = None
        self._say("")
        self._offer(project.folder / "exports" if project is not None else None)
        self._refresh()

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Export into", str(Path(self.folder.text()).parent))
        if name:
            self._offer(Path(name))

    def _offer(self, parent: Path | None) -> None:
        """A new folder in `parent`, named by the moment, as an export replaces nothing."""
        self.folder.setText(str(dated_folder(parent)) if parent is not None else "")
        self._offered = self.folder.text()

    def _renew(self) -> None:
        if self._offered and self.folder.text() == self._offered:
            self._offer(Path(self._offered).parent)

    def _open(self) -> None:
        if self._made is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._made)))
