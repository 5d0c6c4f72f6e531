"""Results of images that taught their detector: its verdicts on them show nothing."""

from collections import Counter
from dataclasses import replace

from sqlalchemy import func, select

from inspector.records import schema as t
from inspector.records.inspected.results import Counts, count_results, count_severities
from inspector.records.project import Project
from inspector.records.result_filter import EVERYTHING, ResultFilter, filtered


def count_without_shots(
    project: Project, where: ResultFilter = EVERYTHING, *, shots_too: bool = False
) -> tuple[Counts, int]:
    """How many results match, by verdict, without those of images that taught the detector (`shots_too`: with them), and
    how many those are."""
    every, shots = count_results(project, where), count_shots(project, where)
    if shots_too:
        return every, shots.total
    left = (
        max(0, getattr(every, name) - getattr(shots, name))  # some may have come between both looks
        for name in ("ok", "review", "ng", "failed", "reviewed", "other")
    )
    return Counts(*left), shots.total


def count_shots(project: Project, where: ResultFilter = EVERYTHING) -> Counts:
    """How many results match whose images taught the detector, by verdict."""
    with project.reading() as session:
        # there is no index of such results, but one of images, and few images are shots
        found = session.scalars(
            select(t.Result.id).where(
                t.Result.image_id.in_(select(t.Shot.image_id)), t.Result.is_shot.is_(True)
            )
        )
        ids = set(found) if where.ids is None else set(found) & set(where.ids)
        if not ids:
            return Counts()
        by_severity: Counter[int] = Counter()
        reviewed = 0
        query = select(t.Result.severity, func.count(), func.count(t.Result.reviewed))
        query = filtered(session, query, replace(where, ids=tuple(sorted(ids))))
        for severity, count, done in session.execute(query.group_by(t.Result.severity)):
            by_severity[severity] = count
            reviewed += done
    return count_severities(by_severity, reviewed)
