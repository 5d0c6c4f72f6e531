"""Detectors: what teaching made, tied for ever to the shots that it was taught on, and which of them is in charge."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.domain import Proposal
from inspector.errors import ProjectError
from inspector.methods import catalogue
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.names import class_key, moment
from inspector.records.project import Project
from inspector.records.ranges import whites_of
from inspector.records.tables.columns import number_list
from inspector.records.taught.new_detectors import next_charge
from inspector.verdicts.product import Limit, limits_of


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """`label`: number, method, classes and date, which no other detector has. `problem`: why it can't be used, or "" (files
    are looked at, not read). `in_charge`: ids of the classes that it judges when nobody chooses. `proposed`: waits to be
    put in charge; `proposal`: what it would change, kept afterwards too. `held_out`: class id → scores of its shots without themselves. `classes`: id → name, as the classes are called now; `taught_names`: as the detector itself
    calls them. `whites`: class id → end of the range in which its images are read, see `images.read`. `added_shots`: class id → shots and places that only its memory knows, as they
    were added after the teaching. `gone_shots`: shots and places that it knows and that were removed since. `places`: those
    it knows that were called no defect. `updated_from`: whose memory got its added shots. `takes`: the classes that it
    judges once it is in charge. `products`: class id → from where on a picture shows another product."""

    id: int
    label: str
    title: str
    method: str
    backbone: Mapping[str, Any]
    settings: Mapping[str, Any]
    false_alarm_rate: float
    held_out: Mapping[int, tuple[float, ...]]
    classes: Mapping[int, str]
    taught_names: Mapping[int, str]
    whites: Mapping[int, int]
    added_shots: Mapping[int, tuple[int, ...]]
    gone_shots: tuple[int, ...]
    updated_from: int | None
    takes: frozenset[int]
    products: Mapping[int, Limit]
    places: frozenset[int]
    shots: int
    folder: Path
    problem: str
    in_charge: frozenset[int]
    proposed: bool
    proposal: Proposal | None
    created: datetime


def list_detectors(project: Project) -> list[DetectorRow]:
    """Those that are in charge of a class first, else newest first. Proposed ones are left out."""
    return [row for row in _rows(project) if not row.proposed]


def list_proposed(project: Project) -> list[DetectorRow]:
    """Detectors that wait to be put in charge, newest first; not those that a newer one in charge or a removed shot made pointless."""
    rows = _rows(project)
    charged = {class_id: row.id for row in rows for class_id in row.in_charge}
    gone = {row.id: set(row.gone_shots) for row in rows}
    return [
        row
        for row in rows
        if row.proposed
        and gone[row.id] <= gone.get(row.updated_from or 0, set())
        and any(charged.get(key, 0) < row.id for key in row.takes)
    ]


def find_detector(
    project: Project, detector_id: int | None = None, class_name: str | None = None
) -> DetectorRow:
    """One detector (a proposed one too), or the one in charge (of `class_name`). Raises `ProjectError` when there is none."""
    if detector_id is not None:
        found = next((row for row in _rows(project) if row.id == detector_id), None)
        if found is None:
            raise ProjectError(f"There is no detector {detector_id} in this project.", "Choose another one.")
        return found
    wanted = None if class_name is None else class_key(class_name)
    for row in list_detectors(project):
        if wanted is None or wanted in [class_key(row.classes[key]) for key in row.in_charge]:
            return row
    if class_name is not None:
        raise ProjectError(f"No detector knows the class “{class_name}” yet.", "Teach it first.")
    raise ProjectError(
        "Nothing was taught in this project yet.", "Add good shots to a class and press Teach."
    )


def list_memory(project: Project, detector_id: int, places: bool = False) -> dict[int, list[int]]:
    """Class id → the shots (or the `places`) that a detector knows, removed ones too, in the order in which it got them."""
    which = t.Shot.place.is_not(None) if places else t.Shot.place.is_(None)
    with project.reading() as session:
        rows = session.execute(
            select(t.DetectorShot.class_id, t.DetectorShot.shot_id)
            .join(t.Shot, t.DetectorShot.shot_id == t.Shot.id)
            .where(t.DetectorShot.detector_id == detector_id, which)
            .order_by(t.DetectorShot.shot_id)
        ).all()
        added = session.scalar(select(t.Detector.added_shots).where(t.Detector.id == detector_id)) or {}
    found: dict[int, list[int]] = {}
    for class_id, shot_id in rows:
        found.setdefault(class_id, []).append(shot_id)
    for class_id, own in found.items():
        later = {one: place for place, one in enumerate(_ids(added, class_id))}
        own.sort(key=lambda one: later.get(one, -1))
    return found


def accept_detector(project: Project, detector_id: int) -> int | None:
    """Put a proposed detector, or an earlier one, in charge of its classes; its charge before, for `propose_detector`."""
    with _changing(project, ActKind.IN_CHARGE, detector_id) as (session, row):
        before, row.charge = row.charge, next_charge(session)
        return before


def propose_detector(project: Project, detector_id: int, charge: int | None = None) -> None:
    """Undo `accept_detector`: it is only proposed again, or has its earlier `charge`, and the one before it is in charge."""
    with _changing(project, ActKind.CHARGE_UNDONE, detector_id) as (_, row):
        row.charge = charge


def remove_detector(project: Project, detector_id: int) -> None:
    """Hide it; its results and files stay. `restore_detector` brings it back."""
    with _changing(project, ActKind.DETECTOR_REMOVED, detector_id) as (_, row):
        row.removed = t.now()


def restore_detector(project: Project, detector_id: int) -> None:
    """Take back `remove_detector`."""
    with _changing(project, ActKind.DETECTOR_RESTORED, detector_id) as (_, row):
        row.removed = None


@contextmanager
def _changing(project: Project, kind: ActKind, detector_id: int) -> Iterator[tuple[Session, t.Detector]]:
    """A transaction on a detector, with its line in the audit: which other one judges classes now."""
    with project.writing() as session:
        row, before = session.get(t.Detector, detector_id), in_charge(session)
        if row is None:
            raise ProjectError(f"There is no detector {detector_id} in this project.", "Choose another one.")
        waits = row.charge is None and kind is ActKind.DETECTOR_REMOVED
        yield session, row
        after = in_charge(session)
        moved = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
        old, new = (sorted({f"#{found[key]}" for key in moved if key in found}) for found in (before, after))
        kind = ActKind.DETECTOR_DISCARDED if waits else kind
        note(session, kind, f"#{row.id} {row.title}", old=few(old), new=few(new))


def in_charge(session: Session) -> dict[int, int]:
    """Class id → the detector that judges it: the one that was put in charge last.

    A detector whose memory got shots that were removed again gives way to the one that it was updated from, so undoing
    the addition of shots is undone to the end; it comes back with the shots.
    """
    known = {
        row.id: row
        for row in session.execute(
            select(t.Detector.id, t.Detector.updated_from, t.Detector.added_shots, t.Detector.takes)
            .where(t.Detector.removed.is_(None), t.Detector.charge.is_not(None))
            .order_by(t.Detector.charge)
        )
    }
    gone = set(session.scalars(select(t.Shot.id).where(t.Shot.removed.is_not(None))))

    def stands_for(detector_id: int) -> int:
        while (before := known[detector_id].updated_from) in known:
            fresh = _added(known[detector_id].added_shots) - _added(known[before].added_shots)
            if not fresh & gone:
                break
            detector_id = before
        return detector_id

    classes: dict[int, list[int]] = {}
    for detector_id, class_id in session.execute(
        select(t.DetectorShot.detector_id, t.DetectorShot.class_id)
        .where(t.DetectorShot.detector_id.in_(known))
        .distinct()
    ):
        takes = known[detector_id].takes
        if takes is None or class_id in _ids(takes, "classes"):
            classes.setdefault(detector_id, []).append(class_id)
    return {class_id: stands_for(key) for key in known for class_id in classes.get(key, ())}


def labels(session: Session) -> dict[int, str]:
    """Detector id, of removed ones too → number, method, classes and date."""
    names: dict[int, list[str]] = {}
    for detector_id, name in session.execute(
        select(t.DetectorShot.detector_id, t.Class.name)
        .join(t.Class, t.DetectorShot.class_id == t.Class.id)
        .distinct()
        .order_by(t.Class.name)
    ):
        names.setdefault(detector_id, []).append(name)
    found = {}
    for key, method, created in session.execute(select(t.Detector.id, t.Detector.method, t.Detector.created)):
        own = names.get(key, [])
        title = catalogue.title(method)
        of = ", ".join(own) if len(own) < 4 else f"{len(own)} classes"
        found[key] = f"#{key} {title} · {of} · {moment(created)}"
    return found


def _ids(added_shots: Mapping[str, Any] | None, class_id: int | str) -> tuple[int, ...]:
    return tuple(int(one) for one in number_list((added_shots or {}).get(str(class_id))))


def _added(added_shots: Mapping[str, Any] | None) -> set[int]:
    return {int(one) for ids in (added_shots or {}).values() for one in number_list(ids)}


def _rows(project: Project) -> list[DetectorRow]:
    """Every detector not removed: those in charge first, the last that was put there first, then newest first."""
    with project.reading() as session:
        rows = session.scalars(select(t.Detector).where(t.Detector.removed.is_(None))).all()
        charged, named = in_charge(session), labels(session)
        taught: dict[int, dict[int, str]] = {}
        counts: Counter[int] = Counter()
        gone: dict[int, list[int]] = {}
        places: dict[int, set[int]] = {}
        for detector_id, class_id, name, shot_id, removed, partial in session.execute(
            select(
                t.DetectorShot.detector_id,
                t.Class.id,
                t.Class.name,
                t.Shot.id,
                t.Shot.removed,
                t.Shot.place.is_not(None),
            )
            .join(t.Class, t.DetectorShot.class_id == t.Class.id)
            .join(t.Shot, t.DetectorShot.shot_id == t.Shot.id)
            .order_by(t.Class.name, t.Shot.id)
        ):
            taught.setdefault(detector_id, {})[class_id] = name
            if partial:
                places.setdefault(detector_id, set()).add(shot_id)
            else:
                counts[detector_id] += 1
            if removed is not None:
                gone.setdefault(detector_id, []).append(shot_id)
    found = []
    for row in rows:
        classes = taught.get(row.id, {})
        try:
            proposal = Proposal.of(row.proposal) if row.proposal else None
        except (ValueError, TypeError, KeyError):
            proposal = None
        made = DetectorRow(
            id=row.id,
            label=named[row.id],
            title=row.title,
            method=row.method,
            backbone=row.backbone,
            settings=row.settings,
            false_alarm_rate=row.false_alarm_rate,
            held_out={key: tuple(number_list(row.held_out.get(str(key)))) for key in classes},
            classes=classes,
            taught_names={key: str(row.taught_names.get(str(key), name)) for key, name in classes.items()},
            whites={key: white for key, white in whites_of(row.whites).items() if key in classes},
            added_shots={key: ids for key in classes if (ids := _ids(row.added_shots, key))},
            gone_shots=tuple(gone.get(row.id, ())),
            updated_from=row.updated_from,
            takes=frozenset(classes if row.takes is None else _ids(row.takes, "classes")),
            products=limits_of(row.products),
            places=frozenset(places.get(row.id, ())),
            shots=counts[row.id],
            folder=project.path(f"detectors/{row.id}"),
            problem=_problem(project, row),
            in_charge=frozenset(key for key, detector_id in charged.items() if detector_id == row.id),
            proposed=row.charge is None,
            proposal=proposal,
            created=row.created,
        )
        found.append((bool(made.in_charge), row.charge or 0 if made.in_charge else row.id, made))
    return [made for *_, made in sorted(found, key=lambda one: one[:2], reverse=True)]


def _problem(project: Project, row: t.Detector) -> str:
    folder = project.path(f"detectors/{row.id}")
    lost = [name for name in ("detector.json", "detector.safetensors") if not (folder / name).is_file()]
    if lost:
        return f"{' and '.join(lost)} missing from the project folder; teach again."
    if row.false_alarm_rate is None or not (row.backbone and row.taught_names):
        return "its record in the database is damaged; teach again."
    return ""
