"""What thresholds make of the image at hand: heat, chip, list and regions follow while they move."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from inspector.domain import Region, Thresholds
from inspector.views.inspect import class_scores as standings
from inspector.views.inspect.class_scores import Standing

if TYPE_CHECKING:
    from inspector.views.inspect.result_loader import Shown
    from inspector.views.inspect.verdict_panel import VerdictPanel
    from inspector.views.review.result_model import ResultModel
    from inspector.views.review.verdict_edits import Changes
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.viewer_panel import ViewerPanel


class Judgement(QObject):
    """`show` a result; `standing` is then read, and a line that is dragged re-masks and re-judges at once."""

    def __init__(
        self,
        context: WindowContext,
        model: ResultModel,
        viewer: ViewerPanel,
        panel: VerdictPanel,
        changes: Changes,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.context, self.model, self.changes = context, model, changes
        self.viewer, self.panel = viewer, panel
        self.shown: Shown | None = None
        self.standing: Standing | None = None
        self._moving: Thresholds | None = None
        self._cut_number = 0
        self._recut = QTimer(self)
        self._recut.setSingleShot(True)
        self._recut.setInterval(40)
        self._recut.timeout.connect(self._cut)
        panel.scores.moved.connect(self._move)
        panel.scores.chosen.connect(self._keep)
        panel.regions.picked.connect(self._pick)
        viewer.view.region_clicked.connect(self._pick)

    def show(self, shown: Shown | None) -> None:
        """Another result is at hand, or none, or the same one with another verdict."""
        again = (
            shown is not None and self.shown is not None and self.shown.detail.row.id == shown.detail.row.id
        )
        self.shown = shown
        if not again:
            self._moving = None
        if not self._stands():
            self.standing = None
            self.viewer.show_heat(None)
            self.panel.scores.set_thresholds(None, None)
            self.panel.scores.set_scores([], [])
            self.refresh()
        else:
            self._show_heat()
        if shown is not None and not shown.detail.regions_current and shown.pixels.values is not None:
            self._recut.start()
        else:
            self._show_regions(shown.detail.regions if shown else ())

    def refresh(self) -> None:
        """Read thresholds and scores of the class anew."""
        project, shown = self.context.project, self.shown
        if project is None or shown is None or shown.detail.row.class_id is None:
            return
        detector_id, class_id = shown.detail.row.detector_id, shown.detail.row.class_id

        def done(found: Standing) -> None:
            before, self.standing = self.standing, found
            if not self._stands():  # another image meanwhile
                self.standing = before
                return
            self.panel.scores.set_scores(found.scores, found.normal)
            if not self.panel.scores.histogram.held:
                self._moving = None
                self.model.set_live(detector_id, class_id, None)
                self.panel.scores.set_thresholds(found.current, found.calibrated)
                self._show_heat()

        self.context.runner.read(
            self,
            partial(standings.read, project, detector_id, class_id),
            done,
            self.context.show_error,
            latest="standing",
        )

    def _stands(self) -> bool:
        """Whether `standing` is that of the result at hand."""
        row = self.shown.detail.row if self.shown else None
        now = self.standing
        return (
            row is not None
            and now is not None
            and (now.detector_id, now.class_id) == (row.detector_id, row.class_id)
        )

    def _show_heat(self) -> None:
        if self.standing is not None:
            self.viewer.show_heat(self.standing.heat(self._moving))

    def _move(self, thresholds: Thresholds) -> None:
        """A threshold moves: heat, mask, chip and list follow in this very frame, the regions a moment later."""
        if self.standing is None:
            return
        self._moving = thresholds
        self._show_heat()
        self.panel.show_moving(thresholds)
        self.model.set_live(self.standing.detector_id, self.standing.class_id, thresholds)
        if not self._recut.isActive():
            self._recut.start()

    def _keep(self, thresholds: Thresholds) -> None:
        now = self.standing
        if now is not None and now.current is not None:
            self.changes.set_thresholds(now.detector_id, now.class_id, now.current, thresholds)

    def _cut(self) -> None:
        shown = self.shown
        thresholds = self._moving or (shown.detail.thresholds if shown else None)
        if shown is None or thresholds is None or shown.pixels.values is None or shown.pixels.picture is None:
            return
        row, values, picture = shown.detail.row, shown.pixels.values, shown.pixels.picture
        self._cut_number += 1
        number = self._cut_number

        def look() -> tuple[Region, ...] | None:
            if number != self._cut_number:  # the threshold has moved on
                return None
            size = (picture.width, picture.height)
            return standings.cut(values, row.image_score or 0.0, row.class_name, thresholds, size)

        def done(regions: tuple[Region, ...] | None) -> None:
            if regions is not None and shown is self.shown and number == self._cut_number:
                self._show_regions(regions)

        self.context.runner.read(self, look, done, self.context.show_error, priority=20)

    def _show_regions(self, regions: tuple[Region, ...]) -> None:
        self.viewer.view.set_regions(regions)
        self.panel.regions.show_regions(regions)
        count = f" ({len(regions)})" if regions else ""
        self.panel.regions_title.setText(f"Regions{count}" if regions or self.shown is None else "No regions")

    def _pick(self, number: int) -> None:
        view = self.viewer.view
        if 0 <= number < len(view.regions):
            view.set_regions(view.regions, number)
            view.zoom_to(view.regions[number])
            self.panel.regions.selectRow(number)
