"""What lay in a station's folder before its very first start and is not to be judged."""

from collections.abc import Iterable

from sqlalchemy import insert, select

from inspector.records import schema as t
from inspector.records.project import Project

_BEGUN = ""


def passed_over(project: Project, station_id: int, source: str) -> set[str] | None:
    """The marks that are not judged; None before the first start on this `source`."""
    with project.reading() as session:
        query = select(t.PassedOver.mark).where(
            t.PassedOver.station_id == station_id, t.PassedOver.source == source
        )
        marks = set(session.scalars(query))
    return marks - {_BEGUN} if _BEGUN in marks else None


def pass_over(project: Project, station_id: int, source: str, marks: Iterable[str]) -> None:
    """Note the first start, and that these are not judged; both or, after a kill, neither."""
    rows = [{"station_id": station_id, "source": source, "mark": mark} for mark in {_BEGUN, *marks}]
    with project.writing() as session:
        session.execute(insert(t.PassedOver).prefix_with("OR IGNORE"), rows)
