"""Up to where each output of a station was told everything."""

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from inspector.records import schema as t
from inspector.records.line.arrivals import last_arrival
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


def note_told(project: Project, station_id: int, output: str, arrival_id: int) -> None:
    """It was told everything up to this arrival."""
    values = {"station_id": station_id, "output": output, "arrival_id": arrival_id}
    with project.writing() as session:
        session.execute(
            insert(t.Delivery)
            .values(values)
            .on_conflict_do_update(index_elements=["station_id", "output"], set_={"arrival_id": arrival_id})
        )
