"""Whether pictures of another product are told apart, by class of a detector, and what follows for stored results."""

from dataclasses import replace

from sqlalchemy import delete, func, select, update

from inspector.domain import Decision
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.project import Project
from inspector.records.result_filter import run_not_removed
from inspector.records.thresholds import all_limits, decided, newest_thresholds
from inspector.verdicts.product import MOVED
from inspector.verdicts.provenance import number


def product_flips(
    project: Project, detector_id: int, class_id: int, asked: bool
) -> dict[tuple[Decision, Decision], int]:
    """Which stored results that nobody judged would change if other products were told apart, or no longer: (decision before, after) →
    how many. Some milliseconds: for a worker."""
    with project.reading() as session:
        limit = all_limits(session, detector_id).get(class_id)
        found = newest_thresholds(session, detector_id).get(class_id)
        if limit is None or found is None:
            return {}
        after = decided(found.thresholds, limit.distance if asked else None)
        rows = session.execute(
            select(t.Result.decision, after, func.count())
            .where(t.Result.detector_id == detector_id, t.Result.class_id == class_id)
            .where(t.Result.product_distance >= limit.distance, t.Result.image_score.is_not(None))
            .where(t.Result.override.is_(None), t.Result.decision.is_distinct_from(after))
            .where(run_not_removed(session))
            .group_by(t.Result.decision, after)
        ).all()
    changes: dict[tuple[Decision, Decision], int] = {}
    for before, then, count in rows:
        was, now = t.word(Decision, before), t.word(Decision, then)
        if was is not None and now is not None:
            changes[was, now] = count
    return changes


def ask_product(project: Project, detector_id: int, class_id: int, asked: bool, *, who: str = "") -> int:
    """Tell pictures of other products apart from now on, or no longer, and judge every stored result of this detector and class
    anew; how many verdicts changed. A person's word stays. Golden parts are to be checked again. To undo, ask the other way.

    Raises ProjectError where it can't be told.
    """
    with project.writing() as session:
        row = session.get_one(t.Detector, detector_id)
        limit = all_limits(session, detector_id).get(class_id)
        found = newest_thresholds(session, detector_id).get(class_id)
        if limit is None or found is None:
            raise ProjectError(
                "This detector can't tell whether a picture shows another product.", "Teach its class again."
            )
        row.products = {**(row.products or {}), str(class_id): replace(limit, asked=asked).as_json()}
        decision = decided(found.thresholds, limit.distance if asked else None)
        flipped = session.execute(
            update(t.Result)
            .where(t.Result.detector_id == detector_id, t.Result.class_id == class_id)
            .where(t.Result.product_distance >= limit.distance, t.Result.image_score.is_not(None))
            .where(t.Result.decision.is_distinct_from(decision))
            .values(decision=decision)
            .execution_options(synchronize_session=False)
        )
        changed = int(flipped.rowcount)  # type: ignore[attr-defined]
        if asked:  # what was scored when nobody asked is to be looked at again
            own = select(t.GoldenPart.id).where(t.GoldenPart.class_id == class_id)
            session.execute(
                delete(t.GoldenScore)
                .where(t.GoldenScore.detector_id == detector_id, t.GoldenScore.part_id.in_(own))
                .where(t.GoldenScore.image_score.is_not(None), t.GoldenScore.product_distance.is_(None))
            )
        name = session.scalar(select(t.Class.name).where(t.Class.id == class_id))
        note(
            session,
            ActKind.PRODUCT_ASKED if asked else ActKind.PRODUCT_UNASKED,
            f"{name}, detector #{detector_id}",
            who=who,
            new=f"from a distance of {number(limit.distance)} on" if asked else "",
            reason=f"Verdicts changed: {changed:,}.",
        )
    return changed


def count_moved(project: Project, run_id: int) -> int:
    """How many results of a run show, by the detector, that the camera or the part has moved."""
    moved = select(func.count()).where(
        t.Result.run_id == run_id,
        t.Result.decision == Decision.OTHER,
        t.Result.hint.startswith(MOVED, autoescape=True),
    )
    with project.reading() as session:
        return int(session.scalar(moved) or 0)
