"""Classes: products that are inspected, what state each is in, and what people said they look like."""

import json
import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import String, cast, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from inspector.errors import DetectorError, ImageError, ProjectError
from inspector.images.area import Area
from inspector.images.value_range import FULL, is_deep, offer, words
from inspector.methods import catalogue
from inspector.methods.prompts.description import PartDescription
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.detectors import in_charge
from inspector.records.files import find_image
from inspector.records.names import checked, class_key
from inspector.records.project import Project
from inspector.records.ranges import whites_of

MOST_PIXELS = 10_000
"""Of the smallest defect to find."""
_log = logging.getLogger("inspector.records")


class ClassState(StrEnum):
    """How far a class has come."""

    NEEDS_SHOTS = "needs shots"
    READY = "ready to teach"
    TAUGHT = "taught"
    OUT_OF_DATE = "out of date"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """`thumbnail`: file of the first shot. `detector_id`: the detector in charge of the class. `note`: why it is out
    of date, in a sentence, or "". `white`: the end of the range that was chosen for its files of more than 8 bits; `modes`:
    what its shots are, see `Image.mode`; `range_changed`: it was taught with another range. `smallest`: across how many
    pixels of its pictures the smallest defect to find reaches; None where pictures are looked at as a whole. `sides`: the
    sizes (width, height) of its shots. `scale`: millimetres of a pixel of its pictures, None while nobody said. `area`: what of its pictures is inspected, None: all."""

    id: int
    name: str
    shots: int
    state: ClassState
    thumbnail: Path | None
    detector_id: int | None
    created: datetime
    note: str = ""
    white: int | None = None
    modes: tuple[str, ...] = ()
    range_changed: bool = False
    smallest: int | None = None
    sides: tuple[tuple[int, int], ...] = ()
    area: Area | None = None
    scale: float | None = None

    @property
    def range_counts(self) -> bool:
        """Whether it makes a difference in which range its images are read."""
        return self.white is not None or any(map(is_deep, self.modes))

    @property
    def offer(self) -> str:
        """Whether to read them in a narrower range, as a question; "" where nothing speaks for it, or somebody chose."""
        return offer(self.modes) if self.white is None else ""


def list_classes(project: Project) -> list[ClassRow]:
    """Every class not removed, by name."""
    with project.reading() as session:
        rows = session.scalars(select(t.Class).where(t.Class.removed.is_(None))).all()
        shots: dict[int, dict[int, tuple[str, str]]] = {}
        modes: dict[int, dict[str, None]] = {}
        sides: dict[int, dict[tuple[int, int], None]] = {}
        for class_id, shot_id, image in session.execute(
            select(t.Shot.class_id, t.Shot.id, t.StoredImage)
            .join(t.StoredImage)
            .where(t.Shot.removed.is_(None), t.Shot.place.is_(None))
            .order_by(t.Shot.id)
        ):
            shots.setdefault(class_id, {})[shot_id] = image.sha256, image.suffix
            modes.setdefault(class_id, {})[image.mode or ""] = None
            sides.setdefault(class_id, {})[image.size] = None
        newest = in_charge(session)
        taught: dict[tuple[int, int], set[int]] = {}
        places: dict[int, set[int]] = {}
        for class_id, shot_id in session.execute(
            select(t.Shot.class_id, t.Shot.id).where(t.Shot.removed.is_(None), t.Shot.place.is_not(None))
        ):
            places.setdefault(class_id, set()).add(shot_id)
        remembered: dict[tuple[int, int], set[int]] = {}  # the places
        for key, class_id, shot_id, partial in session.execute(
            select(t.DetectorShot.detector_id, t.Shot.class_id, t.Shot.id, t.Shot.place.is_not(None))
            .join(t.Shot, t.DetectorShot.shot_id == t.Shot.id)
            .where(t.DetectorShot.detector_id.in_(newest.values()))
        ):
            (remembered if partial else taught).setdefault((key, class_id), set()).add(shot_id)
        known = {
            row.id: row
            for row in session.scalars(select(t.Detector).where(t.Detector.id.in_(newest.values())))
        }
        described = any(catalogue.reads_descriptions(row.method) for row in known.values())
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
            of = detector_id, row.id
            known_places = remembered.get(of, set())
            if taught.get(of) != own.keys():
                note = "Its shots were changed after it was taught."
            elif known_places != places.get(row.id, set()):
                note = "It doesn't know what was called no defect since, or what no longer is."
            note = _out_of_date(known[detector_id], row, note, known_places, descriptions.get(row.id))
            state = ClassState.OUT_OF_DATE if note else ClassState.TAUGHT
        thumbnail = find_image(project, *next(iter(own.values())))[0] if own else None
        kinds = tuple(modes.get(row.id, ()))
        changed = bool(note) and _range_changed(known[newest[row.id]], row)
        result.append(
            ClassRow(
                id=row.id,
                name=row.name,
                shots=len(own),
                state=state,
                thumbnail=thumbnail,
                detector_id=detector_id,
                created=row.created,
                note=note,
                white=row.white,
                modes=kinds,
                range_changed=changed,
                smallest=row.smallest,
                scale=row.scale if row.scale and row.scale > 0 else None,
                sides=tuple(sides.get(row.id, ())),
                area=_area(row),
            )
        )
    return sorted(result, key=lambda row: row.name.casefold())


