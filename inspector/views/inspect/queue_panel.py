"""The left of the Inspect page: what to inspect with, and the queue of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QVBoxLayout,
    QWidget,
)

from inspector.views.look import icons, theme
from inspector.views.review.result_list import ResultList
from inspector.views.review.result_model import ResultModel
from inspector.views.viewer.viewer_panel import tool

if TYPE_CHECKING:
    from inspector.records.detectors import DetectorRow
    from inspector.records.results import Counts
    from inspector.records.runs import RunRow
    from inspector.views.shared.context import WindowContext

ORDERS = (  # words, sort, descending
    ("As they came", "time", False),
    ("Highest score", "score", True),
    ("Worst verdict", "verdict", True),
    ("Name", "name", False),
)


class _Narrow(QComboBox):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def narrow_combo(words: str) -> QComboBox:
    """A combo box that gives way: long entries are shortened rather than widening the panel."""
    combo = _Narrow()
    combo.setToolTip(words)
    combo.setAccessibleName(words)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


class QueuePanel(QWidget):
    add_files = Signal()
    add_folder = Signal()
    question_changed = Signal()  # another run or another order

    def __init__(self, context: WindowContext, model: ResultModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add_button = QPushButton(icons.icon("add", "#ffffff"), "Add images")
        theme.set_role(self.add_button, "primary")
        self.folder_button = tool("folder", "Add a folder of images")
        self.detector = narrow_combo("Detector that inspects the next images")
        self.class_name = narrow_combo("Class of the next images")
        self.run = narrow_combo("Which results are in the queue")
        self.order = narrow_combo("Order of the queue")
        self.order.addItems([words for words, _, _ in ORDERS])
        self.list = ResultList(context, model)
        self.counts = QLabel()
        self.counts.setFont(theme.font("small", figures=True))
        first = QHBoxLayout()
        first.setSpacing(4)
        first.addWidget(self.add_button, 1)
        first.addWidget(self.folder_button)
        top = QVBoxLayout()
        top.setContentsMargins(8, 8, 8, 8)
        top.setSpacing(8)
        top.addLayout(first)
        top.addWidget(self.detector)
        top.addWidget(self.class_name)
        rule = QWidget()
        rule.setFixedHeight(1)
        theme.set_role(rule, "rule")
        top.addWidget(rule)
        top.addWidget(self.run)
        top.addWidget(self.order)
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 4, 8, 4)
        foot.addWidget(self.counts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addLayout(foot)
        self.add_button.clicked.connect(self.add_files)
        self.folder_button.clicked.connect(self.add_folder)
        self.run.activated.connect(lambda _: self.question_changed.emit())
        self.order.activated.connect(lambda _: self.question_changed.emit())
        self.detector.currentIndexChanged.connect(self._fill_classes)
        self._detectors: dict[int, DetectorRow] = {}

    def show_detectors(self, rows: Sequence[DetectorRow]) -> None:
        """Newest first; a damaged one can't be chosen. The choice stays where it can."""
        chosen = self.detector_id
        before = next(iter(self._detectors), None)
        self._detectors = {row.id: row for row in rows if not row.problem}
        was = self.detector.blockSignals(True)
        self.detector.clear()
        for row in self._detectors.values():
            self.detector.addItem(row.label, row.id)
            self.detector.setItemData(self.detector.count() - 1, ", ".join(row.classes.values()), 3)
        self.detector.blockSignals(was)
        if (
            before == next(iter(self._detectors), None) and chosen is not None
        ):  # one newly in charge is taken at once
            self.detector.setCurrentIndex(max(0, self.detector.findData(chosen)))
        self._fill_classes()

    def show_runs(self, rows: Sequence[RunRow], choose: int | None = None) -> None:
        """Newest first; `choose` a run, else the choice stays."""
        chosen = choose if choose is not None else self.run_id
        was = self.run.blockSignals(True)
        self.run.clear()
        self.run.addItem("All results", None)
        for row in rows:
            self.run.addItem(f"{row.label} ({row.counts.total:,})", row.id)
            self.run.setItemData(self.run.count() - 1, row.detector_label, 3)
        self.run.setCurrentIndex(max(0, self.run.findData(chosen)) if chosen is not None else 0)
        self.run.blockSignals(was)

    def show_counts(self, counts: Counts | None) -> None:
        if counts is None or not counts.total:
            self.counts.setText("")
            return
        parts = [f"✓ {counts.ok:,}", f"? {counts.review:,}", f"✕ {counts.ng:,}"]
        if counts.failed:
            parts.append(f"! {counts.failed:,}")
        self.counts.setText("   ".join(parts))
        self.counts.setToolTip(
            f"{counts.ok:,} OK, {counts.review:,} to review, {counts.ng:,} NG, {counts.failed:,} failed;"
            f" {counts.reviewed:,} reviewed by a person"
        )

    @property
    def detector_id(self) -> int | None:
        value = self.detector.currentData()
        return int(value) if value is not None else None

    @property
    def chosen_class(self) -> str | None:
        """The class that was given, None to let the detector find it."""
        value = self.class_name.currentData()
        return str(value) if value is not None else None

    @property
    def run_id(self) -> int | None:
        value = self.run.currentData()
        return int(value) if value is not None else None

    def _fill_classes(self) -> None:
        chosen = self.class_name.currentData()
        row = self._detectors.get(self.detector_id or -1)
        self.class_name.clear()
        names = list(row.classes.values()) if row else []
        if len(names) != 1:
            self.class_name.addItem("Find the class", None)
        for name in names:
            self.class_name.addItem(name, name)
        self.class_name.setCurrentIndex(max(0, self.class_name.findData(chosen)))
