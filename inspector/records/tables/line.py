"""Tables of what happens at the line: stations, what came to them, what was told of it, who may do what."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inspector.records.tables.base import Base
from inspector.records.tables.columns import Whole, now


class Station(Base):
    """A place where parts are inspected as they come. `class_id` None: found per image. `detector_id`: the one that it is
    pinned to; None: the one in charge. `settings`: see `StationSettings`."""

    __tablename__ = "stations"
    __table_args__ = (Index("uq_stations_key", "key", unique=True, sqlite_where=text("removed IS NULL")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str]
    class_id: Mapped[int | None] = mapped_column(ForeignKey("classes.id", ondelete="RESTRICT"))
    detector_id: Mapped[int | None] = mapped_column(ForeignKey("detectors.id", ondelete="RESTRICT"))
    settings: Mapped[dict[str, Any]]
    created: Mapped[datetime] = mapped_column(default=now)
    removed: Mapped[datetime | None]


class Arrival(Base):
    """A picture that came to a station, written in the transaction of its result; triggers forbid changing or deleting one.
    `mark`: what tells it from all others of its station, so that none is judged twice. `lot`: the order it belongs to. `said`:
    the decision when it was judged, whatever thresholds are later; None where it failed. `took`: seconds from its coming to
    its being stored. The others: how the picture itself looks, see `stations/looks`."""

    __tablename__ = "arrivals"
    __table_args__ = (
        Index("uq_arrivals_mark", "station_id", "mark", unique=True),
        Index("ix_arrivals_station", "station_id", "id"),
        Index("ix_arrivals_moment", "station_id", "arrived", "said", "result_id"),
        Index("ix_arrivals_lot", "station_id", "lot", "arrived", "said", "result_id"),
        Index("ix_arrivals_result", "result_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="RESTRICT"))
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id", ondelete="RESTRICT"))
    mark: Mapped[str]
    lot: Mapped[str] = mapped_column(default="")
    said: Mapped[str | None]
    arrived: Mapped[datetime] = mapped_column(default=now)
    took: Mapped[float]
    brightness: Mapped[float | None]
    sharpness: Mapped[float | None]
    red_green: Mapped[float | None]
    blue_yellow: Mapped[float | None]


class PassedOver(Base):
    """A picture that lay in a station's folder (`source`) before its very first start, and is not to be judged; the empty mark says
    that this start was."""

    __tablename__ = "passed_over"
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="RESTRICT"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(primary_key=True)


class Delivery(Base):
    """Up to which arrival an output of a station was told everything, in order."""

    __tablename__ = "deliveries"
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="RESTRICT"), primary_key=True)
    output: Mapped[str] = mapped_column(primary_key=True)
    arrival_id: Mapped[int] = mapped_column(Whole)


class Role(Base):
    """A role that asks for a PIN (its argon2 hash). Where no role does, everybody may do everything."""

    __tablename__ = "roles"
    role: Mapped[str] = mapped_column(primary_key=True)
    pin: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)
