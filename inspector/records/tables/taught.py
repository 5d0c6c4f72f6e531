"""Tables of what teaches: classes, images, shots, jobs, detectors, thresholds."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inspector.records.tables.base import Base
from inspector.records.tables.columns import Whole, now


class ProjectInfo(Base):
    """One row: what the project is called."""

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)


class Class(Base):
    """A product that is inspected. `key` is the name without case and spaces; unique among classes not removed. `description`:
    a `PartDescription`; read by itself, as it may be damaged. `white`: see `ranges`. `smallest`, `scale`, `area`: see `ClassRow`."""

    __tablename__ = "classes"
    __table_args__ = (Index("uq_classes_key", "key", unique=True, sqlite_where=text("removed IS NULL")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str]
    description: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    white: Mapped[int | None] = mapped_column(Whole)
    smallest: Mapped[int | None] = mapped_column(Whole)
    scale: Mapped[float | None]
    area: Mapped[dict[str, Any] | None]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class StoredImage(Base):
    """A file kept as `images/aa/<sha256><suffix>`. `let_go`: when the file was deleted by a station's rule of what to keep; a
    thumbnail stays."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    suffix: Mapped[str]
    width: Mapped[int] = mapped_column(Whole)
    height: Mapped[int] = mapped_column(Whole)
    mode: Mapped[str]
    let_go: Mapped[datetime | None]

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
    all). `products`: by class id, from which distance on a picture shows another product (NULL: it isn't asked), and of a moved one (see `product.Limit`). `charge`: who was put in charge last has the highest number; NULL: only proposed. `proposal`: see `Proposal`."""

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
