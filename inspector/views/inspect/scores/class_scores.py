"""What a detector makes of a class: its scores, its thresholds now and as calibrated, the detector's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Region, ScoreMap, Thresholds
from inspector.exports.heat import Heat, scale

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdProposal


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """`scores`: of all stored results; `normal`: held-out scores of the normal shots. `current` None: the class has no
    thresholds with this detector. `low`, `high`: ends of the detector's colour scale, in scores. `proposal`: what parts that
    people judged say of the thresholds, without what would change."""

    detector_id: int
    class_id: int
    scores: NDArray[np.float64]
    normal: NDArray[np.float64]
    current: Thresholds | None
    calibrated: Thresholds | None
    low: float
    high: float
    proposal: ThresholdProposal | None = None

    def heat(self, thresholds: Thresholds | None = None) -> Heat | None:
        """How maps are drawn with these thresholds (those in force by default)."""
        chosen = thresholds or self.current
        return Heat(self.low, self.high, chosen.review) if chosen else None


def read(project: Project, detector_id: int, class_id: int) -> ClassScores:
    """Some milliseconds of queries: for a worker."""
    from inspector.records.inspected.scores import list_scores
    from inspector.records.thresholds import list_calibrated, list_thresholds, propose_thresholds

    current = list_thresholds(project, detector_id)
    first = list_calibrated(project, detector_id)
    low, high = scale(list(first.values()))
    stored, normal = list_scores(project, detector_id, class_id)
    row = current.get(class_id)
    return ClassScores(
        detector_id,
        class_id,
        stored,
        normal,
        row.thresholds if row else None,
        first.get(class_id),
        low,
        high,
        propose_thresholds(project, detector_id, class_id, counting=False),
    )


def cut(
    values: NDArray[np.float32], score: float, class_name: str, thresholds: Thresholds, size: tuple[int, int]
) -> tuple[Region, ...]:
    """The regions of a map with other thresholds than the stored ones."""
    from inspector.verdicts.judge import judge

    return judge(ScoreMap(values, score, class_name), thresholds, size).regions
