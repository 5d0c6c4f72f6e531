"""Classes and their normal shots, and teaching a detector from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from inspector.domain import CancelToken, Deed, Emit, JobEnded, JobEvent, JobKind
from inspector.views.look import theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job
from inspector.views.shared.kept_splitter import KeptSplitter
from inspector.views.shared.page import Page
from inspector.views.teach.adding_shots import AddingShots
from inspector.views.teach.class_column import ClassColumn
from inspector.views.teach.class_list import ROW, ClassModel
from inspector.views.teach.description.form import DescriptionForm
from inspector.views.teach.detector_history import DetectorHistory
from inspector.views.teach.edits import ClassEdits, DetectorEdits
from inspector.views.teach.looking.look_choice import LookChoice
from inspector.views.teach.memory_update import MemoryUpdate
from inspector.views.teach.panel.teach_panel import TeachPanel
from inspector.views.teach.proposal_card import ProposalCard
from inspector.views.teach.shot_doctor_dialog import examine
from inspector.views.teach.shot_grid import PICTURE, ShotGrid, ShotModel, complaints
from inspector.views.teach.shots_header import ContextMenus, RangeChoice, ShotsHeader
from inspector.views.teach.teach_reads import Found, read_all, read_shots

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine
    from inspector.methods.prompts.description import PartDescription
    from inspector.records.classes import ClassRow
    from inspector.records.detectors import DetectorRow
    from inspector.records.shots import ShotRow


def _sides(width: int) -> tuple[int, int]:
    """How wide the classes and the panel are, until somebody drags them."""
    return min(max(round(width * 0.206), 200), 264), min(max(round(width * 0.25), 272), TeachPanel.WIDTH)


class TeachPage(Page):
    drop_text = "Drop good shots to add them"
    shortcuts = (
        ("Ctrl+Return", "Teach"),
        ("Ctrl+Shift+N", "Add a class"),
        ("F2", "Rename the class"),
        ("Del", "Remove the chosen shots, or the class"),
        ("Ctrl+V", "Paste shots from the clipboard"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.edits = ClassEdits(context, self)
        self.adding = AddingShots(context, self.edits, self)
        self.edits.added.connect(self._class_added)
        self.adding.filling.connect(self._choose)
        self._thumbnails = Thumbnails(context.runner, PICTURE * 2, self)
        self._wanted_class: int | None = None
        self._job: Job | None = None
        self._detector: DetectorRow | None = None
        self._descriptions: dict[int, PartDescription] = {}
        self._describing = False
        self._refreshes = 0
        self._shown_class: int | None = None
        self.memory = MemoryUpdate(context, self)

        self.classes = ClassModel(self)
        self.column = ClassColumn(self._thumbnails, self.classes)
        self.column.add_requested.connect(self.add_class)
        self.class_view = self.column.view
        self.classes.renamed.connect(self.rename_class)
        self.class_view.selectionModel().currentChanged.connect(lambda *_: self._class_chosen())
        self.classes.modelReset.connect(self._choose_again)

        self.shots = ShotModel(self)
        self.grid = ShotGrid(self._thumbnails)
        self.grid.setModel(self.shots)
        self.grid.selectionModel().selectionChanged.connect(lambda *_: self._selection_changed())

        self.header = ShotsHeader()
        self.range, self.look = RangeChoice(self.edits), LookChoice(context, self.edits)
        self.header.rename_button.clicked.connect(self.column.rename)
        self.header.remove_class_button.clicked.connect(self.remove_class)
        self.header.remove_button.clicked.connect(self.remove_shots)
        self.adding.counted.connect(self.header.count.setText)
        self.header.paste_button.clicked.connect(lambda: self.paste())
        self.header.add_button.clicked.connect(self.choose_files)
        self.header.examine_button.clicked.connect(lambda: examine(self.chosen_class, self.edits, self))
        ContextMenus(context, self.grid, self.class_view, self.header, self)

        self.decisions = DetectorEdits(context, self)
        self.proposal = ProposalCard(self._thumbnails)
        self.proposal.accepted.connect(self.decisions.accept)
        self.proposal.discarded.connect(self.decisions.discard)
        self.proposal.called_good.connect(self.decisions.call_good)
        self.proposal.removed.connect(self.edits.remove_shots)
        self.proposal.result_wanted.connect(context.show_result)

        self.panel = TeachPanel(context)
        self.panel.teach_requested.connect(self.teach)
        self.panel.describe_requested.connect(lambda: self.describe(not self._describing))
        self.panel.progress.cancel.clicked.connect(self._cancel)
        self.panel.history.clicked.connect(lambda: DetectorHistory(context, self.decisions, self).open())
        self.form = DescriptionForm(context)
        self.form.changed.connect(self._described)
        self.form.closed.connect(lambda: self.describe(False))

        splitter = KeptSplitter("teach", _sides)
        for stretch, widget in enumerate((self.column, self._middle(), self.panel)):
            splitter.addWidget(widget)
            splitter.setStretchFactor(stretch, stretch % 2)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(splitter)

        new = QAction(self)
        new.setShortcut(QKeySequence("Ctrl+Shift+N"))
        new.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        new.triggered.connect(self.ask_class)
        self.addAction(new)
        self.class_view.remove_requested.connect(self.remove_class)
        self.grid.remove_requested.connect(self.remove_shots)

        context.project_changed.connect(self._project_changed)
        context.classes_changed.connect(self.refresh)
        context.detectors_changed.connect(self.refresh)
        context.golden_changed.connect(self.refresh)
        context.settings_changed.connect(self._show_state)
        context.job_event.connect(self._job_event)
        context.runner.busy_changed.connect(lambda _busy: self._show_state())
        context.runner.ended.connect(self._job_ended)
        self.refresh()

    def _middle(self) -> QWidget:
        whole = QWidget()
        theme.set_role(whole, "surround")
        whole.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.notes = wrapped("warning")
        self.notes.setContentsMargins(16, 0, 16, 8)
        self.notes.hide()
        self.no_class = EmptyState(
            "class",
            "Add a class for the part you want to inspect.",
            "Add class",
            "Or drop a folder of good parts here: it becomes a class.",
        )
        self.no_class.button.clicked.connect(self.ask_class)
        self.no_shots = EmptyState(
            "images",
            "Add good shots of this part; four are a good start.",
            "Add shots…",
            "Or drop files and folders here, or paste a picture.",
        )
        self.no_shots.button.clicked.connect(self.choose_files)
        self.stack = QStackedWidget()
        for shown in (self.grid, self.no_class, self.no_shots, self.form):
            self.stack.addWidget(shown)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self.header, self.range, self.look, self.notes):
            column.addWidget(widget)
        proposal = QHBoxLayout()
        proposal.setContentsMargins(16, 0, 16, 12)
        proposal.addWidget(self.proposal)
        column.addLayout(proposal)
        column.addWidget(self.stack, 1)
        return whole

    # what is shown

    def _project_changed(self) -> None:
        self._thumbnails.clear()
        self._wanted_class = self._shown_class = None
        self.classes.set_rows([])
        self.shots.set_rows([])
        self._detector, self._descriptions, self._describing = None, {}, False
        self.proposal.show_waiting(None, False)
        self.refresh()

    @property
    def chosen_class(self) -> ClassRow | None:
        index = self.class_view.currentIndex()
        row: ClassRow | None = index.data(ROW) if index.isValid() else None
        return row

    def refresh(self) -> None:
        self._refreshes += 1
        asked = self.context.query(
            self, read_all, partial(self._classes_read, self._refreshes), latest="classes", priority=10**6
        )
        if not asked:
            self._show_state()

    def _classes_read(self, number: int, found: Found) -> None:
        self._detector = found.detector
        self.classes.set_rows(found.classes)
        self.proposal.show_waiting(found.waiting, self._read_only)
        if number == self._refreshes:  # what is newer will be told soon
            self._descriptions = found.descriptions
            self.memory.look(found.detector, found.news)
        if self._wanted_class is not None or not self.class_view.currentIndex().isValid():
            self._choose_again()
        self._read_shots()
        self._show_state()

    def _choose(self, class_id: int) -> None:
        self._wanted_class = class_id
        self._choose_again()

    def _choose_again(self) -> None:
        """Keep the class that was chosen, or take the first."""
        wanted = self._wanted_class if self._wanted_class is not None else self._shown_class
        index = self.classes.find(wanted) if wanted is not None else self.classes.index(0)
        if not index.isValid() and self._wanted_class is None:
            index = self.classes.index(0)
        if index.isValid():
            self._wanted_class = None
            self.class_view.setCurrentIndex(index)

    def _class_chosen(self) -> None:
        row = self.chosen_class
        if row is None or row.id == self._shown_class:
            return
        self._shown_class = row.id
        self.shots.set_rows([])
        self._read_shots()
        self._show_state()

    def _read_shots(self) -> None:
        row = self.chosen_class
        if row is not None:
            self.context.query(
                self,
                lambda project: read_shots(project, row.id),
                partial(self._shots_read, row.id),
                latest="shots",
                priority=10**6,
            )

    def _shots_read(self, class_id: int, rows: list[ShotRow]) -> None:
        row = self.chosen_class
        if row is not None and row.id == class_id:
            self.shots.set_rows(rows)
            self._show_state()

    def _selection_changed(self) -> None:
        count = len(self.grid.selectedIndexes())
        self.header.show_chosen(0 if self._read_only or self._describing else count)

    @property
    def _read_only(self) -> bool:
        project = self.context.project
        return project is None or project.read_only

    def _show_state(self) -> None:
        row, rows = self.chosen_class, self.classes.rows
        self.header.setVisible(row is not None)
        self.range.show_class(row, self._read_only)
        self.look.show_class(row, self._read_only)
        said = complaints(self.shots.rows) if row is not None else []
        self.notes.setText("\n".join(f"⚠ {line}" for line in said))
        self.notes.setVisible(bool(said))
        if row is None:
            self.stack.setCurrentWidget(self.no_class)
        else:
            self.header.show_class(row)
            empty = row.shots == 0 and not self.shots.rows
            self._describing &= self.panel.reads_descriptions
            if self._describing:
                self.form.show_record(row.id, row.name, self._descriptions.get(row.id), self._read_only)
                self.stack.setCurrentWidget(self.form)
            else:
                self.stack.setCurrentWidget(self.no_shots if empty else self.grid)
        for button in (self.header.add_button, self.header.paste_button):
            button.setVisible(not self._describing)
        for button in (
            *(self.column.add_button, self.no_class.button, self.no_shots.button),
            *self.header.always,
        ):
            switch(button, self.context.viewing_only)
        self._selection_changed()
        busy = self.context.runner.busy and not self.memory.running
        self.panel.show_classes(rows, row, self._read_only, busy)
        self.panel.choice.show_description(
            row, row is not None and row.id in self._descriptions, self._describing
        )
        self.panel.show_detector(self._detector)

    # classes

    def ask_class(self) -> None:
        if not self._read_only:
            self.column.ask()

    def add_class(self, name: str) -> None:
        self.edits.add(name, refused=self.column.refuse)

    def _class_added(self, class_id: int) -> None:
        self.column.added()
        self._wanted_class = class_id

    def rename_class(self, class_id: int, name: str) -> None:
        index = self.classes.find(class_id)
        if index.isValid():
            self.edits.rename(index.data(ROW), name)

    def remove_class(self) -> None:
        row = self.chosen_class
        if row is not None and self.context.writable() is not None:
            self._shown_class = None
            self.edits.remove(row)

    # shots

    def choose_files(self) -> None:
        self.adding.choose_files(self, self.chosen_class, self.classes.rows)

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        self.adding.take(paths, self.chosen_class, self.classes.rows)
        return True

    def paste(self) -> bool:
        if not self.adding.paste(self.chosen_class, self.classes.rows):
            self.ask_class()
        return True

    def remove_shots(self) -> None:
        rows = self.grid.chosen()
        if rows and self.context.writable() is not None:
            self.edits.remove_shots(rows)

    # descriptions

    def describe(self, on: bool) -> None:
        """Open or close the description of the chosen class, where the chosen method reads one."""
        if not on:
            self.form.keep()
        self._describing = on and self.chosen_class is not None and self.panel.reads_descriptions
        self._show_state()

    def _described(self, class_id: int, record: PartDescription | None) -> None:
        index = self.classes.find(class_id)
        if self._read_only or not index.isValid():
            return
        before = self._descriptions.get(class_id)
        if record is None:
            self._descriptions.pop(class_id, None)
        else:
            self._descriptions[class_id] = record
        self._refreshes += 1  # an answer on its way knows nothing of this
        self.edits.describe(index.data(ROW), before, record)

    # teaching

    def teach(self) -> None:
        project = self.context.writable()
        ready = [row for row in self.classes.rows if row.shots]
        if project is None or not ready or self._job is not None or not self.context.may(Deed.TEACH):
            return
        self.form.keep()
        settings = self.context.settings
        method, rate = self.panel.choice.current, settings.false_alarm_rate

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.teach import teach

            how = partial(teach, project, engine, method=method, false_alarm_rate=rate)
            how(propose=True, emit=emit, cancel=cancel)

        title = f"Teach {len(ready)} class{'es' if len(ready) != 1 else ''}"
        self.memory.cancel()
        self._job = self.context.runner.start(JobKind.TEACH, title, work)
        self.panel.begin()
        self._show_state()

    def _job_event(self, event: JobEvent) -> None:
        if self._job is not None and self._job is self.context.runner.current:
            self.panel.progress.take(event)

    def _cancel(self) -> None:
        if self._job is not None:
            self.context.runner.cancel(self._job)

    def _job_ended(self, job: Job, event: JobEnded) -> None:
        if job is self._job:
            self._job = None
            self.panel.end()
            self._show_state()
