"""How small a defect is found: painted into the shots of a class, size by size, and every such test of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Deed, JobKind
from inspector.views.look import theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import fill, narrow_combo, switch, word_table
from inspector.views.look.labels import wrapped
from inspector.views.look.sections import Section
from inspector.views.qualify.smallest.chart import DetectionChart

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.classes import ClassRow
    from inspector.records.project import Project
    from inspector.records.qualification.smallest import SmallestTest
    from inspector.views.shared.context import WindowContext

_SERIES = ("Defect", "Contrast", "Found from")
_TESTS = ("When", "Who", "Detector", "Thresholds", "Found")
_NONE = "Nothing was tested in this class yet: press Test now."


@dataclass(frozen=True)
class Found:
    """`classes`: those that a detector judges."""

    classes: list[ClassRow]
    tests: list[SmallestTest]


def read_tests(project: Project) -> Found:
    """For a worker."""
    from inspector.records.classes import list_classes
    from inspector.records.qualification.smallest import list_smallest

    return Found(
        [row for row in list_classes(project) if row.detector_id is not None], list_smallest(project)
    )


class SmallestSection(Section):
    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.found = Found([], [])
        self.test: SmallestTest | None = None
        self.empty = EmptyState(
            "search",
            "How small a defect is found? Spots, scratches, dents and missing pieces of rising size are painted into the good "
            "shots of a class and inspected.",
            "Go to Teach",
            "Teach a class first.",
        )
        self.empty.button.clicked.connect(lambda: context.go("teach"))
        self.heading = wrapped("heading")
        self.said = wrapped("small")
        self.classes = narrow_combo("Class")
        self.classes.setMinimumWidth(140)
        self.classes.currentIndexChanged.connect(lambda _index: self._choose())
        self.test_button = QPushButton("Test now")
        theme.set_role(self.test_button, "primary")
        self.test_button.setToolTip(
            "Paint defects of every size into the shots, and inspect them with the thresholds of now"
        )
        self.test_button.clicked.connect(self.run)
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip("Every size that was tried, as CSV (Ctrl+E)")
        self.export_button.clicked.connect(self.export)
        self.series = word_table(_SERIES, "What was painted, and from which size on it is found", 0)
        self.series.itemSelectionChanged.connect(self._show_curve)
        self.chart = DetectionChart()
        self.tests = word_table(_TESTS, "Tests of this class", 4)
        self.tests.setMaximumHeight(150)
        self.tests.itemSelectionChanged.connect(self._picked)
        title = QLabel("Tests")
        theme.set_role(title, "heading")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.heading)
        words.addWidget(self.said)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addLayout(words, 1)
        for widget in (self.classes, self.export_button, self.test_button):
            head.addWidget(widget, alignment=Qt.AlignmentFlag.AlignTop)
        self.split = QSplitter()
        self.split.addWidget(self.series)
        self.split.addWidget(self.chart)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([420, 700])
        self.split.setChildrenCollapsible(False)
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(16, 8, 16, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.split, 1)
        column.addWidget(title)
        column.addWidget(self.tests)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(full)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        for changed in (context.detectors_changed, context.classes_changed, context.thresholds_moved):
            changed.connect(lambda *_: self._follow())
        context.runner.busy_changed.connect(lambda _busy: self._switch())
        context.runner.ended.connect(lambda job, _event: self._ended(job.kind))
        self._switch()

    @property
    def chosen_class(self) -> ClassRow | None:
        index = self.classes.currentIndex()
        return self.found.classes[index] if 0 <= index < len(self.found.classes) else None

    def refresh(self) -> None:
        if not self.context.query(self, read_tests, self._show, latest="smallest"):
            self._show(Found([], []))

    def run(self) -> None:
        project, row = self.context.writable(), self.chosen_class
        if project is None or row is None or not self.context.may(Deed.STUDY):
            return
        who = self.context.who

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.smallest import run_test

            run_test(project, engine, row.name, who=who, emit=emit, cancel=cancel)

        self.context.runner.start(JobKind.SMALLEST, f"Test how small a defect is found in “{row.name}”", work)

    def export(self) -> bool:
        """Ask for a file, and write what the test in sight found."""
        test = self.test
        if test is None or not self.context.may(Deed.EXPORT):
            return test is not None
        name, _ = QFileDialog.getSaveFileName(self, "Export the test", "smallest defect.csv", "CSV (*.csv)")
        if name:
            self.export_to(test, Path(name))
        return True

    def export_to(self, test: SmallestTest, target: Path) -> None:
        scale = self._scale()

        def write(project: Project) -> None:
            from inspector.exports.smallest import export_smallest
            from inspector.records.audit import ActKind, record

            export_smallest(test, scale, target)
            record(project, ActKind.SMALLEST_EXPORTED, test.class_name, new=str(target))

        self.context.query(self, write, lambda _none: self.context.toast(f"Written: {target.name}"))

    def _follow(self) -> None:
        if self.isVisible():
            self.refresh()

    def _ended(self, kind: JobKind) -> None:
        if kind in (JobKind.SMALLEST, JobKind.TEACH):
            self._follow()

    def _show(self, found: Found) -> None:
        before = self.chosen_class
        self.found = found
        self._stack.setCurrentIndex(bool(found.classes))
        names = [row.name for row in found.classes]
        self.classes.blockSignals(True)
        self.classes.clear()
        self.classes.addItems(names)
        if before is not None and before.name in names:
            self.classes.setCurrentIndex(names.index(before.name))
        self.classes.blockSignals(False)
        self._choose()

    def _own(self) -> list[SmallestTest]:
        row = self.chosen_class
        return [test for test in self.found.tests if row is not None and test.class_id == row.id]

    def _choose(self) -> None:
        """Another class, or other tests of it: the newest one is shown."""
        own = self._own()
        self.tests.blockSignals(True)
        fill(self.tests, [_test_line(test, self._scale()) for test in own])
        self.tests.blockSignals(False)
        if own:
            self.tests.selectRow(0)
        self._show_test(own[0] if own else None)

    def _picked(self) -> None:
        rows = self.tests.selectionModel().selectedRows()
        own = self._own()
        if rows and rows[0].row() < len(own):
            self._show_test(own[rows[0].row()])

    def _show_test(self, test: SmallestTest | None) -> None:
        from inspector.images.harm import TITLES

        self.test = test
        scale = self._scale()
        if test is None:
            self.heading.setText(_NONE if self.found.classes else "")
            self.said.setText("It takes a minute or two; the shots themselves are not changed.")
            lines: list[tuple[str, ...]] = []
        else:
            self.heading.setText(_sentence(test, scale))
            good = f"{test.found.good_ng:.0%} of the {test.found.shots} shots themselves are called NG."
            old = "" if test.current else " The detector or its thresholds are others by now: test again."
            self.said.setText(good + old)
            lines = [
                (TITLES[one.kind].capitalize(), _contrast(one.contrast), _size(one.sure, scale))
                for one in test.found.curves
            ]
        fill(self.series, lines)
        if lines:
            self.series.selectRow(min(1, len(lines) - 1))
        self._show_curve()
        self._switch()

    def _show_curve(self) -> None:
        rows = self.series.selectionModel().selectedRows()
        curves = self.test.found.curves if self.test else ()
        chosen = curves[rows[0].row()] if rows and rows[0].row() < len(curves) else None
        self.chart.show_curve(chosen, self._scale())

    def _scale(self) -> float | None:
        row = self.chosen_class
        return row.scale if row is not None else None

    def _switch(self) -> None:
        busy = "A job is running." if self.context.runner.busy else ""
        none = "" if self.chosen_class else "No class is taught."
        switch(self.test_button, self.context.viewing_only or busy or none)
        switch(self.export_button, "" if self.test else "Nothing was tested yet.")


def _sentence(test: SmallestTest, scale: float | None) -> str:
    from inspector.images.harm import TITLES
    from inspector.records.qualification.smallest import smallest_of

    parts = [
        f"{TITLES[kind]} {'from ' + _size(size, scale) + ' on' if size is not None else 'of no size tried'}"
        for kind, size in smallest_of(test.found).items()
    ]
    return f"Nine of ten are found: {', '.join(parts)}."


def _size(size: int | None, scale: float | None) -> str:
    if size is None:
        return "not found"
    return f"{size:,} px, {size * scale:.3g} mm" if scale else f"{size:,} px"


def _contrast(contrast: float | None) -> str:
    return "–" if contrast is None else f"{contrast:.0%}"


def _test_line(test: SmallestTest, scale: float | None) -> tuple[str, ...]:
    limits = f"review {test.found.review:.3f}"
    if test.found.ng is not None:
        limits += f", NG {test.found.ng:.3f}"
    when = f"{test.created.astimezone():%d %b %Y, %H:%M}"
    return when, test.who, test.detector, limits, _sentence(test, scale)
