"""A station's images kept by its rule, a piece at a time beside what it inspects.

What goes leaves its result, its anomaly map and a thumbnail. The map stays because it is small against the image, and regions, masks,
moved thresholds and the heat over the thumbnail all follow from it. What always stays: see `records/line/keeping`. By size, only good
parts go, the oldest first: where the others alone are more than the limit, that is said, as no rule of size is worth an NG part; what
is older than the settings' days goes whatever it is, since somebody said so.
"""

import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from inspector.errors import ImageError
from inspector.records.disk.spare import with_room
from inspector.records.files import make_last, thumbnail_name
from inspector.records.line.keeping import (
    GRACE,
    Question,
    Rule,
    Step,
    comes_again,
    delete,
    finish,
    is_fresh,
    kept_files,
    mark,
    next_steps,
    note_let_go,
)
from inspector.records.line.stations import Retention, StationRow
from inspector.records.project import Project

PIECE = 16
"""So many images go in one step: what is being stored waits for no longer than that takes."""
_TOLD = 3600.0
"""Seconds between two lines of the audit: one for every step would bury what people did."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What a call let go: how many images, and bytes. `kept`: bytes of the station's images, None where nobody asked or they aren't
    counted yet. `over`: why they are more than the limit, in a sentence, or "". `more`: it ran out of time."""

    images: int
    freed: int
    kept: int | None = None
    over: str = ""
    more: bool = False


@dataclass(slots=True)
class _Book:
    """What is known of a station while its project is open. `counted`: up to which arrival `kept` has the sizes of its files; without
    a limit of size nobody counts. `images`, `freed`: what the audit wasn't told yet."""

    kept: int = 0
    counted: int = 0
    images: int = 0
    freed: int = 0
    told: float = 0.0


_books: "weakref.WeakKeyDictionary[Project, dict[int, _Book]]" = weakref.WeakKeyDictionary()


def tidy(
    project: Project, station: StationRow, budget_s: float, *, last: bool = False, by_days: bool = True
) -> Tidied:
    """Let go what the station's rule says, for about so many seconds; to be called again while `more`, and from time to time.

    What a kill left half done is finished first. `last`: nobody calls again soon, so the audit is told now rather than within the
    hour. Without `by_days`, nothing goes for its age: the clock may be wrong. Where the disk is full, thumbnails take the room that the project holds back. Raises `ProjectError`.
    """
    project.require_writable()
    until = time.monotonic() + budget_s
    if project not in _books:
        finish(project)
        _books[project] = {}
    book = _books[project].setdefault(station.id, _Book(told=time.monotonic()))
    rule = station.settings.retention if station.settings else Retention()
    images, freed, over, more = 0, 0, "", False
    if rule.gigabytes is not None and not _count(project, station.id, book, until):
        return Tidied(
            0, 0, more=True
        )  # how much goes by size can't be said yet, and each rule goes by what was counted
    for asked in _questions(station, rule if by_days else replace(rule, days=None)):
        gone, size, unfinished = _let_go(project, asked, until)
        images, freed, more = images + gone, freed + size, more or unfinished
    book.kept -= freed
    limit = None if rule.gigabytes is None else round(rule.gigabytes * 1e9)
    if limit is not None and book.kept > limit and not more:
        asked = Question(station.id, Rule.GIGABYTES, _before(GRACE))
        gone, size, more = _let_go(project, asked, until, book.kept - limit)
        images, freed, book.kept = images + gone, freed + size, book.kept - size
        if book.kept > limit and not more:
            over = _over(station.name, book.kept, rule)
    book.images, book.freed = book.images + images, book.freed + freed
    if book.images and (last or time.monotonic() - book.told > _TOLD):
        with_room(
            project.folder,
            lambda: note_let_go(project, station.name, book.images, book.freed, words(rule)),
        )
        book.images, book.freed, book.told = 0, 0, time.monotonic()
    kept = None if limit is None else book.kept
    return Tidied(images, freed, kept, over, more)


