"""Results of runs: one image, its score, its map and its verdict."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inspector.domain import Decision, Region, Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.files import KeptFiles, pairs
from inspector.records.project import Project
from inspector.records.ranges import list_whites
from inspector.records.result_filter import (
    EVERYTHING,
    FAILED_SEVERITY,
    SEVERITY,
    ResultFilter,
    ResultSort,
    among,
    by_scan,
    filtered,
    sort_column,
)
from inspector.records.reviews import ReviewRow, in_force, reviews_of
from inspector.records.thresholds import (
    ThresholdMove,
    ThresholdRow,
    all_limits,
    newest_thresholds,
    threshold_numbers,
)
from inspector.verdicts.judge import cuts_alike, decide
from inspector.verdicts.product import MOVED, Limit


@dataclass(frozen=True, slots=True)
class Counts:
    """How many results there are of each decision; `reviewed`: with a standing word of a person."""

    ok: int = 0
    review: int = 0
    ng: int = 0
    failed: int = 0
    reviewed: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All items, failed ones too (`reviewed` counts some of them again)."""
        return self.ok + self.review + self.ng + self.failed + self.other


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`decision`: by the newest thresholds. `override`: a person's word, or None. `verdict`: what counts (None when
    the item failed; then `error` and `hint` say why). `product_distance`: see `verdicts.product.far`; then `hint` may say `why_moved`. `is_shot`: this image also taught the detector. `white`: the
    end of the range in which its image was read, see `images.read`. `reviewer`, `reason`: of the review that counts.
    `regions`: how many are stored. `size`: (width, height) in pixels, (0, 0) when unknown. `path`, `missing`,
    `map_path`: see `KeptFiles`."""

    id: int
    run_id: int
    detector_id: int
    class_id: int | None
    class_name: str
    class_confidence: float | None
    product_distance: float | None
    name: str
    sha256: str
    size: tuple[int, int]
    image_score: float | None
    decision: Decision | None
    override: Decision | None
    verdict: Decision | None
    reviewed: datetime | None
    reviewer: str
    reason: str
    defect_type: str
    regions: int
    is_shot: bool
    error: str
    hint: str
    created: datetime
    white: int | None
    files: KeptFiles = field(compare=False, repr=False)

    @property
    def path(self) -> Path | None:
        """The image, see `KeptFiles`."""
        return self.files.path

    @property
    def missing(self) -> bool:
        """Whether the image should be there and is not."""
        return self.files.missing

    @property
    def map_path(self) -> Path | None:
        """The anomaly map, see `KeptFiles`."""
        return self.files.map_path

    def after(self, move: ThresholdMove) -> "ResultRow":
        """What is stored of it since thresholds were moved, without reading it again."""
        concerned = (self.detector_id, self.class_id) == (move.detector_id, move.class_id)
        if not concerned or self.image_score is None or self.decision in (None, Decision.OTHER):
            return self
        decision = decide(self.image_score, move.thresholds)
        return replace(self, decision=decision, verdict=self.override or decision)


@dataclass(frozen=True, slots=True)
class ResultDetail:
    """`thresholds`: the newest of its detector and class. `cut_with`: the numbers of those that the stored regions were
    cut with, None when unknown, () when one of them is damaged. `limit`: from which distance on its detector calls a picture
    another product, None where it can't tell."""

    row: ResultRow
    regions: tuple[Region, ...]
    cut_with: tuple[float, ...] | None
    thresholds: Thresholds | None
    reviews: tuple[ReviewRow, ...]
    limit: Limit | None = None

    @property
    def regions_current(self) -> bool:
        """Whether the thresholds of now would cut the same regions as those that are stored, on the scale of the score as
        all are now; if not, cut the map again."""
        now, score = self.thresholds, self.row.image_score
        if self.regions and score is not None and not math.isclose(self.regions[0].peak, score, rel_tol=1e-6):
            return False  # of an earlier version
        if not self.cut_with or now is None or score is None or self.cut_with == now.numbers:
            return self.cut_with != () and (now is None or now.numbers == self.cut_with)
        review, ng, pixel = self.cut_with
        return cuts_alike(score, Thresholds(review, ng, pixel), now)

    def after(self, move: ThresholdMove) -> "ResultDetail":
        """See `ResultRow.after`."""
        row = self.row.after(move)
        return self if row is self.row else replace(self, row=row, thresholds=move.thresholds)

    @property
    def review(self) -> ReviewRow | None:
        """The word that counts."""
        return in_force(self.reviews)


