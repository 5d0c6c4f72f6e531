"""Thresholds of a detector and class: each a row of its own, the newest counts."""

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, select, true, update
from sqlalchemy.orm import Session

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    id: int
    detector_id: int
    class_id: int
    thresholds: Thresholds
    who: str
    created: datetime


def list_thresholds(project: Project, detector_id: int) -> dict[int, ThresholdRow]:
    """The newest thresholds of a detector: class id → row."""
    with project.reading() as session:
        return {row.class_id: row for row in current_thresholds(session, detector_id)}


def list_calibrated(project: Project, detector_id: int) -> dict[int, Thresholds]:
    """The thresholds that teaching found, whatever was chosen later: class id → thresholds."""
    with project.reading() as session:
        rows = session.scalars(
            select(t.Threshold).where(t.Threshold.detector_id == detector_id).order_by(t.Threshold.id.desc())
        )
        return {row.class_id: _row(row).thresholds for row in rows}


def current_thresholds(session: Session, detector_id: int) -> list[ThresholdRow]:
    newest = (
        select(func.max(t.Threshold.id))
        .where(t.Threshold.detector_id == detector_id)
        .group_by(t.Threshold.class_id)
    )
    return [_row(row) for row in session.scalars(select(t.Threshold).where(t.Threshold.id.in_(newest)))]


def set_thresholds(
    project: Project, detector_id: int, class_id: int, thresholds: Thresholds, *, who: str = ""
) -> int:
    """Add to the history and judge every stored result of this detector and class anew; how many verdicts changed.

    Only rows whose decision flips are written, found by index, so 100,000 results take milliseconds. A person's
    override stays. To undo, set the earlier thresholds again.
    """
    numbers = (thresholds.review, thresholds.ng, thresholds.pixel)
    if not all(map(math.isfinite, numbers)) or thresholds.review > thresholds.ng:
        raise ProjectError(
            "Thresholds must be finite numbers, and the review threshold may not lie above the NG threshold.",
            "Choose other thresholds.",
        )
    decision = case(
        (t.Result.image_score >= thresholds.ng, Decision.NG),
        (t.Result.image_score >= thresholds.review, Decision.REVIEW),
        else_=Decision.OK,
    )
    with project.writing() as session:
        old = newest_thresholds(session, detector_id).get(class_id)
        session.add(new_threshold(detector_id, class_id, thresholds, who))
        moved: ColumnElement[bool] = true()
        if (
            old is not None
        ):  # only scores between the old and the new numbers can flip: a short stretch of the index
            moves = ((old.review, thresholds.review), (old.ng, thresholds.ng))
            moved = or_(*(t.Result.image_score.between(min(pair), max(pair)) for pair in moves))
        flipped = session.execute(
            update(t.Result)
            .where(t.Result.detector_id == detector_id, t.Result.class_id == class_id, moved)
            .where(t.Result.image_score.is_not(None), t.Result.decision.is_distinct_from(decision))
            .values(decision=decision)
            .execution_options(synchronize_session=False)
        )
        return int(flipped.rowcount)  # type: ignore[attr-defined]


def newest_thresholds(session: Session, detector_id: int) -> dict[int | None, t.Threshold]:
    rows = session.scalars(
        select(t.Threshold).where(t.Threshold.detector_id == detector_id).order_by(t.Threshold.id)
    )
    return {row.class_id: row for row in rows}


def _row(row: t.Threshold) -> ThresholdRow:
    values = Thresholds(row.review, row.ng, row.pixel, row.provenance)
    return ThresholdRow(row.id, row.detector_id, row.class_id, values, row.who, row.created)


def new_threshold(detector_id: int, class_id: int, values: Thresholds, who: str) -> t.Threshold:
    return t.Threshold(
        detector_id=detector_id,
        class_id=class_id,
        review=float(values.review),
        ng=float(values.ng),
        pixel=float(values.pixel),
        provenance=dict(values.provenance),
        who=who,
    )
