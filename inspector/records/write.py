"""Changing a project. Every function is one transaction: it happens whole or not at all. Raises `ProjectError`."""

import math
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import Decision, Image, JobKind, JobStatus, Thresholds
from inspector.errors import InspectorError, ProjectError
from inspector.images import read as images
from inspector.methods.prompts.description import MFSC
from inspector.records import schema as t
from inspector.records.project import Project
from inspector.records.queries import class_key, image_name, pairs


@dataclass(frozen=True, slots=True)
class AddedShot:
    """What became of one file: `added` (`shot_id`), `duplicate` of a shot that the class has (`shot_id` is that one),
    or `failed`. `message` and `hint` tell people; `message` is also set when another class has the same image."""

    name: str
    status: Literal["added", "duplicate", "failed"]
    shot_id: int | None = None
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is stored of an image. `size`: (width, height)."""

    sha256: str
    suffix: str
    size: tuple[int, int]
    mode: str

    @classmethod
    def of(cls, image: Image, data: bytes) -> "ImageFacts":
        """`data`: the file's bytes; they decide the suffix, so that one content has one place."""
        return cls(image.sha256, _suffix(data), image.size, image.mode)


# classes


def add_class(project: Project, name: str) -> int:
    """A new class; its id. Another class of that name, whatever its case and spaces, is refused."""
    name = _class_name(name)
    try:
        with project.writing() as session:
            row = t.Class(name=name, key=class_key(name))
            session.add(row)
            session.flush()
            return row.id
    except IntegrityError:
        raise _same_name(project, name) from None


def rename_class(project: Project, class_id: int, name: str) -> None:
    name = _class_name(name)
    _change_class(project, class_id, name, {"name": name, "key": class_key(name)})


def remove_class(project: Project, class_id: int) -> None:
    """Hide a class with its shots. Results and detectors keep it; `restore_class` brings it back."""
    _change_class(project, class_id, "", {"removed": t.now()})


def restore_class(project: Project, class_id: int) -> None:
    with project.reading() as session:
        name = session.scalar(select(t.Class.name).where(t.Class.id == class_id)) or ""
    _change_class(project, class_id, name, {"removed": None})


def describe_class(project: Project, class_id: int, description: MFSC | None) -> None:
    """Keep what the product looks like; None goes back to the suggestion that follows from its name."""
    value = None if description is None else description.as_json()
    with project.writing() as session:
        session.execute(update(t.Class).where(t.Class.id == class_id).values(description=value))


# shots


def add_shots(
    project: Project, class_id: int, sources: Iterable[Path | tuple[str, bytes]]
) -> list[AddedShot]:
    """Copy files, or (name, bytes) pairs from the clipboard, into the project as shots of a class.

    A file that can't be read is reported and the others go on. A shot that was removed before comes back as itself.
    """
    project.require_writable()
    return [_add_shot(project, class_id, source) for source in sources]


def remove_shots(project: Project, shot_ids: Iterable[int]) -> None:
    """Detectors that were taught on them keep them; `restore_shots` brings them back."""
    with project.writing() as session:
        session.execute(
            update(t.Shot)
            .where(t.Shot.id.in_([int(shot_id) for shot_id in shot_ids]))
            .values(removed=t.now())
        )


def restore_shots(project: Project, shot_ids: Iterable[int]) -> None:
    with project.writing() as session:
        session.execute(
            update(t.Shot).where(t.Shot.id.in_([int(shot_id) for shot_id in shot_ids])).values(removed=None)
        )


# detectors and thresholds


def staging(project: Project) -> Path:
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
                session.add(_threshold(row.id, class_id, values, ""))
            session.flush()
            moved = project.path(f"detectors/{row.id}")
            folder.chmod(
                moved.parent.stat().st_mode
            )  # staging folders may be private; colleagues share projects
            folder.replace(moved)
            _sync_folder(moved.parent)
            detector_id = row.id
        return detector_id
    except BaseException:
        if moved is not None and moved.exists():
            shutil.rmtree(moved, ignore_errors=True)
        raise


def rename_detector(project: Project, detector_id: int, title: str) -> None:
    with project.writing() as session:
        session.execute(update(t.Detector).where(t.Detector.id == detector_id).values(title=title))


def remove_detector(project: Project, detector_id: int) -> None:
    """Hide it; its results and files stay. `restore_detector` brings it back."""
    with project.writing() as session:
        session.execute(update(t.Detector).where(t.Detector.id == detector_id).values(removed=t.now()))


def restore_detector(project: Project, detector_id: int) -> None:
    with project.writing() as session:
        session.execute(update(t.Detector).where(t.Detector.id == detector_id).values(removed=None))


def set_thresholds(
    project: Project, detector_id: int, class_id: int, thresholds: Thresholds, *, who: str = ""
) -> int:
    """Add to the history and judge every stored result of this detector and class anew; how many verdicts changed.

    Only rows whose decision flips are written, found by index, so 100,000 results take milliseconds. A person's
    override stays. To undo, set the earlier thresholds again.
    """
    numbers = (thresholds.review, thresholds.ng, thresholds.pixel)
    if not all(map(math.isfinite, numbers)) or thresholds.review > thresholds.ng:
        raise ProjectError(
            "Thresholds must be finite numbers, and the review threshold may not lie above the NG threshold.",
            "Choose other thresholds.",
        )
    decision = case(
        (t.Result.image_score >= thresholds.ng, Decision.NG),
        (t.Result.image_score >= thresholds.review, Decision.REVIEW),
        else_=Decision.OK,
    )
    with project.writing() as session:
        old = newest_thresholds(session, detector_id).get(class_id)
        session.add(_threshold(detector_id, class_id, thresholds, who))
        moved: ColumnElement[bool] = true()
        if (
            old is not None
        ):  # only scores between the old and the new numbers can flip: a short stretch of the index
            moves = ((old.review, thresholds.review), (old.ng, thresholds.ng))
            moved = or_(*(t.Result.image_score.between(min(pair), max(pair)) for pair in moves))
        flipped = session.execute(
            update(t.Result)
            .where(t.Result.detector_id == detector_id, t.Result.class_id == class_id, moved)
            .where(t.Result.image_score.is_not(None), t.Result.decision.is_distinct_from(decision))
            .values(decision=decision)
            .execution_options(synchronize_session=False)
        )
        return int(flipped.rowcount)  # type: ignore[attr-defined]


