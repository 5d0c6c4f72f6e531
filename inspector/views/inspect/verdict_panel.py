"""The right of the Inspect page: the verdict on the image at hand, its thresholds, its regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from inspector.domain import Decision, Region, Thresholds
from inspector.verdicts.judge import decide
from inspector.verdicts.product import reason
from inspector.views.inspect.regions_table import RegionsTable
from inspector.views.inspect.scores.product_line import ProductLine
from inspector.views.inspect.scores.score_view import ScoreView
from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.verdict_chip import VerdictChip
from inspector.views.look.words import share_text
from inspector.views.review.judging import people_say

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail, ResultRow


MISSED = "It is a defect: NG by your word, a golden part, and other thresholds are proposed (M)"
NO_DEFECT = "The chosen region shows no defect: it is remembered as normal (N)"


class _AcceptButton(QPushButton):
    """The second press of a double click would sign the next image, which nobody has seen: it does nothing."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()


class VerdictPanel(QScrollArea):
    accepted = Signal()
    override_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Verdict and thresholds")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._detail: ResultDetail | None = None
        self._viewing = ""
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
        self.accept = _AcceptButton(icons.icon("accept"), "Accept")
        self.override = QPushButton(icons.icon("override"), "Override")
        self.scores = ScoreView()
        self.product = ProductLine()
        self.regions_title = QLabel("Regions")
        theme.set_role(self.regions_title, "heading")
        self.regions_note = QLabel()
        self.regions_note.setWordWrap(True)
        theme.set_role(self.regions_note, "small")
        self.regions = RegionsTable()
        self.regions.setMinimumHeight(88)
        self.no_defect = QPushButton("Not a defect")
        theme.set_role(self.no_defect, "link")
        self.missed = QPushButton("A missed defect")
        theme.set_role(self.missed, "link")
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
        layout.addLayout(buttons)
        layout.addWidget(self.remark)
        layout.addWidget(self.scores)
        layout.addWidget(self.product)
        title = QHBoxLayout()
        title.addWidget(self.regions_title)
        title.addStretch(1)
        title.addWidget(self.no_defect)
        title.addWidget(self.missed)
        layout.addLayout(title)
        layout.addWidget(self.regions_note)
        layout.addWidget(self.regions, 1)
        layout.addStretch()
        self.setWidget(inside)
        self.accept.clicked.connect(self.accepted)
        self.override.clicked.connect(self.override_asked)
        self.show_detail(None)

    def set_viewing(self, why: str) -> None:
        """`why` nothing can be judged in this project; "" when it can."""
        self._viewing = why
        self.show_detail(self._detail)

    def show_detail(self, detail: ResultDetail | None) -> None:
        """The stored verdict; None when no image is chosen or it is still being opened."""
        row, before = (detail.row if detail else None), self._detail
        self._detail = detail
        if row is None or before is None or row.id != before.row.id:
            self.scores.forget_refusal()
        judged = row is not None and row.verdict is not None
        self.chip.show_decision(row.verdict if row else None, known=row is not None)
        # of another product the score says nothing, and its long word needs the room
        says = row is not None and row.image_score is not None and row.verdict is not Decision.OTHER
        self.score.setText(f"{row.image_score:.3f}" if row and says else "")
        self.scores.set_current(row.image_score if row else None)
        why = self._viewing or ("" if judged else _no_verdict(row))
        for button, words in (
            (self.accept, "The verdict is right; on to the next image (A)"),
            (self.override, "Give another verdict, with a reason (X); a type of defect (D)"),
        ):
            button.setEnabled(not why)
            button.setToolTip(plain(why) or words)
        scored = row is not None and row.image_score is not None
        for widget in (self.scores, self.regions_title, self.regions, self.no_defect):
            widget.setVisible(scored)
        held = (None, Decision.NG, Decision.OTHER)
        self.missed.setVisible(row is not None and row.verdict not in held)
        self.missed.setEnabled(not self._viewing)
        self.missed.setToolTip(plain(self._viewing) or MISSED)
        self.no_defect.setEnabled(not self._viewing)
        self.no_defect.setToolTip(plain(self._viewing) or NO_DEFECT)
        far = row.product_distance if row is not None else None
        self.product.show_limit(detail.limit if detail and scored else None, far, self._viewing)
        if not scored:
            self.regions_note.hide()
        self.class_line.setText(_class_words(detail) if detail else "")
        self.remark.setText(_remark(detail) if detail else "")
        self.remark.setVisible(bool(self.remark.text()))

    def show_regions(self, regions: Sequence[Region], threshold: float | None) -> None:
        """`threshold`: the score from which they are marked, None while unknown."""
        self.regions.show_regions(regions)
        count = f" ({len(regions)})" if regions else ""
        self.regions_title.setText(f"Regions{count}" if regions or self._detail is None else "No regions")
        words = ""
        if regions and threshold is not None:
            words = f"Marked from review ({threshold:.3f}) on. The highest place is the score of the image."
        self.no_defect.setVisible(bool(regions))
        self.regions_note.setText(words)
        self.regions_note.setVisible(bool(words))

    def show_moving(self, thresholds: Thresholds) -> None:
        """The verdict as it would be; a person's word stays."""
        row = self._detail.row if self._detail else None
        if row is not None and row.image_score is not None and row.override is None:
            self.chip.show_decision(decide(row.image_score, thresholds, row.decision is Decision.OTHER))

    def popup_place(self) -> QPoint:
        """Where a popup's lower right corner goes: left of this panel, beside its buttons."""
        return self.mapToGlobal(QPoint(-8, self.override.mapTo(self, QPoint(0, 0)).y() + 260))


def _no_verdict(row: ResultRow | None) -> str:
    return "No image is open." if row is None else "This file could not be inspected: there is no verdict."


def _class_words(detail: ResultDetail) -> str:
    row, found = detail.row, ""
    if not row.class_name:
        return ""
    if row.class_confidence is not None and row.class_confidence < 1:
        found = f" (found, {share_text(row.class_confidence)} sure)"
    return f"{row.class_name}{found}, judged by #{row.detector_id}"


def _remark(detail: ResultDetail) -> str:
    row, said, limit = detail.row, [], detail.limit
    if row.decision is Decision.OTHER and row.product_distance is not None and limit is not None:
        why = reason(row.product_distance, limit.distance, row.hint)
        said.append(f"{why[0].upper()}{why[1:]} Nothing can be said of defects.")
    review = detail.review
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
        people = people_say(detail.reviews)
        if len({one.who for one in detail.reviews if one.decision}) > 1:
            said.append(f"{people}.")
    if row.is_shot:
        said.append("This image, or a place of it, taught the detector too, so its score says little.")
    return " ".join(said)


def _word(decision: Decision | None) -> str:
    return theme.WORDS[decision] if decision else "no verdict"
