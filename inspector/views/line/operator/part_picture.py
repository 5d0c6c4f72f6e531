"""The picture of a part with its heat, decoded off the GUI thread, one at a time: what came meanwhile is passed by."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from inspector.views.line.operator.reads import FIRST, read_part
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.verdict_chip import text
from inspector.views.review.heats import Heats
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultDetail
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.views.review.result_loader import Shown
    from inspector.views.shared.context import WindowContext


_LEAST_REST = 0.05


class _Timed(ImageView):
    """`took`: seconds that it was last drawn for."""

    took = 0.0

    def paintEvent(self, event: QPaintEvent) -> None:
        begun = perf_counter()
        super().paintEvent(event)
        self.took = perf_counter() - begun


class PartPicture(QWidget):
    """The line below names the part whose picture it is: where parts come fast, the answer is a newer one's."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._heats = Heats(context, self)
        self._heats.changed.connect(self._show_heat)
        self._wanted: ArrivalRow | None = None
        self._detail: ResultDetail | None = None
        self._decoding = False
        self.pictured = 0
        self.view = _Timed()
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

    def show_part(self, part: ArrivalRow) -> None:
        self._wanted = part
        if part.result_id == self.pictured:
            self._name(part)
        elif not self._decoding:
            self._decode(part)

    def show_none(self, words: str) -> None:
        self._wanted, self._detail, self.pictured = None, None, 0
        self.view.show_message(words)
        self.caption.setText("")
        self.back.hide()

    def _decode(self, part: ArrivalRow) -> None:
        def done(shown: Shown) -> None:
            self._put(part, shown)
            self._next()

        def failed(error: BaseException) -> None:
            self.pictured = part.result_id
            self.view.show_message(str(error))
            self._next()

        read = partial(read_part, result_id=part.result_id)
        self._decoding = self._context.query(self, read, done, failed=failed, priority=FIRST - 1)

    def _next(self) -> None:
        """The newest, after a rest that leaves the window to the answers: to draw a large picture takes longer than to say them."""
        QTimer.singleShot(round(1000 * max(_LEAST_REST, 4 * self.view.took)), self, self._rested)

    def _rested(self) -> None:
        self._decoding = False
        if self._wanted is not None and self._wanted.result_id != self.pictured:
            self._decode(self._wanted)

    def _put(self, part: ArrivalRow, shown: Shown) -> None:
        self.pictured, self._detail = part.result_id, shown.detail
        self._name(self._wanted if self._wanted and self._wanted.result_id == part.result_id else part)
        if shown.pixels.picture is None:
            self.view.show_message(part.error or shown.pixels.trouble)
            return
        pixels = shown.pixels
        self.view.show_picture(pixels.picture, pixels.values, shown.detail.regions, pixels.note)
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
