"""Normal shots of classes, in the order in which they were added."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inspector.errors import InspectorError, ProjectError
from inspector.images import read as images
from inspector.images.area import Polygon
from inspector.images.likeness import Look, look, same_picture
from inspector.images.value_range import narrower
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.files import ImageFacts, find_image, image_ids, is_kept, keep_image
from inspector.records.names import file_name
from inspector.records.project import Project
from inspector.records.tables.columns import number_list
from inspector.records.thresholds import confirm_thresholds

_log = logging.getLogger("inspector.records")
LOSSY = frozenset([".jpg", ".webp"])
"""Suffixes of kept images whose format may have changed the picture."""


_MOST_CORNERS = 2000


@dataclass(frozen=True, slots=True)
class ShotRow:
    """`duplicate_of`: name of another class that has the same image, or "". `odd_size`: its size differs from that of
    most shots of its class. `missing`: the file is gone from the project folder. `size`: (width, height).
    `confirmed_good`: a person said so though it stands out from the others. `white`: the end of the range that was chosen
    for its class. `place`: None for a shot; else what of the image `who` called no defect."""

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
    confirmed_good: bool
    white: int | None
    created: datetime
    place: Polygon | None = None
    who: str = ""

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Around its place: left, top, width, height in shares of the image's sides."""
        if self.place is None:
            return None
        across, down = zip(*self.place, strict=True)
        return min(across), min(down), max(across) - min(across), max(down) - min(down)


@dataclass(frozen=True, slots=True)
class AddedShot:
    """What became of one file: `added` (`shot_id`), `duplicate` of a shot that the class has (`shot_id` is that one),
    also when another file holds the same picture, or `failed`. `message` and `hint` tell people; `message` is also
    set when another class has the same image, and for what `Image.note` says."""

    name: str
    status: Literal["added", "duplicate", "failed"]
    shot_id: int | None = None
    message: str = ""
    hint: str = ""


def list_shots(project: Project, class_id: int | None = None) -> list[ShotRow]:
    """The shots (of one class) that were not removed, oldest first."""
    return [row for row in list_shots_and_places(project, class_id) if row.place is None]


def list_places(project: Project, class_id: int | None = None) -> list[ShotRow]:
    """The places (of one class) that were called no defect, oldest first; without those that were taken back or are damaged."""
    return [row for row in list_shots_and_places(project, class_id) if row.place is not None]


def list_shots_and_places(project: Project, class_id: int | None = None) -> list[ShotRow]:
    """Both, the shots first."""
    with project.reading() as session:
        rows = session.execute(
            select(t.Shot, t.StoredImage, t.Class.name, t.Class.white, t.Shot.place.is_not(None))
            .join(t.StoredImage, t.Shot.image_id == t.StoredImage.id)
            .join(t.Class, t.Shot.class_id == t.Class.id)
            .where(t.Shot.removed.is_(None), t.Class.removed.is_(None))
            .order_by(t.Shot.place.is_not(None), t.Shot.id)
        ).all()
    owners: dict[int, list[tuple[int, str]]] = {}
    sizes: dict[int, Counter[tuple[int, int]]] = {}
    for shot, image, name, _, partial in rows:
        if partial:
            continue
        owners.setdefault(image.id, []).append((shot.class_id, name))
        sizes.setdefault(shot.class_id, Counter())[image.size] += 1
    result = []
    for shot, image, name, white, partial in rows:
        if class_id is not None and shot.class_id != class_id:
            continue
        place = _outline(shot.place) if partial else None
        who = (shot.place or {}).get("who", "") if partial else ""
        if partial and place is None:
            _log.warning("a place of “%s” in “%s” is damaged and not used", name, shot.name)
            continue
        path, missing = find_image(project, image.sha256, image.suffix)
        size = image.size
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
                missing=missing,
                duplicate_of=next((other for own, other in owners[image.id] if own != shot.class_id), "")
                if not partial
                else "",
                odd_size=not partial and size != sizes[shot.class_id].most_common(1)[0][0],
                confirmed_good=shot.confirmed_good is not None,
                white=white,
                created=shot.created,
                place=place,
                who=who if isinstance(who, str) else "",
            )
        )
    return result