def words(rule: Retention) -> str:
    """What stays, for people."""
    every = {0: "no good parts", 1: "all parts"}.get(rule.ok_every, f"every {rule.ok_every}th good part")
    said = [every if rule.ok_every == 1 else f"{every}, all others"]
    if rule.days is not None:
        said.append(f"for {rule.days} days")
    if rule.gigabytes is not None:
        said.append(f"good ones within {rule.gigabytes:g} GB")
    return f"Keeps {', '.join(said)}."


def _questions(station: StationRow, rule: Retention) -> list[Question]:
    asked = []
    if rule.ok_every != 1:
        asked.append(Question(station.id, Rule.EVERY, _before(GRACE), max(0, rule.ok_every)))
    if rule.days is not None:
        asked.append(Question(station.id, Rule.DAYS, _before(max(GRACE, rule.days * 86400.0))))
    return asked


def _before(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _let_go(
    project: Project, asked: Question, until: float, enough: int | None = None
) -> tuple[int, int, bool]:
    """(images, bytes, whether time ran out) of what a rule let go; not more than is `enough`, in bytes."""
    images = freed = 0
    while steps := next_steps(project, asked):
        start = 0
        while start < len(steps):
            if enough is not None and freed >= enough:
                return images, freed, False
            if time.monotonic() > until:
                return images, freed, True
            wanted = None if enough is None else enough - freed
            piece = _piece(project, steps[start:], until, wanted)
            going, waits = _going(project, asked, piece)
            if waits is not None:  # it is looked at again, and what comes after it
                piece = piece[:waits]
                if not piece:
                    return images, freed, False
            start += len(piece)
            make_last(project, [thumbnail_name(one.sha256) for one in piece if one.image_id in going])
            ids = with_room(
                project.folder,
                lambda done=piece[-1], going=going: mark(project, asked, done, going),  # type: ignore[misc]
            )
            images += len(ids)
            freed += delete(project, ids) if ids else 0
            if waits is not None:
                return images, freed, False
    return images, freed, False


def _going(project: Project, asked: Question, piece: Sequence[Step]) -> tuple[set[int], int | None]:
    """(the images of which a thumbnail remains, the place of the first step that has to wait, None where none has)."""
    going: set[int] = set()
    for place, step in enumerate(piece):
        if step.image_id is None:
            continue
        with suppress(OSError):
            fresh = is_fresh(project.path(step.place).stat().st_mtime)
            if fresh and not comes_again(project, asked.station_id, step):
                return going, place
            if not fresh and _leave(project, step):
                going.add(step.image_id)
    return going, None


def _piece(project: Project, steps: Sequence[Step], until: float, wanted: int | None) -> Sequence[Step]:
    """The next of these with at most PIECE images, or with as many bytes as are `wanted`."""
    count = size = 0
    for number, step in enumerate(steps):
        if step.image_id is None:
            continue
        count += 1
        with suppress(OSError):
            size += project.path(step.place).stat().st_size
        if count == PIECE or (wanted is not None and size >= wanted):
            return steps[: number + 1]
    return steps


def _leave(project: Project, step: Step) -> bool:
    """Make the thumbnail of an image; False where it can't be read and must stay, as nothing would be left of it."""
    from inspector.images.thumbnail import remains

    source, target = project.path(step.place), project.path(thumbnail_name(step.sha256))

    def write() -> None:
        with project.plain_errors():
            remains(source, target, white=step.white)

    try:
        with_room(project.folder, write)
    except (OSError, ImageError):
        return False
    return target.is_file()


def _count(project: Project, station_id: int, book: _Book, until: float) -> bool:
    """Go on adding up what a station keeps; whether all is counted."""
    while True:
        up_to, names = kept_files(project, station_id, book.counted)
        for name in names:
            with suppress(OSError):
                book.kept += project.path(name).stat().st_size
        if up_to == book.counted:
            return True
        book.counted = up_to
        if time.monotonic() > until:
            return False


def _over(name: str, kept: int, rule: Retention) -> str:
    return (
        f"The images of “{name}” take {kept / 1e9:,.1f} GB, more than the {rule.gigabytes:g} GB that its rule allows: what is left are "
        "NG, to be reviewed, failed or spoken of, which never go by size. Allow more, or set after how many days they go."
    )
