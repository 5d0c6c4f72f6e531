"""What a project knows of its classes, shots, detectors, thresholds and jobs, as frozen rows; `inspected` has the rest.

Every function opens one short session; any thread may call.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from inspector.domain import JobKind, JobStatus, Thresholds
from inspector.errors import DetectorError, ProjectError
from inspector.methods.catalogue import METHODS
from inspector.methods.prompts.description import MFSC
from inspector.records import schema as t
from inspector.records.project import Project

_log = logging.getLogger("inspector.records")


class ClassState(StrEnum):
    NEEDS_SHOTS = "needs shots"
    READY = "ready to teach"
    TAUGHT = "taught"
    OUT_OF_DATE = "out of date"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """`thumbnail`: file of the first shot. `detector_id`: the newest detector that knows the class. `note`: why it is out
    of date, in a sentence, or ""."""

    id: int
    name: str
    shots: int
    state: ClassState
    thumbnail: Path | None
    detector_id: int | None
    created: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class ShotRow:
    """`duplicate_of`: name of another class that has the same image, or "". `odd_size`: its size differs from that of
    most shots of its class. `missing`: the file is gone from the project folder. `size`: (width, height)."""

    id: int
    class_id: int
    class_name: str
    name: str
    sha256: str
    path: Path
    size: tuple[int, int]
    mode: str
    missing: bool
    duplicate_of: str
    odd_size: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """`problem`: why it can't be used, or "" (files are looked at, not read). `held_out`: class id → scores of its
    normal shots, each scored without itself. `classes`: id → name, as the classes are called now; `taught_names`: as
    the detector itself calls them. `added_shots`: class id → shots that only its memory knows, as they were added after
    the teaching."""

    id: int
    title: str
    method: str
    backbone: Mapping[str, Any]
    settings: Mapping[str, Any]
    false_alarm_rate: float
    held_out: Mapping[int, tuple[float, ...]]
    classes: Mapping[int, str]
    taught_names: Mapping[int, str]
    added_shots: Mapping[int, tuple[int, ...]]
    shots: int
    folder: Path
    problem: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    id: int
    detector_id: int
    class_id: int
    thresholds: Thresholds
    who: str
    created: datetime


@dataclass(frozen=True, slots=True)
class JobRow:
    id: int
    kind: JobKind
    status: JobStatus
    title: str
    total: int
    message: str
    hint: str
    result: Mapping[str, Any]
    started: datetime
    ended: datetime | None


# classes and shots


def classes(project: Project) -> list[ClassRow]:
    """Every class not removed, by name."""
    with project.reading() as session:
        rows = session.scalars(select(t.Class).where(t.Class.removed.is_(None))).all()
        shots: dict[int, dict[int, str]] = {}
        for class_id, shot_id, sha256, suffix in session.execute(
            select(t.Shot.class_id, t.Shot.id, t.StoredImage.sha256, t.StoredImage.suffix)
            .join(t.StoredImage)
            .where(t.Shot.removed.is_(None))
            .order_by(t.Shot.id)
        ):
            shots.setdefault(class_id, {})[shot_id] = image_name(sha256, suffix)
        newest = _newest_detectors(session)
        taught: dict[tuple[int, int], set[int]] = {}
        for key, class_id, shot_id in session.execute(
            select(t.DetectorShot.detector_id, t.DetectorShot.class_id, t.DetectorShot.shot_id).where(
                t.DetectorShot.detector_id.in_(newest.values())
            )
        ):
            taught.setdefault((key, class_id), set()).add(shot_id)
        known = {
            row.id: row
            for row in session.scalars(select(t.Detector).where(t.Detector.id.in_(newest.values())))
        }
        described = any(row.method == "finegrained" for row in known.values())
        descriptions = _descriptions(session) if described else {}
    result = []
    for row in rows:
        own = shots.get(row.id, {})
        detector_id = newest.get(row.id)
        note = ""
        if not own:
            state = ClassState.NEEDS_SHOTS
        elif detector_id is None:
            state = ClassState.READY
        else:
            same = taught[detector_id, row.id] == own.keys()
            note = _out_of_date(known[detector_id], row.id, same, descriptions.get(row.id))
            state = ClassState.OUT_OF_DATE if note else ClassState.TAUGHT
        thumbnail = project.path(next(iter(own.values()))) if own else None
        result.append(ClassRow(row.id, row.name, len(own), state, thumbnail, detector_id, row.created, note))
    return sorted(result, key=lambda row: row.name.casefold())


def find_class(project: Project, name: str) -> ClassRow:
    """By name, whatever its case and spaces. Raises `ProjectError` when there is none."""
    rows = classes(project)
    for row in rows:
        if class_key(row.name) == class_key(name):
            return row
    names = ", ".join(row.name for row in rows) or "none yet"
    raise ProjectError(f"There is no class “{name}” in this project.", f"The classes are: {names}.")


def descriptions(project: Project) -> dict[int, MFSC]:
    """Class id → what people said it looks like. A damaged description is left out, with a line in the log."""
    with project.reading() as session:
        return _descriptions(session)


def shots(project: Project, class_id: int | None = None) -> list[ShotRow]:
    """The shots (of one class) that were not removed, oldest first."""
    with project.reading() as session:
        rows = session.execute(
            select(t.Shot, t.StoredImage, t.Class.name)
            .join(t.StoredImage, t.Shot.image_id == t.StoredImage.id)
            .join(t.Class, t.Shot.class_id == t.Class.id)
            .where(t.Shot.removed.is_(None), t.Class.removed.is_(None))
            .order_by(t.Shot.id)
        ).all()
    owners: dict[int, list[tuple[int, str]]] = {}
    sizes: dict[int, Counter[tuple[int, int]]] = {}
    for shot, image, name in rows:
        owners.setdefault(image.id, []).append((shot.class_id, name))
        sizes.setdefault(shot.class_id, Counter())[image.width, image.height] += 1
    result = []
    for shot, image, name in rows:
        if class_id is not None and shot.class_id != class_id:
            continue
        path = project.path(image_name(image.sha256, image.suffix))
        size = (image.width, image.height)
        result.append(
            ShotRow(
                id=shot.id,
                class_id=shot.class_id,
                class_name=name,
                name=shot.name,
                sha256=image.sha256,
                path=path,
                size=size,
                mode=image.mode,
                missing=not path.is_file(),
                duplicate_of=next((other for own, other in owners[image.id] if own != shot.class_id), ""),
                odd_size=size != sizes[shot.class_id].most_common(1)[0][0],
                created=shot.created,
            )
        )
    return result


# detectors and thresholds


def detectors(project: Project) -> list[DetectorRow]:
    """Newest first."""
    with project.reading() as session:
        rows = session.scalars(
            select(t.Detector).where(t.Detector.removed.is_(None)).order_by(t.Detector.id.desc())
        ).all()
        taught: dict[int, dict[int, str]] = {}
        counts: Counter[int] = Counter()
        for detector_id, class_id, name, count in session.execute(
            select(t.DetectorShot.detector_id, t.Class.id, t.Class.name, func.count())
            .join(t.Class, t.DetectorShot.class_id == t.Class.id)
            .group_by(t.DetectorShot.detector_id, t.Class.id)
            .order_by(t.Class.name)
        ):
            taught.setdefault(detector_id, {})[class_id] = name
            counts[detector_id] += count
    result = []
    for row in rows:
        folder = project.path(f"detectors/{row.id}")
        lost = [name for name in ("detector.json", "detector.safetensors") if not (folder / name).is_file()]
        result.append(
            DetectorRow(
                id=row.id,
                title=row.title,
                method=row.method,
                backbone=row.backbone,
                settings=row.settings,
                false_alarm_rate=row.false_alarm_rate,
                held_out={int(key): tuple(scores) for key, scores in row.held_out.items()},
                classes=taught.get(row.id, {}),
                taught_names={int(key): name for key, name in row.taught_names.items()},
                added_shots={int(key): tuple(ids) for key, ids in (row.added_shots or {}).items()},
                shots=counts[row.id],
                folder=folder,
                problem=f"{' and '.join(lost)} missing from the project folder; teach again." if lost else "",
                created=row.created,
            )
        )
    return result


def detector(project: Project, detector_id: int | None = None, class_name: str | None = None) -> DetectorRow:
    """One detector, or the newest (that knows `class_name`). Raises `ProjectError` when there is none."""
    for row in detectors(project):
        if detector_id is not None and row.id != detector_id:
            continue
        if class_name is not None and class_key(class_name) not in map(class_key, row.classes.values()):
            continue
        return row
    if class_name is not None:
        raise ProjectError(f"No detector knows the class “{class_name}” yet.", "Teach it first.")
    raise ProjectError(
        "Nothing was taught in this project yet.", "Add good shots to a class and press Teach."
    )


def memory(project: Project, detector_id: int) -> dict[int, list[int]]:
    """Class id → the shots that a detector knows, removed ones too, in the order in which it got them."""
    with project.reading() as session:
        rows = session.execute(
            select(t.DetectorShot.class_id, t.DetectorShot.shot_id)
            .where(t.DetectorShot.detector_id == detector_id)
            .order_by(t.DetectorShot.shot_id)
        ).all()
        added = session.scalar(select(t.Detector.added_shots).where(t.Detector.id == detector_id)) or {}
    found: dict[int, list[int]] = {}
    for class_id, shot_id in rows:
        if shot_id not in added.get(str(class_id), ()):
            found.setdefault(class_id, []).append(shot_id)
    for class_id, ids in added.items():
        found.setdefault(int(class_id), []).extend(ids)
    return found


def thresholds(project: Project, detector_id: int) -> dict[int, ThresholdRow]:
    """The newest thresholds of a detector: class id → row."""
    with project.reading() as session:
        return {row.class_id: row for row in current_thresholds(session, detector_id)}


def calibrated(project: Project, detector_id: int) -> dict[int, Thresholds]:
    """The thresholds that teaching found, whatever was chosen later: class id → thresholds."""
    with project.reading() as session:
        rows = session.scalars(
            select(t.Threshold).where(t.Threshold.detector_id == detector_id).order_by(t.Threshold.id.desc())
        )
        return {row.class_id: _threshold(row).thresholds for row in rows}


def threshold_history(project: Project, detector_id: int, class_id: int) -> list[ThresholdRow]:
    """Newest first."""
    with project.reading() as session:
        rows = session.scalars(
            select(t.Threshold)
            .where(t.Threshold.detector_id == detector_id, t.Threshold.class_id == class_id)
            .order_by(t.Threshold.id.desc())
        )
        return [_threshold(row) for row in rows]


def jobs(project: Project, limit: int = 100) -> list[JobRow]:
    """Newest first."""
    with project.reading() as session:
        return [
            JobRow(
                id=row.id,
                kind=JobKind(row.kind),
                status=JobStatus(row.status),
                title=row.title,
                total=row.total,
                message=row.message,
                hint=row.hint,
                result=row.result,
                started=row.started,
                ended=row.ended,
            )
            for row in session.scalars(select(t.Job).order_by(t.Job.id.desc()).limit(limit))
        ]


# parts shared with write.py


def class_key(name: str) -> str:
    """What makes two class names the same: neither case nor spaces matter."""
    return "".join(name.split()).casefold()


def image_name(sha256: str, suffix: str) -> str:
    """Where an image lies in the project folder."""
    return f"images/{sha256[:2]}/{sha256}{suffix}"


def pairs(rows: Iterable[Any]) -> dict[Any, Any]:
    """Rows of two columns as a dict."""
    return {key: value for key, value in rows}  # noqa: C416  (rows are no plain tuples to a type checker)


# the rest is how it is done


def _newest_detectors(session: Session) -> dict[int, int]:
    """Class id → its newest detector."""
    return pairs(
        session.execute(
            select(t.DetectorShot.class_id, func.max(t.DetectorShot.detector_id))
            .join(t.Detector, t.DetectorShot.detector_id == t.Detector.id)
            .where(t.Detector.removed.is_(None))
            .group_by(t.DetectorShot.class_id)
        ).all()
    )


def _descriptions(session: Session) -> dict[int, MFSC]:
    text = cast(t.Class.description, String)  # as it is stored, for it may be no JSON
    found = {}
    for class_id, name, value in session.execute(
        select(t.Class.id, t.Class.name, text).where(t.Class.description.is_not(None))
    ):
        try:
            found[class_id] = MFSC.loads(value)
        except DetectorError as error:
            _log.warning("the description of “%s” is not used: %s", name, error.message)
    return found


def _out_of_date(row: t.Detector, class_id: int, same: bool, description: MFSC | None) -> str:
    """Why a class should be taught again, in a sentence, or ""."""
    if not same:
        return "Its shots were changed after it was taught."
    info = METHODS.get(row.method)
    if info is not None and info.learns and (row.added_shots or {}).get(str(class_id)):
        return "The memory knows all shots; the prompts were learned without the newest."
    if row.method == "finegrained":
        taught_with = row.settings.get("mfsc", {}).get(row.taught_names.get(str(class_id)))
        if taught_with != (description.as_json() if description is not None else None):
            return "Its description was changed after it was taught."
    return ""


def current_thresholds(session: Session, detector_id: int) -> list[ThresholdRow]:
    newest = (
        select(func.max(t.Threshold.id))
        .where(t.Threshold.detector_id == detector_id)
        .group_by(t.Threshold.class_id)
    )
    return [_threshold(row) for row in session.scalars(select(t.Threshold).where(t.Threshold.id.in_(newest)))]


def _threshold(row: t.Threshold) -> ThresholdRow:
    values = Thresholds(row.review, row.ng, row.pixel, row.provenance)
    return ThresholdRow(row.id, row.detector_id, row.class_id, values, row.who, row.created)
