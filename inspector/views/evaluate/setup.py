"""What to evaluate: labelled images, methods, shots, draws; and the job while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import JobEnded, JobEvent, JobItem, JobKind, JobLog, JobProgress, JobStarted
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.methods import catalogue
from inspector.views.look import icons, theme
from inspector.views.start.page import short
from inspector.views.viewer.viewer_panel import Elided, tool
from inspector.views.window.job_bar import time_left

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext

SHOTS = (1, 2, 4, 8)
_FOUND = ("Class", "Good to draw from", "Good to test", "Defective to test", "With a mask")


@dataclass(frozen=True, slots=True)
class Found:
    """An image set as it was recognised. `classes`: (name, good to draw, good to test, defective, with mask)."""

    folder: Path
    layout: str
    classes: tuple[tuple[str, int, int, int, int], ...]

    @property
    def fewest(self) -> int:
        """Shots that every class can give."""
        return min(count for _, count, *_ in self.classes)

    @property
    def tests(self) -> int:
        return sum(good + bad for _, _, good, bad, _ in self.classes)

    @property
    def words(self) -> str:
        count = len(self.classes)
        return (
            f"{self.layout} layout · {count} class{'es' if count != 1 else ''} · {self.tests:,} test images"
        )


def look(folder: Path) -> Found:
    """Recognise an image set. Raises InspectorError. For a worker."""
    from inspector.jobs.evaluation import datasets

    found = datasets.read(folder)
    return Found(
        found.folder,
        found.layout,
        tuple(
            (
                name,
                len(found.train[name]),
                sum(not s.anomalous for s in found.test[name]),
                sum(s.anomalous for s in found.test[name]),
                sum(bool(s.masks) for s in found.test[name]),
            )
            for name in found.classes
        ),
    )


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    theme.set_role(label, "heading")
    return label


class EvaluationSetup(QWidget):
    """`run_requested(EvaluationPlan)`. `take_folder` looks at a folder; the form keeps what was chosen before."""

    run_requested = Signal(object)

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.found: Found | None = None
        self._looking = 0
        self._running = False
        self.root = Path()
        self.data = Elided()
        self.browse = QPushButton(icons.icon("open"), "Choose…")
        self.words = QLabel(
            "MVTec AD, VisA and Real-IAD layouts are recognised; a folder may also be dropped."
        )
        self.words.setWordWrap(True)
        theme.set_role(self.words, "quiet")
        self.methods: dict[str, QCheckBox] = {}
        self.ablations = QCheckBox("Ablations of AnoPLe")
        self.ablations.setToolTip(
            "Also AnoPLe with one part left out at a time:\n" + "\n".join(catalogue.ABLATIONS.values())
        )
        self.control = QCheckBox("Random weights")
        self.control.setToolTip(
            "Also PatchCore and AnoPLe on the same backbone with random weights: what they find, the images give away "
            "by themselves"
        )
        self.shots = {count: QCheckBox(str(count)) for count in SHOTS}
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 20)
        self.seeds.setValue(3)
        self.seeds.setMinimumWidth(72)
        self.seeds.setAccessibleName("Draws")
        self.seeds.setToolTip(
            "How often the shots are drawn anew; the table shows mean and deviation over draws"
        )
        self.one_for_all = QRadioButton("one for all classes")
        self.one_for_one = QRadioButton("one a class")
        self.known = QRadioButton("known")
        self.to_find = QRadioButton("found by the detector")
        self.one_for_all.setChecked(True)
        self.known.setChecked(True)
        self.target = Elided()
        theme.set_role(self.target, "quiet")
        self.target_button = tool("open", "Keep the results in another folder")
        self.run = QPushButton(icons.icon("play", "#ffffff"), "Run")
        self.run.setMinimumHeight(44)
        self.run.setShortcut("Ctrl+Return")
        theme.set_role(self.run, "primary")
        self.reason = QLabel()
        self.reason.setWordWrap(True)
        theme.set_role(self.reason, "small")
        self.table = QTableWidget(0, len(_FOUND))
        self.progress = EvaluationProgress(context)
        self.side = QStackedWidget()
        self.side.addWidget(self.table)
        self.side.addWidget(self.progress)
        self._build()
        self._connect()
        self._refresh()

    def _build(self) -> None:
        folder = QHBoxLayout()
        folder.setSpacing(8)
        folder.addWidget(self.data, 1)
        folder.addWidget(self.browse)
        methods = QGridLayout()
        methods.setHorizontalSpacing(16)
        methods.setVerticalSpacing(6)
        known = catalogue.available()
        preferred = self._context.settings.method
        first = preferred if preferred in {info.name for info in known} else "patchcore"
        for number, info in enumerate(known):
            box = QCheckBox(f"{info.title} (reconstruction)" if info.reconstruction else info.title)
            box.setToolTip(info.line)
            box.setChecked(info.name == first)
            self.methods[info.name] = box
            methods.addWidget(box, number // 2, number % 2)
        beside = QHBoxLayout()
        beside.setSpacing(16)
        beside.addWidget(self.ablations)
        beside.addWidget(self.control)
        beside.addStretch(1)
        shots = QHBoxLayout()
        shots.setSpacing(16)
        for count, box in self.shots.items():
            box.setAccessibleName(f"{count} shot{'s' if count != 1 else ''}")
            box.setChecked(count in (1, 4))
            shots.addWidget(box)
        shots.addStretch(1)
        form = QGridLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.setColumnStretch(1, 1)
        lines: list[tuple[str, QHBoxLayout | QWidget]] = [
            ("Beside them", beside),
            ("Shots", shots),
            ("Draws", self.seeds),
            ("Detector", self._pair(self.one_for_all, self.one_for_one)),
            ("The class is", self._pair(self.known, self.to_find)),
        ]
        for line, (words, field) in enumerate(lines):
            form.addWidget(_caption(words), line, 0)
            if isinstance(field, QWidget):
                form.addWidget(field, line, 1, Qt.AlignmentFlag.AlignLeft)
            else:
                form.addLayout(field, line, 1)
        target = QHBoxLayout()
        target.setSpacing(4)
        target.addWidget(self.target, 1)
        target.addWidget(self.target_button)

        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        title = QLabel("New evaluation")
        theme.set_role(title, "title")
        column.addWidget(title)
        column.addSpacing(8)
        column.addWidget(_caption("Labelled images"))
        column.addLayout(folder)
        column.addWidget(self.words)
        column.addSpacing(8)
        column.addWidget(_caption("Methods"))
        column.addLayout(methods)
        column.addSpacing(8)
        column.addLayout(form)
        column.addSpacing(8)
        column.addWidget(_caption("Results go to"))
        column.addLayout(target)
        column.addSpacing(8)
        column.addWidget(self.run)
        column.addWidget(self.reason)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFixedWidth(456)
        scroll.setWidget(inside)
        self.form = inside

        table = self.table
        for place in range(len(_FOUND)):
            side = Qt.AlignmentFlag.AlignRight if place else Qt.AlignmentFlag.AlignLeft
            head = QTableWidgetItem(_FOUND[place])
            head.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            table.setHorizontalHeaderItem(place, head)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        table.setShowGrid(False)
        table.setFrameShape(QTableWidget.Shape.NoFrame)
        table.setTabKeyNavigation(False)
        table.setStyleSheet(
            "QTableView::item { padding: 0 5px; border: none; } QHeaderView::section { padding: 6px 8px; }"
        )
        table.setAccessibleName("Classes found")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(26)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll)
        whole.addWidget(self.side, 1)

    def _pair(self, *buttons: QRadioButton) -> QHBoxLayout:
        group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(16)
        for button in buttons:
            group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _connect(self) -> None:
        self.browse.clicked.connect(self.choose)
        self.target_button.clicked.connect(self._choose_target)
        self.run.clicked.connect(self._ask_run)
        for box in (*self.methods.values(), self.ablations, self.control, *self.shots.values()):
            box.toggled.connect(self._refresh)
        self.seeds.valueChanged.connect(self._refresh)
        self._context.runner.busy_changed.connect(lambda _: self._refresh())

    def choose(self) -> None:
        start = str(self.found.folder) if self.found else ""
        name = QFileDialog.getExistingDirectory(self, "A folder of labelled images", start)
        if name:
            self.take_folder(Path(name))

    def take_folder(self, folder: Path) -> None:
        """Look at a folder off the GUI thread, and show what was found."""
        self._looking += 1
        number = self._looking
        self.found = None
        self.data.set_whole(short(folder))
        self.words.setText("Looking at the folder…")
        self._refresh()

        def arrived(found: Found) -> None:
            if number == self._looking:
                self.found = found
                self.words.setText(found.words)
                self._fill(found)
                self._refresh()

        def failed(error: BaseException) -> None:
            if number == self._looking:
                self.words.setText("Nothing can be measured with this folder.")
                self.table.setRowCount(0)
                self._refresh()
                self._context.show_error(error)

        self._context.runner.read(self, lambda: look(folder), arrived, failed)

    def _fill(self, found: Found) -> None:
        self.table.setRowCount(len(found.classes))
        for line, row in enumerate(found.classes):
            for column, value in enumerate(row):
                item = QTableWidgetItem(f"{value:,}" if isinstance(value, int) else str(value))
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    item.setFont(theme.font(figures=True))
                self.table.setItem(line, column, item)

    def set_root(self, root: Path) -> None:
        """Results go into a new folder below `root`."""
        self.root = root
        self.target.set_whole(short(root))

    def _choose_target(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Keep the results in", str(self.root))
        if name:
            self.set_root(Path(name))

    def plan(self) -> EvaluationPlan | None:
        """What would be run now; None while something is missing."""
        methods = (
            *(name for name, box in self.methods.items() if box.isChecked()),
            *(catalogue.ABLATIONS if self.ablations.isChecked() else ()),
            *(catalogue.CONTROLS if self.control.isChecked() else ()),
        )
        shots = tuple(count for count, box in self.shots.items() if box.isChecked() and self._enough(count))
        if self.found is None or not methods or not shots:
            return None
        return EvaluationPlan(
            self.found.folder,
            methods,
            shots,
            tuple(range(self.seeds.value())),
            self.root,
            one_for_all=self.one_for_all.isChecked(),
            class_known=self.known.isChecked(),
            resume=False,  # every run here has a folder of its own
        )

    def _enough(self, shots: int) -> bool:
        return self.found is None or shots <= self.found.fewest

    def _ask_run(self) -> None:
        plan = self.plan()
        if plan is not None and not self._running:
            self.run_requested.emit(plan)

    def set_running(self, running: bool) -> None:
        """While the job runs its progress stands beside the form, which can't be changed."""
        self._running = running
        self.form.setEnabled(not running)
        if running:
            self.progress.begin()
        self.side.setCurrentWidget(self.progress if running else self.table)
        self._refresh()

    def _refresh(self) -> None:
        for count, box in self.shots.items():
            box.setEnabled(self._enough(count))
            box.setToolTip("" if self._enough(count) else "A class has fewer good parts to draw from")
        plan = self.plan()
        self.run.setEnabled(plan is not None and not self._running)
        if self._running:
            words = "One evaluation at a time; this one is under way."
        elif self.found is None:
            words = "Choose a folder of labelled images first."
        elif plan is None:
            words = "Tick a method and a number of shots."
        else:
            count = len(plan.methods) * len(plan.shots) * len(plan.seeds)
            words = f"{count} detector{'s' if count != 1 else ''} on {self.found.tests:,} test images."
            if self._context.runner.busy:
                words += " It starts when the running job is done."
        self.reason.setText(words)


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
            words = [f"{share:.0%}".replace("%", " %")]
            if event.seconds_left is not None and share < 1:
                words.append(time_left(event.seconds_left))
            self.figures.setText("   ".join(words) if event.done else "")
            self.message.setText(event.message)
        elif isinstance(event, JobLog):
            self.lines.appendPlainText(event.message)
        elif isinstance(event, JobItem) and event.error:
            self.lines.appendPlainText(f"{event.name} is left out: {event.error}")
        elif isinstance(event, JobEnded):
            self._own = False


def folder_of(paths: Sequence[Path]) -> Path | None:
    """The folder that a drop is about: the first one, or the one of a results.json."""
    for path in paths:
        if path.name == "results.json":
            return path.parent
        if path.is_dir():
            return path
    return None