def find_class(project: Project, name: str) -> ClassRow:
    """By name, whatever its case and spaces. Raises `ProjectError` when there is none."""
    rows = list_classes(project)
    for row in rows:
        if class_key(row.name) == class_key(name):
            return row
    names = ", ".join(row.name for row in rows) or "none yet"
    raise ProjectError(f"There is no class “{name}” in this project.", f"The classes are: {names}.")


def list_descriptions(project: Project) -> dict[int, PartDescription]:
    """Class id → what people said it looks like. A damaged description is left out, with a line in the log."""
    with project.reading() as session:
        return _descriptions(session)


def add_class(project: Project, name: str) -> int:
    """A new class; its id. Another class of that name, whatever its case and spaces, is refused."""
    name = checked(name, "class")
    try:
        with project.writing() as session:
            row = t.Class(name=name, key=class_key(name))
            session.add(row)
            session.flush()
            note(session, ActKind.CLASS_ADDED, name)
            return row.id
    except IntegrityError:
        raise _same_name(project, name) from None


def rename_class(project: Project, class_id: int, name: str) -> None:
    """Give a class another name. Raises ProjectError for one that is taken or empty."""
    name = checked(name, "class")
    _change_class(project, class_id, {"name": name, "key": class_key(name)}, ActKind.CLASS_RENAMED, str)


def remove_class(project: Project, class_id: int) -> None:
    """Hide a class with its shots. Results and detectors keep it; `restore_class` brings it back."""
    _change_class(project, class_id, {"removed": t.now()}, ActKind.CLASS_REMOVED)


def restore_class(project: Project, class_id: int) -> None:
    """Take back `remove_class`. Raises ProjectError when its name was given away meanwhile."""
    _change_class(project, class_id, {"removed": None}, ActKind.CLASS_RESTORED)


def describe_class(project: Project, class_id: int, description: PartDescription | None) -> None:
    """Keep what the product looks like; None goes back to the suggestion that follows from its name."""
    value = None if description is None else description.as_json()
    _change_class(project, class_id, {"description": value}, ActKind.DESCRIPTION, _described)


def set_smallest(project: Project, class_id: int, pixels: int | None) -> None:
    """Choose across how many pixels of a class's pictures the smallest defect to find reaches; None: look at them as a whole.
    Detectors keep what they were taught with. Raises `ProjectError`."""
    if pixels is not None and not 2 <= pixels <= MOST_PIXELS:
        raise ProjectError(
            f"A smallest defect can't be {pixels:,} pixels across.",
            f"Choose from 2 to {MOST_PIXELS:,} pixels.",
        )
    _change_class(project, class_id, {"smallest": pixels}, ActKind.SMALLEST, _across)


def set_scale(project: Project, class_id: int, scale: float | None) -> None:
    """How many millimetres a pixel of a class's pictures is; None: nobody knows. Changes how sizes are said, nothing else. Raises
    `ProjectError`."""
    if scale is not None and not 1e-6 <= scale <= 1e4:
        raise ProjectError(
            "A pixel can't be that large or small.", "Draw the line anew, and type its length in millimetres."
        )
    _change_class(project, class_id, {"scale": scale}, ActKind.SCALE, _scale_words)


def set_area(project: Project, class_id: int, area: Area | None) -> None:
    """Choose what of a class's pictures is inspected; None: all. Detectors keep what they were taught with. Raises
    `ImageError` for an area that no class can have."""
    if area is not None:
        area.check()
    value = None if area is None else area.as_json()
    _change_class(project, class_id, {"area": value}, ActKind.AREA, _regions)


def _area(row: t.Class) -> Area | None:
    if row.area is None:
        return None
    try:
        return Area.from_json(row.area)
    except ImageError as error:
        _log.warning("the regions of “%s” are not used: %s", row.name, error.message)
        return None


