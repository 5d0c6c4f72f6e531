"""“This is no defect”: what a region shows joins the memory of its class; what would change by it is proposed first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject
from superqt.utils import qdebounced

from inspector.domain import CancelToken, Emit, JobKind
from inspector.views.shared.undo import Steps

if TYPE_CHECKING:
    from PySide6.QtCore import QPointF

    from inspector.domain import Region
    from inspector.jobs.engine import Engine
    from inspector.records.project import Project
    from inspector.views.inspect.image_at_hand import ImageAtHand
    from inspector.views.inspect.verdict_panel import VerdictPanel
    from inspector.views.review.result_loader import Shown
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.image_view import ImageView


class NoDefects(QObject):
    """`call` a region no defect. The memory learns after a pause, so that several are learned at once."""

    PAUSE = 2000  # ms

    def __init__(
        self,
        context: WindowContext,
        view: ImageView,
        panel: VerdictPanel,
        at_hand: ImageAtHand,
        edits: VerdictEdits,
    ) -> None:
        super().__init__(view)
        self._context, self._view, self._at_hand, self._edits = context, view, at_hand, edits
        self._steps = Steps(context, lambda _value: self._changed(), self)
        self._learn_soon = qdebounced(self._learn, timeout=self.PAUSE)
        panel.no_defect.clicked.connect(self.call_selected)
        self._tried: set[int] = set()  # places that a job has tried to learn
        context.project_changed.connect(self._forget)

    def call_selected(self) -> None:
        """The region that is selected, or the only one."""
        view = self._view
        number = view.selected if len(view.regions) != 1 else 0
        if view.regions and not (view.overlay_on and view.boxes_on):
            self._context.toast("Turn the heat and its boxes on first, to see what is marked.")
        elif 0 <= number < len(view.regions):
            self.call(view.regions[number])
        elif view.regions:
            self._context.toast("Choose the region first that is no defect.")
        elif self._at_hand.rows:
            self._context.toast("Nothing is marked on this image.")

    def region_at(self, position: QPointF) -> Region | None:
        """The region under a point of the viewer, as far as it shows any."""
        view = self._view
        number = view.region_at(position) if view.overlay_on and view.boxes_on else None
        return None if number is None else view.regions[number]

    def call(self, region: Region) -> None:
        """What it shows, within its outline, is no defect of its class; signed, and undone in one step."""
        shown, cut_with = self._at_hand.shown, self._at_hand.live.cut_with
        if shown is None or not self._at_hand.rows or shown.pixels.picture is None or cut_with is None:
            return
        self._edits.signed(partial(self._call, region, shown, cut_with.review), lambda: None)

    def _call(self, region: Region, shown: Shown, threshold: float, who: str) -> None:
        kept: list[int] = []
        row, picture, values = shown.detail.row, shown.pixels.picture, shown.pixels.values
        assert picture is not None

        def redo(project: Project) -> None:
            from inspector.records.shots import add_place, restore_shots
            from inspector.verdicts.regions import outline

            if kept:
                restore_shots(project, kept)
            else:
                empty = np.empty((0, 0), np.float32)
                size = (picture.width, picture.height)
                found = outline(empty if values is None else values, threshold, size, region)
                kept.append(add_place(project, row.id, found, who))

        def undo(project: Project) -> None:
            from inspector.records.shots import remove_shots

            remove_shots(project, kept)

        said = f"No defect: {row.class_name} may look like this. What would change waits on Teach."
        self._steps.do(f"no defect on “{row.name}”", redo, undo, said)

    def _changed(self) -> None:
        self._context.classes_changed.emit()
        self._context.detectors_changed.emit()
        self._learn_soon()

    def _learn(self) -> None:
        self._context.runner.when_idle(self._look)

    def _look(self) -> None:
        self._context.query(self, _unlearned, self._start, latest="places")

    def _start(self, unlearned: tuple[dict[int, set[int]], set[int]]) -> None:
        project, (learnable, stuck) = self._context.project, unlearned
        if project is None or project.read_only:
            return
        if stuck - self._tried:
            self._context.toast("What was called no defect is learned at the next teaching: teach again.")
        self._tried |= stuck
        for detector_id, places in learnable.items():
            if places <= self._tried:
                continue
            self._tried |= places

            def work(engine: Engine, emit: Emit, cancel: CancelToken, detector_id: int = detector_id) -> None:
                from inspector.jobs.update import update

                update(project, engine, detector_id=detector_id, propose=True, emit=emit, cancel=cancel)

            self._context.runner.start(JobKind.TEACH, "Learn what is no defect", work)

    def _forget(self) -> None:
        self._learn_soon.cancel()
        self._tried.clear()


def _unlearned(project: Project) -> tuple[dict[int, set[int]], set[int]]:
    """Places that nothing in charge or proposed knows: those that the memory of a detector in charge can learn, by detector, and
    those that only teaching again makes known."""
    from inspector.jobs.update import new_places
    from inspector.records.detectors import list_detectors, list_proposed
    from inspector.records.shots import list_places

    charged = [row for row in list_detectors(project) if row.in_charge]
    rest = {place.id for place in list_places(project)}
    rest = rest.difference(*(row.places for row in (*charged, *list_proposed(project))))
    learnable: dict[int, set[int]] = {}
    for row in charged:
        for class_id, places in new_places(project, row).items():
            found = {place.id for place in places} & rest
            if class_id in row.in_charge and found:
                learnable.setdefault(row.id, set()).update(found)
    return learnable, rest.difference(*learnable.values())
