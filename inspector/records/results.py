"""Results of runs: one image, its score, its map and its verdict."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from inspector.domain import Decision, Region, Thresholds
from inspector.errors import InspectorError, ProjectError
from inspector.records import schema as t
from inspector.records.detectors import number_list
from inspector.records.files import (
    ImageFacts,
    find_image,
    image_ids,
    keep_image,
    keep_map,
    pairs,
)
from inspector.records.names import file_name
from inspector.records.project import Project
from inspector.records.result_filter import (
    EVERYTHING,
    FAILED_SEVERITY,
    SEVERITY,
    ResultFilter,
    ResultSort,
    filtered,
    sort_column,
)
from inspector.records.reviews import ReviewRow, in_force, reviews_of
from inspector.records.thresholds import ThresholdRow, newest_thresholds, threshold_numbers
from inspector.verdicts.judge import decide

_log = logging.getLogger("inspector.records")


@dataclass(frozen=True, slots=True)
class Counts:
    ok: int = 0
    review: int = 0
    ng: int = 0
    failed: int = 0
    reviewed: int = 0

    @property
    def total(self) -> int:
        """All items, failed ones too (`reviewed` counts some of them again)."""
        return self.ok + self.review + self.ng + self.failed


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`decision`: by the newest thresholds. `override`: a person's word, or None. `verdict`: what counts (None when the
    item failed; then `error` and `hint` say why). `is_shot`: this image also taught the detector.
    `path`: the project's own copy of the image (None when it could not be read). `map_path`: float16 NPY or None.
    `reviewer`, `reason`: of the review that counts. `regions`: how many are stored. `size`: (width, height) in pixels, (0, 0) when unknown."""

    id: int
    run_id: int
    detector_id: int
    class_id: int | None
    class_name: str
    class_confidence: float | None
    name: str
    sha256: str
    path: Path | None
    size: tuple[int, int]
    missing: bool
    image_score: float | None
    decision: Decision | None
    override: Decision | None
    verdict: Decision | None
    reviewed: datetime | None
    reviewer: str
    reason: str
    defect_type: str
    map_path: Path | None
    regions: int
    is_shot: bool
    error: str
    hint: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ResultDetail:
    """`thresholds`: the newest of its detector and class. `regions_current`: the stored regions were cut with the same
    numbers; if not, cut the map again."""

    row: ResultRow
    regions: tuple[Region, ...]
    regions_current: bool
    thresholds: Thresholds | None
    reviews: tuple[ReviewRow, ...]

    @property
    def review(self) -> ReviewRow | None:
        """The word that counts."""
        return in_force(self.reviews)


@dataclass(frozen=True, slots=True)
class NewResult:
    """One inspected item. `image` with `data`, its file's bytes, for a kept copy; None when it could not be read
    (then `error`). `values`: the anomaly map (h, w), stored as float16. `regions` were cut with threshold row
    `threshold_id`; `decision` is taken from the newest thresholds when it is stored."""

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


