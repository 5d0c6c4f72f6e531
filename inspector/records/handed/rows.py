"""A detector with all that belongs to it, read from one project and put into another."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.domain import Decision, Proposal, Thresholds
from inspector.errors import HandOverError
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.classes import list_classes, list_descriptions
from inspector.records.detectors import DetectorRow, list_memory
from inspector.records.files import ImageFacts, find_image, image_ids
from inspector.records.handed.content import Handed, HandedClass, HandedImage
from inspector.records.names import checked, class_key
from inspector.records.project import Project
from inspector.records.qualification.golden import Seen, keep_golden_scores
from inspector.records.taught.new_detectors import NewDetector, insert_detector, moving_in
from inspector.records.thresholds import list_calibrated, list_thresholds


def read_handed(project: Project, row: DetectorRow, who: str) -> tuple[Handed, dict[str, Path]]:
    """What a detector takes along, and where its images lie: sha256 → file. Raises `HandOverError` where one is missing or a class
    is gone or has no thresholds."""
    classes = {one.id: one for one in list_classes(project)}
    descriptions = list_descriptions(project)
    calibrated, current = list_calibrated(project, row.id), list_thresholds(project, row.id)
    memory, places = list_memory(project, row.id), list_memory(project, row.id, places=True)
    files: dict[str, Path] = {}
    found = []
    with project.reading() as session:
        for class_id, taught_name in row.taught_names.items():
            known = classes.get(class_id)
            if known is None or class_id not in calibrated or class_id not in current:
                raise HandOverError(
                    f"The class “{row.classes[class_id]}” of this detector was removed, or its thresholds are damaged.",
                    "Bring the class back, or teach again without it.",
                )
            ids = [*memory.get(class_id, ()), *places.get(class_id, ())]
            shots = _shots(project, session, ids, files)
            golden = _golden(project, session, class_id, files)
            order = {key: number for number, key in enumerate(ids)}
            now = current[class_id]
            moved = now.thresholds != calibrated[class_id]
            found.append(
                HandedClass(
                    name=known.name,
                    taught_name=taught_name,
                    calibrated=_told(calibrated[class_id], order),
                    chosen=_told(now.thresholds, order) if moved else None,
                    who=now.who,
                    held_out=row.held_out[class_id],
                    shots=shots,
                    added=tuple(order[key] for key in row.added_shots.get(class_id, ()) if key in order),
                    golden=golden,
                    white=known.white,
                    taught_white=row.whites.get(class_id),
                    smallest=known.smallest,
                    area=None if known.area is None else known.area.as_json(),
                    description=descriptions[class_id].as_json() if class_id in descriptions else None,
                    product=row.products.get(class_id),
                )
            )
    backbone = dict(row.backbone)
    backbone["weights"] = Path(str(backbone.get("weights", ""))).name  # a file's folder is nobody's business
    handed = Handed(
        title=row.title,
        method=row.method,
        backbone=backbone,
        settings=dict(row.settings),
        rate=row.false_alarm_rate,
        classes=tuple(found),
        files={sha256: path.suffix for sha256, path in files.items()},
        project=project.name,
        detector=row.id,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        by=who,
    )
    return handed, files


def _shots(
    project: Project, session: Session, ids: Sequence[int], files: dict[str, Path]
) -> tuple[HandedImage, ...]:
    rows = {
        shot.id: (shot, image)
        for shot, image in session.execute(
            select(t.Shot, t.StoredImage)
            .join(t.StoredImage, t.Shot.image_id == t.StoredImage.id)
            .where(t.Shot.id.in_([*ids]))
        )
    }
    found = []
    for key in ids:
        shot, image = rows[key]
        _take(project, image, shot.name, files)
        found.append(
            HandedImage(
                image.sha256,
                shot.name,
                place=shot.place,
                confirmed=shot.confirmed_good is not None,
                removed=shot.removed is not None,
            )
        )
    return tuple(found)


def _golden(
    project: Project, session: Session, class_id: int, files: dict[str, Path]
) -> tuple[HandedImage, ...]:
    found = []
    for part, image in session.execute(
        select(t.GoldenPart, t.StoredImage)
        .join(t.StoredImage, t.GoldenPart.image_id == t.StoredImage.id)
        .where(t.GoldenPart.class_id == class_id, t.GoldenPart.removed.is_(None))
        .order_by(t.GoldenPart.id)
    ):
        expected = t.word(Decision, part.expected)
        if expected is not None:
            _take(project, image, part.name, files)
            found.append(HandedImage(image.sha256, part.name, expected=expected))
    return tuple(found)


def _take(project: Project, image: t.StoredImage, name: str, files: dict[str, Path]) -> None:
    path, missing = find_image(project, image.sha256, image.suffix)
    if missing:
        raise HandOverError(
            f"The image of “{name}” is missing from the project folder, so the detector can't be handed over whole.",
            "Put it back, or remove the part from the golden set or the shots and teach again.",
        )
    files[image.sha256] = path


def _told(thresholds: Thresholds, order: Mapping[int, int]) -> Thresholds:
    """The same with words that hold elsewhere too: shots by their place; of parts confirmed good only how many there were, as what
    they scored hangs on images that stay here."""
    told = dict(thresholds.provenance)
    for what in ("outliers", "confirmed"):
        if isinstance(told.get(what), list):
            told[what] = [order[key] for key in told[what] if key in order]
    if isinstance(told.get("good"), dict):
        told.setdefault("confirmed_parts", len(told["good"]))
        told["good"] = {}
    return replace(thresholds, provenance=told)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A detector that arrived. `staging`: the folder with its files. `facts`: sha256 → what each image is; they are kept already.
    `names`: what each class is called here, in the order of `content.classes`. `seen`: what it says here of golden parts, by
    (class, sha256). `source`: the file, for the audit; `fingerprint`: of its content."""

    content: Handed
    staging: Path
    facts: Mapping[str, ImageFacts]
    names: Sequence[str]
    backbone: Mapping[str, Any]
    seen: Mapping[tuple[int, str], Seen]
    source: str
    fingerprint: str


