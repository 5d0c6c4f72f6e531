"""Reviews: a person's words on results. Append-only; withdrawing one is a row too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project


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
    added: list[int] = []
    with project.writing() as session:
        for one in reviews:
            row = t.Review(
                result_id=int(one.result_id),
                decision=one.decision,
                reason=one.reason,
                defect_type=one.defect_type,
                who=who,
            )
            session.add(row)
            session.flush()
            _apply_reviews(session, row.result_id)
            added.append(row.id)
    return added


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
    """Undo reviews: each gets a row that withdraws it, and the word before it counts again."""
    with project.writing() as session:
        for review_id in map(int, review_ids):
            row = session.get(t.Review, review_id)
            done = session.scalar(select(t.Review.id).where(t.Review.withdraws == review_id))
            if row is None or row.withdraws is not None or done is not None:
                raise ProjectError("This review can't be withdrawn (again).", "Refresh the history.")
            session.add(t.Review(result_id=row.result_id, withdraws=review_id, who=who))
            session.flush()
            _apply_reviews(session, row.result_id)


def reviews_of(session: Session, result_ids: list[int]) -> dict[int, list[ReviewRow]]:
    rows = session.scalars(
        select(t.Review).where(t.Review.result_id.in_(result_ids)).order_by(t.Review.id)
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
    return next((one for one in reversed(reviews) if one.decision is not None and not one.withdrawn), None)


def _apply_reviews(session: Session, result_id: int) -> None:
    """Let the newest review that was not withdrawn count."""
    withdrawn = select(t.Review.withdraws).where(
        t.Review.result_id == result_id, t.Review.withdraws.is_not(None)
    )
    review = session.scalars(
        select(t.Review)
        .where(t.Review.result_id == result_id, t.Review.withdraws.is_(None), t.Review.id.not_in(withdrawn))
        .order_by(t.Review.id.desc())
        .limit(1)
    ).first()
    session.execute(
        update(t.Result)
        .where(t.Result.id == result_id)
        .values(
            override=review.decision if review else None,
            reviewed=review.created if review else None,
            defect_type=review.defect_type if review else "",
        )
    )