# jobs


def start_job(project: Project, kind: JobKind, title: str, total: int = 0) -> int:
    with project.writing() as session:
        row = t.Job(kind=kind, status=JobStatus.RUNNING, title=title, total=total)
        session.add(row)
        session.flush()
        return row.id


def end_job(
    project: Project,
    job_id: int,
    status: JobStatus,
    message: str = "",
    hint: str = "",
    result: Mapping[str, Any] | None = None,
) -> None:
    with project.writing() as session:
        session.execute(
            update(t.Job)
            .where(t.Job.id == job_id)
            .values(status=status, message=message, hint=hint, result=dict(result or {}), ended=t.now())
        )


# the rest is how it is done


def _suffix(data: bytes) -> str:
    for start, suffix in ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"BM", ".bmp"), (b"RIFF", ".webp")):
        if data.startswith(start):
            return suffix
    return ".tiff"


def plain_text(name: str) -> str:
    """A file name that SQLite can keep: bytes that are no UTF-8 are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _class_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise ProjectError("A class needs a name.", "Type the name of the product.")
    if len(name) > 100:
        raise ProjectError("A class name has at most 100 characters.", "Type a shorter name.")
    return name


def _same_name(project: Project, name: str) -> ProjectError:
    with project.reading() as session:
        other = session.scalar(
            select(t.Class.name).where(t.Class.key == class_key(name), t.Class.removed.is_(None))
        )
    return ProjectError(
        f"There is a class “{other}” already.", "Choose another name, or add shots to that class."
    )


def _change_class(project: Project, class_id: int, name: str, values: Mapping[str, Any]) -> None:
    try:
        with project.writing() as session:
            session.execute(update(t.Class).where(t.Class.id == class_id).values(values))
    except IntegrityError:
        raise _same_name(project, name) from None


def _add_shot(project: Project, class_id: int, source: Path | tuple[str, bytes]) -> AddedShot:
    name = plain_text(source.name if isinstance(source, Path) else source[0])
    try:
        if isinstance(source, Path):
            data = images.read_bytes(source)
            image = images.decode(data, name, source)
        else:
            data = source[1]
            image = images.decode(data, name)
    except InspectorError as error:
        return AddedShot(name, "failed", None, error.message, error.hint)
    facts = ImageFacts.of(image, data)
    keep_image(project, facts, data)
    with project.writing() as session:
        image_id = image_ids(session, [facts])[facts.sha256]
        own = session.scalar(select(t.Shot).where(t.Shot.class_id == class_id, t.Shot.image_id == image_id))
        if own is not None and own.removed is None:
            return AddedShot(name, "duplicate", own.id, f"“{name}” is the same image as “{own.name}”.")
        other = session.scalar(
            select(t.Class.name)
            .join(t.Shot, t.Shot.class_id == t.Class.id)
            .where(
                t.Shot.image_id == image_id,
                t.Shot.removed.is_(None),
                t.Class.removed.is_(None),
                t.Class.id != class_id,
            )
        )
        if own is None:
            own = t.Shot(class_id=class_id, image_id=image_id, name=name)
            session.add(own)
        own.removed = None
        session.flush()
        message = f"“{name}” is also a shot of “{other}”." if other else ""
        return AddedShot(name, "added", own.id, message)


def keep_image(project: Project, facts: ImageFacts, data: bytes) -> None:
    """Copy an image into the project, unless it is there (whole) already. Any thread may call."""
    target = project.path(image_name(facts.sha256, facts.suffix))
    if not target.is_file() or target.stat().st_size != len(data):
        write_file(project, target, data)


def write_file(project: Project, target: Path, data: bytes) -> None:
    with project.plain_errors():
        paths.write_atomic(target, data)


def _sync_folder(folder: Path) -> None:
    """Make a rename in it last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def image_ids(session: Session, wanted: Sequence[ImageFacts]) -> dict[str, int]:
    """sha256 → row id; new images get a row."""
    facts = {item.sha256: item for item in wanted}
    known: dict[str, int] = pairs(
        session.execute(
            select(t.StoredImage.sha256, t.StoredImage.id).where(t.StoredImage.sha256.in_(facts))
        ).all()
    )
    fresh = [
        t.StoredImage(sha256=key, suffix=item.suffix, width=item.size[0], height=item.size[1], mode=item.mode)
        for key, item in facts.items()
        if key not in known
    ]
    session.add_all(fresh)
    session.flush()
    return known | {row.sha256: row.id for row in fresh}


def _threshold(detector_id: int, class_id: int, values: Thresholds, who: str) -> t.Threshold:
    return t.Threshold(
        detector_id=detector_id,
        class_id=class_id,
        review=float(values.review),
        ng=float(values.ng),
        pixel=float(values.pixel),
        provenance=dict(values.provenance),
        who=who,
    )


def newest_thresholds(session: Session, detector_id: int) -> dict[int | None, t.Threshold]:
    rows = session.scalars(
        select(t.Threshold).where(t.Threshold.detector_id == detector_id).order_by(t.Threshold.id)
    )
    return {row.class_id: row for row in rows}