def free_names(project: Project, wanted: Iterable[str]) -> list[str]:
    """The names as classes have them. Raises `HandOverError` for one that a class here has, or that two would get: classes are never
    merged, as nobody knows that they are the same product."""
    names = [checked(name, "class") for name in wanted]
    known = {class_key(row.name): row.name for row in list_classes(project)}
    seen: set[str] = set()
    for name in names:
        key = class_key(name)
        if key in known or key in seen:
            raise HandOverError(
                f"There is a class “{known[key]}” in this project already, and classes are never merged."
                if key in known
                else f"Two of the classes would be called “{name}” here, and classes are never merged.",
                "Give the one that arrives another name.",
            )
        seen.add(key)
    return names


def insert_handed(
    project: Project, arrival: Arrival, *, proposal: Proposal | None, who: str, job_id: int
) -> tuple[int, list[int]]:
    """Put it into a project, whole or not at all: (detector, classes). Raises `HandOverError` for a name that is taken."""
    content = arrival.content
    with moving_in() as moved, project.writing() as session:
        ids = image_ids(project, session, list(arrival.facts.values()))
        taken = set(session.scalars(select(t.Class.key).where(t.Class.removed.is_(None))))
        class_ids: list[int] = []
        shots: list[list[int]] = []
        parts: dict[int, Seen | None] = {}
        for number, (one, name) in enumerate(zip(content.classes, arrival.names, strict=True)):
            if class_key(name) in taken:
                raise HandOverError(f"There is a class “{name}” already.", "Give it another name.")
            row = t.Class(name=name, key=class_key(name), white=one.white, smallest=one.smallest)
            row.area, row.description = one.area, one.description
            session.add(row)
            session.flush()
            class_ids.append(row.id)
            shots.append([_add_shot(session, row.id, ids[shot.sha256], shot) for shot in one.shots])
            for image in one.golden:
                part = t.GoldenPart(
                    class_id=row.id,
                    image_id=ids[image.sha256],
                    name=image.name,
                    expected=image.expected,
                    who=who,
                )
                session.add(part)
                session.flush()
                parts[part.id] = arrival.seen.get((number, image.sha256))
        new = _new(arrival, class_ids, shots, proposal, job_id)
        detector_id = insert_detector(project, session, new, moved)
        keep_golden_scores(project, detector_id, {key: said for key, said in parts.items() if said})
        came = f"{arrival.source} (#{content.detector} of “{content.project}”, {content.made})"
        now = "in charge" if proposal is None else "only proposed"
        told = f"#{detector_id} {content.title}, {', '.join(arrival.names)} ({now})"
        note(session, ActKind.TAKEN_OVER, told, who=who, old=came, new=f"sha256 {arrival.fingerprint}")
    return detector_id, class_ids


def _add_shot(session: Session, class_id: int, image_id: int, shot: HandedImage) -> int:
    row = t.Shot(class_id=class_id, image_id=image_id, name=shot.name, place=shot.place)
    row.confirmed_good = t.now() if shot.confirmed else None
    row.removed = t.now() if shot.removed else None
    session.add(row)
    session.flush()
    return row.id


def _new(
    arrival: Arrival,
    class_ids: Sequence[int],
    shots: Sequence[Sequence[int]],
    proposal: Proposal | None,
    job_id: int,
) -> NewDetector:
    content = arrival.content
    of = list(zip(class_ids, content.classes, shots, strict=True))
    return NewDetector(
        folder=arrival.staging,
        title=content.title,
        method=content.method,
        backbone=arrival.backbone,
        settings=content.settings,
        false_alarm_rate=content.rate,
        shot_ids=[key for own in shots for key in own],
        held_out={key: one.held_out for key, one, _ in of},
        thresholds={key: _here(one.calibrated, own) for key, one, own in of},
        chosen={key: (_here(one.chosen, own), one.who) for key, one, own in of if one.chosen is not None},
        taught_names={key: one.taught_name for key, one, _ in of},
        whites={key: one.taught_white for key, one, _ in of if one.taught_white is not None},
        products={key: one.product for key, one, _ in of if one.product is not None},
        added_shots={key: [own[place] for place in one.added] for key, one, own in of if one.added},
        proposal=proposal,
        job_id=job_id,
        taken_over=True,
    )


def _here(thresholds: Thresholds, shots: Sequence[int]) -> Thresholds:
    """With the shots of this project in their words."""
    told = dict(thresholds.provenance)
    for what in ("outliers", "confirmed"):
        if isinstance(told.get(what), list):
            told[what] = [
                shots[place] for place in told[what] if type(place) is int and 0 <= place < len(shots)
            ]
    return replace(thresholds, provenance=told)


def thresholds_of(one: HandedClass) -> Thresholds:
    """Those that count."""
    return one.chosen or one.calibrated
