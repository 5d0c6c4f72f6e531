"""What comes to a station: stored once with its result, and never changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from judged_parts import png, taught
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inspector.domain import Decision
from inspector.images import read
from inspector.records import project as projects
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_arrivals
from inspector.records.inspected.results import count_results
from inspector.records.inspected.runs import station_run
from inspector.records.line.arrivals import Looks, NewArrival, find_arrivals, known_marks, list_arrivals
from inspector.records.line.passed_over import pass_over, passed_over
from inspector.records.line.stations import Part, StationSettings, add_station
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.thresholds import list_thresholds

LOOKS = Looks(120.0, 40.0, 1.0, -2.0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


def came(
    project: Project, class_id: int, detector_id: int, mark: str, score: float | None
) -> tuple[NewResult, NewArrival]:
    """One that failed where `score` is None."""
    arrival = NewArrival(mark, "A 17", datetime.now(UTC), LOOKS)
    if score is None:
        return NewResult(f"{mark}.png", class_id=class_id, error="It is damaged."), arrival
    data = png(len(mark) + ord(mark[-1]))
    facts = ImageFacts.of(read.decode(data, mark), data)
    row = list_thresholds(project, detector_id)[class_id]
    result = NewResult(f"{mark}.png", facts, data, class_id, image_score=score, threshold_id=row.id)
    return result, arrival


def test_a_mark_that_came_before_is_dropped_with_its_result(project: Project) -> None:
    class_id, detector_id = taught(project)
    station = add_station(project, "Press 3", StationSettings(Part("folder")))
    day = datetime.now().astimezone().date()
    run = station_run(project, (station, "Press 3"), detector_id, class_id=class_id, job_id=None, day=day)

    def one(mark: str, score: float | None) -> tuple[NewResult, NewArrival]:
        return came(project, class_id, detector_id, mark, score)

    first = record_arrivals(project, run, station, [one("a", 0.1), one("b", 9.0), one("c", None)])
    assert [said for _, said in first] == [Decision.OK, Decision.NG, None]
    again = record_arrivals(project, run, station, [one("b", 0.1), one("d", 0.1), one("d", 9.0)])
    assert [key > 0 for key, _ in again] == [False, True, False]
    assert count_results(project, ResultFilter(run_id=run)).total == 4
    found = list_arrivals(project, station)
    assert [(one.name, one.said, one.lot) for one in found] == [
        ("a.png", Decision.OK, "A 17"),
        ("b.png", Decision.NG, "A 17"),
        ("c.png", None, "A 17"),
        ("d.png", Decision.OK, "A 17"),
    ]
    assert known_marks(project, station, ["a", "d", "e"]) == {"a", "d"}
    assert find_arrivals(project, station, ["b", "e"]) == {"b": found[1]}
    other = add_station(project, "Press 4", StationSettings(Part("folder")))
    assert [key > 0 for key, _ in record_arrivals(project, run, other, [one("a", 0.1)])] == [True]


def test_nothing_that_came_can_be_changed_or_taken_out(project: Project) -> None:
    class_id, detector_id = taught(project)
    station = add_station(project, "Press 3", StationSettings(Part("folder")))
    day = datetime.now().astimezone().date()
    run = station_run(project, (station, "Press 3"), detector_id, class_id=None, job_id=None, day=day)
    assert station_run(project, (station, "Press 3"), detector_id, class_id=None, job_id=None, day=day) == run
    record_arrivals(project, run, station, [came(project, class_id, detector_id, "a", 0.1)])
    for words in ("UPDATE arrivals SET lot = 'B'", "DELETE FROM arrivals"):
        with pytest.raises(IntegrityError), project.writing() as session:
            session.execute(text(words))
    assert len(list_arrivals(project, station)) == 1


def test_the_first_start_is_remembered_with_what_lay_there_then(project: Project) -> None:
    station = add_station(project, "Press 3", StationSettings(Part("folder")))
    assert passed_over(project, station, "folder /in") is None
    pass_over(project, station, "folder /in", ["a", "b"])
    assert passed_over(project, station, "folder /in") == {"a", "b"}
    assert passed_over(project, station, "folder /other") is None
    pass_over(project, station, "folder /other", [])
    assert passed_over(project, station, "folder /other") == set()