def add_shots(
    project: Project, class_id: int, sources: Iterable[Path | tuple[str, bytes]]
) -> list[AddedShot]:
    """Copy files, or (name, bytes) pairs from the clipboard, into the project as shots of a class.

    A file that can't be read is reported and the others go on. A shot that was removed before comes back as itself. Those that
    can be read are added together or not at all.
    """
    project.require_writable()
    with project.reading() as session:
        white = session.scalar(select(t.Class.white).where(t.Class.id == class_id))
    shots = list_shots(project, class_id)
    seen = [(row.sha256, row.name, row.path) for row in shots]
    read: list[_ReadShot | AddedShot] = []
    for source in sources:
        one = _read_shot(project, source, white, seen)
        read.append(one)
        if isinstance(one, _ReadShot) and not one.same:
            seen.append((one.facts.sha256, one.name, project.folder))  # what it shows is known already
    known = {row.sha256: row.id for row in shots}
    with project.writing() as session:
        results = [
            one if isinstance(one, AddedShot) else _add_shot(project, session, class_id, one, known)
            for one in read
        ]
        if added := [one.name for one in results if one.status == "added"]:
            name = session.scalar(select(t.Class.name).where(t.Class.id == class_id)) or ""
            note(session, ActKind.SHOTS_ADDED, name, new=few(added))
    return results


def add_place(project: Project, result_id: int, outline: Polygon, who: str = "") -> int:
    """What a result's image shows within an outline, in shares of its sides, is no defect of its class; the id of the place.
    `remove_shots` takes it back. Raises `ProjectError` for a result that is gone, without class or image or of a removed class,
    for what is no outline inside an image, and where the same was said before."""
    said = {"outline": [[round(float(x), 5), round(float(y), 5)] for x, y in outline], "who": who}
    if _outline(said) is None:
        raise ProjectError("This place lies beside the image.", "Choose one inside it.")
    with project.writing() as session:
        found = session.execute(
            select(
                t.Result.class_id,
                t.Result.image_id,
                t.Result.name,
                t.Class.removed,
                t.Class.name.label("title"),
            )
            .join(t.Class, t.Result.class_id == t.Class.id)
            .where(t.Result.id == result_id, is_kept())
        ).first()
        if found is None or found.removed is not None:
            raise ProjectError(
                "This result has no class or no image any more, so nothing can be learned of it.",
                "Bring its class back with Undo, or inspect the image again.",
            )
        for other in session.scalars(
            select(t.Shot).where(
                t.Shot.class_id == found.class_id,
                t.Shot.image_id == found.image_id,
                t.Shot.place.is_not(None),
                t.Shot.removed.is_(None),
            )
        ):
            if (other.place or {}).get("outline") == said["outline"]:
                raise ProjectError("This place was called no defect already.")
        row = t.Shot(class_id=found.class_id, image_id=found.image_id, name=found.name, place=said)
        session.add(row)
        session.flush()
        note(session, ActKind.NO_DEFECT, found.title, who=who, new=found.name, reason=_where(outline))
        return row.id


def _where(outline: Polygon) -> str:
    """Around a place, in shares of the image's sides."""
    across, down = zip(*outline, strict=True)
    return f"{min(across):.1%} to {max(across):.1%} across, {min(down):.1%} to {max(down):.1%} down"


def _outline(said: Any) -> Polygon | None:
    """Of a stored place; None for anything but corners inside an image."""
    corners = said.get("outline") if isinstance(said, dict) else None
    if not isinstance(corners, list) or not 3 <= len(corners) <= _MOST_CORNERS:
        return None
    found = [number_list(one) for one in corners]
    if not all(len(one) == 2 and min(one) >= 0 and max(one) <= 1 for one in found):
        return None
    return tuple((x, y) for x, y in found)


def remove_shots(project: Project, shot_ids: Iterable[int]) -> None:
    """Detectors that were taught on them keep them; `restore_shots` brings them back."""
    with project.writing() as session:
        _change(session, shot_ids, ActKind.SHOTS_REMOVED, ActKind.NO_DEFECT_REMOVED, removed=t.now())


def restore_shots(project: Project, shot_ids: Iterable[int]) -> None:
    """Take back `remove_shots`."""
    with project.writing() as session:
        _change(session, shot_ids, ActKind.SHOTS_RESTORED, ActKind.NO_DEFECT, removed=None)


def confirm_shots(project: Project, shot_ids: Iterable[int], good: bool = True) -> None:
    """A person says that shots which stand out from the others are good (or, `good` False, takes that back). What the
    thresholds of detectors promise follows."""
    kind = ActKind.SHOTS_GOOD if good else ActKind.SHOTS_DOUBTED
    with project.writing() as session:
        classes = _change(session, shot_ids, kind, kind, confirmed_good=t.now() if good else None)
        confirm_thresholds(session, classes)


