"""The Evaluate page: methods measured on labelled images, earlier evaluations, and how they compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from inspector import paths
from inspector.domain import JobEnded, JobKind, JobStatus
from inspector.errors import InspectorError
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.stored import Evaluation, Listed, listed, load
from inspector.views.evaluate.comparison import EvaluationCompare
from inspector.views.evaluate.reads import folder_of
from inspector.views.evaluate.report import EvaluationReport
from inspector.views.evaluate.setup import EvaluationSetup
from inspector.views.look import icons, theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import tool
from inspector.views.look.labels import plain
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import Job

_ENTRY = Qt.ItemDataRole.UserRole


class _Entries(QStyledItemDelegate):
    """Name of the images, then when and what in smaller words."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, 84)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Listed = index.data(_ENTRY)
        area = QRect(option.rect)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("chosen"))
            painter.fillRect(QRect(area.left(), area.top(), 3, area.height()), QColor(theme.ACCENT))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        line = QRect(area.left() + 12, area.top() + 6, area.width() - 20, 20)
        painter.setFont(theme.font())
        painter.setPen(theme.colour("text"))
        for words in (entry.data, entry.when, entry.methods, entry.counts):
            short = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)
            line.translate(0, 20 if words is entry.data else 17)
            painter.setFont(theme.font("small"))
            painter.setPen(theme.colour("quiet"))


