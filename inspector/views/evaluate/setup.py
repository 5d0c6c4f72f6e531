"""What to evaluate: labelled images, methods, shots, draws; and the job while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.stored import Listed
from inspector.methods import catalogue
from inspector.views.evaluate.progress import EvaluationProgress
from inspector.views.evaluate.reads import ClassFound, Found, duration, look, too_few
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import quiet_table, scrolling, switch, tool
from inspector.views.look.labels import plain
from inspector.views.look.words import folder_text

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext

SHOTS = (1, 2, 4, 8)
_FOUND = ("Class", "Good\nto draw from", "Good\nto test", "Defective\nto test", "With\na mask")


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
        self._earlier: tuple[Listed, ...] = ()
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
        ablated = catalogue.titles(catalogue.ABLATIONS)
        self.ablations = QCheckBox(f"Ablations of {ablated}")
        self.ablations.setToolTip(
            "\n".join([f"Also {ablated} with one part left out at a time:", *catalogue.ABLATIONS.values()])
        )
        self.control = QCheckBox("Random weights")
        self.control.setToolTip(
            f"Also {catalogue.titles(catalogue.CONTROLS)} on the same network with random weights: what they find, the "
            "images give away by themselves"
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
        self.few = QLabel()
        self.few.setTextFormat(Qt.TextFormat.PlainText)
        self.few.setWordWrap(True)
        theme.set_role(self.few, "small")
        self.table = QTableWidget(0, len(_FOUND))
        self.progress = EvaluationProgress(context)
        self.side = QStackedWidget()
        self.side.addWidget(self.table)
        self.side.addWidget(self.progress)
        self._build()
        self._connect()
        self._refresh()

    def _grey_out(self) -> None:
        """The methods that can't be taught on the chosen weights."""
        for info in catalogue.available():
            why, box = info.unfit(self._context.settings.weights), self.methods[info.name]
            box.setEnabled(not why)
            box.setChecked(box.isChecked() and not why)
            box.setToolTip(plain(why or info.line))

    def _build(self) -> None:
        folder = QHBoxLayout()
        folder.setSpacing(8)
        folder.addWidget(self.data, 1)
        folder.addWidget(self.browse)
        methods = QGridLayout()
        methods.setHorizontalSpacing(16)
        methods.setVerticalSpacing(6)
        known = catalogue.available()
        preferred = self._context.settings.method or catalogue.RECOMMENDED
        first = preferred if preferred in {info.name for info in known} else catalogue.QUICK
        for number, info in enumerate(known):
            box = QCheckBox(f"{info.title} (reconstruction)" if info.reconstruction else info.title)
            box.setToolTip(info.line)
            box.setChecked(info.name == first)
            self.methods[info.name] = box
            methods.addWidget(box, number // 2, number % 2)
        self._grey_out()
        self._context.settings_changed.connect(self._grey_out)
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
            ("", self.few),
            ("Draws", self.seeds),
            ("Detector", self._pair(self.one_for_all, self.one_for_one)),
            ("The class is", self._pair(self.known, self.to_find)),
        ]
        for line, (words, field) in enumerate(lines):
            if words:
                form.addWidget(_caption(words), line, 0)
            if isinstance(field, QLabel):
                form.addWidget(field, line, 1)
            elif isinstance(field, QWidget):
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
        scroll = scrolling(inside, "What is measured")
        scroll.setFixedWidth(456)
        self.form = inside

        table = self.table
        for place in range(len(_FOUND)):
            side = Qt.AlignmentFlag.AlignRight if place else Qt.AlignmentFlag.AlignLeft
            head = QTableWidgetItem(_FOUND[place])
            head.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            table.setHorizontalHeaderItem(place, head)
        quiet_table(table, "Classes found", 26)
        table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        table.setStyleSheet(
            "QTableView::item { padding: 0 5px; border: none; } QHeaderView::section { padding: 6px 8px; }"
        )
        heads = table.horizontalHeader()
        heads.setMinimumSectionSize(80)
        heads.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        heads.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
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
        self.table.itemChanged.connect(lambda _: self._refresh())
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
        self.data.setText(folder_text(folder))
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
        blocker = QSignalBlocker(self.table)
        self.table.setRowCount(len(found.classes))
        for line, one in enumerate(found.classes):
            name = QTableWidgetItem(one.name)
            name.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(Qt.CheckState.Checked)
            name.setToolTip("Untick to leave this class out")
            self.table.setItem(line, 0, name)
            for column, value in enumerate((one.train, one.good, one.defective, one.masked), 1):
                item = QTableWidgetItem(f"{value:,}")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setFont(theme.font(figures=True))
                self.table.setItem(line, column, item)
        blocker.unblock()

    def chosen(self) -> list[ClassFound]:
        """The classes that are ticked."""
        if self.found is None:
            return []
        items = (self.table.item(line, 0) for line in range(self.table.rowCount()))
        ticked = [item is not None and item.checkState() == Qt.CheckState.Checked for item in items]
        return [one for one, on in zip(self.found.classes, ticked, strict=True) if on]

    def set_earlier(self, earlier: Sequence[Listed]) -> None:
        """Evaluations that were measured here, the newest first; they tell how long the next one takes."""
        self._earlier = tuple(earlier)
        self._refresh()

    def set_root(self, root: Path) -> None:
        """Results go into a new folder below `root`."""
        self.root = root
        self.target.setText(folder_text(root))

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
        classes = self.chosen()
        shots = tuple(n for n, box in self.shots.items() if box.isChecked() and not too_few(classes, n))
        if self.found is None or not methods or not shots or not classes:
            return None
        return EvaluationPlan(
            self.found.folder,
            methods,
            shots,
            tuple(range(self.seeds.value())),
            self.root,
            classes=() if len(classes) == len(self.found.classes) else tuple(one.name for one in classes),
            one_for_all=self.one_for_all.isChecked(),
            class_known=self.known.isChecked(),
            resume=False,  # every run here has a folder of its own
        )

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
        classes = self.chosen()
        reasons = {count: too_few(classes, count) for count in self.shots}
        for count, box in self.shots.items():
            box.setEnabled(not reasons[count])
            box.setToolTip(reasons[count])
        few = next((reason for reason in reasons.values() if reason), "")
        self.few.setText(few)
        self.few.setVisible(bool(few))
        plan = self.plan()
        words = self._words(plan, sum(one.tests for one in classes))
        switch(self.run, words if plan is None or self._running else "")
        self.reason.setText(words)

    def _words(self, plan: EvaluationPlan | None, tests: int) -> str:
        if self._running:
            return "One evaluation at a time; this one is under way."
        if self.found is None:
            return "Choose a folder of labelled images first."
        if plan is None:
            return "Tick a method and a number of shots." if self.chosen() else "Tick a class to measure on."
        count = len(plan.series()) * len(plan.seeds)
        words = f"{count} detector{'s' if count != 1 else ''} on {tests:,} test images. "
        words += duration(plan, tests, self._earlier)
        if self._context.runner.busy:
            words += " It starts when the running job is done."
        return words
