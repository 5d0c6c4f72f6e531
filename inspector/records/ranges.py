"""The range in which files of more than 8 bits are read, by its end, the value that becomes white.

Chosen for a class (`classes.white`; NULL: nobody did, so what the files say), and kept with every detector by class id
(`detectors.whites`; NULL: none), which reads all its images in it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inspector.errors import ProjectError
from inspector.images.value_range import ENDS, FULL, LEAST, words
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.project import Project


def set_white(project: Project, class_id: int, white: int | None) -> None:
    """Choose the range, by its end, in which files of more than 8 bits are read when the class is taught; None: what the
    files say. Detectors keep the one that they were taught with. Raises `ProjectError`."""
    if white is not None and not LEAST <= white <= FULL:
        raise ProjectError(
            f"A range can't end at {white:,}.",
            f"Choose the brightest value of your camera: {', '.join(f'{end} for {bits} bits' for bits, end in ENDS.items())}.",
        )
    with project.writing() as session:
        row = session.execute(select(t.Class.name, t.Class.white).where(t.Class.id == class_id)).first()
        if row is not None and row.white != white:
            session.execute(update(t.Class).where(t.Class.id == class_id).values(white=white))
            note(session, ActKind.RANGE, row.name, old=words(row.white), new=words(white))


def whites_of(stored: Mapping[str, Any] | None) -> dict[int, int]:
    """Class id → end of its range, as a detector's row holds them; what is damaged is left out."""
    found = (stored or {}).items()
    return {int(key): one for key, one in found if key.isdecimal() and type(one) is int and one > 0}


def list_whites(session: Session) -> dict[tuple[int, int | None], int]:
    """(detector, class) → end of the range in which its images are read; those without one are left out."""
    rows = session.execute(select(t.Detector.id, t.Detector.whites).where(t.Detector.whites.is_not(None)))
    return {(key, class_id): one for key, stored in rows for class_id, one in whites_of(stored).items()}