class EvaluatePage(Page):
    drop_text = "Drop a folder of labelled images to measure methods on it"
    shortcuts = (
        ("N", "New evaluation"),
        ("Ctrl+Return", "Run it"),
        ("Ctrl+click", "Compare evaluations"),
        ("Ctrl+C", "Copy the table"),
        ("Ctrl+E", "Open the folder of the results"),
        ("Space", "Heat of an image"),
        ("O", "Outline of its marked defect"),
        ("Esc", "From the images back to the figures"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._job: Job | None = None
        self._asked = 0
        self._extra: dict[Path, Listed] = {}  # opened from elsewhere
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setItemDelegate(_Entries(self.list))
        self.list.setAccessibleName("Evaluations")
        theme.set_role(self.list, "panel")
        self.new_button = QPushButton(icons.icon("add"), "New evaluation")
        self.new_button.setToolTip("New evaluation (N)")
        self.open_button = tool("open", "Open an evaluation from another folder")
        self.hint = QLabel("Ctrl-click another to compare.")
        theme.set_role(self.hint, "small")
        self.empty = EmptyState(
            "evaluate",
            "Measure how well the methods find defects that you already know.",
            "Choose a labelled folder",
            "Or drop one here. MVTec AD, VisA and Real-IAD layouts are recognised.",
        )
        self.setup = EvaluationSetup(context)
        self.report = EvaluationReport(context)
        self.compare = EvaluationCompare(context)
        self._build()
        self._connect()
        self._project_changed()

    def _build(self) -> None:
        self.panel = QWidget()
        theme.set_role(self.panel, "panel")
        self.panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.panel.setFixedWidth(232)
        top = QHBoxLayout()
        top.setContentsMargins(12, 12, 8, 8)
        top.setSpacing(4)
        top.addWidget(self.new_button, 1)
        top.addWidget(self.open_button)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        self.hint.setContentsMargins(12, 0, 12, 0)
        column.addWidget(self.hint)
        self.stack = QStackedWidget()
        for widget in (self.empty, self.setup, self.report, self.compare):
            self.stack.addWidget(widget)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.panel)
        whole.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.empty.button.clicked.connect(self._begin)
        self.new_button.clicked.connect(self.new)
        self.open_button.clicked.connect(self._browse)
        self.list.itemSelectionChanged.connect(self._selected)
        self.setup.run_requested.connect(self.run)
        self.setup.progress.cancel.clicked.connect(self._cancel)
        self.context.project_changed.connect(self._project_changed)
        self.context.runner.ended.connect(self._ended)
        self.context.runner.cancelling.connect(self._cancelling)
        for keys, action in (("N", self.new),):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    # what the window asks of a page

    def activated(self) -> None:
        self._read_list()

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        """A folder of labelled images is set up, one of an evaluation opened."""
        folder = folder_of(paths)
        if folder is None:
            self.context.show_error(
                InspectorError(
                    "Evaluating takes a folder of labelled images, not single files.",
                    "Drop a folder with train/good and test inside.",
                )
            )
        elif (folder / "results.json").is_file():
            self.open(folder)
        elif self._job is not None:
            self.context.show_error(
                InspectorError(
                    "An evaluation is running; there can be one at a time.",
                    "Wait until it is done, or cancel it.",
                )
            )
        else:
            self.new()
            self.setup.take_folder(folder)
        return True

    def export(self) -> bool:
        """Markdown, CSV and JSON lie ready in the evaluation's folder."""
        if self.stack.currentWidget() is self.report:
            self.report.open_folder()
        return True

    # earlier evaluations

    def _project_changed(self) -> None:
        project = self.context.project
        writable = project is not None and not project.read_only
        home = project.folder if project is not None and writable else paths.documents_dir()
        self.setup.set_root(home / "evaluations")
        self._extra.clear()
        if self._job is None:
            self.stack.setCurrentWidget(self.empty)
        self.list.clear()
        self._show_panel()
        self._read_list()

    def _roots(self) -> list[Path]:
        """A project that can't be written still shows its own."""
        project = self.context.project
        roots = [self.setup.root, *([project.folder / "evaluations"] if project is not None else [])]
        return list(dict.fromkeys(roots))

    def _read_list(self, wanted: Path | None = None) -> None:
        roots, project = self._roots(), self.context.project

        def work() -> list[Listed]:
            return [entry for root in roots for entry in listed(root)]

        def arrived(found: list[Listed]) -> None:
            if project is self.context.project:
                self.setup.set_earlier(found)
                self._show_list(found, wanted)

        self.context.runner.read(self, work, arrived, self.context.show_error)

    def _show_list(self, found: Sequence[Listed], wanted: Path | None) -> None:
        known = {entry.folder: entry for entry in (*self._extra.values(), *found)}
        chosen = {entry.folder for entry in self.chosen()}
        with QSignalBlocker(self.list):
            self.list.clear()
            for entry in known.values():
                item = QListWidgetItem(f"{entry.data}, {entry.when}")
                item.setToolTip(plain(f"{entry.methods}\n{entry.counts}\n{entry.folder}"))
                item.setData(_ENTRY, entry)
                self.list.addItem(item)
                item.setSelected(entry.folder == wanted if wanted else entry.folder in chosen)
                if entry.folder == wanted:
                    self.list.setCurrentItem(item)
            first = self.stack.currentWidget() is self.empty and self.list.count() > 0
            if first and not self.chosen():
                self.list.setCurrentRow(0)
        self._show_panel()
        if first or wanted is not None:
            self._selected()

    def _show_panel(self) -> None:
        self.panel.setVisible(self.list.count() > 0)
        self.hint.setVisible(self.list.count() > 1)

    def chosen(self) -> list[Listed]:
        """The selected evaluations, in the order of the list."""
        items = [self.list.item(number) for number in range(self.list.count())]
        return [item.data(_ENTRY) for item in items if item.isSelected()]

    def _selected(self) -> None:
        folders = [
            entry.folder for entry in reversed(self.chosen())
        ]  # the older one is what others compare with
        self._asked += 1
        number = self._asked
        if not folders:
            return

        def arrived(found: list[Evaluation]) -> None:
            if number != self._asked:
                return
            if len(found) == 1:
                self.report.show_evaluation(found[0])
                self.stack.setCurrentWidget(self.report)
            else:
                self.compare.show_evaluations(found)
                self.stack.setCurrentWidget(self.compare)

        self.context.runner.read(
            self, lambda: [load(folder) for folder in folders], arrived, self.context.show_error
        )

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, "A folder with the results.json of an evaluation", str(self.setup.root)
        )
        if name:
            self.open(Path(name))

    def open(self, folder: Path) -> None:
        """Show an evaluation from any folder, and keep it in the list until the project changes."""

        def arrived(found: Evaluation) -> None:
            self._extra[folder] = found.listed
            self._read_list(folder)

        self.context.runner.read(self, partial(load, folder), arrived, self.context.show_error)

    # a new one

    def new(self) -> None:
        """The form for a new evaluation, or the one that runs."""
        self._asked += 1  # an answer that is still under way does not cover it
        with QSignalBlocker(self.list):
            self.list.clearSelection()
        self.stack.setCurrentWidget(self.setup)
        self.setup.browse.setFocus()

    def _begin(self) -> None:
        self.setup.choose()
        if self.setup.data.text():
            self.new()

    def run(self, plan: EvaluationPlan) -> None:
        plan = replace(plan, output=plan.output / f"{datetime.now():%Y-%m-%d %H-%M-%S}")

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.evaluation.run import evaluate

            evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=cancel)

        self.setup.set_running(True)
        self._job = self.context.runner.start(JobKind.EVALUATE, f"Evaluate {plan.data.name}", work)

    def _cancel(self) -> None:
        if self._job is not None:
            self.context.runner.cancel(self._job)

    def _cancelling(self, job: Job) -> None:
        if job is self._job:
            self.setup.progress.stopping()

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job is not self._job:
            return
        self._job = None
        self.setup.set_running(False)
        done = event.status == JobStatus.DONE and "folder" in event.result
        watching = self.stack.currentWidget() is self.setup
        self._read_list(Path(str(event.result["folder"])) if done and watching else None)
