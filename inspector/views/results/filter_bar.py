"""Which results the Results page shows: run, detector, class, verdict, reviewed or not, and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QSizePolicy, QWidget
from superqt.utils import QSignalDebouncer

from inspector.domain import Decision
from inspector.views.look import icons, theme
from inspector.views.look.kit import narrow_combo
from inspector.views.look.labels import plain

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.inspected.runs import RunRow
    from inspector.records.result_filter import ResultFilter

_DISPUTED = "disputed"


class FilterBar(QWidget):
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run = narrow_combo("Run")
        self.detector = narrow_combo("Detector")
        self.class_name = narrow_combo("Class")
        self.verdict = narrow_combo("Verdict")
        self.reviewed = narrow_combo("Reviewed by a person")
        self.text = QLineEdit()
        self.text.setPlaceholderText("Search name, class, defect type")
        self.text.setAccessibleName("Search")
        self.text.setClearButtonEnabled(True)
        self.text.addAction(icons.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.text.setMinimumWidth(90)
        self.verdict.addItem("Any verdict", None)
        for decision in Decision:
            self.verdict.addItem(theme.verdict_text(decision), decision)
        self.verdict.addItem("! Failed", "failed")
        for words, value in (
            ("Any review", None),
            ("Not reviewed", False),
            ("Reviewed", True),
            ("People disagree", _DISPUTED),
        ):
            self.reviewed.addItem(words, value)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._combos = (self.run, self.detector, self.class_name, self.verdict, self.reviewed)
        for combo in self._combos:
            combo.setMinimumContentsLength(9)
            combo.setMinimumWidth(76)  # beside the export panel of a small window
            layout.addWidget(combo)
            combo.activated.connect(lambda _: self.changed.emit())
        layout.addWidget(self.text, 1)
        self._typing = QSignalDebouncer(parent=self)
        self._typing.setTimeout(200)
        self._typing.triggered.connect(self.changed)
        self.text.textChanged.connect(self._typing.throttle)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.activated.connect(self.text.setFocus)

    def show_choices(self, runs: Sequence[RunRow], classes: Sequence[ClassRow]) -> None:
        """What can be chosen; the choice stays where it can."""
        detectors = {row.detector_id: row.detector_label for row in runs}
        _fill(self.run, [("All runs", None), *((row.label, row.id) for row in runs)])
        _fill(self.detector, [("All detectors", None), *((label, key) for key, label in detectors.items())])
        _fill(self.class_name, [("All classes", None), *((row.name, row.id) for row in classes)])

    def reset(self) -> None:
        """Show everything again."""
        for combo in self._combos:
            combo.setCurrentIndex(0)
        self.text.clear()
        self._typing.cancel()
        self.changed.emit()

    @property
    def empty(self) -> bool:
        return not self.text.text().strip() and all(combo.currentIndex() <= 0 for combo in self._combos)

    def words(self) -> str:
        """What is chosen, as people read it."""
        parts = [combo.currentText() for combo in self._combos if combo.currentIndex() > 0]
        parts = [part.lstrip("✓?✕! ") for part in parts]
        text = self.text.text().strip()
        return " · ".join([*parts, f"“{text}”"] if text else parts)

    def filter(self) -> ResultFilter:
        from inspector.records.result_filter import ResultFilter

        verdict: Any = self.verdict.currentData()
        failed, disputed = verdict == "failed", self.reviewed.currentData() == _DISPUTED
        return ResultFilter(
            run_id=self.run.currentData(),
            detector_id=self.detector.currentData(),
            class_id=self.class_name.currentData(),
            verdict=None if failed or verdict is None else Decision(verdict),
            failed=True if failed else None,
            reviewed=None if disputed else self.reviewed.currentData(),
            disputed=disputed or None,
            text=self.text.text().strip(),
        )


def _fill(combo: QComboBox, items: Sequence[tuple[str, int | None]]) -> None:
    chosen = combo.currentData()
    with QSignalBlocker(combo):
        combo.clear()
        for number, (words, value) in enumerate(items):
            combo.addItem(words, value)
            combo.setItemData(number, plain(words), Qt.ItemDataRole.ToolTipRole)
        combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)
