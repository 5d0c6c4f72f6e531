"""Thresholds of a detector and class: each a row of its own, the newest counts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, select, true, update
from sqlalchemy.orm import Session

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project
from inspector.verdicts.calibrate import confirmed, moved_by_hand
from inspector.verdicts.judge import bounds


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One entry of the history of a detector's and a class's thresholds."""

    id: int
    detector_id: int
    class_id: int
    thresholds: Thresholds
    who: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ThresholdMove:
    """`thresholds`: as they are stored now, with the words
    that go with them. `flipped`: so many verdicts changed."""

    detector_id: int
    class_id: int
    thresholds: Thresholds
    flipped: int


def list_thresholds(project: Project, detector_id: int) -> dict[int, ThresholdRow]:
    """The newest thresholds of a detector: class id → row."""
    with project.reading() as session:
        return newest_thresholds(session, detector_id)


def list_calibrated(project: Project, detector_id: int) -> dict[int, Thresholds]:
    """The thresholds that teaching found, whatever was chosen later: class id → thresholds."""
    with project.reading() as session:
        rows = session.scalars(
            select(t.Threshold).where(t.Threshold.detector_id == detector_id).order_by(t.Threshold.id.desc())
        )
        oldest = {row.class_id: row for row in rows}
        return {key: _row(row).thresholds for key, row in oldest.items() if _is_whole(row)}


def set_thresholds(
    project: Project, detector_id: int, class_id: int, thresholds: Thresholds, *, who: str = ""
) -> ThresholdMove:
    """Add to the history and judge every stored result of this detector and class anew.

    Only rows whose decision flips are written, found by index, so 100,000 results take milliseconds. A
    person's override stays. To undo, set the earlier thresholds again. Numbers that no earlier row has were
    moved by hand, and lose the words and the promise of those that teaching found.
    """
    numbers = thresholds.numbers
    if not all(map(math.isfinite, numbers)) or thresholds.review > thresholds.ng:
        raise ProjectError(
            "Thresholds must be finite numbers, and the review threshold may not lie above the NG threshold.",
            "Choose other thresholds.",
        )
    steps = [(t.Result.image_score >= lowest, decision) for lowest, decision in bounds(thresholds)]
    decision = case(*steps, else_=Decision.OK)
    with project.writing() as session:
        history = [
            _row(row).thresholds
            for row in session.scalars(
                select(t.Threshold)
                .where(t.Threshold.detector_id == detector_id, t.Threshold.class_id == class_id)
                .order_by(t.Threshold.id)
            )
            if _is_whole(row)
        ]
        same = (one for one in reversed(history) if one.numbers == numbers)
        told = next(same, None) or moved_by_hand(thresholds, history[0] if history else None, who)
        told = confirmed(told, _good_shots(session))
        session.add(new_threshold(detector_id, class_id, told, who))
        moved: ColumnElement[bool] = true()
        if history:  # only scores between the old and the new numbers can flip: a short stretch of the index
            pairs = zip(bounds(history[-1]), bounds(thresholds), strict=True)
            moves = ((min(a, b), max(a, b)) for (a, _), (b, _) in pairs)
            moved = or_(*(t.Result.image_score.between(low, high) for low, high in moves))
        flipped = session.execute(
            update(t.Result)
            .where(t.Result.detector_id == detector_id, t.Result.class_id == class_id, moved)
            .where(t.Result.image_score.is_not(None), t.Result.decision.is_distinct_from(decision))
            .values(decision=decision)
            .execution_options(synchronize_session=False)
        )
        changed = int(flipped.rowcount)  # type: ignore[attr-defined]
    return ThresholdMove(detector_id, class_id, told, changed)


def newest_thresholds(session: Session, detector_id: int) -> dict[int, ThresholdRow]:
    """Class id → the thresholds of a detector that count."""
    newest = (
        select(func.max(t.Threshold.id))
        .where(t.Threshold.detector_id == detector_id)
        .group_by(t.Threshold.class_id)
    )
    rows = session.scalars(select(t.Threshold).where(t.Threshold.id.in_(newest)))
    return {row.class_id: _row(row) for row in rows if _is_whole(row)}


def threshold_numbers(session: Session, ids: Iterable[int | None]) -> dict[int | None, tuple[float, ...]]:
    """Threshold row → review, NG and pixel threshold. An id that is none (damage in one row) is left out."""
    rows = session.scalars(
        select(t.Threshold).where(t.Threshold.id.in_({key for key in ids if isinstance(key, int)}))
    )
    return {row.id: _row(row).thresholds.numbers for row in rows if _is_whole(row)}


def confirm_thresholds(session: Session, class_ids: Iterable[int]) -> None:
    """Let what the newest thresholds of these classes promise follow what people called good."""
    good = _good_shots(session)
    newest = select(func.max(t.Threshold.id)).group_by(t.Threshold.detector_id, t.Threshold.class_id)
    for row in session.scalars(
        select(t.Threshold).where(t.Threshold.id.in_(newest), t.Threshold.class_id.in_(set(class_ids)))
    ).all():
        if not _is_whole(row):
            continue
        before = _row(row).thresholds
        after = confirmed(before, good)
        if after.provenance != before.provenance:
            session.add(new_threshold(row.detector_id, row.class_id, after, row.who))


def new_threshold(detector_id: int, class_id: int, values: Thresholds, who: str) -> t.Threshold:
    """A row that is not in the database yet."""
    return t.Threshold(
        detector_id=detector_id,
        class_id=class_id,
        review=float(values.review),
        ng=float(values.ng),
        pixel=float(values.pixel),
        provenance=dict(values.provenance),
        who=who,
    )


def _good_shots(session: Session) -> set[int]:
    return set(session.scalars(select(t.Shot.id).where(t.Shot.confirmed_good.is_not(None))))


def _is_whole(row: t.Threshold) -> bool:
    """A damaged row judges nothing: better no verdict than a wrong one."""
    return None not in (row.review, row.ng, row.pixel) and row.review <= row.ng


def _row(row: t.Threshold) -> ThresholdRow:
    values = Thresholds(row.review, row.ng, row.pixel, row.provenance)
    return ThresholdRow(row.id, row.detector_id, row.class_id, values, row.who, row.created)
