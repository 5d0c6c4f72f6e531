"""Outlines of defects as people drew them, in place of what the anomaly map says; append-only, the newest of a result counts."""

import logging
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inspector.errors import ProjectError
from inspector.images.area import Polygon
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.project import Project

_log = logging.getLogger("inspector.records")

MOST_RINGS, MOST_CORNERS = 500, 20_000


@dataclass(frozen=True, slots=True)
class Outline:
    """`rings`: what lies within an odd number of them is defect; none: nothing is."""

    rings: tuple[Polygon, ...]
    who: str
    created: datetime


def set_outline(project: Project, result_id: int, rings: Collection[Polygon] | None, *, who: str) -> None:
    """Say where the defects of a result lie; None: where its map says so. To undo, set what was there before.

    Raises ProjectError for more rings or corners than are kept, and for corners beside the image.
    """
    if rings is not None and not fits(rings):
        raise ProjectError(
            f"An outline has at most {MOST_RINGS} parts and {MOST_CORNERS:,} corners, all within the image.",
            "Draw it with a larger brush.",
        )
    stored = None if rings is None else {"rings": [[list(corner) for corner in ring] for ring in rings]}
    with project.writing() as session:
        session.add(t.Outline(result_id=result_id, outline=stored, who=who))
        name = session.scalar(select(t.Result.name).where(t.Result.id == result_id)) or ""
        new = "as the map says" if rings is None else f"{len(rings)} outlines by hand"
        note(session, ActKind.OUTLINED, name, who=who, new=new)


def list_outlines(project: Project, result_ids: Collection[int]) -> dict[int, Outline]:
    """Result id → the outline that somebody drew, of those that have one. A damaged one counts as none."""
    with project.reading() as session:
        return _newest(session, result_ids)


def _newest(session: Session, result_ids: Collection[int]) -> dict[int, Outline]:
    newest = (
        select(func.max(t.Outline.id))
        .where(t.Outline.result_id.in_([*result_ids]))
        .group_by(t.Outline.result_id)
    )
    found = {}
    for row in session.scalars(select(t.Outline).where(t.Outline.id.in_(newest))):
        if row.outline is None:
            continue
        rings = _rings(row.outline)
        if rings is None:
            _log.warning("the outline of result %d is damaged and not used", row.result_id)
        else:
            found[row.result_id] = Outline(rings, row.who, row.created)
    return found


def _rings(stored: dict[str, Any]) -> tuple[Polygon, ...] | None:
    try:
        rings = tuple(tuple((float(x), float(y)) for x, y in ring) for ring in stored["rings"])
    except (KeyError, TypeError, ValueError):
        return None
    return rings if fits(rings) else None


def fits(rings: Collection[Polygon]) -> bool:
    """Whether an outline can be kept: not too many rings and corners, all within the image."""
    corners = [corner for ring in rings for corner in ring]
    within = all(math.isfinite(value) and 0 <= value <= 1 for corner in corners for value in corner)
    return within and len(rings) <= MOST_RINGS and len(corners) <= MOST_CORNERS
