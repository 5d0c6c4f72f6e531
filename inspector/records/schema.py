"""The tables of a project. Any change here goes with a new Alembic revision in `migrations/versions`."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Computed,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from inspector.text import one_line

E = TypeVar("E", bound=StrEnum)

KNOWN_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision that can be opened, oldest first; any other was written by a newer Inspector."""
REVISION = KNOWN_REVISIONS[-1]


def now() -> datetime:
    """This moment, as rows keep it."""
    return datetime.now(UTC)


def word(kind: type[E], value: str | None) -> E | None:
    """A stored word as a member of `kind`; None for one that isn't any."""
    return _words(kind).get(value or "")


@cache
def _words(kind: type[E]) -> dict[str, E]:
    return {one.value: one for one in kind}


# Damage that SQLite doesn't notice must not hide other rows: these types read it as if nobody had said anything. They give
# SQLAlchemy their reading functions as they are, as there are some twenty values in each of a million rows.
Reader = Callable[[Any], Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Utc(TypeDecorator[datetime]):
    """Aware datetimes, kept as UTC (SQLite has no time zones). What is no date reads as 1970."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _moment


class Json(TypeDecorator[dict[str, Any]]):
    """A JSON object; what is none reads as an empty one."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        # In ASCII: paths may hold bytes that are no UTF-8, and must stay the same.
        return None if value is None else json.dumps(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _object


class Text(TypeDecorator[str]):
    """Text on one line, without signs that would be obeyed; bytes in its place are read as well as they can be."""

    impl = String
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _text


class Real(TypeDecorator[float]):
    """A finite number; anything else reads as none."""

    impl = Double
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _number


class Whole(TypeDecorator[int]):
    """A whole number from 0 on; anything else reads as none."""

    impl = Integer
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
        return _whole


def _moment(value: Any) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return _EPOCH


def _object(value: Any) -> dict[str, Any] | None:
    if value is None or value == "null":
        return None
    try:
        found = json.loads(value)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or (type(value) is str and value.isprintable()):
        return value
    return one_line(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


class Base(DeclarativeBase):
    """Names of constraints follow from their columns, so that migrations find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Utc, dict[str, Any]: Json, str: Text, float: Real}  # noqa: RUF012


class ProjectInfo(Base):
    """One row: what the project is called."""

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class Class(Base):
    """A product that is inspected. `key` is the name without case and spaces; unique among classes not removed. `description`:
    a `PartDescription`; read by itself, as it may be damaged. `white`: see `ranges`. `smallest`, `area`: see `ClassRow`."""

    __tablename__ = "classes"
    __table_args__ = (Index("uq_classes_key", "key", unique=True, sqlite_where=text("removed IS NULL")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str]
    description: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    white: Mapped[int | None] = mapped_column(Whole)
    smallest: Mapped[int | None] = mapped_column(Whole)
    area: Mapped[dict[str, Any] | None]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class StoredImage(Base):
    """A file kept as `images/aa/<sha256><suffix>`."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    suffix: Mapped[str]
    width: Mapped[int] = mapped_column(Whole)
    height: Mapped[int] = mapped_column(Whole)
    mode: Mapped[str]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, (0, 0) when a damaged row doesn't tell."""
        return (self.width, self.height) if self.width and self.height else (0, 0)


class Shot(Base):
    """`confirmed_good`: when a person said that it is good though it stands out from the others. `place`: what alone counts of
    the image, as somebody called it no defect, {"outline", "who"}; NULL: all of it, as a shot."""

    __tablename__ = "shots"
    __table_args__ = (
        Index(
            "uq_shots_class_image", "class_id", "image_id", unique=True, sqlite_where=text("place IS NULL")
        ),
        Index("ix_shots_image", "image_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]
    confirmed_good: Mapped[datetime | None]
    place: Mapped[dict[str, Any] | None]


class Job(Base):
    """One piece of work in the background."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    title: Mapped[str]
    total: Mapped[int] = mapped_column(Whole, default=0)
    message: Mapped[str] = mapped_column(default="")
    hint: Mapped[str] = mapped_column(default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class Detector(Base):
    """By class id (as text): `taught_names`, what the detector itself calls each class, and `held_out`, the scores of its normal
    shots, each scored without itself. `whites`: see `ranges`. `added_shots`: what its memory got after the teaching, in that
    order (NULL: none). `updated_from`: the detector whose memory got them. `takes`: {"classes": ids of those it judges} (NULL:
    all). `charge`: who was put in charge last has the highest number; NULL: only proposed. `proposal`: see `Proposal`."""

    __tablename__ = "detectors"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    method: Mapped[str]
    backbone: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]
    false_alarm_rate: Mapped[float]
    taught_names: Mapped[dict[str, Any]]
    held_out: Mapped[dict[str, Any]]
    whites: Mapped[dict[str, Any] | None]
    added_shots: Mapped[dict[str, Any] | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="RESTRICT"))
    updated_from: Mapped[int | None]
    takes: Mapped[dict[str, Any] | None]
    charge: Mapped[int | None]
    proposal: Mapped[dict[str, Any] | None]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class DetectorShot(Base):
    """The shots a detector was taught on. Written once with the detector; triggers forbid later changes."""

    __tablename__ = "detector_shots"
    __table_args__ = (Index("ix_detector_shots_class", "class_id", "detector_id"),)
    detector_id: Mapped[int] = mapped_column(
        ForeignKey("detectors.id", ondelete="RESTRICT"), primary_key=True
    )
    shot_id: Mapped[int] = mapped_column(ForeignKey("shots.id", ondelete="RESTRICT"), primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))


class Threshold(Base):
    """One row for every change; the newest of a detector and class counts."""

    __tablename__ = "thresholds"
    __table_args__ = (Index("ix_thresholds_newest", "detector_id", "class_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    review: Mapped[float]
    ng: Mapped[float]
    pixel: Mapped[float]
    provenance: Mapped[dict[str, Any]]
    who: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Run(Base):
    """One inspection of many images by one detector."""

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="RESTRICT"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    title: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class Result(Base):
    """One inspected image, or one that failed (`error`). `decision` follows the newest thresholds; `override` is the effective
    review's word and wins. `severity` is what counts in the end, as a number that sorts and filters by index: 0 OK, 1 review,
    2 NG, 3 failed. `regions_threshold_id` names the thresholds that the stored regions were cut with."""

    __tablename__ = "results"
    __table_args__ = (
        Index("ix_results_run", "run_id", "id"),
        Index("ix_results_run_severity", "run_id", "severity"),
        Index("ix_results_judged", "detector_id", "class_id", "image_score"),
        Index("ix_results_score", "image_score"),
        Index("ix_results_severity", "severity"),
        Index("ix_results_name", "name"),
        Index("ix_results_class", "class_id"),
        Index("ix_results_reviewed", "reviewed"),
        Index("ix_results_image", "image_id"),
        Index("ix_results_defect_type", "defect_type"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="RESTRICT"))
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    name: Mapped[str]
    image_score: Mapped[float | None]
    class_confidence: Mapped[float | None]
    decision: Mapped[str | None]
    override: Mapped[str | None]
    severity: Mapped[int] = mapped_column(
        Computed(
            "CASE coalesce(override, decision) WHEN 'ok' THEN 0 WHEN 'review' THEN 1 WHEN 'ng' THEN 2 ELSE 3 END",
            persisted=False,
        )
    )
    reviewed: Mapped[datetime | None]
    defect_type: Mapped[str] = mapped_column(default="")
    map: Mapped[str | None]
    regions_threshold_id: Mapped[int | None] = mapped_column(ForeignKey("thresholds.id", ondelete="RESTRICT"))
    is_shot: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(default="")
    hint: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Region(Base):
    """One anomalous area of a result."""

    __tablename__ = "regions"
    __table_args__ = (Index("ix_regions_result", "result_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id", ondelete="CASCADE"))
    x: Mapped[int] = mapped_column(Whole)
    y: Mapped[int] = mapped_column(Whole)
    width: Mapped[int] = mapped_column(Whole)
    height: Mapped[int] = mapped_column(Whole)
    area: Mapped[int] = mapped_column(Whole)
    peak: Mapped[float]


class Review(Base):
    """A person's word on a result; triggers forbid changing or deleting one. `withdraws`: the review this undoes."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_result", "result_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id", ondelete="RESTRICT"))
    decision: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    defect_type: Mapped[str] = mapped_column(default="")
    who: Mapped[str] = mapped_column(default="")
    withdraws: Mapped[int | None] = mapped_column(ForeignKey("reviews.id", ondelete="RESTRICT"))
    created: Mapped[datetime] = mapped_column(default=now)


def _present(kind: Any, nothing: Any) -> Any:
    """The type `kind` for columns that no row lacks: where damage left none, `nothing` is read."""

    class Present(kind):  # type: ignore[misc]
        cache_ok = True

        def result_processor(self, dialect: Dialect, coltype: object) -> Reader:
            read = kind.result_processor(self, dialect, coltype)
            return lambda value: nothing if (found := read(value)) is None else found

    return Present()


_PRESENT = {Utc: _present(Utc, _EPOCH), Text: _present(Text, ""), Json: _present(Json, {})}
for _column in (column for table in Base.metadata.sorted_tables for column in table.columns):
    if not _column.nullable:
        _column.type = _PRESENT.get(type(_column.type), _column.type)
