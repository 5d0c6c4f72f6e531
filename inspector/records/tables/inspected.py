"""Tables of what was inspected, and what people said of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Computed, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from inspector.records.tables.base import Base
from inspector.records.tables.columns import Whole, now


class Run(Base):
    """One inspection of many images by one detector; `station_id`: at which station, if at one."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_station", "station_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="RESTRICT"))
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    station_id: Mapped[int | None]
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
