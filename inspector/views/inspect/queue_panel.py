"""The left of the Inspect page: what to inspect with, and the queue of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import JobStatus
from inspector.views.look import icons, theme
from inspector.views.look.kit import narrow_combo, switch, tool
from inspector.views.look.labels import plain, wrapped
from inspector.views.look.words import shots_said
from inspector.views.review.result_list import ResultList
from inspector.views.review.result_model import ResultModel
from inspector.views.shared.context import ResultQuery

if TYPE_CHECKING:
    from inspector.records.detectors import DetectorRow
    from inspector.records.inspected.results import Counts
    from inspector.records.inspected.runs import RunRow
    from inspector.views.shared.context import WindowContext

ORDERS = (  # words, sort, descending
    ("As they came", "time", False),
    ("Most doubtful first", "doubt", False),
    ("Highest score", "score", True),
    ("Worst verdict", "verdict", True),
    ("Name", "name", False),
)


class QueuePanel(QWidget):
    add_files = Signal()
    add_folder = Signal()
    question_changed = Signal()  # another run or another order
    continue_asked = Signal(object)  # a RunRow that was interrupted
    confirm_asked = Signal(object)  # a RunRow whose parts are good but for what was marked

    def __init__(self, context: WindowContext, model: ResultModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add_button = QPushButton(icons.icon("add", "#ffffff"), "Add images")
        theme.set_role(self.add_button, "primary")
        self.folder_button = tool("folder", "Add a folder of images")
        self.next_title = QLabel("Next images are judged by")
        theme.set_role(self.next_title, "small")
        self.detector = narrow_combo("Detector that inspects the next images")
        self.class_name = narrow_combo("Class of the next images")
        self.newer = wrapped("small")  # another detector is in charge than the one chosen
        self.warning = QLabel()
        self.warning.setWordWrap(True)
        self.warning.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.warning, "error")
        self.warning.hide()
        self.run = narrow_combo("Which results are in the queue")
        self.judge = wrapped("small")
        self.confirm = QPushButton("Confirm as good…")
        self.confirm.setToolTip("This run is good but for what was marked: its parts then set the thresholds")
        theme.set_role(self.confirm, "link")
        self.order = narrow_combo("Order of the queue")
        self.order.addItems([words for words, _, _ in ORDERS])
        self.order.setPlaceholderText("As on the Results page")
        self.chip = QPushButton(icons.icon("close"), "")
        self.chip.setToolTip(
            "Only the results that were filtered on the Results page. Click to step through all."
        )
        self.list = ResultList(context, model)
        self.interrupted = QLabel()
        self.interrupted.setWordWrap(True)
        theme.set_role(self.interrupted, "warning")
        self.continue_button = QPushButton("Continue")
        self.left_out = QLabel()
        self.left_out.setTextFormat(Qt.TextFormat.PlainText)
        self.left_out.setWordWrap(True)
        theme.set_role(self.left_out, "warning")
        self.counts = QLabel()
        self.counts.setFont(theme.font("small", figures=True))
        first = QHBoxLayout()
        first.setSpacing(4)
        first.addWidget(self.add_button, 1)
        first.addWidget(self.folder_button)
        rule = QWidget()
        rule.setFixedHeight(1)
        theme.set_role(rule, "rule")
        top = QVBoxLayout()
        top.setContentsMargins(8, 8, 8, 8)
        top.setSpacing(8)
        top.addLayout(first)
        chosen = (self.next_title, self.detector, self.class_name, self.newer, self.warning)
        for widget in (*chosen, rule, self.run, self.chip, self.judge):
            top.addWidget(widget)
        top.addWidget(self.confirm, alignment=Qt.AlignmentFlag.AlignLeft)
        top.addWidget(self.order)
        broken = QHBoxLayout()
        broken.addWidget(self.interrupted, 1)
        broken.addWidget(self.continue_button)
        foot = QVBoxLayout()
        foot.setContentsMargins(8, 4, 8, 4)
        foot.setSpacing(4)
        foot.addWidget(self.left_out)
        foot.addLayout(broken)
        foot.addWidget(self.counts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addLayout(foot)
        self.add_button.clicked.connect(self.add_files)
        self.folder_button.clicked.connect(self.add_folder)
        self.run.activated.connect(lambda _: self._chosen())
        self.order.activated.connect(lambda _: self.question_changed.emit())
        self.chip.clicked.connect(self._chosen)
        self.continue_button.clicked.connect(self._continue)
        self.confirm.clicked.connect(lambda: self.confirm_asked.emit(self._runs.get(self.run_id or 0)))
        self.detector.currentIndexChanged.connect(self._detector_changed)
        self._detectors: dict[int, DetectorRow] = {}
        self._runs: dict[int, RunRow] = {}
        self._led: int | None = None  # the detector in charge that the choice has followed last
        self._filtered: ResultQuery | None = None
        self._why = self._viewing = ""
        self.step_through(None)
        self._describe_run()

    def show_detectors(self, rows: Sequence[DetectorRow], viewing: str = "", under_way: bool = False) -> None:
        """The one in charge first; a damaged one can't be chosen. The choice follows who is newly in charge, but stays
        while images are `under_way`: what was dropped is judged by the detector that stood there. `viewing`: why nothing
        can be inspected in this project, "" when it can."""
        chosen = self.detector_id
        self._detectors = {row.id: row for row in rows if not row.problem}
        with QSignalBlocker(self.detector):
            self.detector.clear()
            for row in self._detectors.values():
                self.detector.addItem(row.label, row.id)
                words = f"{row.label}: {', '.join(row.classes.values())}"
                self.detector.setItemData(
                    self.detector.count() - 1, plain(words), Qt.ItemDataRole.ToolTipRole
                )
            leading = next(iter(self._detectors), None)
            if (under_way or leading == self._led) and chosen in self._detectors:
                self.detector.setCurrentIndex(self.detector.findData(chosen))
            else:
                self._led = leading
        self._viewing = viewing
        self._why = viewing or (
            "" if self._detectors else "There is no detector to inspect with. Teach a class first."
        )
        for button, words in (
            (self.add_button, "Add images"),
            (self.folder_button, "Add a folder of images"),
        ):
            button.setEnabled(not self._why)
            button.setToolTip(plain(self._why) or f"{words}: they are inspected at once")
        for combo in (self.detector, self.class_name):
            combo.setEnabled(not self._why)
        self._detector_changed()
        self._describe_run()

    def show_runs(self, rows: Sequence[RunRow], choose: int | None = None) -> None:
        """Newest first; `choose` a run, else the choice stays."""
        chosen = choose if choose is not None else self.run_id
        self._runs = {row.id: row for row in rows}
        with QSignalBlocker(self.run):
            self.run.clear()
            self.run.addItem("All results", None)
            for row in rows:
                self.run.addItem(_run_words(row, row.counts.total), row.id)
                words = f"{row.label}, by {row.detector_label}"
                self.run.setItemData(self.run.count() - 1, plain(words), Qt.ItemDataRole.ToolTipRole)
            self.run.setCurrentIndex(max(0, self.run.findData(chosen)) if chosen is not None else 0)
        self._describe_run()

    def show_counts(self, counts: Counts | None, shots: int = 0) -> None:
        """`shots`: so many more taught the detector, and are not counted."""
        row = self._runs.get(self.run_id or 0)
        if counts is not None and row is not None and self._filtered is None:
            self.run.setItemText(self.run.currentIndex(), _run_words(row, counts.total + shots))
        if counts is None or not counts.total + shots:
            self.counts.setText("")
            return
        parts = [f"✓ {counts.ok:,}", f"? {counts.review:,}", f"✕ {counts.ng:,}"]
        if counts.other:
            parts.append(f"≠ {counts.other:,}")
        if counts.failed:
            parts.append(f"! {counts.failed:,}")
        if shots:
            parts.append(f"({shots:,} shot{'s' if shots > 1 else ''})")
        self.counts.setText("   ".join(parts))
        self.counts.setToolTip(
            f"{counts.ok:,} OK, {counts.review:,} to review, {counts.ng:,} NG, {counts.other:,} not this product, {counts.failed:,} failed;"
            f" {counts.reviewed:,} reviewed by a person" + (f". {shots_said(shots)}" if shots else "")
        )

    def step_through(self, filtered: ResultQuery | None) -> None:
        """Only what was filtered on Results, None for a whole run again."""
        self._filtered = filtered
        self.chip.setVisible(filtered is not None)
        self.run.setVisible(filtered is None)
        if filtered is not None:
            self.chip.setText(
                self.chip.fontMetrics().elidedText(
                    filtered.words, Qt.TextElideMode.ElideRight, max(100, self.width() - 60)
                )
            )
            self.chip.setAccessibleName(f"Results filtered by {filtered.words}; show all")
            order = next(
                (
                    n
                    for n, (_, sort, down) in enumerate(ORDERS)
                    if (sort, down) == (filtered.sort, filtered.descending)
                ),
                -1,
            )
            self.order.setCurrentIndex(order)
        elif self.order.currentIndex() < 0:
            self.order.setCurrentIndex(0)
        self._describe_run()

    @property
    def question(self) -> ResultQuery:
        """Which results are in the queue, in which order."""
        from inspector.records.result_filter import ResultFilter, ResultSort

        order = self.order.currentIndex()
        sort, descending = (ResultSort(ORDERS[order][1]), ORDERS[order][2]) if order >= 0 else (None, False)
        if self._filtered is not None:
            now = self._filtered
            return now if sort is None else replace(now, sort=sort, descending=descending)
        return ResultQuery(ResultFilter(run_id=self.run_id), sort or ResultSort.TIME, descending)

    @property
    def filtered(self) -> bool:
        """Whether only what was filtered on Results is stepped through."""
        return self._filtered is not None

    @property
    def detector_id(self) -> int | None:
        value = self.detector.currentData()
        return int(value) if value is not None else None

    @property
    def chosen_detector(self) -> DetectorRow | None:
        """The one that inspects the next images; None where there is none."""
        return self._detectors.get(self.detector_id or 0)

    @property
    def chosen_class(self) -> str | None:
        """The class that was given, None to let the detector find it."""
        value = self.class_name.currentData()
        return str(value) if value is not None else None

    @property
    def run_id(self) -> int | None:
        value = self.run.currentData()
        return int(value) if value is not None else None

    def _chosen(self) -> None:
        self.step_through(None)
        self.question_changed.emit()

    def _continue(self) -> None:
        row = self._runs.get(self.run_id or 0)
        if row is not None:
            self.continue_button.setEnabled(False)
            self.continue_asked.emit(row)

    def _describe_run(self) -> None:
        row = self._runs.get(self.run_id or 0) if self._filtered is None else None
        self.judge.setText(f"Judged by {row.detector_label}" if row is not None else "")
        self.judge.setVisible(row is not None)
        self.confirm.setVisible(row is not None and row.counts.total > row.counts.failed)
        running = row is not None and row.status is JobStatus.RUNNING
        switch(self.confirm, self._viewing or ("Wait until all of it is inspected." if running else ""))
        broken = row is not None and row.interrupted
        for widget in (self.interrupted, self.continue_button):
            widget.setVisible(broken)
        self.left_out.setText(row.left_out if row is not None else "")
        self.left_out.setVisible(bool(self.left_out.text()))
        if row is None or not broken:
            return
        self.interrupted.setText(f"Interrupted: {row.counts.total:,} of {row.total:,} inspected.")
        why = self._why
        if not row.sources:
            why = "What else was to be inspected isn't known any more. Add those images again."
        elif row.detector_id not in self._detectors:
            why = (
                why
                or f"{row.detector_label} can't be used any more. Inspect the images with another detector."
            )
        self.continue_button.setEnabled(not why)
        self.continue_button.setToolTip(
            plain(why) or f"Inspect the {row.total - row.counts.total:,} that are missing"
        )

    def _detector_changed(self) -> None:
        chosen = self.class_name.currentData()
        row = self.chosen_detector
        leading = next(iter(self._detectors.values()), None)
        held = leading is not None and row is not None and self._led != leading.id != row.id
        self.newer.setText(
            f"{leading.label} is in charge now. It is chosen here once all that was added is inspected."
            if held and leading is not None
            else ""
        )
        self.newer.setVisible(held)
        self.class_name.clear()
        names = list(row.classes.values()) if row else []
        if len(names) != 1:
            self.class_name.addItem("Find the class", None)
        for name in names:
            self.class_name.addItem(name, name)
        self.class_name.setCurrentIndex(max(0, self.class_name.findData(chosen)))
        gone = len(row.gone_shots) if row else 0
        self.warning.setVisible(gone > 0)
        shots = "a shot that was" if gone == 1 else f"{gone} shots that were"
        self.warning.setText(f"This detector knows {shots} removed since. Teach again before you trust it.")


def _run_words(row: RunRow, count: int) -> str:
    return f"{row.label} ({count:,} of {row.total:,})" if count < row.total else f"{row.label} ({count:,})"
