"""The current result large, with its heat, beside the table or the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from inspector.domain import Decision
from inspector.verdicts.product import reason
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.verdict_chip import VerdictChip
from inspector.views.review.result_loader import ResultLoader, Shown
from inspector.views.review.result_model import SHOT, score_text
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.review.heats import Heats
    from inspector.views.review.result_model import ResultModel
    from inspector.views.shared.context import WindowContext

_NONE = "Choose a result to see it here."


class Preview(QFrame):
    """Follows the `current` result of a model while it is in sight."""

    opened = Signal(int)  # the result is to be opened in Inspect

    def __init__(self, context: WindowContext, model: ResultModel, heats: Heats) -> None:
        super().__init__()
        theme.set_role(self, "panel")
        self.setMinimumWidth(240)
        self._model, self._heats = model, heats
        self._result_id = -1
        self.shown: Shown | None = None
        self.loader = ResultLoader(context, self)
        self.chip = VerdictChip()
        self.score = QLabel()
        self.score.setFont(theme.font("title", bold=True, figures=True))
        self.name = Elided()
        self.facts = QLabel()
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.facts.setWordWrap(True)
        theme.set_role(self.facts, "small")
        self.view = ImageView()
        self.open_button = QPushButton("Open in Inspect")
        theme.set_role(self.open_button, "link")
        head = QHBoxLayout()
        head.addWidget(self.chip)
        head.addStretch(1)
        head.addWidget(self.score)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 8)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.name)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.facts)
        layout.addWidget(self.open_button, alignment=Qt.AlignmentFlag.AlignLeft)
        self.open_button.clicked.connect(lambda: self.opened.emit(self._result_id))
        heats.changed.connect(self._show_heat)
        context.project_changed.connect(self._forget)
        context.thresholds_moved.connect(self._judge_anew)
        context.results_changed.connect(self._details_changed)
        self._show_none(_NONE)

    def current(self, index: QModelIndex | QPersistentModelIndex) -> None:
        """Show the result at this place of the model."""
        result_id = int(self._model.ids[index.row()]) if 0 <= index.row() < len(self._model.ids) else -1
        if result_id == self._result_id:
            return
        self._result_id = result_id
        if not self.isHidden():
            self._fetch()

    def set_shown(self, on: bool) -> None:
        """In sight or not; what is out of sight reads nothing."""
        if on is self.isHidden():
            self.setVisible(on)
            if on:
                self._fetch()

    def _fetch(self) -> None:
        if self._result_id < 0:
            self._show_none(_NONE)
        else:
            self.loader.fetch(self._result_id, self._show, lambda error: self._show_none(str(error)))

    def _show(self, shown: Shown) -> None:
        before, self.shown = self.shown, shown
        detail, pixels = shown.detail, shown.pixels
        row = detail.row
        if before is None or before.pixels is not pixels:
            if pixels.picture is None:
                self.view.show_message(pixels.trouble)
            else:
                self.view.show_picture(pixels.picture, pixels.values, note=pixels.note)
                self.view.fit()
        none = not detail.regions_current or row.verdict is Decision.OTHER
        self.view.set_regions(() if none else detail.regions)
        self.name.setText(row.name)
        self.chip.show_decision(row.verdict)
        self.score.setText(score_text(row))
        self.facts.setText(_facts(detail))
        self.open_button.show()
        self._show_heat()
        place = self._model.place(row.id)
        near = [place + 1, place - 1] if place >= 0 else []
        self.loader.ahead(int(self._model.ids[at]) for at in near if 0 <= at < len(self._model.ids))

    def _show_heat(self) -> None:
        row = self.shown.detail.row if self.shown else None
        if row is None:
            return
        ready = self._heats.ready(row)
        heat = self._heats.get(row) if ready else None
        self.view.set_overlay(heat is not None)
        if heat is not None:
            self.view.set_heat(heat)

    def _show_none(self, words: str) -> None:
        self.shown = None
        self.view.show_message(words)
        self.chip.show_decision(None, known=False)
        self.open_button.hide()
        self.name.setText("")
        for label in (self.score, self.facts):
            label.clear()

    def _forget(self) -> None:
        self.loader.clear()
        self._result_id = -1
        self._show_none(_NONE)

    def _details_changed(self) -> None:
        self.loader.details_changed()
        self._again()

    def _judge_anew(self, move: ThresholdMove) -> None:
        self.loader.judge_anew(move)
        self._again()

    def _again(self) -> None:
        if not self.isHidden() and self._result_id >= 0:
            self._fetch()


def _facts(detail: ResultDetail) -> str:
    row = detail.row
    said = [row.class_name, row.defect_type]
    if row.decision is Decision.OTHER and row.product_distance is not None and detail.limit is not None:
        said.append(reason(row.product_distance, detail.limit.distance, row.hint).removesuffix("."))
    if row.override is not None:
        said.append(f"judged by {row.reviewer}" if row.reviewer else "judged by a person")
    if row.reason:
        said.append(f"“{' '.join(row.reason.split())}”")
    if row.is_shot:
        said.append(SHOT)
    return " · ".join(filter(None, said))
