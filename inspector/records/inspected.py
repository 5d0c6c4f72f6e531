"""What inspecting brought: runs, results, their counts and histograms, reviews, as frozen rows. Any thread may call.

Tables go in two steps, so that 100,000 rows scroll at any sorting: `result_ids` gives all ids in order (one array),
`results` the rows of the few ids in sight.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Integer, case, cast, func, or_, select, true
from sqlalchemy.orm import Session

from inspector.domain import Decision, JobStatus, Region, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.project import Project
from inspector.records.queries import current_thresholds, image_name, pairs

SEVERITY = {Decision.OK: 0, Decision.REVIEW: 1, Decision.NG: 2}


FAILED_SEVERITY = 3


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
class RunRow:
    """`class_name`: the class that was given, or "" when it was found per image. `status`: of its job."""

    id: int
    title: str
    detector_id: int
    detector_title: str
    class_name: str
    status: JobStatus | None
    counts: Counts
    created: datetime


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`decision`: by the newest thresholds. `override`: a person's word, or None. `verdict`: what counts (None when the
    item failed; then `error` and `hint` say why). `is_shot`: this image also taught the detector.
    `path`: the project's own copy of the image (None when it could not be read). `map_path`: float16 NPY or None.
    `regions`: how many are stored. `size`: (width, height) in pixels, (0, 0) when unknown."""

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
    defect_type: str
    map_path: Path | None
    regions: int
    is_shot: bool
    error: str
    hint: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """`decision` None: this row withdraws review `withdraws`. `withdrawn`: a later row withdraws this one."""

    id: int
    result_id: int
    decision: Decision | None
    reason: str
    defect_type: str
    who: str
    withdraws: int | None
    withdrawn: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class ResultDetail:
    """`thresholds`: the newest of its detector and class. `regions_current`: the stored regions were cut with them;
    if not, cut the map again."""

    row: ResultRow
    regions: tuple[Region, ...]
    regions_current: bool
    thresholds: Thresholds | None
    reviews: tuple[ReviewRow, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """`edges`: float64 (bins + 1). `counts`: int64 (bins), stored results. `normal`: float64, the held-out scores of
    the normal shots. `results`: how many results were counted."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    normal: NDArray[np.float64]

    @property
    def results(self) -> int:
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results; every field that is set must hold. `text` is looked for in name, defect type, reason of failure
    and class name. `score_from` <= score < `score_to`. `ids`: only these."""

    run_id: int | None = None
    detector_id: int | None = None
    class_id: int | None = None
    verdict: Decision | None = None
    failed: bool | None = None
    reviewed: bool | None = None
    defect_type: str | None = None
    text: str = ""
    score_from: float | None = None
    score_to: float | None = None
    ids: tuple[int, ...] | None = field(default=None)


EVERYTHING = ResultFilter()


class ResultSort(StrEnum):
    TIME = "time"
    NAME = "name"
    CLASS = "class"
    SCORE = "score"
    VERDICT = "verdict"
    REVIEWED = "reviewed"
    DEFECT_TYPE = "defect type"
    RUN = "run"


def runs(project: Project) -> list[RunRow]:
    """Newest first."""
    with project.reading() as session:
        counts: dict[int, Counter[int]] = {}
        for run_id, severity, count in session.execute(
            select(t.Result.run_id, t.Result.severity, func.count()).group_by(
                t.Result.run_id, t.Result.severity
            )
        ):
            counts.setdefault(run_id, Counter())[severity] = count
        reviewed = pairs(
            session.execute(
                select(t.Result.run_id, func.count())
                .where(t.Result.reviewed.is_not(None))
                .group_by(t.Result.run_id)
            ).all()
        )
        rows = session.execute(
            select(t.Run, t.Detector.title, t.Class.name, t.Job.status)
            .join(t.Detector, t.Run.detector_id == t.Detector.id)
            .outerjoin(t.Class, t.Run.class_id == t.Class.id)
            .outerjoin(t.Job, t.Run.job_id == t.Job.id)
            .where(t.Run.removed.is_(None))
            .order_by(t.Run.id.desc())
        ).all()
    return [
        RunRow(
            id=run.id,
            title=run.title,
            detector_id=run.detector_id,
            detector_title=title,
            class_name=class_name or "",
            status=JobStatus(status) if status else None,
            counts=_counts(counts.get(run.id, Counter()), reviewed.get(run.id, 0)),
            created=run.created,
        )
        for run, title, class_name, status in rows
    ]


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
        column = _sort_column(session, sort)
        query = _filtered(session, select(t.Result.id), where)
        order = (t.Result.id,) if column is t.Result.id else (column, t.Result.id)
        query = query.order_by(*(part.desc() if descending else part for part in order))
        if limit is not None or offset:
            query = query.limit(-1 if limit is None else limit).offset(offset)
        return np.fromiter(session.scalars(query), np.int64)


def results(project: Project, ids: Iterable[int]) -> list[ResultRow]:
    """Rows of these results, in this order; ids that are unknown are left out."""
    wanted = [int(value) for value in ids]
    found: dict[int, ResultRow] = {}
    with project.reading() as session:
        for start in range(0, len(wanted), 500):
            for row in session.execute(_result_rows().where(t.Result.id.in_(wanted[start : start + 500]))):
                found[row[0].id] = _result(project, *row)
    return [found[value] for value in wanted if value in found]


def result(project: Project, result_id: int) -> ResultDetail:
    """One result with all that belongs to it. Raises `ProjectError` when there is none."""
    found = details(project, [result_id])
    if not found:
        raise ProjectError("This result is no longer in the project.", "Refresh the list.")
    return found[0]


def details(project: Project, ids: Iterable[int]) -> list[ResultDetail]:
    """Results with all that belongs to them, in this order; ids that are unknown are left out."""
    rows = results(project, ids)
    found: list[ResultDetail] = []
    with project.reading() as session:
        current = {
            (item.detector_id, item.class_id): item
            for detector_id in {row.detector_id for row in rows}
            for item in current_thresholds(session, detector_id)
        }
        for start in range(0, len(rows), 500):
            part = rows[start : start + 500]
            wanted = [row.id for row in part]
            cut_with = pairs(
                session.execute(
                    select(t.Result.id, t.Result.regions_threshold_id).where(t.Result.id.in_(wanted))
                )
            )
            regions: dict[int, list[Region]] = {}
            for r in session.scalars(
                select(t.Region).where(t.Region.result_id.in_(wanted)).order_by(t.Region.id)
            ):
                box = (r.x, r.y, r.width, r.height)
                regions.setdefault(r.result_id, []).append(Region(box, r.area, r.peak))
            reviewed = _reviews(session, wanted)
            for row in part:
                newest = current.get((row.detector_id, row.class_id or 0))
                found.append(
                    ResultDetail(
                        row=row,
                        regions=tuple(regions.get(row.id, ())),
                        regions_current=newest is None or cut_with[row.id] == newest.id,
                        thresholds=newest.thresholds if newest else None,
                        reviews=tuple(reviewed.get(row.id, ())),
                    )
                )
    return found


def counts(project: Project, where: ResultFilter = EVERYTHING) -> Counts:
    """How many results match, by verdict."""
    with project.reading() as session:
        by_severity: Counter[int] = Counter()
        reviewed = 0
        for severity, count, done in session.execute(
            _filtered(
                session, select(t.Result.severity, func.count(), func.count(t.Result.reviewed)), where
            ).group_by(t.Result.severity)
        ):
            by_severity[severity] = count
            reviewed += done
    return _counts(by_severity, reviewed)


def reviews(project: Project, result_id: int) -> list[ReviewRow]:
    """The whole history of one result, oldest first."""
    with project.reading() as session:
        return _reviews(session, [result_id]).get(result_id, [])


def defect_types(project: Project) -> list[str]:
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


def scores(
    project: Project, detector_id: int, class_id: int, *, run_id: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every stored score of a class (of one run), ascending, and the held-out scores of its normal shots."""
    where = ResultFilter(run_id=run_id, detector_id=detector_id, class_id=class_id, failed=False)
    with project.reading() as session:
        stored = session.scalars(
            _filtered(session, select(t.Result.image_score), where)
            .where(t.Result.image_score.is_not(None))
            .order_by(t.Result.image_score)
        )
        return np.fromiter(stored, np.float64), _held_out(session, detector_id, class_id)


def histogram(
    project: Project, detector_id: int, class_id: int, *, run_id: int | None = None, bins: int = 128
) -> Histogram:
    """Scores of the stored results (of one run) of a class, beside the held-out scores of its normal shots. The range
    covers both and the thresholds."""
    with project.reading() as session:
        normal = _held_out(session, detector_id, class_id)
        where = [
            t.Result.detector_id == detector_id,
            t.Result.class_id == class_id,
            t.Result.image_score.is_not(None),
            _run_not_removed(session),
        ]
        if run_id is not None:
            where.append(t.Result.run_id == run_id)
        extent: Any = session.execute(
            select(func.min(t.Result.image_score), func.max(t.Result.image_score)).where(*where)
        ).one()
        marks = [float(value) for value in (*extent, *normal) if value is not None]
        for row in current_thresholds(session, detector_id):
            if row.class_id == class_id:
                marks += [row.thresholds.review, row.thresholds.ng]
        low, high = (min(marks), max(marks)) if marks else (0.0, 1.0)
        if high <= low:
            low, high = low - 0.5, high + 0.5
        bin_number = cast((t.Result.image_score - low) * (bins / (high - low)), Integer)
        counts = np.zeros(bins, np.int64)
        for number, count in session.execute(
            select(bin_number.label("bin"), func.count()).where(*where).group_by("bin")
        ):
            counts[min(max(int(number), 0), bins - 1)] += count
    return Histogram(np.linspace(low, high, bins + 1), counts, normal)


# the rest is how it is done


def _held_out(session: Session, detector_id: int, class_id: int) -> NDArray[np.float64]:
    by_class = session.scalar(select(t.Detector.held_out).where(t.Detector.id == detector_id)) or {}
    return np.array(by_class.get(str(class_id), ()), np.float64)


def _counts(by_severity: Mapping[int, int], reviewed: int) -> Counts:
    ok, review, ng, failed = (by_severity.get(n, 0) for n in (*SEVERITY.values(), FAILED_SEVERITY))
    return Counts(ok, review, ng, failed, reviewed)


def _reviews(session: Session, result_ids: list[int]) -> dict[int, list[ReviewRow]]:
    rows = session.scalars(
        select(t.Review).where(t.Review.result_id.in_(result_ids)).order_by(t.Review.id)
    ).all()
    withdrawn = {row.withdraws for row in rows if row.withdraws is not None}
    found: dict[int, list[ReviewRow]] = {}
    for row in rows:
        found.setdefault(row.result_id, []).append(
            ReviewRow(
                id=row.id,
                result_id=row.result_id,
                decision=Decision(row.decision) if row.decision else None,
                reason=row.reason,
                defect_type=row.defect_type,
                who=row.who,
                withdraws=row.withdraws,
                withdrawn=row.id in withdrawn,
                created=row.created,
            )
        )
    return found


def _run_not_removed(session: Session) -> ColumnElement[bool]:
    """No condition at all in the usual case, so that SQLite can answer from an index alone."""
    removed = session.scalars(select(t.Run.id).where(t.Run.removed.is_not(None))).all()
    return t.Result.run_id.not_in(removed) if removed else true()


def _filtered(session: Session, query: Any, where: ResultFilter) -> Any:
    query = query.where(_run_not_removed(session))
    exact = {
        t.Result.run_id: where.run_id,
        t.Result.detector_id: where.detector_id,
        t.Result.class_id: where.class_id,
        t.Result.defect_type: where.defect_type,
        t.Result.severity: None if where.verdict is None else SEVERITY[where.verdict],
    }
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if where.failed is not None:
        query = query.where((t.Result.severity == FAILED_SEVERITY) == where.failed)
    if where.reviewed is not None:
        query = query.where(t.Result.reviewed.is_not(None) == where.reviewed)
    if where.score_from is not None:
        query = query.where(t.Result.image_score >= where.score_from)
    if where.score_to is not None:
        query = query.where(t.Result.image_score < where.score_to)
    if where.ids is not None:
        query = query.where(
            t.Result.id.in_(select(func.json_each(json.dumps(where.ids)).table_valued("value").c.value))
        )
    if text := where.text.strip():
        columns = (t.Result.name, t.Result.defect_type, t.Result.error)
        named = select(t.Class.id).where(t.Class.name.icontains(text, autoescape=True))
        query = query.where(
            or_(
                *(column.icontains(text, autoescape=True) for column in columns), t.Result.class_id.in_(named)
            )
        )
    return query


def _sort_column(session: Session, sort: ResultSort) -> Any:
    if sort is ResultSort.CLASS:  # by name, without a join over all results
        ids = session.scalars(select(t.Class.id).order_by(func.lower(t.Class.name), t.Class.id)).all()
        places = {class_id: place for place, class_id in enumerate(ids)}
        return case(places, value=t.Result.class_id, else_=len(places)) if places else t.Result.id
    return {
        ResultSort.TIME: t.Result.id,
        ResultSort.NAME: t.Result.name,
        ResultSort.SCORE: t.Result.image_score,
        ResultSort.VERDICT: t.Result.severity,
        ResultSort.REVIEWED: t.Result.reviewed,
        ResultSort.DEFECT_TYPE: t.Result.defect_type,
        ResultSort.RUN: t.Result.run_id,
    }[sort]


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
    project: Project, row: t.Result, class_name: str | None, image: t.StoredImage | None, regions: int
) -> ResultRow:
    path = project.path(image_name(image.sha256, image.suffix)) if image else None
    decision = Decision(row.decision) if row.decision else None
    override = Decision(row.override) if row.override else None
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
        missing=path is not None and not path.is_file(),
        image_score=row.image_score,
        decision=decision,
        override=override,
        verdict=override or decision,
        reviewed=row.reviewed,
        defect_type=row.defect_type,
        map_path=project.path(row.map) if row.map else None,
        regions=regions,
        is_shot=row.is_shot,
        error=row.error,
        hint=row.hint,
        created=row.created,
    )
