"""New results: what a run stores of the images that it inspected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from inspector.domain import Decision, Region
from inspector.errors import InspectorError, ProjectFullError
from inspector.records import schema as t
from inspector.records.disk.spare import with_room
from inspector.records.files import (
    ImageFacts,
    find_image,
    image_ids,
    image_name,
    keep_image,
    keep_map,
    make_last,
)
from inspector.records.line.arrivals import NewArrival, as_rows, came_before
from inspector.records.names import file_name
from inspector.records.project import Project
from inspector.records.thresholds import ThresholdRow, limits_in_force, newest_thresholds
from inspector.verdicts.judge import decide
from inspector.verdicts.product import is_other


@dataclass(frozen=True, slots=True)
class NewResult:
    """One inspected item. `image` with `data`, its file's bytes, for a kept copy; None when it could not be
    read (then `error`). `product_distance`: see `verdicts.product.far`; `hint`, where there is no error: `why_moved`. `values`: the anomaly map (h, w), stored as float16. `regions` were
    cut with threshold row `threshold_id`; `decision` is taken from the newest thresholds when it is stored."""

    name: str
    image: ImageFacts | None = None
    data: bytes | None = None
    class_id: int | None = None
    class_confidence: float | None = None
    image_score: float | None = None
    values: NDArray[np.float32] | None = None
    regions: Sequence[Region] = ()
    threshold_id: int | None = None
    error: str = ""
    hint: str = ""
    product_distance: float | None = None

    @property
    def trouble(self) -> str:
        """Why it couldn't be judged, and what to do; "" where it was. What a judged one has in `hint` says something else."""
        return f"{self.error} {self.hint}".strip() if self.error else ""


NOT_KEPT = "The disk was full when it was inspected, so that not everything of it was kept."
"""What is stored as the hint of a result whose image or map found no room."""


def record_results(project: Project, run_id: int, items: Sequence[NewResult]) -> list[int]:
    """Store finished items of a run, in one transaction; their result ids in the same order.

    Images and maps are written first, each atomically, so that a row never names a file that is not there. Where the disk is full,
    a run at a station stores what it found without them (NOT_KEPT), in the room that the project holds back; any other raises
    `ProjectFullError`.
    """
    return [result_id for result_id, _ in _record(project, run_id, items, None, ())]


def record_arrivals(
    project: Project, run_id: int, station_id: int, items: Sequence[tuple[NewResult, NewArrival]]
) -> list[tuple[int, Decision | None]]:
    """The same of what came to a station, each with its arrival: (result id, what was said of it). One whose mark came before is
    dropped with its result, and has id 0."""
    arrivals = [arrival for _, arrival in items]
    return _record(project, run_id, [result for result, _ in items], station_id, arrivals)


def _record(
    project: Project,
    run_id: int,
    items: Sequence[NewResult],
    station_id: int | None,
    arrivals: Sequence[NewArrival],
) -> list[tuple[int, Decision | None]]:
    project.require_writable()
    with project.reading() as session:
        at_line = session.scalar(select(t.Run.station_id).where(t.Run.id == run_id)) is not None

    def store() -> list[tuple[int, Decision | None]]:
        kept, maps = _kept(project, run_id, items, at_line)
        return _write(project, run_id, kept, maps, station_id, arrivals)

    return with_room(project.folder, store) if at_line else store()


