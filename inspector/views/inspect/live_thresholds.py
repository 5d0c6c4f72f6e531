"""What thresholds make of the image at hand: heat, chip, list and regions follow while they move."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from superqt.utils import qthrottled

from inspector.domain import Decision, Region, Thresholds
from inspector.verdicts.provenance import Basis
from inspector.views.inspect.scores import class_scores
from inspector.views.inspect.scores.class_scores import ClassScores
from inspector.views.inspect.thresholds_dialog import ThresholdsDialog
from inspector.views.review.verdict_edits import ThresholdChange

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.inspect.verdict_panel import VerdictPanel
    from inspector.views.review.result_loader import Shown
    from inspector.views.review.result_model import ResultModel
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.viewer_panel import ViewerPanel


class LiveThresholds(QObject):
    """`show` a result; the `scores` of its class are then read, and a line that is dragged re-masks and re-judges at
    once."""

    def __init__(
        self,
        context: WindowContext,
        model: ResultModel,
        viewer: ViewerPanel,
        panel: VerdictPanel,
        edits: VerdictEdits,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.context, self.model, self.edits = context, model, edits
        self.viewer, self.panel = viewer, panel
        self.shown: Shown | None = None
        self.scores: ClassScores | None = None
        self.others: ThresholdsDialog | None = None
        self._moving: Thresholds | None = None
        self._cut_number = self._moves = 0
        self.cut_with: Thresholds | None = None  # the regions on screen
        self._cut_soon = qthrottled(self._cut, timeout=40, leading=False)
        panel.scores.moved.connect(self._move)
        panel.scores.chosen.connect(self._keep)
        panel.scores.others_asked.connect(self.ask_others)
        panel.regions.picked.connect(self._pick)
        viewer.view.region_clicked.connect(self._pick)
        panel.product.toggled.connect(self._ask_product)

    def show(self, shown: Shown | None) -> None:
        """Another result is at hand, or none, or the same one with another verdict."""
        again = (
            shown is not None and self.shown is not None and self.shown.detail.row.id == shown.detail.row.id
        )
        self.shown = shown
        if not again:
            self._moving = None
        if not self._belong(self.scores):
            self.scores = None
            self.viewer.show_heat(None)
            self.panel.scores.set_thresholds(None, None)
            self.panel.scores.set_scores([], [])
            self.panel.scores.show_news(None)
            self.refresh()
        else:
            self._show_heat()
        if shown is not None and not shown.detail.regions_current and shown.pixels.values is not None:
            self._cut_soon()
        else:
            regions, cut_with = (shown.detail.regions, shown.detail.thresholds) if shown else ((), None)
            self._show_regions(regions, cut_with)

    def refresh(self) -> None:
        """Read thresholds and scores of the class anew."""
        row = self.shown.detail.row if self.shown else None
        if row is not None and row.class_id is not None:
            read = partial(class_scores.read, detector_id=row.detector_id, class_id=row.class_id)
            self.context.query(self, read, partial(self._arrived, self._moves), latest="class scores")

    def _arrived(self, moves: int, found: ClassScores) -> None:
        if not self._belong(found):  # another image meanwhile
            return
        if moves != self._moves:  # read before thresholds were moved
            self.refresh()
            return
        self.scores = found
        self.panel.scores.set_scores(found.scores, found.normal)
        self.panel.scores.show_news(found.proposal)
        self._settle(found)

    def judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good."""
        now = self.scores
        self._moves += 1
        if now is not None and (now.detector_id, now.class_id) == (move.detector_id, move.class_id):
            told = now.proposal and replace(now.proposal, current=move.thresholds)
            self.scores = replace(now, current=move.thresholds, proposal=told)
            self._settle(self.scores)
            self.panel.scores.show_news(told)

    def _settle(self, found: ClassScores) -> None:
        """What is in force stands there, unless a hand is moving it on."""
        if not self.panel.scores.histogram.held and self.edits.passing.box is None:
            self._moving = None
            self.model.set_live(found.detector_id, found.class_id, None)
            self.panel.scores.set_thresholds(found.current, found.calibrated)
            self._show_heat()

    def _belong(self, scores: ClassScores | None) -> bool:
        """Whether these are of the class and the detector of the result at hand."""
        row = self.shown.detail.row if self.shown else None
        ids = (row.detector_id, row.class_id) if row is not None else None
        return scores is not None and (scores.detector_id, scores.class_id) == ids

    def _show_heat(self) -> None:
        if self.scores is not None:
            self.viewer.show_heat(self.scores.heat(self._moving))

    def _move(self, thresholds: Thresholds) -> None:
        """A threshold moves: heat, mask, chip and list follow in this very frame, the regions a moment later."""
        if self.scores is None:
            return
        self._moving = thresholds
        self._show_heat()
        self.panel.show_moving(thresholds)
        self.model.set_live(self.scores.detector_id, self.scores.class_id, thresholds)
        self._cut_soon()

    # for good

    def ask_others(self, basis: Basis = Basis.GOOD) -> None:
        """Show what else the thresholds could be; one dialog at a time, for the class at hand. `basis`: what they are set by at
        first."""
        now = self.scores
        if now is None:
            return
        of = now.detector_id, now.class_id
        if self.others is not None and self.others.of != of:
            self.others.reject()
        if self.others is None:
            name = self.shown.detail.row.class_name if self.shown else ""
            self.others = ThresholdsDialog(self.context, self.edits, of, name, self.panel)
            self.others.finished.connect(self._others_closed)
            self.others.show()
        if basis is not Basis.GOOD:
            self.others.choose(basis)
        self.others.activateWindow()

    def _others_closed(self, _result: int) -> None:
        self.others = None

    def _keep(self, thresholds: Thresholds) -> None:
        now = self.scores
        if now is None or now.current is None:
            return

        def begun() -> None:  # the next move starts from here, also while this one is still being written
            if self._belong(now):
                self.scores = replace(now, current=thresholds)

        def left() -> None:
            if self._belong(now):
                self.scores = now
            self._back()

        self.edits.set_thresholds(
            ThresholdChange(
                now.detector_id,
                now.class_id,
                now.current,
                thresholds,
                now.calibrated,
                self.shown.detail.row.id if self.shown else 0,
            ),
            begun,
            left,
        )

    def _ask_product(self, asked: bool) -> None:
        """Pictures of another product are to be told apart in the class at hand, or no longer."""
        row = self.shown.detail.row if self.shown else None
        if row is not None and row.class_id is not None and self.shown is not None:
            self.panel.show_detail(self.shown.detail)  # as it is stored, until it is
            self.edits.ask_product(row, asked)

    def _back(self) -> None:
        """Nothing was stored: what is in force stands there again."""
        self._moving = None
        now = self.scores
        if now is not None:
            self.model.set_live(now.detector_id, now.class_id, None)
            self.panel.scores.set_thresholds(now.current, now.calibrated)
            self._show_heat()
        if self.shown is not None:
            self.panel.show_detail(self.shown.detail)
            self.show(self.shown)

    # regions

    def _cut(self) -> None:
        shown = self.shown
        thresholds = self._moving or (shown.detail.thresholds if shown else None)
        if shown is None or thresholds is None or shown.pixels.values is None or shown.pixels.picture is None:
            return
        row, values, picture = shown.detail.row, shown.pixels.values, shown.pixels.picture
        self._cut_number += 1
        number = self._cut_number

        def look(_project: Project) -> tuple[Region, ...] | None:
            if number != self._cut_number:  # the threshold has moved on
                return None
            size = (picture.width, picture.height)
            return class_scores.cut(values, row.image_score or 0.0, row.class_name, thresholds, size)

        def done(regions: tuple[Region, ...] | None) -> None:
            if regions is not None and shown is self.shown and number == self._cut_number:
                self._show_regions(regions, thresholds)

        self.context.query(self, look, done, priority=20)

    def _show_regions(self, regions: tuple[Region, ...], thresholds: Thresholds | None) -> None:
        """`thresholds`: what they were cut with; a hand may have moved on since."""
        self.cut_with = thresholds
        row = self.shown.detail.row if self.shown else None
        if row is not None and row.verdict is Decision.OTHER:
            regions = ()  # where it differs from the shots says nothing
        self.viewer.view.set_regions(regions)
        self.panel.show_regions(regions, thresholds.review if thresholds else None)

    def _pick(self, number: int) -> None:
        view = self.viewer.view
        if 0 <= number < len(view.regions):
            view.set_regions(view.regions, number)
            view.zoom_to(view.regions[number])
            self.panel.regions.selectRow(number)
