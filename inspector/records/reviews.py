"""Reviews: a person's words on results. Append-only; withdrawing one is a row too."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.project import Project
from inspector.records.result_filter import FAILED_SEVERITY, among, by_scan, run_not_removed

MOST = 1000
"""So many parts of each kind count when thresholds are set, those judged last: what a rate of 0.1 % needs."""

_SPOKEN = {"ok": "OK", "ng": "NG"}


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
        return _store(session, rows, ActKind.REVIEWED)


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
        _store(session, rows, ActKind.REVIEW_WITHDRAWN)


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """What people said last of an image that teaches nothing: whether its part is good or defective. `result_id`: the result
    they said it of, in run `run_id`; `score`: by the detector that is asked about, None where it hasn't seen the image."""

    result_id: int
    image_id: int
    run_id: int
    good: bool
    score: float | None


def judged_parts(session: Session, class_id: int, detector_id: int | None = None) -> list[JudgedPart]:
    """Parts of a class whose newest word is OK or NG, every image once, MOST of each, in the order of their results; without
    the images that the detector was taught on (of none: that are shots of the class). Removed runs don't count."""
    shots = select(t.Shot.image_id).where(t.Shot.class_id == class_id)
    if detector_id is None:
        shots = shots.where(t.Shot.removed.is_(None))
    else:
        taught = select(t.DetectorShot.shot_id).where(t.DetectorShot.detector_id == detector_id)
        shots = shots.where(t.Shot.id.in_(taught))
    seen, kept = set(session.scalars(shots)), run_not_removed(session)
    said: dict[int, tuple[int, int, bool]] = {}
    counts = {Decision.OK: 0, Decision.NG: 0}
    rows = session.connection().execute(
        select(t.Result.id, t.Result.image_id, t.Result.run_id, t.Result.override)
        .where(t.Result.reviewed.is_not(None), by_scan(t.Result.class_id) == class_id)
        .where(t.Result.image_id.is_not(None), t.Result.override.is_not(None))
        .where(kept)
        .order_by(t.Result.reviewed.desc(), t.Result.id.desc())
        .limit(10 * MOST)
    )
    for result_id, image_id, run_id, override in rows:
        if image_id is None or image_id in seen:
            continue
        seen.add(image_id)  # an older word on it counts no more
        decision = t.word(Decision, override)
        if decision in counts and counts[decision] < MOST:
            counts[decision] += 1
            said[image_id] = result_id, run_id, decision is Decision.OK
    scores: dict[int, float] = {}
    if said and detector_id is not None:
        for image_id, score in session.execute(
            select(t.Result.image_id, t.Result.image_score)
            .where(t.Result.detector_id == detector_id, by_scan(t.Result.class_id) == class_id)
            .where(among(t.Result.image_id, [*said]), kept)
            .order_by(t.Result.id)
        ):
            if image_id is not None and score is not None:
                scores[image_id] = score
    return sorted(
        (
            JudgedPart(result_id, key, run_id, good, scores.get(key))
            for key, (result_id, run_id, good) in said.items()
        ),
        key=lambda part: part.result_id,
    )


def list_judged_parts(project: Project, class_id: int) -> tuple[list[JudgedPart], bool]:
    """`judged_parts` that no shot of the class shows, and whether the good ones may have been picked."""
    with project.reading() as session:
        parts = judged_parts(session, class_id)
        return parts, bool(picked_runs(session, class_id, [one for one in parts if one.good]))


def picked_runs(session: Session, class_id: int, parts: Sequence[JudgedPart]) -> set[int]:
    """The runs that hold these images and, of the same class, others that nobody has called good or defective, or that were left
    out for a place called no defect: what was judged there may have been picked by how it looked or scored."""
    if not parts:
        return set()
    images = [one.image_id for one in parts]
    other = aliased(t.Result)
    judged = exists().where(
        other.image_id == t.Result.image_id, other.override.in_([Decision.OK, Decision.NG])
    )
    query = (
        select(t.Result.run_id)
        .where(by_scan(t.Result.class_id) == class_id, t.Result.severity != FAILED_SEVERITY)
        .where(t.Result.is_shot.is_(False), func.coalesce(t.Result.override, "review") == "review")
        .where(~judged)  # the condition before spares looking up those that are
    )
    holding = select(t.Result.run_id).distinct().where(run_not_removed(session))
    marked = select(t.Shot.image_id).where(
        t.Shot.class_id == class_id, t.Shot.place.is_not(None), t.Shot.removed.is_(None)
    )
    excused = set(session.scalars(holding.where(t.Result.image_id.in_(marked))))
    runs = session.scalars(holding.where(among(t.Result.image_id, images)))
    return {
        run_id
        for run_id in runs
        if run_id in excused or session.scalar(query.where(t.Result.run_id == run_id).limit(1))
    }


def unjudged_results(project: Project, run_id: int) -> dict[Decision, list[int]]:
    """The results of a run that nobody has judged, by what thresholds say; without failed items, pictures of another product and those
    that teach."""
    found: dict[Decision, list[int]] = {}
    with project.reading() as session:
        for result_id, decision in session.execute(
            select(t.Result.id, t.Result.decision)
            .where(t.Result.run_id == run_id, t.Result.reviewed.is_(None), run_not_removed(session))
            .where(t.Result.severity < FAILED_SEVERITY, t.Result.is_shot.is_(False))
            .order_by(t.Result.id)
        ):
            if (known := t.word(Decision, decision)) is not None:
                found.setdefault(known, []).append(result_id)
    return found


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


def newest_words(reviews: Sequence[ReviewRow]) -> list[ReviewRow]:
    """Of one result's reviews, oldest first, the newest standing one of each person, the newest last."""
    newest: dict[str, ReviewRow] = {}
    for one in reviews:
        if one.decision is not None and not one.withdrawn:
            newest.pop(one.who, None)
            newest[one.who] = one
    return list(newest.values())


def _store(session: Session, rows: list[dict[str, Any]], kind: ActKind) -> list[int]:
    """Add rows of reviews, and let of each result that they are on the newest that was not withdrawn count. Their ids, in
    the same order."""
    if not rows:
        return []
    last = session.scalar(select(func.max(t.Review.id))) or 0
    session.execute(insert(t.Review), rows)  # one by one, and so in this order
    results = {row["result_id"] for row in rows}
    before = _verdicts(session, results)
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
    after = _verdicts(session, results)
    reasons = [" ".join(filter(None, (row.get("defect_type"), row.get("reason")))) for row in rows]
    note(
        session,
        kind,
        few([name for name, _ in before.values()]),
        who=rows[0]["who"],
        old=_counted(verdict for _, verdict in before.values()),
        new=_counted(verdict for _, verdict in after.values()),
        reason=few([*dict.fromkeys(filter(None, reasons))]),
    )
    return list(session.scalars(select(t.Review.id).where(t.Review.id > last).order_by(t.Review.id)))


def _verdicts(session: Session, result_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Result → its name and the verdict in force."""
    rows = session.execute(
        select(t.Result.id, t.Result.name, func.coalesce(t.Result.override, t.Result.decision, "failed"))
        .where(among(t.Result.id, result_ids))
        .order_by(t.Result.id)
    )
    return {key: (name, verdict) for key, name, verdict in rows}


def _counted(verdicts: Iterable[str]) -> str:
    """ "OK", or "3 OK, 2 NG" of several."""
    counts = Counter(_SPOKEN.get(one, one) for one in verdicts)
    if counts.total() == 1:
        return next(iter(counts))
    return ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common())
