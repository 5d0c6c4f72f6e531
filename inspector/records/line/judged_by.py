"""By which detectors and thresholds a station judged."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from inspector.domain import Thresholds
from inspector.records import schema as t
from inspector.records.detectors import labels
from inspector.records.line.trends import JOINED, TrendOf, conditions, moment_text
from inspector.records.project import Project


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """`parts`: how many of a class a detector judged. `thresholds`: those in force at the end; None where they are damaged or gone.
    `since`: when they were set; `changed`: how often, in the span."""

    class_name: str
    detector: str
    parts: int
    thresholds: Thresholds | None
    since: datetime | None
    who: str
    changed: int


def judged_by(project: Project, of: TrendOf, since: datetime, until: datetime) -> list[JudgedBy]:
    """For every class and detector that judged arrivals of a span (aware), most parts first."""
    with project.reading() as session:
        condition, given, _ = conditions(session, of)
        rows = session.connection().exec_driver_sql(
            f"SELECT r.class_id, r.detector_id, count(*) FROM {JOINED} WHERE {condition} AND r.class_id IS NOT NULL "
            "GROUP BY 1, 2 ORDER BY 3 DESC",
            (*given, moment_text(since), moment_text(until)),
        )
        found = []
        named = labels(session)
        for class_id, detector_id, parts in rows.all():
            history = session.scalars(
                select(t.Threshold)
                .where(
                    t.Threshold.detector_id == detector_id,
                    t.Threshold.class_id == class_id,
                )
                .order_by(t.Threshold.id)
            ).all()
            # The first ones judged from the beginning, whenever they were written.
            history = [one for place, one in enumerate(history) if not place or one.created < until]
            last = history[-1] if history else None
            whole = last is not None and None not in (last.review, last.ng, last.pixel)
            found.append(
                JudgedBy(
                    class_name=session.scalars(select(t.Class.name).where(t.Class.id == class_id)).first()
                    or "",
                    detector=named.get(detector_id, f"#{detector_id}"),
                    parts=parts,
                    thresholds=Thresholds(last.review, last.ng, last.pixel, last.provenance)
                    if last is not None and whole
                    else None,
                    since=last.created if last else None,
                    who=last.who if last else "",
                    changed=sum(one.created >= since for one in history[1:]),
                )
            )
    return found
