"""Detectors: what teaching made, tied for ever to the shots that it was taught on."""

import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from inspector import paths
from inspector.domain import Thresholds
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.classes import class_key
from inspector.records.files import pairs
from inspector.records.project import Project
from inspector.records.thresholds import new_threshold


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


def list_detectors(project: Project) -> list[DetectorRow]:
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


def find_detector(
    project: Project, detector_id: int | None = None, class_name: str | None = None
) -> DetectorRow:
    """One detector, or the newest (that knows `class_name`). Raises `ProjectError` when there is none."""
    for row in list_detectors(project):
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


def list_memory(project: Project, detector_id: int) -> dict[int, list[int]]:
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


def detector_staging(project: Project) -> Path:
    """An empty folder inside the project where a detector is made; swept away at the next opening if left behind."""
    project.require_writable()
    folder = project.folder / "detectors" / f".staging-{secrets.token_hex(6)}"
    folder.mkdir(parents=True)
    return folder


def add_detector(
    project: Project,
    folder: Path,
    *,
    title: str,
    method: str,
    backbone: Mapping[str, Any],
    settings: Mapping[str, Any],
    false_alarm_rate: float,
    shot_ids: Iterable[int],
    held_out: Mapping[int, Sequence[float]],
    thresholds: Mapping[int, Thresholds],
    taught_names: Mapping[int, str] | None = None,
    added_shots: Mapping[int, Sequence[int]] | None = None,
    job_id: int | None = None,
) -> int:
    """Take a finished detector out of its staging `folder` into the project; its id.

    `held_out`, `thresholds`, `taught_names` (what the detector calls its classes; as they are called now when left
    out) and `added_shots` (those of `shot_ids` that only its memory knows, in that order) by class id. Files and rows
    appear together or not at all.
    """
    moved: Path | None = None
    try:
        with project.writing() as session:
            names = taught_names or pairs(session.execute(select(t.Class.id, t.Class.name)))
            row = t.Detector(
                title=title,
                method=method,
                backbone=dict(backbone),
                settings=dict(settings),
                false_alarm_rate=false_alarm_rate,
                taught_names={str(key): name for key, name in names.items() if key in thresholds},
                held_out={str(key): [float(score) for score in scores] for key, scores in held_out.items()},
                added_shots={str(key): list(ids) for key, ids in added_shots.items()}
                if added_shots
                else None,
                job_id=job_id,
            )
            session.add(row)
            session.flush()
            chosen = session.execute(
                select(t.Shot.id, t.Shot.class_id).where(
                    t.Shot.id.in_([int(shot_id) for shot_id in shot_ids])
                )
            )
            session.add_all(
                t.DetectorShot(detector_id=row.id, shot_id=shot_id, class_id=class_id)
                for shot_id, class_id in chosen
            )
            for class_id, values in thresholds.items():
                session.add(new_threshold(row.id, class_id, values, ""))
            session.flush()
            moved = project.path(f"detectors/{row.id}")
            folder.chmod(
                moved.parent.stat().st_mode
            )  # staging folders may be private; colleagues share projects
            folder.replace(moved)
            paths.sync(moved.parent)
            detector_id = row.id
        return detector_id
    except BaseException:
        if moved is not None and moved.exists():
            shutil.rmtree(moved, ignore_errors=True)
        raise


def remove_detector(project: Project, detector_id: int) -> None:
    """Hide it; its results and files stay. `restore_detector` brings it back."""
    with project.writing() as session:
        session.execute(update(t.Detector).where(t.Detector.id == detector_id).values(removed=t.now()))


def restore_detector(project: Project, detector_id: int) -> None:
    with project.writing() as session:
        session.execute(update(t.Detector).where(t.Detector.id == detector_id).values(removed=None))
