"""The picture of a part with its heat, made off the GUI thread, one at a time: what came meanwhile is passed by."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from inspector.views.line.operator.composed_view import ComposedView
from inspector.views.line.operator.composing import Composed, compose
from inspector.views.line.operator.reads import FIRST, read_part
from inspector.views.look import theme
from inspector.views.look.elided import Elided
from inspector.views.look.verdict_chip import text
from inspector.views.review.heats import Heats
from inspector.views.viewer.image_view import ImageView

if TYPE_CHECKING:
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.views.review.result_loader import Shown
    from inspector.views.shared.context import WindowContext


_LEAST_REST = 50
"""ms between two pictures, so that at most twenty a second are made and drawn."""


class PartPicture(QWidget):
    """The line below names the part whose picture it is: where parts come fast, the answer is a newer one's. `closer`: somebody looks at
    this part as large as it is."""

    closer = Signal(int)  # the result's id

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self._heats = Heats(context, self)
        self._heats.changed.connect(self._make_anew)
        self._wanted: ArrivalRow | None = None
        self._making = self._stale = False
        self.pictured = 0
        self.view = ComposedView()
        self.view.resized.connect(self._make_anew)
        self.view.closer.connect(self._look_closer)
        self.large = ImageView()
        self.large.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._views = QStackedWidget()
        for widget in (self.view, self.large):
            self._views.addWidget(widget)
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
        column.addWidget(self._views, 1)
        column.addLayout(foot)

    def show_part(self, part: ArrivalRow) -> None:
        if self._wanted is not None and part.result_id != self._wanted.result_id:
            self._views.setCurrentWidget(self.view)
        self._wanted = part
        if part.result_id == self.pictured:
            self._name(part)
        elif not self._making:
            self._make(part)

    def show_none(self, words: str) -> None:
        self._wanted, self.pictured = None, 0
        self._views.setCurrentWidget(self.view)
        self.view.show_message(words)
        self.caption.setText("")
        self.back.hide()

    def _make(self, part: ArrivalRow) -> None:
        def done(made: Composed) -> None:
            self._put(part, made)
            self._rest()

        def failed(error: BaseException) -> None:
            self.pictured = part.result_id
            self.view.show_message(str(error))
            self._rest()

        self._stale = False
        read = partial(compose, result_id=part.result_id, room=self.view.room(), heat_of=self._heats.get)
        self._making = self._context.query(self, read, done, failed=failed, priority=FIRST - 1)

    def _rest(self) -> None:
        """Then the newest."""
        QTimer.singleShot(_LEAST_REST, self, self._rested)

    def _rested(self) -> None:
        self._making = False
        if self._wanted is not None and (self._stale or self._wanted.result_id != self.pictured):
            self._make(self._wanted)

    def _make_anew(self) -> None:
        """It is drawn otherwise now, or has another size."""
        self._stale = True
        if not self._making:
            self._making = True
            self._rest()

    def _put(self, part: ArrivalRow, made: Composed) -> None:
        self.pictured = part.result_id
        self._name(self._wanted if self._wanted and self._wanted.result_id == part.result_id else part)
        if made.image is None:
            self.view.show_message(part.error or made.trouble)
            return
        self.view.show_composed(made)
        self._heats.ready(made.detail.row)  # else it is made anew once that is known

    def _name(self, part: ArrivalRow) -> None:
        score = "" if part.image_score is None else f"score {part.image_score:.2f}"
        words = (text(part.word or part.said), f"{part.arrived.astimezone():%H:%M:%S}", part.name, score)
        self.caption.setText("   ".join(filter(None, words)))

    def _look_closer(self) -> None:
        """The whole picture, to be moved and enlarged, for as long as this part is in sight."""
        key = self.pictured

        def done(shown: Shown) -> None:
            pixels = shown.pixels
            if self._wanted is None or self._wanted.result_id != key or pixels.picture is None:
                return
            self.large.show_picture(pixels.picture, pixels.values, shown.detail.regions, pixels.note)
            heat = self._heats.get(shown.detail.row)
            self.large.set_overlay(heat is not None)
            if heat is not None:
                self.large.set_heat(heat)
            self._views.setCurrentWidget(self.large)

        if key:
            self.closer.emit(key)
            self._context.query(
                self, partial(read_part, result_id=key), done, latest="closer", priority=FIRST - 1
            )
