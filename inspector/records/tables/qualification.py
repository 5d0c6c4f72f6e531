"""Tables of what shows that a detector can be trusted: audit, golden set, studies."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inspector.records.tables.base import Base
from inspector.records.tables.columns import Whole, now


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
    """What a detector scores a golden part, and how far it finds it from the shots; detectors never change, so it holds for good.
    `product_distance`: see `verdicts/product`; None where it wasn't asked or an earlier version scored it."""

    __tablename__ = "golden_scores"
    detector_id: Mapped[int] = mapped_column(
        ForeignKey("detectors.id", ondelete="RESTRICT"), primary_key=True
    )
    part_id: Mapped[int] = mapped_column(ForeignKey("golden_parts.id", ondelete="RESTRICT"), primary_key=True)
    image_score: Mapped[float | None]
    product_distance: Mapped[float | None]
    error: Mapped[str] = mapped_column(default="")


class GoldenCheck(Base):
    """The record of one look at the golden set; triggers forbid changing or deleting one. `occasion`: what it was made for. `outcome`:
    what was said of each part. `signed`: why somebody went on although parts were judged otherwise than expected. `station_id`: the
    station whose shift it was for."""

    __tablename__ = "golden_checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str]
    occasion: Mapped[str]
    outcome: Mapped[dict[str, Any]]
    signed: Mapped[str] = mapped_column(default="")
    station_id: Mapped[int | None]


class SmallestTest(Base):
    """How small a defect a detector found in a class, for good; triggers forbid changing or deleting one. `outcome`: see
    `SmallestFound`."""

    __tablename__ = "smallest_tests"
    id: Mapped[int] = mapped_column(primary_key=True)
    detector_id: Mapped[int] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    who: Mapped[str]
    outcome: Mapped[dict[str, Any]]
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
