"""A station with what came to it: parts of chosen scores, as real PNG files that the project keeps."""

import io
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import judged_parts
import numpy as np
import PIL.Image

from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.golden import check_golden
from inspector.records import schema as t
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import start_run
from inspector.records.line import stations
from inspector.records.line.arrivals import NewArrival, as_rows
from inspector.records.line.stations import Part, Retention, StationRow, StationSettings
from inspector.records.project import Project
from inspector.records.qualification.checks import GoldenCheck, list_checks
from inspector.records.thresholds import list_thresholds

OK, NG = 0.1, 0.9
MINUTES_AGO = 60.0


def png(seed: int, side: int = 48) -> bytes:
    pixels = np.random.default_rng(seed).integers(90, 160, (side, side + 16, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def station(project: Project, retention: Retention, name: str = "Press 4", **more: object) -> StationRow:
    """Of a folder, with this rule."""
    settings = StationSettings(Part("folder"), retention=retention, **more)  # type: ignore[arg-type]
    stations.add_station(project, name, settings)
    return stations.find_station(project, name)


def come(
    project: Project,
    of: StationRow,
    taught: tuple[int, int],
    scores: Sequence[float],
    *,
    seed: int = 0,
    days_ago: float = 0.0,
    data: Sequence[bytes] | None = None,
) -> list[int]:
    """Parts that came to a station and were judged; ids of their results. `taught`: (class, detector) of `judged_parts`; `data`: their
    files, else each is another. What is kept of them is as old as they are, an hour at least."""
    class_id, detector_id = taught
    run_id = start_run(project, detector_id, of.name, class_id=class_id)
    with project.writing() as session:
        session.get_one(t.Run, run_id).station_id = of.id
    row = list_thresholds(project, detector_id)[class_id]
    items = []
    for number, score in enumerate(scores):
        file = data[number] if data else png(10_000 * (seed + 1) + number)
        name = f"part {seed}-{number}.png"
        facts = ImageFacts.of(read.decode(file, name), file)
        values = np.full((8, 12), 0.05, np.float32)
        values[2:4, 3:6] = score
        items.append(NewResult(name, facts, file, class_id, 0.9, score, values, [], row.id))
    ids = record_results(project, run_id, items)
    when = datetime.now(UTC) - timedelta(days=days_ago, hours=1)
    said = [judged_parts.verdict_of(score, project, class_id, detector_id) for score in scores]
    new = [NewArrival(f"{run_id}-{number}", "", when, None) for number in range(len(ids))]
    with project.writing() as session:
        session.add_all(as_rows(of.id, new, ids, said, when))
    for item in items:
        assert item.image is not None
        age(file_of(project, item.image.sha256), days_ago * 86400 + 3600)
    return ids


def file_of(project: Project, sha256: str) -> Path:
    return project.folder / "images" / sha256[:2] / f"{sha256}.png"


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    if path.exists():
        os.utime(path, (then, then))


def shift_check(project: Project, engine: Engine, station: StationRow) -> GoldenCheck:
    """Made by Ada, as the operator view and `inspector golden --station` make it; its record."""
    events: list[JobEvent] = []
    check_golden(project, engine, station=station, who="Ada", emit=events.append, cancel=CancelToken())
    end = events[-1]
    assert isinstance(end, JobEnded)
    assert end.status is JobStatus.DONE, end
    return next(one for one in list_checks(project, station_id=station.id) if one.id == end.result["check"])


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