def _descriptions(session: Session) -> dict[int, PartDescription]:
    text = cast(t.Class.description, String)  # as it is stored, for it may be no JSON
    found = {}
    for class_id, name, value in session.execute(
        select(t.Class.id, t.Class.name, text).where(t.Class.description.is_not(None))
    ):
        try:
            found[class_id] = PartDescription.loads(value)
        except DetectorError as error:
            _log.warning("the description of “%s” is not used: %s", name, error.message)
    return found


def _out_of_date(
    row: t.Detector, of: t.Class, shots: str, places: Container[int], description: PartDescription | None
) -> str:
    """Why a class should be taught again, in a sentence, or "". `shots`: what of it is said of its shots; `places`: those that the
    detector knows."""
    class_id = of.id
    if _range_changed(row, of):
        now, before = words(of.white or FULL), words(whites_of(row.whites).get(class_id, FULL))
        return f"The range {now} was chosen after it was taught; until it is taught again, images are read in {before}."
    if catalogue.smallest(row.settings).get(row.taught_names.get(str(class_id), "")) != of.smallest:
        return "The smallest defect to find was changed after it was taught."
    area = _area(of)
    if catalogue.areas(row.settings).get(row.taught_names.get(str(class_id), "")) != (
        area and area.as_json()
    ):
        return "What is inspected of its pictures was changed after it was taught."
    if shots:
        return shots
    info = catalogue.METHODS.get(row.method)
    added = [one for one in (row.added_shots or {}).get(str(class_id), ()) if one not in places]
    if info is not None and info.learns and added:
        return "The memory knows all shots; the prompts were learned without the newest."
    if catalogue.reads_descriptions(row.method):
        taught_with = catalogue.descriptions(row.settings).get(row.taught_names.get(str(class_id), ""))
        if taught_with != (description.as_json() if description is not None else None):
            return "Its description was changed after it was taught."
    return ""


def _range_changed(row: t.Detector, of: t.Class) -> bool:
    """Whether a detector reads a class in another range than was chosen for it."""
    return (whites_of(row.whites).get(of.id) or FULL) != (of.white or FULL)


def _same_name(project: Project, name: str) -> ProjectError:
    with project.reading() as session:
        other = session.scalar(
            select(t.Class.name).where(t.Class.key == class_key(name), t.Class.removed.is_(None))
        )
    return ProjectError(
        f"There is a class “{other}” already.", "Choose another name, or add shots to that class."
    )


def _change_class(
    project: Project,
    class_id: int,
    values: Mapping[str, Any],
    kind: ActKind,
    words: Callable[[Any], str] | None = None,
) -> None:
    """`words`: of the first value, for the audit, which gets no line where nothing changes."""
    name = ""
    try:
        with project.writing() as session:
            column = next(iter(values))
            stored = getattr(t.Class, column)
            stored = cast(stored, String) if column == "description" else stored  # it may be no JSON
            found = session.execute(select(t.Class.name, stored).where(t.Class.id == class_id)).first()
            if found is None:
                return
            name = str(values.get("name", found.name))
            session.execute(update(t.Class).where(t.Class.id == class_id).values(values))
            if words is None:
                note(session, kind, name)
            elif (old := words(found[1])) != (new := words(values[column])):
                note(session, kind, found.name, old=old, new=new)
    except IntegrityError:
        raise _same_name(project, name) from None


def _described(value: Any) -> str:
    """A description, given or as it is stored, in all that people said of it."""
    if value is None:
        return "as its name says"
    try:
        found = PartDescription.loads(value if isinstance(value, str) else json.dumps(value)).as_json()
    except DetectorError:
        return "damaged"
    parts = [found, *found.pop("entities")]
    return "; ".join(", ".join(f"{key}: {said}" for key, said in part.items() if said) for part in parts)


def _across(pixels: int | None) -> str:
    return "pictures as a whole" if pixels is None else f"{pixels:,} pixels"


def _scale_words(scale: float | None) -> str:
    return "no scale" if scale is None else f"{scale:.4g} mm a pixel"


def _regions(area: Mapping[str, Any] | None) -> str:
    """How many regions, and what tells them from others."""
    if area is None:
        return "the whole picture"
    try:
        found = Area.from_json(area)
    except ImageError:
        return "damaged"
    counts = f"{len(found.inspected)} to inspect, {len(found.ignored)} to ignore"
    return f"{found.share:.1%} of the picture ({counts}, {found.key})"
