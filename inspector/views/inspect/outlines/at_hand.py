"""The outline that somebody drew on the image at hand: shown over it, and drawn anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject

from inspector.views.inspect.outlines.canvas import mask_size
from inspector.views.inspect.outlines.dialog import OutlineDialog
from inspector.views.shared.undo import Steps

if TYPE_CHECKING:
    from inspector.images.area import Polygon
    from inspector.records.outlines import Outline
    from inspector.records.project import Project
    from inspector.views.inspect.image_at_hand import ImageAtHand
    from inspector.views.review.result_loader import Shown
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.image_view import ImageView


class OutlineAtHand(QObject):
    """`draw` opens the dialog for the image at hand; what is used is signed and undone in one step."""

    def __init__(
        self, context: WindowContext, view: ImageView, at_hand: ImageAtHand, edits: VerdictEdits
    ) -> None:
        super().__init__(view)
        self._context, self._view, self._at_hand, self._edits = context, view, at_hand, edits
        self._steps = Steps(context, lambda _value: context.results_changed.emit(), self)
        self.outline: Outline | None = None
        self.dialog: OutlineDialog | None = None
        at_hand.image_changed.connect(self._read)
        context.results_changed.connect(self._read)

    def draw(self) -> None:
        shown = self._at_hand.shown
        if shown is None or not self._at_hand.rows or self._context.writable() is None:
            return
        if shown.pixels.picture is None or self.dialog is not None:
            return
        by_hand = self.outline is not None
        rings = self.outline.rings if self.outline else _of_map(shown)
        dialog = self.dialog = OutlineDialog(shown, rings, by_hand, self._view)
        dialog.chosen.connect(partial(self._keep, shown, self.outline))
        dialog.finished.connect(self._closed)
        dialog.open()

    def _closed(self, _result: int) -> None:
        self.dialog = None
        self._view.window().activateWindow()

    def _keep(self, shown: Shown, before: Outline | None, rings: tuple[Polygon, ...] | None) -> None:
        row = shown.detail.row
        earlier = before.rings if before else None

        def signed(who: str) -> None:
            def put(project: Project, rings: tuple[Polygon, ...] | None) -> None:
                from inspector.records.outlines import set_outline

                set_outline(project, row.id, rings, who=who)

            said = f"The defects of “{row.name}” are outlined by hand; masks and COCO follow."
            if rings is None:
                said = f"The defects of “{row.name}” are where the map says."
            self._steps.do(
                f"outline of “{row.name}”",
                partial(put, rings=rings),
                partial(put, rings=earlier),
                said,
                partial(self._context.show_result, row.id),
            )

        if rings != earlier:
            self._edits.signed(signed, lambda: None)

    def _read(self) -> None:
        shown = self._at_hand.shown
        if shown is None:
            self._show(None)
            return
        result_id = shown.detail.row.id

        def read(project: Project) -> Outline | None:
            from inspector.records.outlines import list_outlines

            return list_outlines(project, [result_id]).get(result_id)

        def done(found: Outline | None) -> None:
            now = self._at_hand.shown
            if now is not None and now.detail.row.id == result_id:
                self._show(found)

        self._show(None)
        self._context.query(self, read, done, latest="outline")

    def _show(self, outline: Outline | None) -> None:
        self.outline = outline
        self._view.layer.set_outline(outline.rings if outline else ())
        self._view.update()


def _of_map(shown: Shown) -> tuple[Polygon, ...]:
    """Where the map reaches review, of a part that is not OK."""
    from inspector.domain import Decision
    from inspector.verdicts.regions import enlarge, rings_of

    values, picture, thresholds = shown.pixels.values, shown.pixels.picture, shown.detail.thresholds
    none = shown.detail.row.verdict in (Decision.OK, Decision.OTHER)
    if values is None or picture is None or thresholds is None or none:
        return ()
    return rings_of((enlarge(values, mask_size(picture)) >= thresholds.review).astype(np.uint8))
