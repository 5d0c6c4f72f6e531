"""Stations: where parts are inspected as they come, and how each is set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.line.shifts import Shift
from inspector.records.names import checked, class_key
from inspector.records.project import Project

_ON = "on"

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Part:
    """A source or an output of a station. `kind`: which ("folder", "mqtt" …). `values`: its settings, which its kind names.
    `key`: what tells an output from the others of its station, for good; "" for the source."""

    kind: str
    values: Mapping[str, Value] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """Which images stay: every `ok_every`-th that is OK (0: none of them), all others; of these those of the last `days`, and the
    newest `gigabytes`; None: no such limit. Results stay whatever becomes of their images."""

    ok_every: int = 1
    days: int | None = None
    gigabytes: float | None = None


@dataclass(frozen=True, slots=True)
class ShiftCheck:
    """The golden set is checked when a shift begins (`at_start`), and every `hours`; None: not again. `blocks`: nothing is judged
    until one was passed, else it only warns."""

    at_start: bool = False
    hours: float | None = None
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Which pictures say how they usually look. `since`, `until` (aware): those of a time that somebody calls good, None: the first
    `parts` that each detector judged; 0: those of its first hours."""

    parts: int = 0
    since: datetime | None = None
    until: datetime | None = None

    @property
    def words(self) -> str:
        """ "the first 500 parts", "2026-11-27 06:00 – 14:00"."""
        if self.since is not None and self.until is not None:
            return Shift(self.since.astimezone(), self.until.astimezone()).words
        return f"the first {self.parts:,} parts" if self.parts else "the first hours"

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        ends = {"since": self.since, "until": self.until}
        return {"parts": self.parts} | {name: one.isoformat() for name, one in ends.items() if one}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Reference":
        """What `as_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        ends = [
            datetime.fromisoformat(values[name]) if name in values else None for name in ("since", "until")
        ]
        since, until = (one.astimezone() if one else None for one in ends)
        if (since is None) != (until is None) or (since and until and since >= until):
            raise ValueError("a time has two ends")
        return cls(max(0, int(values["parts"])), since, until)


@dataclass(frozen=True, slots=True)
class StationSettings:
    """`shifts`: when each begins, "HH:MM" in local time, in order. `lot`: the order that is made now. `sound`: on NG.
    `reference`: what drift is told from."""

    source: Part
    outputs: tuple[Part, ...] = ()
    retention: Retention = Retention()
    check: ShiftCheck = ShiftCheck()
    shifts: tuple[str, ...] = ("06:00", "14:00", "22:00")
    lot: str = ""
    sound: bool = True
    reference: Reference = Reference()

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {
            "source": _part(self.source),
            "outputs": [_part(one) for one in self.outputs],
            "retention": {
                "ok_every": self.retention.ok_every,
                "days": self.retention.days,
                "gigabytes": self.retention.gigabytes,
            },
            "check": {
                "at_start": self.check.at_start,
                "hours": self.check.hours,
                "blocks": self.check.blocks,
            },
            "shifts": list(self.shifts),
            "lot": self.lot,
            "sound": self.sound,
        } | ({"reference": self.reference.as_json()} if self.reference != Reference() else {})

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "StationSettings":
        """What `as_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            source=_read(values["source"]),
            outputs=tuple(_read(one) for one in values["outputs"]),
            retention=Retention(**values["retention"]),
            check=ShiftCheck(**values["check"]),
            shifts=tuple(str(one) for one in values["shifts"]),
            lot=str(values["lot"]),
            sound=bool(values["sound"]),
            reference=Reference.of(values["reference"]) if "reference" in values else Reference(),
        )


@dataclass(frozen=True, slots=True)
class StationRow:
    """`class_name` "": found per image. `detector_id` None: the detector in charge. `settings` None: they are damaged, and the station
    can't be started. `on`: somebody started it and nobody stopped it since."""

    id: int
    name: str
    class_id: int | None
    class_name: str
    detector_id: int | None
    settings: StationSettings | None
    created: datetime
    on: bool = False


def list_stations(project: Project) -> list[StationRow]:
    """By name."""
    with project.reading() as session:
        rows = session.execute(
            select(t.Station, t.Class.name)
            .outerjoin(t.Class, t.Station.class_id == t.Class.id)
            .where(t.Station.removed.is_(None))
        ).all()
        found = [
            StationRow(
                row.id,
                row.name,
                row.class_id,
                class_name or "",
                row.detector_id,
                _settings(row.settings),
                row.created,
                bool(row.settings.get(_ON)),
            )
            for row, class_name in rows
        ]
    return sorted(found, key=lambda one: one.name.casefold())


def find_station(project: Project, name: str) -> StationRow:
    """By name, whatever its case and spaces. Raises `ProjectError` where there is none."""
    rows = list_stations(project)
    for row in rows:
        if class_key(row.name) == class_key(name):
            return row
    known = ", ".join(row.name for row in rows)
    raise ProjectError(
        f"There is no station “{name}”.",
        f"There are: {known}." if known else "Set one up on the Line page first.",
    )


def station_of(project: Project, station_id: int) -> StationRow:
    """By id. Raises `ProjectError` where it is gone, or its settings are damaged."""
    row = next((one for one in list_stations(project) if one.id == station_id), None)
    if row is None:
        raise ProjectError("The station is no longer in the project.", "Choose another one.")
    if row.settings is None:
        raise ProjectError(
            f"The settings of the station “{row.name}” are damaged, so it can't be started.",
            "Set it up anew.",
        )
    return row


def add_station(
    project: Project,
    name: str,
    settings: StationSettings,
    *,
    class_id: int | None = None,
    detector_id: int | None = None,
) -> int:
    """Its id. Raises `ProjectError` for a name that another has."""
    name = checked(name, "station")
    with project.writing() as session:
        _require_free(session, name)
        row = t.Station(
            name=name,
            key=class_key(name),
            settings=settings.as_json(),
            class_id=class_id,
            detector_id=detector_id,
        )
        session.add(row)
        session.flush()
        note(session, ActKind.STATION_ADDED, name, new=_words(settings))
        return row.id


def change_station(
    project: Project,
    station_id: int,
    *,
    name: str,
    settings: StationSettings,
    class_id: int | None,
    detector_id: int | None,
) -> None:
    """Everything of it anew. Raises `ProjectError` for a name that another has, or a station that is gone."""
    name = checked(name, "station")
    with project.writing() as session:
        row = _found(session, station_id)
        _require_free(session, name, station_id)
        before = _settings(row.settings)
        note(
            session,
            ActKind.STATION_CHANGED,
            row.name if row.name == name else f"{row.name} → {name}",
            old=_words(before) if before else "damaged",
            new=_words(settings),
        )
        on = {_ON: True} if row.settings.get(_ON) else {}
        row.name, row.key, row.settings = name, class_key(name), settings.as_json() | on
        row.class_id, row.detector_id = class_id, detector_id


def set_on(project: Project, station_id: int, on: bool) -> None:
    """Somebody started or stopped a station. It stays on when the project is closed or its program killed, so that whoever opens it
    next can start it again."""
    with project.writing() as session:
        row = _found(session, station_id)
        if bool(row.settings.get(_ON)) is not on:
            row.settings = {**row.settings, _ON: on}


def set_lot(project: Project, station_id: int, lot: str) -> None:
    """Which order is made now; what comes from now on belongs to it. Raises `ProjectError` for a station whose settings are damaged."""
    lot = " ".join(lot.split())[:80]
    with project.writing() as session:
        row = _found(session, station_id)
        if _settings(row.settings) is None:
            raise ProjectError(f"The settings of “{row.name}” are damaged.", "Set it up anew.")
        if row.settings["lot"] != lot:
            note(session, ActKind.LOT_CHANGED, row.name, old=row.settings["lot"], new=lot)
            row.settings = {**row.settings, "lot": lot}


def set_reference(project: Project, station_id: int, reference: Reference) -> Reference:
    """What drift is told from now on; the one before. Raises `ProjectError` for a station whose settings are damaged."""
    with project.writing() as session:
        row = _found(session, station_id)
        before = _settings(row.settings)
        if before is None:
            raise ProjectError(f"The settings of “{row.name}” are damaged.", "Set it up anew.")
        if before.reference != reference:
            note(
                session,
                ActKind.STATION_CHANGED,
                row.name,
                old=f"drift from {before.reference.words}",
                new=f"drift from {reference.words}",
            )
            others = {name: one for name, one in row.settings.items() if name != "reference"}
            row.settings = others | ({"reference": reference.as_json()} if reference != Reference() else {})
        return before.reference


def remove_station(project: Project, station_id: int) -> None:
    """Hide it; its results stay, and `restore_station` brings it back."""
    with project.writing() as session:
        row = _found(session, station_id)
        row.removed = t.now()
        note(session, ActKind.STATION_REMOVED, row.name)


def restore_station(project: Project, station_id: int) -> None:
    """Take back `remove_station`. Raises `ProjectError` where another has its name by now."""
    with project.writing() as session:
        row = _found(session, station_id)
        _require_free(session, row.name, station_id)
        row.removed = None
        note(session, ActKind.STATION_RESTORED, row.name)


def _found(session: Session, station_id: int) -> t.Station:
    row = session.get(t.Station, station_id)
    if row is None:
        raise ProjectError("There is no such station.", "Choose another one.")
    return row


def _require_free(session: Session, name: str, but: int | None = None) -> None:
    taken = session.scalars(
        select(t.Station.id).where(t.Station.key == class_key(name), t.Station.removed.is_(None))
    ).first()
    if taken not in (None, but):
        raise ProjectError(f"There is a station “{name}” already.", "Choose another name.")


def _part(one: Part) -> dict[str, Any]:
    return {"kind": one.kind, "values": dict(one.values), "key": one.key}


def _read(values: Mapping[str, Any]) -> Part:
    return Part(str(values["kind"]), dict(values["values"]), str(values["key"]))


def _settings(values: Mapping[str, Any]) -> StationSettings | None:
    try:
        return StationSettings.of(values)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _words(settings: StationSettings) -> str:
    """For the audit; without values that may hold a password."""
    told = ", ".join(one.kind for one in settings.outputs) or "nobody"
    return f"from {settings.source.kind}, tells {told}"
