"""The tables of a project. Any change here goes with a new Alembic revision in `migrations/versions`."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Computed, ForeignKey, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from inspector.records.columns import EPOCH, Json, Real, Text, Utc, Whole, present
from inspector.records.columns import now as now
from inspector.records.columns import word as word

KNOWN_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision that can be opened, oldest first; any other was written by a newer Inspector."""
REVISION = KNOWN_REVISIONS[-1]


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
    all). `products`: by class id, from which distance on a picture shows another product (NULL: it isn't asked). `charge`: who was put in charge last has the highest number; NULL: only proposed. `proposal`: see `Proposal`."""

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
    products: Mapped[dict[str, Any] | None]
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
    2 NG, 3 failed, 4 not this product. `product_distance`: see `verdicts/product`. `regions_threshold_id` names the thresholds that the stored regions were cut with."""

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
    product_distance: Mapped[float | None]
    decision: Mapped[str | None]
    override: Mapped[str | None]
    severity: Mapped[int] = mapped_column(
        Computed(
            "CASE coalesce(override, decision) WHEN 'ok' THEN 0 WHEN 'review' THEN 1 WHEN 'ng' THEN 2 WHEN 'other' THEN 4 ELSE 3 END",
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


class Act(Base):
    """What somebody did, in one line of the audit; triggers forbid changing or deleting one. `chain`: a checksum of this row and of
    the row before."""

    __tablename__ = "acts"
    id: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    old: Mapped[str] = mapped_column(default="")
    new: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    chain: Mapped[str]


class GoldenPart(Base):
    """An image of the golden set: whatever changes, `expected` ("ok" or "ng") must be said of it as a part of its class."""

    __tablename__ = "golden_parts"
    __table_args__ = (
        Index(
            "uq_golden_parts_class_image",
            "class_id",
            "image_id",
            unique=True,
            sqlite_where=text("removed IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    name: Mapped[str]
    expected: Mapped[str]
    who: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class GoldenScore(Base):
    """What a detector scores a golden part; detectors never change, so it holds for good."""

    __tablename__ = "golden_scores"
    detector_id: Mapped[int] = mapped_column(
        ForeignKey("detectors.id", ondelete="RESTRICT"), primary_key=True
    )
    part_id: Mapped[int] = mapped_column(ForeignKey("golden_parts.id", ondelete="RESTRICT"), primary_key=True)
    image_score: Mapped[float | None]
    error: Mapped[str] = mapped_column(default="")


class GoldenCheck(Base):
    """The record of one look at the golden set; triggers forbid changing or deleting one. `occasion`: what it was made for. `outcome`:
    what was said of each part. `signed`: why somebody went on although parts were judged otherwise than expected."""

    __tablename__ = "golden_checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str]
    occasion: Mapped[str]
    outcome: Mapped[dict[str, Any]]
    signed: Mapped[str] = mapped_column(default="")


class Outline(Base):
    """Where somebody says that the defects of a result lie; triggers forbid changing or deleting one. `outline`: {"rings": corners in
    shares of the image's sides}; NULL: as the map says."""

    __tablename__ = "outlines"
    __table_args__ = (Index("ix_outlines_result", "result_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id", ondelete="RESTRICT"))
    outline: Mapped[dict[str, Any] | None]
    who: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class Study(Base):
    """A measurement system analysis: people judge the same parts several times, blind. `plan`: trials, appraisers, seed of their
    orders. `closed`: when its last word was said, or somebody ended it."""

    __tablename__ = "studies"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    plan: Mapped[dict[str, Any]]
    who: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
    closed: Mapped[datetime | None]
    removed: Mapped[datetime | None]


class StudyPart(Base):
    """One part of a study. `expected`: what it is known to be; `decision`: what the detector said of it when the study began."""

    __tablename__ = "study_parts"
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="RESTRICT"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    name: Mapped[str]
    expected: Mapped[str]
    decision: Mapped[str | None]
    image_score: Mapped[float | None]


class StudyWord(Base):
    """What somebody said of a part in one trial; the newest counts until the trial is closed."""

    __tablename__ = "study_words"
    __table_args__ = (Index("ix_study_words_study", "study_id", "appraiser", "trial", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="RESTRICT"))
    position: Mapped[int] = mapped_column(Whole)
    appraiser: Mapped[str]
    trial: Mapped[int] = mapped_column(Whole)
    decision: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


_PRESENT = {Utc: present(Utc, EPOCH), Text: present(Text, ""), Json: present(Json, {})}
for _column in (column for table in Base.metadata.sorted_tables for column in table.columns):
    if not _column.nullable:
        _column.type = _PRESENT.get(type(_column.type), _column.type)
