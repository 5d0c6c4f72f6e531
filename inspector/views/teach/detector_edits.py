"""What people decide on detectors and on the shots that stand out in them; each a step that can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from inspector.views.shared.context import WindowContext
from inspector.views.shared.undo import Steps
from inspector.views.teach.proposal_card import Waiting

if TYPE_CHECKING:
    from inspector.records.project import Project


class DetectorEdits(QObject):
    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self._steps = Steps(context, self._changed, self)

    def accept(self, waiting: Waiting) -> None:
        from inspector.records.detectors import accept_detector, propose_detector

        row = waiting.row
        self._steps.do(
            f"put detector #{row.id} in charge",
            lambda project: accept_detector(project, row.id),
            lambda project: propose_detector(project, row.id),
            f"Detector #{row.id} judges from now on.",
            self._on_teach,
        )

    def discard(self, waiting: Waiting) -> None:
        from inspector.records.detectors import remove_detector, restore_detector

        ids = [waiting.row.id, *waiting.older]

        def away(project: Project) -> None:
            for detector_id in ids:
                remove_detector(project, detector_id)

        def back(project: Project) -> None:
            for detector_id in reversed(ids):
                restore_detector(project, detector_id)

        self._steps.do(
            f"discard detector #{waiting.row.id}",
            away,
            back,
            "The new detector was discarded; the one in charge stays.",
            self._on_teach,
        )

    def call_good(self, shot_ids: Sequence[int]) -> None:
        from inspector.records.shots import confirm_shots

        what = "a shot" if len(shot_ids) == 1 else f"{len(shot_ids)} shots"
        self._steps.do(
            f"call {what} good",
            lambda project: confirm_shots(project, shot_ids, good=True),
            lambda project: confirm_shots(project, shot_ids, good=False),
            place=self._on_teach,
        )

    def _changed(self) -> None:
        self.context.detectors_changed.emit()
        self.context.results_changed.emit()

    def _on_teach(self) -> None:
        self.context.go("teach")
