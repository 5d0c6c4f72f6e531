"""The image that is chosen in the queue, on screen with its verdict and, when wanted, the nearest good shot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from inspector.views.review.result_loader import ResultLoader, Shown
from inspector.views.viewer import nearest_shot

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.inspect.live_thresholds import LiveThresholds
    from inspector.views.inspect.verdict_panel import VerdictPanel
    from inspector.views.review.result_list import ResultList
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.nearest_shot import GoodShot
    from inspector.views.viewer.viewer_panel import ViewerPanel

_PATIENCE = 150  # milliseconds that the image before stays while the next is opened


class ImageAtHand(QObject):
    """`choose` a result of the queue; `shown` is on screen then."""

    image_changed = Signal()  # another image is on screen, or none

    def __init__(
        self,
        context: WindowContext,
        queue: ResultList,
        viewer: ViewerPanel,
        panel: VerdictPanel,
        live: LiveThresholds,
    ) -> None:
        super().__init__(viewer)
        self.context, self.queue, self.viewer, self.panel, self.live = context, queue, viewer, panel, live
        self.loader = ResultLoader(context, self)
        self.shown: Shown | None = None
        self._name = ""
        self._opening = QTimer(self)
        self._opening.setSingleShot(True)
        self._opening.setInterval(_PATIENCE)
        self._opening.timeout.connect(self._say_opening)
        viewer.compare.toggled.connect(self._compare)
        self.image_changed.connect(self._compare)

    @property
    def rows(self) -> list[ResultRow]:
        """The result on screen; none while another one is being opened."""
        row = self.shown.detail.row if self.shown else None
        return [row] if row is not None and row.id == self.queue.result_id else []

    def choose(self, result_id: int, name: str) -> None:
        """Read a result and show it; `name`: of its file, "" while unknown."""
        self._name = name
        if not self._opening.isActive():
            self._opening.start()
        self.loader.fetch(result_id, self._show, self._failed)

    def details_changed(self) -> None:
        """Reviews are others now, or all may be."""
        self.loader.details_changed()

    def judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good."""
        self.loader.judge_anew(move)
        self.live.judge_anew(move)
        if self.queue.result_id >= 0:
            self.choose(self.queue.result_id, self._name)

    def forget(self) -> None:
        """Another project is open."""
        self._opening.stop()
        self.loader.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.shown = None
        self.viewer.show_picture("", None)
        self.panel.show_detail(None)
        self.live.show(None)
        self.image_changed.emit()

    def _say_opening(self) -> None:
        """It takes a while: no other image's verdict may stand under its name meanwhile."""
        if not self.rows:
            self.clear()
            self.viewer.show_message(self._name, "Opening…")

    def _failed(self, error: BaseException) -> None:
        self._opening.stop()
        self.clear()
        self.viewer.show_message("", str(error))

    def _show(self, shown: Shown) -> None:
        self._opening.stop()
        before, self.shown = self.shown, shown
        row, pixels = shown.detail.row, shown.pixels
        same_pixels = before is not None and before.detail.row.id == row.id and before.pixels is pixels
        if not same_pixels:
            if pixels.picture is None:
                self.viewer.show_message(row.name, pixels.trouble)
            else:
                self.viewer.show_picture(row.name, pixels.picture, pixels.values, note=pixels.note)
        self.panel.show_detail(shown.detail)
        self.live.show(shown)
        if not same_pixels:
            self.image_changed.emit()
        self.loader.ahead(self.queue.neighbours())

    def _compare(self) -> None:
        """Look for the good shot that is most like this image, and show it beside it."""
        shown = self.shown
        picture = shown.pixels.picture if shown else None
        class_id = shown.detail.row.class_id if shown else None
        on = self.viewer.compare.isChecked()
        if self.viewer.why.isChecked():
            if not on:
                return
            self.viewer.why.setChecked(False)
        self.viewer.show_good(on)
        if not on or picture is None or class_id is None:
            self.viewer.good.show_shot(None)
            return

        def done(found: GoodShot | None) -> None:
            if shown is self.shown:
                self.viewer.good.show_shot(found)

        white = shown.detail.row.white if shown else None
        read = partial(nearest_shot.nearest, class_id=class_id, picture=picture, white=white)
        self.context.query(self, read, done)
