"""Which results are wanted and in what order, as parts of a query."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from inspector.domain import NEVER, Decision
from inspector.records import schema as t

SEVERITY = {Decision.OK: 0, Decision.REVIEW: 1, Decision.NG: 2, Decision.OTHER: 4}


FAILED_SEVERITY = 3


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results; every field that is set must hold. `text` is looked for in name, defect type, reason of failure
    and class name. `score_from` <= score < `score_to`. `ids`: only these. `disputed`: whether the newest standing words of two
    people differ."""

    run_id: int | None = None
    detector_id: int | None = None
    class_id: int | None = None
    verdict: Decision | None = None
    failed: bool | None = None
    reviewed: bool | None = None
    defect_type: str | None = None
    text: str = ""
    score_from: float | None = None
    score_to: float | None = None
    ids: tuple[int, ...] | None = field(default=None)
    disputed: bool | None = None


class ResultSort(StrEnum):
    """What results can be ordered by."""

    TIME = "time"
    NAME = "name"
    CLASS = "class"
    SCORE = "score"
    VERDICT = "verdict"
    REVIEWED = "reviewed"
    DEFECT_TYPE = "defect type"
    RUN = "run"
    DOUBT = "doubt"


EVERYTHING = ResultFilter()


def run_not_removed(session: Session) -> ColumnElement[bool]:
    """No condition at all in the usual case, so that SQLite can answer from an index alone."""
    removed = session.scalars(select(t.Run.id).where(t.Run.removed.is_not(None))).all()
    return t.Result.run_id.not_in(removed) if removed else true()


def filtered(session: Session, query: Any, where: ResultFilter) -> Any:
    """A query on results with the conditions of `where`, and without removed runs."""
    query = query.where(run_not_removed(session))
    exact = {
        t.Result.run_id: where.run_id,
        t.Result.detector_id: where.detector_id,
        t.Result.class_id: where.class_id,
        t.Result.defect_type: where.defect_type,
        t.Result.severity: None if where.verdict is None else SEVERITY[where.verdict],
    }
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if where.failed is not None:
        query = query.where((t.Result.severity == FAILED_SEVERITY) == where.failed)
    if where.reviewed is not None:
        query = query.where(t.Result.reviewed.is_not(None) == where.reviewed)
    if where.score_from is not None:
        query = query.where(by_scan(t.Result.image_score) >= where.score_from)
    if where.score_to is not None:
        query = query.where(by_scan(t.Result.image_score) < where.score_to)
    if where.disputed is not None:
        condition = t.Result.id.in_(_disputed())
        query = query.where(condition if where.disputed else ~condition)
    if where.ids is not None:
        query = query.where(_listed(t.Result.id, where.ids))
    if text := where.text.strip():
        # SQLite's LIKE takes a and A for the same; lower() around every name would only take as long again.
        columns = (t.Result.name, t.Result.defect_type, t.Result.error)
        named = select(t.Class.id).where(t.Class.name.icontains(text, autoescape=True))
        query = query.where(
            or_(*(column.contains(text, autoescape=True) for column in columns), t.Result.class_id.in_(named))
        )
    return query


def _disputed() -> Any:
    """Ids of results on which the newest standing words of two people differ."""
    taken_back = select(t.Review.withdraws).where(t.Review.withdraws.is_not(None))
    newest = (
        select(func.max(t.Review.id))
        .where(t.Review.decision.is_not(None), t.Review.id.not_in(taken_back))
        .group_by(t.Review.result_id, t.Review.who)
    )
    return (
        select(t.Review.result_id)
        .where(t.Review.id.in_(newest))
        .group_by(t.Review.result_id)
        .having(func.count(t.Review.decision.distinct()) > 1)
    )


def by_scan(column: Any) -> Any:
    """A column in a condition that most rows may well meet. The planner takes every range for a narrow one, but fetching
    half a million rows in the order of an index takes five times as long as going through all of them."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def among(column: Any, ids: Collection[int]) -> Any:
    """Whether a column holds one of these ids; one or two parameters however many they are."""
    if ids and max(ids) - min(ids) == len(ids) - 1 == len(set(ids)) - 1:  # no gaps: most pages of a table
        return column.between(min(ids), max(ids))
    return _listed(column, ids)


def _listed(column: Any, ids: Collection[int]) -> Any:
    return column.in_(select(func.json_each(json.dumps([*ids])).table_valued("value").c.value))


def sort_column(session: Session, sort: ResultSort) -> Any:
    """The expression that results are ordered by."""
    if sort is ResultSort.CLASS:  # by name, without a join over all results
        ids = session.scalars(select(t.Class.id).order_by(func.lower(t.Class.name), t.Class.id)).all()
        places = {class_id: place for place, class_id in enumerate(ids)}
        return case(places, value=t.Result.class_id, else_=len(places)) if places else t.Result.id
    if sort is ResultSort.DOUBT:
        return _doubt(session)
    return {
        ResultSort.TIME: t.Result.id,
        ResultSort.NAME: t.Result.name,
        ResultSort.SCORE: t.Result.image_score,
        ResultSort.VERDICT: t.Result.severity,
        ResultSort.REVIEWED: t.Result.reviewed,
        ResultSort.DEFECT_TYPE: t.Result.defect_type,
        ResultSort.RUN: t.Result.run_id,
    }[sort]


_REVIEWED, _FAILED = 1e6, 2e6
"""What the distance of results is, of which nothing is to be doubted."""


def _doubt(session: Session) -> Any:
    """How far a score lies from where its class is neither OK nor NG, in shares of that; results that people judged come after
    all others, and failed ones last."""
    newest = select(func.max(t.Threshold.id)).group_by(t.Threshold.detector_id, t.Threshold.class_id)
    rows = session.execute(
        select(t.Threshold.detector_id, t.Threshold.class_id, t.Threshold.review, t.Threshold.ng).where(
            t.Threshold.id.in_(newest)
        )
    ).all()
    # those of any other class, and of damaged thresholds, are nowhere near
    middles = {
        (detector_id, class_id): review if ng >= NEVER else (review + ng) / 2
        for detector_id, class_id, review, ng in rows
        if review and ng
    }
    away: Any = _REVIEWED / 2
    if middles:
        cases = [
            (and_(t.Result.detector_id == detector_id, t.Result.class_id == class_id), middle)
            for (detector_id, class_id), middle in middles.items()
        ]
        away = func.coalesce(func.abs(t.Result.image_score / case(*cases) - 1), _REVIEWED / 2)
    return case(
        (t.Result.severity == FAILED_SEVERITY, _FAILED),
        (t.Result.reviewed.is_not(None), _REVIEWED + away),
        else_=away,
    )
