"""Reviews: a person's words on results. Append-only; withdrawing one is a row too."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project
from inspector.records.result_filter import among


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """`decision` None: this row withdraws review `withdraws`. `withdrawn`: a later row withdraws this one."""

    id: int
    result_id: int
    decision: Decision | None
    reason: str
    defect_type: str
    who: str
    withdraws: int | None
    withdrawn: bool
    created: datetime


def list_reviews(project: Project, result_id: int) -> list[ReviewRow]:
    """The whole history of one result, oldest first."""
    with project.reading() as session:
        return reviews_of(session, [result_id]).get(result_id, [])


@dataclass(frozen=True, slots=True)
class NewReview:
    """A person's word on one result."""

    result_id: int
    decision: Decision
    reason: str = ""
    defect_type: str = ""


def add_reviews(project: Project, reviews: Iterable[NewReview], *, who: str) -> list[int]:
    """A person's words on results, all or none; they win over the thresholds, now and after they move. Ids of the
    review rows."""
    with project.writing() as session:
        rows = [
            {
                "result_id": int(one.result_id),
                "decision": one.decision,
                "reason": one.reason,
                "defect_type": one.defect_type,
                "who": who,
            }
            for one in reviews
        ]
        return _store(session, rows)


def add_review(
    project: Project,
    result_ids: Iterable[int],
    decision: Decision,
    *,
    who: str,
    reason: str = "",
    defect_type: str = "",
) -> list[int]:
    """The same word on several results."""
    return add_reviews(
        project, [NewReview(result_id, decision, reason, defect_type) for result_id in result_ids], who=who
    )


def withdraw_review(project: Project, review_ids: Iterable[int], *, who: str) -> None:
    """Undo reviews: each gets a row that withdraws it, and the word before it counts again. Raises
    ProjectError for a review that there isn't."""
    wanted = [int(review_id) for review_id in review_ids]
    with project.writing() as session:
        results = session.scalars(select(t.Review.result_id).where(among(t.Review.id, wanted)))
        known = {one.id: one for history in reviews_of(session, set(results)).values() for one in history}
        rows: list[dict[str, Any]] = []
        for review_id in wanted:
            row = known.pop(review_id, None)  # so that naming one twice is refused too
            if row is None or row.withdraws is not None or row.withdrawn:
                raise ProjectError("This review can't be withdrawn (again).", "Refresh the history.")
            rows.append({"result_id": row.result_id, "withdraws": review_id, "who": who})
        _store(session, rows)


def reviews_of(session: Session, result_ids: Collection[int]) -> dict[int, list[ReviewRow]]:
    """The histories of these results, each oldest first; results without reviews are left out."""
    rows = session.execute(
        select(
            t.Review.id,
            t.Review.result_id,
            t.Review.decision,
            t.Review.reason,
            t.Review.defect_type,
            t.Review.who,
            t.Review.withdraws,
            t.Review.created,
        )
        .where(among(t.Review.result_id, result_ids))
        .order_by(t.Review.result_id, t.Review.id)  # as the index has them
    ).all()
    withdrawn = {row.withdraws for row in rows if row.withdraws is not None}
    found: dict[int, list[ReviewRow]] = {}
    for row in rows:
        found.setdefault(row.result_id, []).append(
            ReviewRow(
                id=row.id,
                result_id=row.result_id,
                decision=t.word(Decision, row.decision),
                reason=row.reason,
                defect_type=row.defect_type,
                who=row.who,
                withdraws=row.withdraws,
                withdrawn=row.id in withdrawn,
                created=row.created,
            )
        )
    return found


def in_force(reviews: Sequence[ReviewRow]) -> ReviewRow | None:
    """Of one result's reviews, oldest first, the one that counts."""
    if not reviews:
        return None
    return next((one for one in reversed(reviews) if one.decision is not None and not one.withdrawn), None)


def _store(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    """Add rows of reviews, and let of each result that they are on the newest that was not withdrawn count. Their ids, in
    the same order."""
    if not rows:
        return []
    last = session.scalar(select(func.max(t.Review.id))) or 0
    session.execute(insert(t.Review), rows)  # one by one, and so in this order
    results = {row["result_id"] for row in rows}
    known = reviews_of(session, results)
    counting = {key: in_force(known[key]) for key in results}
    session.execute(
        update(t.Result),
        [
            {
                "id": key,
                "override": review.decision if review else None,
                "reviewed": review.created if review else None,
                "defect_type": review.defect_type if review else "",
            }
            for key, review in counting.items()
        ],
    )
    return list(session.scalars(select(t.Review.id).where(t.Review.id > last).order_by(t.Review.id)))
