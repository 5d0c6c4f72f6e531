"""Thresholds of a detector and class: each a row of its own, the newest counts; what people said of parts proposes others."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select, true, update
from sqlalchemy.orm import Session

from inspector.domain import Decision, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.project import Project
from inspector.records.result_filter import run_not_removed
from inspector.records.reviews import judged_parts, picked_runs
from inspector.verdicts.calibrate import confirmed, steered, with_good_parts
from inspector.verdicts.drift import Drift, drift
from inspector.verdicts.judge import bounds
from inspector.verdicts.product import Limit, limits_of
from inspector.verdicts.provenance import Basis, good_parts, moved_by_hand, number, words

SHOWN = 200
"""So many results that would change are named, those that score highest."""


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


@dataclass(frozen=True, slots=True)
class ThresholdProposal:
    """What could be put in place of the thresholds of a detector and class, by parts that people judged or by what they were
    before (`basis`: the id of their row). `proposed` None: there is nothing to go by. `earlier`: thresholds of the past with other
    numbers than these in force, newest first. `good`, `defective`: how many such parts this detector has scored; `unscored`:
    how many it hasn't seen. `drift`: good parts of the newest run score otherwise than those before. `changes`: (decision
    before, after) → how many results nobody has judged would change; `flips`: the ids of SHOWN of them."""

    detector_id: int
    class_id: int
    basis: Basis | int
    current: Thresholds
    calibrated: Thresholds
    earlier: tuple[ThresholdRow, ...]
    proposed: Thresholds | None
    good: int
    defective: int
    unscored: int
    drift: Drift | None
    changes: Mapping[tuple[Decision, Decision], int] = field(default_factory=dict)
    flips: Sequence[int] = ()

    @property
    def news(self) -> bool:
        """Whether parts were judged since that would move the thresholds or what they promise."""
        then, now = self.proposed, self.current
        if then is None:
            return False
        if then.numbers == now.numbers:
            return _promise(then) != _promise(now)
        return good_parts(then).keys() != good_parts(now).keys()


def propose_thresholds(
    project: Project,
    detector_id: int,
    class_id: int,
    basis: Basis | int = Basis.GOOD,
    *,
    counting: bool = True,
) -> ThresholdProposal | None:
    """None for a class that the detector has no thresholds for. `counting`: also what would change, which looks at every
    result. For a worker. Raises ProjectError for a `basis` that is no row of theirs."""
    with project.reading() as session:
        history = _history(session, detector_id, class_id)
        if not history:
            return None
        calibrated, current = history[0].thresholds, history[-1].thresholds
        parts = judged_parts(session, class_id, detector_id)
        before = good_parts(calibrated)  # scored anew when the detector was made
        scored = [(one, before.get(one.image_id) if one.score is None else one.score) for one in parts]
        own = [(one, score) for one, score in scored if one.good and score is not None]
        good = {one.image_id: score for one, score in own}
        defective = [score for one, score in scored if not one.good and score is not None]
        picked = picked_runs(session, class_id, [one for one, _ in own])
        proposed = with_good_parts(calibrated, good, bool(picked)) if good else calibrated
        if not isinstance(basis, Basis):
            proposed = _again(history, basis, good)
        elif basis is not Basis.GOOD:
            proposed = steered(proposed or calibrated, basis, [*good.values()], defective)
        if proposed is not None:
            proposed = confirmed(proposed, _good_shots(session))
        changes, flips = (
            _flips(session, detector_id, class_id, proposed) if counting and proposed else ({}, [])
        )
        return ThresholdProposal(
            detector_id,
            class_id,
            basis,
            current,
            calibrated,
            _others(history),
            proposed,
            len(good),
            len(defective),
            sum(score is None for _, score in scored),
            _drift([(one.run_id, score) for one, score in own if one.run_id not in picked]),
            changes,
            flips,
        )


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
    project: Project,
    detector_id: int,
    class_id: int,
    thresholds: Thresholds,
    *,
    who: str = "",
    proposed: bool = False,
) -> ThresholdMove:
    """Add to the history and judge every stored result of this detector and class anew.

    Only rows whose decision flips are written, found by index, so 100,000 results take milliseconds. A
    person's override stays. To undo, set the earlier thresholds again. Numbers that no earlier row has were
    moved by hand, and lose the words and the promise of those that teaching found, unless they were `proposed`.
    """
    numbers = thresholds.numbers
    if not all(map(math.isfinite, numbers)) or thresholds.review > thresholds.ng:
        raise ProjectError(
            "Thresholds must be finite numbers, and the review threshold may not lie above the NG threshold.",
            "Choose other thresholds.",
        )
    with project.writing() as session:
        decision = decided(thresholds, limits_in_force(session, detector_id).get(class_id))
        history = [row.thresholds for row in _history(session, detector_id, class_id)]
        same = (one for one in reversed(history) if one.numbers == numbers)
        told = next(same, None) or moved_by_hand(thresholds, history[0] if history else None, who)
        if proposed:
            told = thresholds
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
        name = session.scalar(select(t.Class.name).where(t.Class.id == class_id))
        note(
            session,
            ActKind.THRESHOLDS,
            f"{name}, detector #{detector_id}",
            who=who,
            old=numbers_text(history[-1]) if history else "",
            new=numbers_text(told),
            reason=f"{words(told)} Verdicts changed: {changed:,}.".strip(),
        )
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


def all_limits(session: Session, detector_id: int) -> dict[int, Limit]:
    """Class id → from which distance on a detector calls a picture another product; none of classes where it can't tell."""
    return limits_of(session.scalar(select(t.Detector.products).where(t.Detector.id == detector_id)))


