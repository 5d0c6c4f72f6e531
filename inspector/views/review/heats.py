"""How the maps of results are drawn: the fixed scale of their detector, from the review threshold of their class on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.exports.heat import COLOUR_MAPS, Heat, scale

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.shared.context import WindowContext

_Known = tuple[tuple[float, float], dict[int, float]]


class Heats(QObject):
    """What is known of each detector is kept; `changed` when maps look otherwise now, or can be drawn at last."""

    changed = Signal()

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._known: dict[int, _Known] = {}  # detector → ends of its scale, review threshold of each class
        self._asked: set[int] = set()
        context.project_changed.connect(self._forget)
        context.thresholds_moved.connect(self._moved)
        context.settings_changed.connect(self.changed)

    def ready(self, row: ResultRow) -> bool:
        """Whether it is known how the map of this result is drawn; if not, it is asked for."""
        key = row.detector_id
        if key in self._known:
            return True
        if key not in self._asked:
            self._asked.add(key)

            def read(project: Project) -> _Known:
                from inspector.records.thresholds import list_calibrated, list_thresholds

                now = list_thresholds(project, key)
                reviews = {class_id: one.thresholds.review for class_id, one in now.items()}
                return scale(list(list_calibrated(project, key).values())), reviews

            def done(found: _Known) -> None:
                if key in self._asked:
                    self._known[key] = found
                    self.changed.emit()
                else:  # thresholds were moved meanwhile
                    self.ready(row)

            self._context.query(self, read, done, priority=3)
        return False

    def get(self, row: ResultRow) -> Heat | None:
        """How its map is drawn; None where its class has no thresholds."""
        ends, reviews = self._known.get(row.detector_id, ((0.0, 1.0), {}))
        review = reviews.get(row.class_id or 0)
        if review is None:
            return None
        settings = self._context.settings
        name = settings.colour_map if settings.colour_map in COLOUR_MAPS else COLOUR_MAPS[0]
        return Heat(*ends, review, name, settings.overlay_opacity)

    def _moved(self, move: ThresholdMove) -> None:
        known = self._known.get(move.detector_id)
        if known is None:
            self._asked.discard(move.detector_id)
        else:
            known[1][move.class_id] = move.thresholds.review
            self.changed.emit()

    def _forget(self) -> None:
        self._known.clear()
        self._asked.clear()
