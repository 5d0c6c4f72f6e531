"""Which images a station's rule lets go: marked first, deleted after, so that no row says that a file is there which is not.

Each rule goes through a station's arrivals once, in their order, and how far it came is kept like what an output was told. An
image goes only where nothing else holds it: nobody said anything of a result of it (a review, also a withdrawn one, an outline), it
is no shot, golden part or part of a study, not even a removed one, and no result of it came from elsewhere than this station.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session, aliased

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.audit import ActKind, note
from inspector.records.files import image_name, pairs
from inspector.records.project import Project
from inspector.records.ranges import list_whites

_READ = 500
"""Arrivals that are looked at together."""
_LAST = 1000
"""So many that were let go last are looked at again after a start: a kill leaves files of one piece at most."""
_TOGETHER = 4
"""Files that are deleted while what is to be stored waits."""
GRACE = 30.0
"""Seconds for which a file that was just written or wanted again stays: its row may not be stored yet."""


class Rule(StrEnum):
    """By what an image goes; the words are kept with how far each came."""

    EVERY = "keep every"
    DAYS = "keep days"
    GIGABYTES = "keep gigabytes"


@dataclass(frozen=True, slots=True)
class Question:
    """Which images of a station go by a rule, of those that came `before` a moment. `every`: so manieth that is good stays, 0: none."""

    station_id: int
    rule: Rule
    before: datetime
    every: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One arrival that a rule looked at. `seen`: good ones since one was kept. `image_id`: what may go, None where it stays;
    `place`: its file's name in the project; `white`: see `images.read`."""

    arrival_id: int
    seen: int
    image_id: int | None = None
    sha256: str = ""
    place: str = ""
    white: int | None = None


def next_steps(project: Project, asked: Question) -> list[Step]:
    """What a rule looks at next, at most 500 arrivals; none: it is through."""
    station_id, rule, every = asked.station_id, asked.rule, asked.every
    with project.reading() as session:
        up_to, seen = _state(session, station_id, rule)
        whites = list_whites(session)
        rows = session.execute(
            select(
                t.Arrival.id,
                t.Arrival.said,
                t.Arrival.arrived,
                t.Result.detector_id,
                t.Result.class_id,
                t.StoredImage.id,
                t.StoredImage.sha256,
                t.StoredImage.suffix,
                and_(t.StoredImage.let_go.is_(None), _may_go(asked)),
            )
            .join(t.Result, t.Arrival.result_id == t.Result.id)
            .outerjoin(t.StoredImage, t.Result.image_id == t.StoredImage.id)
            .where(t.Arrival.station_id == station_id, t.Arrival.id > up_to)
            .order_by(t.Arrival.id)
            .limit(_READ)
        ).all()
    steps, now = [], t.now()
    for arrival_id, said, arrived, detector_id, class_id, image_id, sha256, suffix, free in rows:
        # one from the future was dated by a clock that was wrong; it would stop the rule until then
        if arrived is not None and asked.before <= arrived <= now:
            break
        stays = False
        if rule is Rule.EVERY:
            good = said == Decision.OK
            seen += good
            if not good:
                stays = True
            elif every and seen >= every:
                stays, seen = True, 0
        if stays or not free or image_id is None:
            steps.append(Step(arrival_id, seen))
            continue
        white = whites.get((detector_id, class_id))
        steps.append(Step(arrival_id, seen, image_id, sha256, image_name(sha256, suffix), white))
    return steps


def comes_again(project: Project, station_id: int, step: Step) -> bool:
    """Whether a later arrival of the station has the same image, so that the rule looks at it again by itself."""
    query = (
        select(t.Arrival.id)
        .join(t.Result, t.Arrival.result_id == t.Result.id)
        .where(
            t.Arrival.station_id == station_id,
            t.Arrival.id > step.arrival_id,
            t.Result.image_id == step.image_id,
        )
        .limit(1)
    )
    with project.reading() as session:
        return session.scalars(query).first() is not None


def mark(project: Project, asked: Question, done: Step, image_ids: Collection[int]) -> list[int]:
    """Say that these images are let go, of those that still may be, and that the rule came as far as `done`; which."""
    with project.writing() as session:
        still = list(
            session.scalars(
                select(t.StoredImage.id).where(
                    t.StoredImage.id.in_([*image_ids]),
                    t.StoredImage.let_go.is_(None),
                    _may_go(asked),
                )
            )
        )
        if still:
            session.execute(update(t.StoredImage).where(t.StoredImage.id.in_(still)).values(let_go=t.now()))
        _keep_state(session, asked.station_id, asked.rule, done)
    return still


def delete(project: Project, image_ids: Iterable[int]) -> int:
    """Delete the files of images that are marked as let go; the bytes that this freed. Nothing is stored meanwhile, so that an image
    which comes again is either still there or written anew. A file that another program holds (Windows) waits for the next
    start."""
    freed, ids = 0, [*image_ids]
    for start in range(0, len(ids), _TOGETHER):
        with project.writing() as session:
            for name in _marked(session, ids[start : start + _TOGETHER]):
                with suppress(OSError):
                    path = project.path(name)
                    size = path.stat().st_size
                    path.unlink()
                    freed += size
    return freed