def _write(
    project: Project,
    run_id: int,
    items: Sequence[NewResult],
    maps: Sequence[str | None],
    station_id: int | None,
    arrivals: Sequence[NewArrival],
) -> list[tuple[int, Decision | None]]:
    with project.writing() as session:
        fresh = list(range(len(items)))
        if station_id is not None:
            seen = came_before(session, station_id, [one.mark for one in arrivals])
            for place, one in enumerate(arrivals):
                if one.mark in seen:
                    fresh.remove(place)
                seen.add(one.mark)
        detector_id = session.scalars(select(t.Run.detector_id).where(t.Run.id == run_id)).one()
        newest, limits = newest_thresholds(session, detector_id), limits_in_force(session, detector_id)
        taught = set(
            session.scalars(
                select(t.Shot.image_id)
                .join(t.DetectorShot, t.DetectorShot.shot_id == t.Shot.id)
                .where(t.DetectorShot.detector_id == detector_id)
            )
        )
        kept_items = [items[place] for place in fresh]
        ids = image_ids(project, session, [item.image for item in kept_items if item.image is not None])
        rows = []
        for item, name in zip(kept_items, (maps[place] for place in fresh), strict=True):
            image_id = ids[item.image.sha256] if item.image is not None else None
            score, decision, error, hint = _judged(item, newest, limits)
            rows.append(
                t.Result(
                    run_id=run_id,
                    detector_id=detector_id,
                    image_id=image_id,
                    class_id=item.class_id,
                    name=file_name(item.name),
                    image_score=score,
                    class_confidence=item.class_confidence,
                    product_distance=None if score is None else item.product_distance,
                    decision=decision,
                    map=name,
                    regions_threshold_id=item.threshold_id,
                    is_shot=image_id in taught,
                    error=error,
                    hint=hint,
                )
            )
        session.add_all(rows)
        session.flush()
        regions = [
            {"result_id": row.id, "area": region.area, "peak": region.peak}
            | dict(zip(("x", "y", "width", "height"), region.box, strict=True))
            for row, item in zip(rows, kept_items, strict=True)
            for region in item.regions
        ]
        if regions:
            session.execute(insert(t.Region), regions)
        said = {
            place: (row.id, t.word(Decision, row.decision)) for place, row in zip(fresh, rows, strict=True)
        }
        if station_id is not None:
            session.add_all(
                as_rows(
                    station_id,
                    [arrivals[place] for place in fresh],
                    [said[place][0] for place in fresh],
                    [said[place][1] for place in fresh],
                    t.now(),
                )
            )
        return [said.get(place, (0, None)) for place in range(len(items))]


def _judged(
    item: NewResult, newest: Mapping[int, ThresholdRow], limits: Mapping[int, float]
) -> tuple[float | None, Decision | None, str, str]:
    """(score, decision, error, hint) as they are stored; a score that says nothing makes a failed item."""
    if item.error or item.image_score is None:
        return None, None, item.error, item.hint
    row = newest.get(item.class_id or 0)
    other = is_other(item.product_distance, limits.get(item.class_id or 0))
    try:
        return (
            item.image_score,
            decide(item.image_score, row.thresholds, other) if row else None,
            "",
            item.hint,
        )
    except InspectorError as error:
        return None, None, error.message, error.hint


def _is_missing(project: Project, image: ImageFacts) -> bool:
    return find_image(project, image.sha256, image.suffix)[1]


def _kept(
    project: Project, run_id: int, items: Sequence[NewResult], at_line: bool
) -> tuple[list[NewResult], list[str | None]]:
    """The items with their maps' names, once images and maps are written; at the line those that found no room without."""
    found, maps = [], []
    for item in items:
        name: str | None = None
        try:
            if item.image is not None and item.data is not None:
                keep_image(project, item.image, item.data, lasting=False)
            elif at_line and item.image is not None and _is_missing(project, item.image):
                raise ProjectFullError("The image found no room.", NOT_KEPT)  # when it was read
            if item.image is not None and item.values is not None:
                name = keep_map(project, run_id, item.image.sha256, item.values)
        except ProjectFullError:
            if not at_line:
                raise
            there = item.image is None or not _is_missing(project, item.image)
            hint = item.hint if item.error else NOT_KEPT
            item = replace(item, image=item.image if there else None, hint=hint)
        found.append(item)
        maps.append(name)
    try:
        kept = [image_name(item.image.sha256, item.image.suffix) for item in found if item.image is not None]
        make_last(project, [*kept, *filter(None, maps)])
    except ProjectFullError:  # a drive that says so only now
        if not at_line:
            raise
        found = [replace(item, image=None, hint=item.hint if item.error else NOT_KEPT) for item in found]
        maps = [None] * len(found)
    return found, maps
