"""Up to where each output of a station was told everything."""

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.line.arrivals import ArrivalRow, last_arrival
from inspector.records.project import Project


def told_up_to(project: Project, station_id: int, output: str) -> int:
    """The last arrival that the output with this key was told. An output that is new is told only what comes from now on."""
    with project.reading() as session:
        query = select(t.Delivery.arrival_id).where(
            t.Delivery.station_id == station_id, t.Delivery.output == output
        )
        found = session.scalars(query).first()
    if found is None:
        found = last_arrival(project, station_id)
        note_told(project, station_id, output, found)
    return found


def is_noted(project: Project, station_id: int, output: str) -> bool:
    """Whether anything was noted under this key."""
    with project.reading() as session:
        query = select(t.Delivery.output).where(
            t.Delivery.station_id == station_id, t.Delivery.output == output
        )
        return session.scalars(query).first() is not None


def note_told(project: Project, station_id: int, output: str, arrival_id: int) -> None:
    """It was told everything up to this arrival."""
    with project.writing() as session:
        _note_told(session, station_id, output, arrival_id)


def leave_out(project: Project, station_id: int, output: str, arrival: ArrivalRow, why: str) -> None:
    """It is never told of this arrival, which its receiver refused: `note_told` and a line in the audit, both or neither."""
    with project.writing() as session:
        _note_told(session, station_id, output, arrival.id)
        subject = f"{arrival.station}, {output}: result {arrival.id} “{arrival.name}”"
        note(session, ActKind.RESULT_NOT_TOLD, subject, reason=why)


def count_arrivals(
    project: Project, station_id: int, *, after: int = 0, up_to: int | None = None
) -> tuple[int, int]:
    """(how many arrivals of a station have an id above `after`, and not above `up_to`; the highest of these ids, or `after`)."""
    with project.reading() as session:
        query = select(func.count(), func.max(t.Arrival.id)).where(
            t.Arrival.station_id == station_id, t.Arrival.id > after
        )
        if up_to is not None:
            query = query.where(t.Arrival.id <= up_to)
        count, last = session.execute(query).one()
    return count, last or after


def nth_arrival(project: Project, station_id: int, number: int) -> int:
    """The id of a station's arrival with this number, counted from 1; 0 for number 0, the last one where there are fewer."""
    if number <= 0:
        return 0
    with project.reading() as session:
        query = (
            select(t.Arrival.id)
            .where(t.Arrival.station_id == station_id)
            .order_by(t.Arrival.id)
            .offset(number - 1)
            .limit(1)
        )
        found = session.scalars(query).first()
    return last_arrival(project, station_id) if found is None else found


def _note_told(session: Session, station_id: int, output: str, arrival_id: int) -> None:
    values = {"station_id": station_id, "output": output, "arrival_id": arrival_id}
    session.execute(
        insert(t.Delivery)
        .values(values)
        .on_conflict_do_update(index_elements=["station_id", "output"], set_={"arrival_id": arrival_id})
    )
