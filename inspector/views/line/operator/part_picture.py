"""The picture of a part with its heat, decoded off the GUI thread, one at a time: what came meanwhile is passed by."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from inspector.views.line.operator.reads import read_part
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.verdict_chip import text
from inspector.views.review.heats import Heats
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.views.review.result_loader import Pixels
    from inspector.views.shared.context import WindowContext


class PartPicture(QWidget):
    """The line below names the part whose picture it is: where parts come fast, the answer is a newer one's."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._heats = Heats(context, self)
        self._heats.changed.connect(self._show_heat)
        self._wanted: tuple[ArrivalRow, ResultDetail] | None = None
        self._detail: ResultDetail | None = None
        self._decoding = False
        self.pictured = 0
        self.view = ImageView()
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.caption = Elided()
        self.back = QPushButton("Back to the newest")
        theme.set_role(self.back, "link")
        foot = QHBoxLayout()
        foot.setContentsMargins(4, 0, 4, 0)
        foot.addWidget(self.caption, 1)
        foot.addWidget(self.back)
        self.caption.setMinimumHeight(self.back.sizeHint().height())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.view, 1)
        column.addLayout(foot)

    def show_part(self, part: ArrivalRow, detail: ResultDetail | None) -> None:
        if detail is None:  # it is being read
            return
        self._wanted = part, detail
        if part.result_id == self.pictured:
            self._name(part)
        elif not self._decoding:
            self._decode(part, detail)

    def show_none(self, words: str) -> None:
        self._wanted, self.pictured = None, 0
        self.view.show_message(words)
        self.caption.setText("")
        self.back.hide()

    def _decode(self, part: ArrivalRow, detail: ResultDetail) -> None:
        self._decoding = True

        def done(pixels: Pixels) -> None:
            self._put(part, detail, pixels)
            self._next()

        def failed(error: BaseException) -> None:
            self.pictured = part.result_id
            self.view.show_message(str(error))
            self._next()

        read = partial(read_part, detail=detail)
        self._decoding = self._context.query(self, read, done, failed=failed, priority=8)

    def _next(self) -> None:
        self._decoding = False
        if self._wanted is not None and self._wanted[0].result_id != self.pictured:
            self._decode(*self._wanted)

    def _put(self, part: ArrivalRow, detail: ResultDetail, pixels: Pixels) -> None:
        self.pictured, self._detail = part.result_id, detail
        self._name(part)
        if pixels.picture is None:
            self.view.show_message(part.error or pixels.trouble)
            return
        self.view.show_picture(pixels.picture, pixels.values, detail.regions, pixels.note)
        self._show_heat()

    def _name(self, part: ArrivalRow) -> None:
        score = "" if part.image_score is None else f"score {part.image_score:.2f}"
        words = (text(part.word or part.said), f"{part.arrived.astimezone():%H:%M:%S}", part.name, score)
        self.caption.setText("   ".join(filter(None, words)))

    def _show_heat(self) -> None:
        if self._detail is not None and self._heats.ready(self._detail.row):
            heat = self._heats.get(self._detail.row)
            self.view.set_overlay(heat is not None)
            if heat is not None:
                self.view.set_heat(heat)
