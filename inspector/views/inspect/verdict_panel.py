"""The right of the Inspect page: the verdict on the image at hand, its thresholds, its regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from inspector.domain import Decision, Thresholds
from inspector.verdicts.judge import decide
from inspector.views.inspect.regions_table import RegionsTable
from inspector.views.inspect.score_histogram import ScoreView
from inspector.views.look import icons, theme
from inspector.views.look.verdict_chip import VerdictChip

if TYPE_CHECKING:
    from inspector.records.results import ResultDetail


class VerdictPanel(QScrollArea):
    accepted = Signal()
    override_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._detail: ResultDetail | None = None
        self.chip = VerdictChip()
        self.score = QLabel()
        self.score.setFont(theme.font("title", bold=True, figures=True))
        self.class_line = QLabel()
        self.class_line.setTextFormat(Qt.TextFormat.PlainText)
        self.class_line.setWordWrap(True)
        self.remark = QLabel()
        self.remark.setTextFormat(Qt.TextFormat.PlainText)
        self.remark.setWordWrap(True)
        theme.set_role(self.remark, "small")
        self.accept = QPushButton(icons.icon("accept"), "Accept")
        self.accept.setToolTip("The verdict is right; on to the next image (A)")
        self.override = QPushButton(icons.icon("override"), "Override")
        self.override.setToolTip("Give another verdict, with a reason (X); a type of defect (D)")
        self.scores = ScoreView()
        self.regions_title = QLabel("Regions")
        theme.set_role(self.regions_title, "heading")
        self.regions = RegionsTable()
        self.regions.setMinimumHeight(88)
        head = QHBoxLayout()
        head.addWidget(self.chip)
        head.addStretch(1)
        head.addWidget(self.score)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.accept, 1)
        buttons.addWidget(self.override, 1)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.class_line)
        layout.addWidget(self.remark)
        layout.addLayout(buttons)
        layout.addWidget(self.scores)
        layout.addWidget(self.regions_title)
        layout.addWidget(self.regions, 1)
        layout.addStretch()
        self.setWidget(inside)
        self.accept.clicked.connect(self.accepted)
        self.override.clicked.connect(self.override_asked)
        self.show_detail(None)

    def show_detail(self, detail: ResultDetail | None) -> None:
        """The stored verdict; None when no image is chosen."""
        self._detail = detail
        row = detail.row if detail else None
        judged = row is not None and row.verdict is not None
        self.chip.show_decision(row.verdict if row else None, known=row is not None)
        self.score.setText(f"{row.image_score:.3f}" if row and row.image_score is not None else "")
        self.scores.set_current(row.image_score if row else None)
        for button in (self.accept, self.override):
            button.setEnabled(judged)
        scored = row is not None and row.image_score is not None
        for widget in (self.scores, self.regions_title, self.regions):
            widget.setVisible(scored)
        self.class_line.setText(_class_words(detail) if detail else "")
        self.class_line.setVisible(bool(self.class_line.text()))
        self.remark.setText(_remark(detail) if detail else "")
        self.remark.setVisible(bool(self.remark.text()))

    def show_moving(self, thresholds: Thresholds) -> None:
        """The verdict as it would be; a person's word stays."""
        row = self._detail.row if self._detail else None
        if row is not None and row.image_score is not None and row.override is None:
            self.chip.show_decision(decide(row.image_score, thresholds))

    def popup_place(self) -> QPoint:
        """Where a popup's lower right corner goes: left of this panel, beside its buttons."""
        return self.mapToGlobal(QPoint(-8, self.override.mapTo(self, QPoint(0, 0)).y() + 260))


def _class_words(detail: ResultDetail) -> str:
    row = detail.row
    if not row.class_name:
        return ""
    if row.class_confidence is None or row.class_confidence >= 1:
        return row.class_name
    return f"{row.class_name} (found, {row.class_confidence * 100:.0f} % sure)"


def _remark(detail: ResultDetail) -> str:
    row, said = detail.row, []
    review = next((r for r in reversed(detail.reviews) if r.decision is not None and not r.withdrawn), None)
    if review is not None and row.override is not None:
        words = (
            "Accepted"
            if row.override == row.decision
            else f"{theme.WORDS[row.override]} instead of {_word(row.decision)}"
        )
        by = f" by {review.who}" if review.who else ""
        said.append(f"{words}{by}, {review.created.astimezone():%d %b %H:%M}.")
        if review.reason:
            said.append(f"“{review.reason}”")
        if review.defect_type:
            said.append(f"Defect type: {review.defect_type}.")
    if row.is_shot:
        said.append("This image also taught the detector, so its score says little.")
    return " ".join(said)


def _word(decision: Decision | None) -> str:
    return theme.WORDS[decision] if decision else "no verdict"
