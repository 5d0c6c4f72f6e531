"""“This is no defect”: what a region shows joins the memory of its class; what would change by it is proposed first."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.viewer_panel import ViewerPanel


class NoDefects(QObject):
    """`call` a region no defect. The memory learns after a pause, so that several are learned at once."""

    PAUSE = 2000  # ms

    def __init__(
        self, context: WindowContext, viewer: ViewerPanel, panel: VerdictPanel, at_hand: ImageAtHand
    ) -> None:
        super().__init__(viewer)
        self._context, self._view, self._panel, self._at_hand = context, viewer.view, panel, at_hand
        self._steps = Steps(context, lambda _value: self._changed(), self)
        self._learn_soon = qdebounced(self._learn, timeout=self.PAUSE)
        panel.no_defect.clicked.connect(self.call_selected)
        context.project_changed.connect(self._learn_soon.cancel)

    def call_selected(self) -> None:
        """The region that is selected, or the only one."""
        regions = self._view.regions
        number = self._view.selected if len(regions) != 1 else 0
        if 0 <= number < len(regions):
            self.call(regions[number])
        elif regions:
            self._context.toast("Choose the region first that is no defect.")
        elif self._at_hand.rows:
            self._context.toast("Nothing is marked on this image.")

    def region_at(self, position: QPointF) -> Region | None:
        """The region under a point of the viewer."""
        number = self._view.region_at(position)
        return None if number is None else self._view.regions[number]

    def call(self, region: Region) -> None:
        """What it shows is no defect of its class; undone in one step."""
        rows, picture = self._at_hand.rows, self._view.picture
        if not rows or picture is None or rows[0].class_id is None:
            return
        row, (x, y, width, height) = rows[0], region.box
        box = (x / picture.width, y / picture.height, width / picture.width, height / picture.height)
        who = self._context.settings.reviewer
        kept: list[int] = []

        def redo(project: Project) -> None:
            from inspector.records.shots import add_place, restore_shots

            if kept:
                restore_shots(project, kept)
            else:
                kept.append(add_place(project, row.id, box, who))

        def undo(project: Project) -> None:
            from inspector.records.shots import remove_shots

            remove_shots(project, kept)

        said = f"No defect: the memory of {row.class_name} learns what is marked here; what would change is shown on Teach first."
        self._steps.do(f"no defect on “{row.name}”", redo, undo, said)

    def _changed(self) -> None:
        self._context.classes_changed.emit()
        self._context.detectors_changed.emit()
        self._learn_soon()

    def _learn(self) -> None:
        self._context.runner.when_idle(self._look)

    def _look(self) -> None:
        self._context.query(self, _unlearned, self._start, latest="places")

    def _start(self, unlearned: tuple[list[int], bool]) -> None:
        project, (detectors, stuck) = self._context.project, unlearned
        if project is None or project.read_only:
            return
        if stuck:
            self._context.toast("What was called no defect is learned at the next teaching: teach again.")
        for detector_id in detectors:

            def work(engine: Engine, emit: Emit, cancel: CancelToken, detector_id: int = detector_id) -> None:
                from inspector.jobs.update import update

                update(project, engine, detector_id=detector_id, propose=True, emit=emit, cancel=cancel)

            self._context.runner.start(JobKind.TEACH, "Learn what is no defect", work)


def _unlearned(project: Project) -> tuple[list[int], bool]:
    """(detectors in charge whose memory can learn places that nothing in charge or proposed knows, whether there are places that
    only teaching again can make known)."""
    from inspector.jobs.update import new_places
    from inspector.records.detectors import list_detectors, list_memory, list_proposed
    from inspector.records.shots import list_places

    known: set[int] = set()
    charged = [row for row in list_detectors(project) if row.in_charge]
    for row in (*charged, *list_proposed(project)):
        known |= {key for own in list_memory(project, row.id, places=True).values() for key in own}
    learnable: dict[int, set[int]] = {}
    for row in charged:
        for class_id, places in new_places(project, row).items():
            if class_id in row.in_charge:
                learnable.setdefault(row.id, set()).update(place.id for place in places)
    rest = {place.id for place in list_places(project)} - known
    wanted = [detector_id for detector_id, places in learnable.items() if places & rest]
    return wanted, bool(rest - {key for places in learnable.values() for key in places})