def limits_in_force(session: Session, detector_id: int) -> dict[int, float]:
    """The same as numbers, without classes where it isn't asked."""
    found = all_limits(session, detector_id)
    return {key: limit.distance for key, limit in found.items() if limit.asked}


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


def numbers_text(thresholds: Thresholds) -> str:
    """The two numbers that judge, for people."""
    return f"review {number(thresholds.review)}, NG {number(thresholds.ng)}"


def _promise(thresholds: Thresholds) -> tuple[Any, Any]:
    told = thresholds.provenance
    return bool(told.get("promised")), bool(told.get("picked"))


def _again(history: Sequence[ThresholdRow], row_id: int, good: Mapping[int, float]) -> Thresholds:
    """Those of an earlier row, which promise nothing once a part that they were set from is called good no more."""
    found = next((row.thresholds for row in history if row.id == row_id), None)
    if found is None:
        raise ProjectError("These thresholds are no longer in the project.", "Choose others.")
    if good_parts(found).keys() <= good.keys():
        return found
    return replace(found, provenance={**found.provenance, "promised": False, "picked": True})


def _others(history: Sequence[ThresholdRow]) -> tuple[ThresholdRow, ...]:
    """Those with other numbers than the last, newest first, the newest of each."""
    newest = {row.thresholds.numbers: row for row in history}
    newest.pop(history[-1].thresholds.numbers)
    return tuple(sorted(newest.values(), key=lambda row: -row.id))


def _history(session: Session, detector_id: int, class_id: int) -> list[ThresholdRow]:
    """Oldest first."""
    rows = session.scalars(
        select(t.Threshold)
        .where(t.Threshold.detector_id == detector_id, t.Threshold.class_id == class_id)
        .order_by(t.Threshold.id)
    )
    return [_row(row) for row in rows if _is_whole(row)]


def decided(thresholds: Thresholds, limit: float | None) -> Any:
    """The decision on a result's score and, where there is a `limit`, its distance, as an expression."""
    steps = [(t.Result.image_score >= lowest, decision) for lowest, decision in bounds(thresholds)]
    if limit is not None:
        steps.insert(0, (t.Result.product_distance >= limit, Decision.OTHER))
    return case(*steps, else_=Decision.OK)


def _flips(
    session: Session, detector_id: int, class_id: int, thresholds: Thresholds
) -> tuple[dict[tuple[Decision, Decision], int], list[int]]:
    """Which results nobody has judged would change: how many by decision before and after, and the ids of some."""
    after = decided(thresholds, limits_in_force(session, detector_id).get(class_id))
    where = (
        t.Result.detector_id == detector_id,
        t.Result.class_id == class_id,
        t.Result.override.is_(None),
        t.Result.image_score.is_not(None),
        t.Result.decision.is_distinct_from(after),
        run_not_removed(session),
    )
    counts = session.execute(
        select(t.Result.decision, after, func.count()).where(*where).group_by(t.Result.decision, after)
    )
    changes = {
        (was, now): count
        for before, then, count in counts
        if (was := t.word(Decision, before)) is not None and (now := t.word(Decision, then)) is not None
    }
    ids = select(t.Result.id).where(*where).order_by(t.Result.image_score.desc(), t.Result.id).limit(SHOWN)
    return changes, list(session.scalars(ids))


def _drift(good: Sequence[tuple[int, float]]) -> Drift | None:
    """Of the newest run with good parts against all before; `good`: runs and scores."""
    newest = max((run_id for run_id, _ in good), default=0)
    now = [score for run_id, score in good if run_id == newest]
    return drift([score for run_id, score in good if run_id != newest], now)


def _good_shots(session: Session) -> set[int]:
    return set(session.scalars(select(t.Shot.id).where(t.Shot.confirmed_good.is_not(None))))


def _is_whole(row: t.Threshold) -> bool:
    """A damaged row judges nothing: better no verdict than a wrong one."""
    return None not in (row.review, row.ng, row.pixel) and row.review <= row.ng


def _row(row: t.Threshold) -> ThresholdRow:
    values = Thresholds(row.review, row.ng, row.pixel, row.provenance)
    return ThresholdRow(row.id, row.detector_id, row.class_id, values, row.who, row.created)
