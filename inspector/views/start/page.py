"""The first page: make a project, open one, or see the demo."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from inspector import paths
from inspector.domain import CancelToken, Emit, JobEnded, JobKind, JobStatus
from inspector.views.look import theme
from inspector.views.look.kit import centred_column
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job
from inspector.views.shared.page import Page
from inspector.views.start.card import Card
from inspector.views.start.new_form import NewForm
from inspector.views.start.recent_row import PREVIEW, RecentRow, look

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine


class StartPage(Page):
    open_requested = Signal(object)  # Path of a project folder
    create_requested = Signal(object, str)  # folder, name
    choose_requested = Signal()
    tour_requested = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._context = context
        self._demo: Job | None = None
        self._thumbnails = Thumbnails(context.runner, PREVIEW * 2, self)

        title = QLabel("Inspector")
        theme.set_role(title, "title")
        line = QLabel(
            "Teach a machine to find defects from a handful of good parts. Nothing leaves this computer."
        )
        theme.set_role(line, "quiet")
        line.setWordWrap(True)

        self.new_card = Card("new", "New project", "One folder for your parts, shots and results.")
        self.open_card = Card("open", "Open a project", "Choose its folder, or drop it here.")
        self.demo_card = Card("demo", "Open the demo", "Three drawn parts, taught and inspected for you.")
        self.new_card.clicked.connect(self.show_new)
        self.open_card.clicked.connect(self.choose_requested)
        self.demo_card.clicked.connect(self.open_demo)
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for card in (self.new_card, self.open_card, self.demo_card):
            cards.addWidget(card, 1)

        self.tour = QPushButton("New here? Take the tour: two minutes, on the demo")
        theme.set_role(self.tour, "link")
        self.tour.clicked.connect(self.tour_requested)

        self.form = NewForm()
        self.form.make.clicked.connect(self._create)
        self.form.hide()

        self.heading = QLabel("Recent projects")
        theme.set_role(self.heading, "heading")
        self.empty = QLabel("No projects yet: the demo shows the whole way in about a minute.")
        theme.set_role(self.empty, "quiet")
        self.recent = QVBoxLayout()
        self.recent.setSpacing(8)
        self.rows: list[RecentRow] = []

        column = centred_column(self, "Start", 880, top=40)
        column.addWidget(title)
        column.addWidget(line)
        column.addSpacing(16)
        column.addLayout(cards)
        column.addWidget(self.tour, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.form)
        column.addSpacing(24)
        column.addWidget(self.heading)
        column.addWidget(self.empty)
        column.addLayout(self.recent)
        column.addStretch(1)

        context.settings_changed.connect(self._fill)
        context.project_changed.connect(self.form.hide)
        context.runner.ended.connect(self._ended)
        self._fill()

    def show_new(self) -> None:
        """Ask for a name and a folder, in the page."""
        self.form.show()
        self.form.name.setFocus()
        self.form.name.selectAll()

    def open_demo(self) -> None:
        """Open the demo project, after drawing, teaching and inspecting it where there is none yet."""
        folder = paths.documents_dir() / "Demo"
        if (folder / "project.sqlite").is_file():
            self.open_requested.emit(folder)
            return
        if self._demo is not None:
            return

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs import demo

            demo.make_demo_project(demo.free_folder(folder), engine, emit=emit, cancel=cancel)

        self._demo = self._context.runner.start(JobKind.DEMO, "Build the demo", work)
        self.demo_card.setEnabled(False)
        self.demo_card.say("Drawing, teaching and inspecting; see the progress below.")

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job is not self._demo:
            return
        self._demo = None
        self.demo_card.setEnabled(True)
        self.demo_card.say("Three drawn parts, taught and inspected for you.")
        made = event.result.get("project")
        if event.status == JobStatus.DONE and made:
            opened = partial(self.open_requested.emit, Path(made))
            self._context.runner.when_idle(opened)  # it is so a moment after the job's last word

    def _create(self) -> None:
        name = " ".join(self.form.name.text().split())
        if name:
            self.create_requested.emit(Path(self.form.folder.text()).expanduser(), name)

    def _fill(self) -> None:
        wanted = list(self._context.settings.recent_projects)
        if wanted == [str(row.folder) for row in self.rows]:
            return
        for row in self.rows:
            self.recent.removeWidget(row)
            row.deleteLater()
        self.rows = []
        for name in wanted:
            row = RecentRow(Path(name), self._thumbnails)
            row.clicked.connect(partial(self.open_requested.emit, Path(name)))
            row.forget.clicked.connect(partial(self._forget, name))
            self.recent.addWidget(row)
            self.rows.append(row)
            self._context.runner.read(row, partial(look, Path(name)), row.show_found)
        self.empty.setVisible(not wanted)
        self.heading.setVisible(bool(wanted))

    def _forget(self, name: str) -> None:
        settings = self._context.settings
        before = settings.recent_projects
        settings.recent_projects = tuple(item for item in before if item != name)
        self._context.save_settings()

        def undo() -> None:
            settings.recent_projects = before
            self._context.save_settings()

        self._context.toast(f"“{Path(name).name}” is off the list; its folder is untouched.", undo)
