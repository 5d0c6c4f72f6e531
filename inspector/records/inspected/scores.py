"""All scores of a class, for where its thresholds lie."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inspector.records import schema as t
from inspector.records.inspected.results import scalars
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter, filtered
from inspector.records.tables.columns import number_list


def list_scores(
    project: Project, detector_id: int, class_id: int, *, run_id: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every stored score [n] of a class (of one run), ascending,
    and the held-out scores [shots] of its normal shots."""
    where = ResultFilter(run_id=run_id, detector_id=detector_id, class_id=class_id)
    with project.reading() as session:
        stored = scalars(
            session,
            filtered(session, select(t.Result.image_score), where)
            .where(func.typeof(t.Result.image_score) == "real")  # anything else is damage
            .order_by(t.Result.image_score),
        )
        scores = np.fromiter(stored, np.float64)
        return scores[np.isfinite(scores)], _held_out(session, detector_id, class_id)


def _held_out(session: Session, detector_id: int, class_id: int) -> NDArray[np.float64]:
    by_class = session.scalar(select(t.Detector.held_out).where(t.Detector.id == detector_id)) or {}
    return np.array(number_list(by_class.get(str(class_id))), np.float64)
