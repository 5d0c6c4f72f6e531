"""How small a defect a detector was found to see, test by test."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.detectors import labels
from inspector.records.project import Project
from inspector.records.tables.columns import number_list
from inspector.records.thresholds import newest_thresholds


@dataclass(frozen=True, slots=True)
class Curve:
    """Of one `kind` of defect and `contrast` (a share of the whole range, None for a missing piece): the shares (0–1) of defects of
    each of `sizes` (pixels across) that were called `ng`, and NG or review (`seen`). `sure`: the smallest size from which on
    nine of ten are NG; None: no size that was tried."""

    kind: str
    contrast: float | None
    sizes: tuple[int, ...]
    ng: tuple[float, ...]
    seen: tuple[float, ...]
    sure: int | None


@dataclass(frozen=True, slots=True)
class SmallestFound:
    """What a test found. `review`, `ng`: the thresholds then (`ng` None: nothing was called NG). `short_side`: pixels of the shots'
    shorter side. `good_ng`: share of the shots themselves that were called NG."""

    review: float
    ng: float | None
    short_side: int
    shots: int
    good_ng: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class SmallestTest:
    """A test that is kept for good. `current`: by the detector that judges the class now, with the thresholds that are in force."""

    id: int
    created: datetime
    who: str
    class_id: int
    class_name: str
    detector: str
    current: bool
    found: SmallestFound


def keep_smallest(
    project: Project, detector_id: int, class_id: int, found: SmallestFound, *, who: str
) -> int:
    """Store what a test found; its id."""
    with project.writing() as session:
        row = t.SmallestTest(detector_id=detector_id, class_id=class_id, who=who, outcome=asdict(found))
        session.add(row)
        session.flush()
        name = session.scalar(select(t.Class.name).where(t.Class.id == class_id)) or ""
        sure = ", ".join(f"{kind} {words(size)}" for kind, size in smallest_of(found).items())
        note(session, ActKind.SMALLEST_TESTED, f"{name}, detector #{detector_id}", who=who, new=sure)
        return row.id


def list_smallest(project: Project) -> list[SmallestTest]:
    """Newest first; what damage left unreadable is left out."""
    from inspector.records.detectors import in_charge

    with project.reading() as session:
        rows = session.execute(
            select(t.SmallestTest, t.Class.name)
            .join(t.Class, t.SmallestTest.class_id == t.Class.id)
            .order_by(t.SmallestTest.id.desc())
        ).all()
        named, charged = labels(session), in_charge(session)
        limits = {key: newest_thresholds(session, key) for key in {row.detector_id for row, _ in rows}}
    found = []
    for row, class_name in rows:
        read = _read(row.outcome)
        if read is None:
            continue
        limit = limits[row.detector_id].get(row.class_id)
        same = limit is not None and (read.review, read.ng) == (
            limit.thresholds.review,
            limit.thresholds.ng if limit.thresholds.calls_ng else None,
        )
        found.append(
            SmallestTest(
                row.id,
                row.created,
                row.who,
                row.class_id,
                class_name,
                named.get(row.detector_id, f"#{row.detector_id}"),
                same and charged.get(row.class_id) == row.detector_id,
                read,
            )
        )
    return found


def smallest_of(found: SmallestFound) -> Mapping[str, int | None]:
    """Kind of defect → the size from which on it is found, at the clearest contrast that was tried."""
    clearest: dict[str, Curve] = {}
    for curve in found.curves:
        before = clearest.get(curve.kind)
        if before is None or (curve.contrast or 0) > (before.contrast or 0):
            clearest[curve.kind] = curve
    return {kind: curve.sure for kind, curve in clearest.items()}


def words(size: int | None) -> str:
    """For people: "from 24 px on"."""
    return f"from {size:,} px on" if size is not None else "not found"


def _read(values: Mapping[str, Any]) -> SmallestFound | None:
    try:
        curves = tuple(
            Curve(
                kind=str(one["kind"]),
                contrast=None if one["contrast"] is None else float(one["contrast"]),
                sizes=tuple(map(int, number_list(one["sizes"]))),
                ng=tuple(number_list(one["ng"])),
                seen=tuple(number_list(one["seen"])),
                sure=None if one["sure"] is None else int(one["sure"]),
            )
            for one in values["curves"]
        )
        whole = all(len(one.sizes) == len(one.ng) == len(one.seen) > 0 for one in curves)
        return (
            SmallestFound(
                review=float(values["review"]),
                ng=None if values["ng"] is None else float(values["ng"]),
                short_side=int(values["short_side"]),
                shots=int(values["shots"]),
                good_ng=float(values["good_ng"]),
                curves=curves,
            )
            if whole and curves
            else None
        )
    except (KeyError, TypeError, ValueError):
        return None