def _change(
    session: Session, shot_ids: Iterable[int], kind: ActKind, of_places: ActKind, **values: Any
) -> set[int]:
    """Change shots and places, with a line in the audit for each class and kind; their classes."""
    ids = [int(shot_id) for shot_id in shot_ids]
    session.execute(update(t.Shot).where(t.Shot.id.in_(ids)).values(values))
    found: dict[tuple[int, str, bool], list[str]] = {}
    for class_id, name, partial, shot in session.execute(
        select(t.Shot.class_id, t.Class.name, t.Shot.place.is_not(None), t.Shot.name)
        .join(t.Class, t.Shot.class_id == t.Class.id)
        .where(t.Shot.id.in_(ids))
        .order_by(t.Shot.id)
    ):
        found.setdefault((class_id, name, partial), []).append(shot)
    for (_, name, partial), names in found.items():
        note(session, of_places if partial else kind, name, new=few(names))
    return {class_id for class_id, _, _ in found}


@dataclass(frozen=True, slots=True)
class _ReadShot:
    """A file that was read. `same`: another of its class shows the same picture, by its sha256 and name."""

    name: str
    facts: ImageFacts
    note: str
    same: tuple[str, str] | None


def _read_shot(
    project: Project,
    source: Path | tuple[str, bytes],
    white: int | None,
    seen: Sequence[tuple[str, str, Path]],
) -> _ReadShot | AddedShot:
    """`seen`: sha256, name and file of the shots that the class has or gets. The same picture out of another file counts once:
    scored without itself it would find itself again, and say of good parts that they don't differ."""
    name = file_name(source.name if isinstance(source, Path) else source[0])
    try:
        if isinstance(source, Path):
            data = images.read_bytes(source)
            image = images.decode(data, name, source, white=white)
        else:
            data = source[1]
            image = images.decode(data, name, white=white)
        narrow = images.decode(data, name, white=narrower([image.mode])) if image.white else image
    except InspectorError as error:
        return AddedShot(name, "failed", None, error.message, error.hint)
    facts = ImageFacts.of(image, data)
    shown = _looks[facts.sha256] = look(narrow, facts.suffix in LOSSY)
    for sha256, other, path in seen:
        found = None if sha256 == facts.sha256 else _look(sha256, path)
        if found is not None and same_picture(shown, found):
            return _ReadShot(name, facts, image.note, (sha256, other))
    keep_image(project, facts, data)
    return _ReadShot(name, facts, image.note, None)


def _add_shot(
    project: Project, session: Session, class_id: int, new: _ReadShot, known: dict[str, int]
) -> AddedShot:
    """`known`: sha256 → shot of the class, to which it is added."""
    name = new.name
    if new.same is not None:
        said = f"“{name}” is the same picture as “{new.same[1]}” and counts once."
        return AddedShot(name, "duplicate", known[new.same[0]], said)
    image_id = image_ids(project, session, [new.facts])[new.facts.sha256]
    own = session.scalar(
        select(t.Shot).where(t.Shot.class_id == class_id, t.Shot.image_id == image_id, t.Shot.place.is_(None))
    )
    if own is not None and own.removed is None:
        known[new.facts.sha256] = own.id
        said = "was there already" if own.name == name else f"is the same image as “{own.name}”"
        return AddedShot(name, "duplicate", own.id, f"“{name}” {said}.")
    other = session.scalar(
        select(t.Class.name)
        .join(t.Shot, t.Shot.class_id == t.Class.id)
        .where(
            t.Shot.image_id == image_id,
            t.Shot.place.is_(None),
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
    known[new.facts.sha256] = own.id
    message = f"“{name}” is also a shot of “{other}”." if other else ""
    if new.note:
        message = f"{message} “{name}”: {new.note}".strip()
    return AddedShot(name, "added", own.id, message)


_looks: dict[str, Look] = {}
"""sha256 of a file → what it shows in the narrowest range that holds its values, as in a wider one different pictures look
the same; so every shot is decoded once for this."""


def same_pictures(shots: Sequence[ShotRow]) -> dict[int, ShotRow]:
    """Shot id → the earlier one of its class that shows the same picture; projects of earlier versions hold such shots.

    Decodes those that were not looked at yet; lost and damaged ones are no copies.
    """
    found: dict[int, ShotRow] = {}
    seen: dict[int, list[tuple[ShotRow, Look]]] = {}
    for shot in shots:
        shown = _look(shot.sha256, shot.path)
        if shown is None:
            continue
        earlier = seen.setdefault(shot.class_id, [])
        same = next((row for row, other in earlier if same_picture(shown, other)), None)
        if same is not None:
            found[shot.id] = same
        else:
            earlier.append((shot, shown))
    return found


def _look(sha256: str, path: Path) -> Look | None:
    if sha256 not in _looks:
        try:
            image = images.read(path)
            if end := narrower([image.mode]):
                image = images.read(path, white=end)
            _looks[sha256] = look(image, path.suffix in LOSSY)
        except InspectorError:  # lost or damaged, as the list of shots says
            return None
    return _looks[sha256]