def finish(project: Project) -> int:
    """Delete what a kill left of files that were marked; how many there were."""
    with project.reading() as session:
        last = session.execute(
            select(t.StoredImage.id, t.StoredImage.sha256, t.StoredImage.suffix)
            .where(t.StoredImage.let_go.is_not(None))
            .order_by(t.StoredImage.let_go.desc())
            .limit(_LAST)
        ).all()
    left = [key for key, sha256, suffix in last if project.path(image_name(sha256, suffix)).is_file()]
    if left:
        delete(project, left)
    return len(left)


def kept_files(project: Project, station_id: int, after: int) -> tuple[int, list[str]]:
    """(the last arrival that was looked at, names of files that a station keeps), of the next 500 arrivals; an image that came more
    than once is named with its first. The same as `after` where there are no more."""
    first = aliased(t.Result)
    with project.reading() as session:
        rows = session.execute(
            select(
                t.Arrival.id,
                t.StoredImage.sha256,
                t.StoredImage.suffix,
                t.StoredImage.let_go,
                exists().where(first.image_id == t.Result.image_id, first.id < t.Result.id),
            )
            .join(t.Result, t.Arrival.result_id == t.Result.id)
            .outerjoin(t.StoredImage, t.Result.image_id == t.StoredImage.id)
            .where(t.Arrival.station_id == station_id, t.Arrival.id > after)
            .order_by(t.Arrival.id)
            .limit(_READ)
        ).all()
    names = [
        image_name(sha256, suffix)
        for _, sha256, suffix, gone, before in rows
        if sha256 is not None and gone is None and not before
    ]
    return (rows[-1][0] if rows else after), names


def note_let_go(project: Project, station: str, count: int, freed: int, rule: str) -> None:
    """One line in the audit for all that went since the last one."""
    images = "1 image" if count == 1 else f"{count:,} images"
    with project.writing() as session:
        note(session, ActKind.IMAGES_LET_GO, station, new=f"{images}, {freed / 1e6:,.1f} MB", reason=rule)


def is_fresh(moment: float) -> bool:
    """Whether a file of this modification time may be waited for by a row."""
    return abs(time.time() - moment) < GRACE


def _may_go(asked: Question) -> ColumnElement[bool]:
    """Whether nothing holds an image, see the head of this module."""
    image_id, rule = t.StoredImage.id, asked.rule
    result, arrival = aliased(t.Result), aliased(t.Arrival)
    here = exists().where(arrival.result_id == result.id, arrival.station_id == asked.station_id)
    holds = [
        result.reviewed.is_not(None),
        result.override.is_not(None),
        exists().where(t.Review.result_id == result.id),
        exists().where(t.Outline.result_id == result.id),
        not_(here),
    ]
    if rule is Rule.DAYS:
        holds.append(exists().where(arrival.result_id == result.id, arrival.arrived >= asked.before))
    else:  # only what is OK, by what counts now
        holds.append(result.severity != 0)
    held = exists().where(result.image_id == image_id, or_(*holds))
    elsewhere = [image_id.in_(select(table.image_id)) for table in (t.GoldenPart, t.Shot, t.StudyPart)]
    free = not_(or_(held, *elsewhere))
    if rule is Rule.DAYS:
        return free
    # which of several arrivals of one picture would be the one that stays isn't asked: it stays
    again = select(func.count()).where(result.image_id == image_id).scalar_subquery()
    return and_(free, again == 1) if rule is Rule.EVERY else free


def _marked(session: Session, image_ids: Iterable[int]) -> list[str]:
    rows = session.execute(
        select(t.StoredImage.sha256, t.StoredImage.suffix).where(
            t.StoredImage.id.in_([*image_ids]), t.StoredImage.let_go.is_not(None)
        )
    )
    return [image_name(sha256, suffix) for sha256, suffix in rows]


def _names(rule: Rule) -> Sequence[str]:
    return rule.value, f"{rule.value}, seen"


def _state(session: Session, station_id: int, rule: Rule) -> tuple[int, int]:
    found = pairs(
        session.execute(
            select(t.Delivery.output, t.Delivery.arrival_id).where(
                t.Delivery.station_id == station_id, t.Delivery.output.in_(_names(rule))
            )
        )
    )
    up_to, seen = _names(rule)
    return found.get(up_to) or 0, found.get(seen) or 0


def _keep_state(session: Session, station_id: int, rule: Rule, done: Step) -> None:
    for output, value in zip(_names(rule), (done.arrival_id, done.seen), strict=True):
        session.execute(
            insert(t.Delivery)
            .values(station_id=station_id, output=output, arrival_id=value)
            .on_conflict_do_update(index_elements=["station_id", "output"], set_={"arrival_id": value})
        )