def result_ids(
    project: Project,
    where: ResultFilter = EVERYTHING,
    *,
    sort: ResultSort = ResultSort.TIME,
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> NDArray[np.int64]:
    """Ids of the results that match, in order (equal ones by time)."""
    with project.reading() as session:
        column = sort_column(session, sort)
        query = filtered(session, select(t.Result.id), where)
        order = (t.Result.id,) if column is t.Result.id else (column, t.Result.id)
        query = query.order_by(*(part.desc() if descending else part for part in order))
        if limit is not None or offset:
            query = query.limit(-1 if limit is None else limit).offset(offset)
        return np.fromiter(session.scalars(query), np.int64)


def list_results(project: Project, ids: Iterable[int]) -> list[ResultRow]:
    """Rows of these results, in this order; ids that are unknown are left out."""
    wanted = [int(value) for value in ids]
    found: dict[int, ResultRow] = {}
    with project.reading() as session:
        for start in range(0, len(wanted), 500):
            rows = session.execute(_result_rows().where(t.Result.id.in_(wanted[start : start + 500]))).all()
            reviews = reviews_of(session, [row[0].id for row in rows if row[0].reviewed is not None])
            for row in rows:
                found[row[0].id] = _result(project, row, in_force(reviews.get(row[0].id, ())))
    return [found[value] for value in wanted if value in found]


def list_names(project: Project, run_id: int) -> list[str]:
    """The names of all items of a run, in the order in which they came."""
    with project.reading() as session:
        query = select(t.Result.name).where(t.Result.run_id == run_id).order_by(t.Result.id)
        return list(session.scalars(query))


def find_result(project: Project, result_id: int) -> ResultDetail:
    """One result with all that belongs to it. Raises `ProjectError` when there is none."""
    found = list_details(project, [result_id])
    if not found:
        raise ProjectError("This result is no longer in the project.", "Refresh the list.")
    return found[0]


def list_details(project: Project, ids: Iterable[int]) -> list[ResultDetail]:
    """Results with all that belongs to them, in this order; ids that are unknown are left out."""
    rows = list_results(project, ids)
    found: list[ResultDetail] = []
    with project.reading() as session:
        current = {
            (item.detector_id, item.class_id): item
            for detector_id in {row.detector_id for row in rows}
            for item in newest_thresholds(session, detector_id).values()
        }
        for start in range(0, len(rows), 500):
            part = rows[start : start + 500]
            wanted = [row.id for row in part]
            cut_with = pairs(
                session.execute(
                    select(t.Result.id, t.Result.regions_threshold_id).where(t.Result.id.in_(wanted))
                )
            )
            numbers = threshold_numbers(session, cut_with.values())
            regions: dict[int, list[Region]] = {}
            for r in session.scalars(
                select(t.Region).where(t.Region.result_id.in_(wanted)).order_by(t.Region.id)
            ):
                box = (r.x, r.y, r.width, r.height)
                regions.setdefault(r.result_id, []).append(Region(box, r.area, r.peak or 0.0))
            reviewed = reviews_of(session, wanted)
            for row in part:
                newest = current.get((row.detector_id, row.class_id or 0))
                found.append(
                    ResultDetail(
                        row=row,
                        regions=tuple(regions.get(row.id, ())),
                        regions_current=newest is None
                        or numbers.get(cut_with[row.id]) == newest.thresholds.numbers,
                        thresholds=newest.thresholds if newest else None,
                        reviews=tuple(reviewed.get(row.id, ())),
                    )
                )
    return found


def count_results(project: Project, where: ResultFilter = EVERYTHING) -> Counts:
    """How many results match, by verdict."""
    with project.reading() as session:
        by_severity: Counter[int] = Counter()
        reviewed = 0
        for severity, count, done in session.execute(
            filtered(
                session, select(t.Result.severity, func.count(), func.count(t.Result.reviewed)), where
            ).group_by(t.Result.severity)
        ):
            by_severity[severity] = count
            reviewed += done
    return count_severities(by_severity, reviewed)


def list_defect_types(project: Project) -> list[str]:
    """Every defect type in use, most frequent first."""
    with project.reading() as session:
        return list(
            session.scalars(
                select(t.Result.defect_type)
                .where(t.Result.defect_type != "")
                .group_by(t.Result.defect_type)
                .order_by(func.count().desc(), t.Result.defect_type)
            )
        )


def list_scores(
    project: Project, detector_id: int, class_id: int, *, run_id: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every stored score of a class (of one run), ascending, and the held-out scores of its normal shots."""
    where = ResultFilter(run_id=run_id, detector_id=detector_id, class_id=class_id, failed=False)
    with project.reading() as session:
        stored = session.scalars(
            filtered(session, select(t.Result.image_score), where)
            .where(t.Result.image_score.is_not(None))
            .order_by(t.Result.image_score)
        )
        return np.fromiter(stored, np.float64), _held_out(session, detector_id, class_id)


def record_results(project: Project, run_id: int, items: Sequence[NewResult]) -> list[int]:
    """Store finished items of a run, in one transaction; their result ids in the same order.

    Images and maps are written first, each atomically, so that a row never names a file that is not there.
    """
    project.require_writable()
    maps: list[str | None] = []
    for item in items:
        if item.image is not None and item.data is not None:
            keep_image(project, item.image, item.data)
        if item.image is None or item.values is None:
            maps.append(None)
        else:
            maps.append(keep_map(project, run_id, item.image.sha256, item.values))
    with project.writing() as session:
        detector_id = session.scalars(select(t.Run.detector_id).where(t.Run.id == run_id)).one()
        newest = newest_thresholds(session, detector_id)
        taught = set(
            session.scalars(
                select(t.Shot.image_id)
                .join(t.DetectorShot, t.DetectorShot.shot_id == t.Shot.id)
                .where(t.DetectorShot.detector_id == detector_id)
            )
        )
        ids = image_ids(session, [item.image for item in items if item.image is not None])
        rows = []
        for item, name in zip(items, maps, strict=True):
            image_id = ids[item.image.sha256] if item.image is not None else None
            score, decision, error, hint = _judged(item, newest)
            rows.append(
                t.Result(
                    run_id=run_id,
                    detector_id=detector_id,
                    image_id=image_id,
                    class_id=item.class_id,
                    name=file_name(item.name),
                    image_score=score,
                    class_confidence=item.class_confidence,
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
            for row, item in zip(rows, items, strict=True)
            for region in item.regions
        ]
        if regions:
            session.execute(insert(t.Region), regions)
        return [row.id for row in rows]


def _held_out(session: Session, detector_id: int, class_id: int) -> NDArray[np.float64]:
    by_class = session.scalar(select(t.Detector.held_out).where(t.Detector.id == detector_id)) or {}
    return np.array(number_list(by_class.get(str(class_id))), np.float64)


def count_severities(by_severity: Mapping[int, int], reviewed: int) -> Counts:
    ok, review, ng, failed = (by_severity.get(n, 0) for n in (*SEVERITY.values(), FAILED_SEVERITY))
    return Counts(ok, review, ng, failed, reviewed)


def _result_rows() -> Any:
    regions = (
        select(func.count()).where(t.Region.result_id == t.Result.id).correlate(t.Result).scalar_subquery()
    )
    return (
        select(t.Result, t.Class.name, t.StoredImage, regions)
        .outerjoin(t.Class, t.Result.class_id == t.Class.id)
        .outerjoin(t.StoredImage, t.Result.image_id == t.StoredImage.id)
    )


def _result(
    project: Project,
    found: Sequence[Any],
    review: ReviewRow | None,
) -> ResultRow:
    row, class_name, image, regions = found
    path, missing = find_image(project, image.sha256, image.suffix) if image else (None, False)
    decision, override = t.word(Decision, row.decision), t.word(Decision, row.override)
    lost = not row.error and (row.image_score is None or decision is None)
    return ResultRow(
        id=row.id,
        run_id=row.run_id,
        detector_id=row.detector_id,
        class_id=row.class_id,
        class_name=class_name or "",
        class_confidence=row.class_confidence,
        name=row.name,
        sha256=image.sha256 if image else "",
        path=path,
        size=(image.width, image.height) if image else (0, 0),
        missing=missing,
        image_score=row.image_score,
        decision=decision,
        override=override,
        verdict=None if lost else override or decision,
        reviewed=row.reviewed,
        reviewer=review.who if review else "",
        reason=review.reason if review else "",
        defect_type=row.defect_type,
        map_path=_map_path(project, row.map),
        regions=regions,
        is_shot=row.is_shot,
        error="The stored record of this result is damaged." if lost else row.error,
        hint="Inspect the image again." if lost else row.hint,
        created=row.created,
    )


def _map_path(project: Project, name: str | None) -> Path | None:
    try:
        return project.path(name) if name else None
    except ProjectError as error:  # damage in one row: the others go on
        _log.warning("a map is not used: %s", error.message)
        return None


def _judged(
    item: NewResult, newest: Mapping[int, ThresholdRow]
) -> tuple[float | None, Decision | None, str, str]:
    """(score, decision, error, hint) as they are stored; a score that says nothing makes a failed item."""
    if item.error or item.image_score is None:
        return None, None, item.error, item.hint
    row = newest.get(item.class_id or 0)
    try:
        return item.image_score, decide(item.image_score, row.thresholds) if row else None, "", ""
    except InspectorError as error:
        return None, None, error.message, error.hint