def result_ids(
    project: Project,
    where: ResultFilter = EVERYTHING,
    *,
    sort: ResultSort = ResultSort.TIME,
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> NDArray[np.int64]:
    """Ids [n] of the results that match, in order (equal ones by time)."""
    with project.reading() as session:
        column = sort_column(session, sort)
        query = filtered(session, select(t.Result.id), where)
        order = (t.Result.id,) if column is t.Result.id else (column, t.Result.id)
        query = query.order_by(*(part.desc() if descending else part for part in order))
        if limit is not None or offset:
            query = query.limit(-1 if limit is None else limit).offset(offset)
        return np.fromiter(scalars(session, query), np.int64)


def list_results(project: Project, ids: Iterable[int]) -> list[ResultRow]:
    """Rows of these results, in this order, with what lies on the disk looked up; ids that are unknown are left out."""
    rows: list[ResultRow] = []
    with project.reading() as session:
        whites = list_whites(session)
        for piece in _pieces(ids):
            stored = _stored(session, piece)
            reviews = reviews_of(session, [one[0] for one in stored if one.reviewed is not None])
            regions = pairs(
                session.execute(
                    select(t.Region.result_id, func.count())
                    .where(among(t.Region.result_id, piece))
                    .group_by(t.Region.result_id)
                )
            )
            rows += [
                _result(project, one, in_force(reviews.get(one[0], ())), regions.get(one[0], 0), whites)
                for one in stored
            ]
    for row in rows:
        row.files.look_up()
    return rows


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
    """Results with all that belongs to them, in this order; ids that are unknown are left out. Their files are looked up
    when somebody asks for them."""
    details: list[ResultDetail] = []
    with project.reading() as session:
        newest: dict[int, dict[int, ThresholdRow]] = {}
        limits: dict[int, dict[int, Limit]] = {}
        whites = list_whites(session)
        for piece in _pieces(ids):
            stored = _stored(session, piece)
            numbers = threshold_numbers(session, {one.regions_threshold_id for one in stored})
            regions: dict[int, list[Region]] = {}
            damaged = set[int]()
            for result_id, x, y, width, height, area, peak in session.connection().execute(
                select(*_REGION)
                .where(among(t.Region.result_id, piece))
                .order_by(t.Region.result_id, t.Region.id)  # as the index has them
            ):
                if None in (x, y, width, height, area, peak):
                    damaged.add(result_id)
                else:
                    regions.setdefault(result_id, []).append(Region((x, y, width, height), area, peak))
            reviews = reviews_of(session, piece)
            for one in stored:
                result_id, _, detector_id, class_id, cut_with = one[:5]
                if detector_id not in newest:
                    newest[detector_id] = newest_thresholds(session, detector_id)
                    limits[detector_id] = all_limits(session, detector_id)
                by = newest[detector_id].get(class_id or 0)
                own, history = tuple(regions.get(result_id, ())), tuple(reviews.get(result_id, ()))
                details.append(
                    ResultDetail(
                        row=_result(project, one, in_force(history), len(own), whites),
                        regions=own,
                        cut_with=() if result_id in damaged else numbers.get(cut_with),
                        thresholds=by.thresholds if by else None,
                        reviews=history,
                        limit=limits[detector_id].get(class_id or 0),
                    )
                )
    return details


def count_results(project: Project, where: ResultFilter = EVERYTHING) -> Counts:
    """How many results match, by verdict."""
    with project.reading() as session:
        by_severity: Counter[int] = Counter()
        reviewed = 0
        # Every name has to be read for a text: in the order in which they lie there, not in that of an index.
        group = by_scan(t.Result.severity) if where.text else t.Result.severity
        query = filtered(session, select(group, func.count(), func.count(t.Result.reviewed)), where)
        for severity, count, done in session.execute(query.group_by(group)):
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


def count_severities(by_severity: Mapping[int, int], reviewed: int) -> Counts:
    """The counts out of those by severity, as `judge` numbers decisions."""
    counts = {str(decision): by_severity.get(number, 0) for decision, number in SEVERITY.items()}
    return Counts(**counts, failed=by_severity.get(FAILED_SEVERITY, 0), reviewed=reviewed)


_PIECE = 2000
"""So many rows are read by one statement."""
_STORED = (
    t.Result.id,
    t.Result.run_id,
    t.Result.detector_id,
    t.Result.class_id,
    t.Result.regions_threshold_id,
    t.Result.reviewed,
    t.Class.name.label("class_name"),
    t.Result.class_confidence,
    t.Result.product_distance,
    t.Result.name,
    t.StoredImage.sha256,
    t.StoredImage.suffix,
    t.StoredImage.width,
    t.StoredImage.height,
    t.StoredImage.let_go,
    t.Result.image_score,
    t.Result.decision,
    t.Result.override,
    t.Result.defect_type,
    t.Result.map,
    t.Result.is_shot,
    t.Result.error,
    t.Result.hint,
    t.Result.created,
)
_REGION = (
    *(t.Region.result_id, t.Region.x, t.Region.y, t.Region.width, t.Region.height),
    *(t.Region.area, t.Region.peak),
)


def scalars(session: Session, query: Any) -> Iterator[Any]:
    """The one column of a query, as the database gives it: a million without an object for each."""
    return chain.from_iterable(session.connection().execute(query).cursor)  # type: ignore[arg-type]


def _pieces(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = [int(value) for value in ids]
    return (wanted[start : start + _PIECE] for start in range(0, len(wanted), _PIECE))


def _stored(session: Session, ids: Sequence[int]) -> list[Any]:
    """What the tables say of these results, in this order, as `_STORED`."""
    rows = session.connection().execute(
        select(*_STORED)
        .select_from(t.Result)
        .outerjoin(t.Class, t.Result.class_id == t.Class.id)
        .outerjoin(t.StoredImage, t.Result.image_id == t.StoredImage.id)
        .where(among(t.Result.id, ids))
    )
    found = {row[0]: row for row in rows.all()}
    return [found[value] for value in ids if value in found]


def _result(
    project: Project,
    row: Any,
    review: ReviewRow | None,
    regions: int,
    whites: Mapping[tuple[int, int | None], int],
) -> ResultRow:
    result_id, run_id, detector_id, class_id, _, reviewed, class_name, confidence, far = row[:9]
    name, sha256, suffix, width, height, let_go, score, said, overridden = row[9:18]
    defect_type, map_name, is_shot, error, hint, created = row[18:]
    decision, override = t.word(Decision, said), t.word(Decision, overridden)
    lost = not error and (score is None or decision is None)
    lost |= override != overridden  # a person's word that can't be read
    return ResultRow(
        id=result_id,
        run_id=run_id,
        detector_id=detector_id,
        class_id=class_id,
        class_name=class_name or "",
        class_confidence=confidence,
        product_distance=far,
        name=name,
        sha256=sha256 or "",
        size=(width, height) if width and height else (0, 0),
        image_score=score,
        decision=decision,
        override=override,
        verdict=None if lost else override or decision,
        reviewed=reviewed,
        reviewer=review.who if review else "",
        reason=review.reason if review else "",
        defect_type=defect_type,
        regions=regions,
        is_shot=is_shot,
        error="The stored record of this result is damaged." if lost else error,
        hint="Inspect the image again." if lost else _hint(hint, decision),
        created=created,
        white=whites.get((detector_id, class_id)),
        files=KeptFiles(project, sha256, suffix, map_name, let_go),
    )


def _hint(stored: str, decision: Decision | None) -> str:
    """That the camera has moved is said only while it decides."""
    return "" if stored.startswith(MOVED) and decision is not Decision.OTHER else stored
