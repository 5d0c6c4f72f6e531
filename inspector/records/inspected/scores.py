"""All scores of a class, for where its thresholds lie."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.inspected.results import scalars
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter, filtered
from inspector.records.tables.columns import number_list


def list_scores(
    project: Project, detector_id: int, class_id: int, *, run_id: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every stored score [n] of a class (of one run), ascending, without those of pictures that show another product, of which a
    score says nothing; and the held-out scores [shots] of its normal shots."""
    where = ResultFilter(run_id=run_id, detector_id=detector_id, class_id=class_id)
    with project.reading() as session:
        scores = _stored(session, where)
        others = _stored(session, replace(where, verdict=Decision.OTHER))
        return _without(scores, others), _held_out(session, detector_id, class_id)


def _stored(session: Session, where: ResultFilter) -> NDArray[np.float64]:
    """Ascending. A million come from an index alone, as long as nothing else is asked of their rows."""
    stored = scalars(
        session,
        filtered(session, select(t.Result.image_score), where)
        .where(func.typeof(t.Result.image_score) == "real")  # anything else is damage
        .order_by(t.Result.image_score),
    )
    scores = np.fromiter(stored, np.float64)
    return scores[np.isfinite(scores)]


def _without(scores: NDArray[np.float64], some: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both ascending; each of `some` taken out once."""
    twins = np.arange(some.size) - np.searchsorted(some, some)
    return np.delete(scores, np.searchsorted(scores, some) + twins)


def _held_out(session: Session, detector_id: int, class_id: int) -> NDArray[np.float64]:
    by_class = session.scalar(select(t.Detector.held_out).where(t.Detector.id == detector_id)) or {}
    return np.array(number_list(by_class.get(str(class_id))), np.float64)
