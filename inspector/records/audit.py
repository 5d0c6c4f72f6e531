"""The audit: one line for every act of a person that can change what is believed of parts.

Each line holds a checksum of itself and of the line before, so that a changed, removed or inserted line shows; how many were
written stands in the database's `user_version`, so that a missing end shows too. Whoever can write the file and knows this rule
can make all of it anew: against that only an exported copy helps, whose last checksum an audit must still hold.
"""

import getpass
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from inspector.records import schema as t
from inspector.records.names import cleaned
from inspector.records.project import Project

PAGE = 500
"""So many acts are read at once for a list."""
_PIECE = 5000
_LONGEST = 2000
"""Letters of one text of an act."""
_NAMED = 3
_READ = "SELECT id, created, who, kind, subject, old, new, reason, chain FROM acts WHERE id > ? ORDER BY id"
_LAST = """SELECT user_version, (SELECT max(id) FROM acts), (SELECT chain FROM acts ORDER BY id DESC LIMIT 1)
    FROM pragma_user_version"""
_WRITE = """INSERT INTO acts (id, created, who, kind, subject, old, new, reason, chain)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class ActKind(StrEnum):
    """What somebody did, as people read it."""

    CLASS_ADDED = "class added"
    CLASS_RENAMED = "class renamed"
    CLASS_REMOVED = "class removed"
    CLASS_RESTORED = "class brought back"
    DESCRIPTION = "description changed"
    AREA = "area changed"
    SMALLEST = "smallest defect changed"
    SCALE = "scale changed"
    RANGE = "range changed"
    SHOTS_ADDED = "shots added"
    SHOTS_REMOVED = "shots removed"
    SHOTS_RESTORED = "shots brought back"
    SHOTS_GOOD = "shots confirmed good"
    SHOTS_DOUBTED = "shots no longer confirmed"
    NO_DEFECT = "called no defect"
    NO_DEFECT_REMOVED = "no defect taken back"
    TAUGHT = "detector taught"
    UPDATED = "detector updated"
    IN_CHARGE = "put in charge"
    CHARGE_UNDONE = "charge taken back"
    DETECTOR_DISCARDED = "detector discarded"
    DETECTOR_REMOVED = "detector removed"
    DETECTOR_RESTORED = "detector brought back"
    THRESHOLDS = "thresholds set"
    PRODUCT_ASKED = "other products told apart"
    PRODUCT_UNASKED = "other products no longer told apart"
    REVIEWED = "reviewed"
    REVIEW_WITHDRAWN = "review withdrawn"
    INSPECTED = "inspection begun"
    CONTINUED = "inspection continued"
    RUN_REMOVED = "run removed"
    RUN_RESTORED = "run brought back"
    GOLDEN_ADDED = "golden parts added"
    GOLDEN_REMOVED = "golden parts removed"
    GOLDEN_CHECKED = "golden set checked"
    GOLDEN_EXPORTED = "golden records exported"
    BACKUP_RESTORED = "backup restored"
    SMALLEST_TESTED = "smallest defect tested"
    SMALLEST_EXPORTED = "smallest defect exported"
    OUTLINED = "defects outlined"
    STUDY_BEGUN = "study begun"
    STUDY_ENDED = "study ended"
    STUDY_REOPENED = "study reopened"
    STUDY_REMOVED = "study removed"
    STUDY_RESTORED = "study brought back"
    STATION_ADDED = "station added"
    STATION_CHANGED = "station changed"
    STATION_REMOVED = "station removed"
    STATION_RESTORED = "station brought back"
    STATION_STARTED = "station started"
    STATION_STOPPED = "station stopped"
    LOT_CHANGED = "order changed"
    PIN_SET = "PIN set"
    PIN_REMOVED = "PIN removed"
    SIGNED_IN = "signed in"
    WRONG_PIN = "wrong PIN"
    HANDED_OVER = "handed over"
    TAKEN_OVER = "taken over"
    IMAGES_LET_GO = "images let go"
    REPORTED = "report written"
    STUDY_EXPORTED = "study exported"
    RESULT_NOT_TOLD = "result not told"
    RESULTS_EXPORTED = "results exported"
    AUDIT_EXPORTED = "audit exported"


@dataclass(frozen=True, slots=True)
class ActRow:
    """One line. `kind`: the words of an `ActKind`, or of one that a newer version has. `old`, `new`: what it changed, as people
    read it. `chain`: see `checksum`."""

    id: int
    created: datetime
    who: str
    kind: str
    subject: str
    old: str
    new: str
    reason: str
    chain: str


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts; every field that is set must hold. `text` is looked for in all their words. `since` <= moment < `until`."""

    kind: str | None = None
    who: str | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


EVERY_ACT = ActFilter()


@dataclass(frozen=True, slots=True)
class Break:
    """The first act, by number, that isn't as it was written, and `what` is wrong, as a sentence."""

    id: int
    what: str


@dataclass(frozen=True, slots=True)
class Chain:
    """So many acts, the checksum of the last (""  where there is none), and the first `broken` one; None: all is whole."""

    acts: int = 0
    head: str = ""
    broken: Break | None = None


NO_ACTS = Chain()


def note(
    session: Session,
    kind: ActKind,
    subject: str,
    *,
    who: str = "",
    old: str = "",
    new: str = "",
    reason: str = "",
) -> None:
    """Add a line in the transaction of the act itself, so that both are stored or neither. `who`: else the `who` of the project
    that is written to, else the name of the account. Raises `NotAllowedError` where a person does it who may not."""
    if acting := session.info.get("acting"):
        acting(kind)
    connection = session.connection()
    counted, last, before = connection.exec_driver_sql(_LAST).one()
    number = max(counted, last or 0) + 1  # after a missing end its gap stays to be seen
    name = who or session.info.get("who") or _account()
    moment = t.now().astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    texts = [moment, *map(_short, (name, kind, subject, old, new, reason))]
    connection.exec_driver_sql(_WRITE, (number, *texts, checksum(before or "", number, texts)))
    connection.exec_driver_sql(f"PRAGMA user_version = {number:d}")


def record(project: Project, kind: ActKind, subject: str, *, new: str = "", reason: str = "") -> None:
    """A line for what leaves no other trace in the project, in a transaction of its own. Nothing where the project is open for
    viewing only."""
    if not project.read_only:
        with project.writing() as session:
            note(session, kind, subject, new=new, reason=reason)


def checksum(before: str, number: int, texts: Sequence[Any]) -> str:
    """SHA-256 of the JSON list of the checksum of the act before ("" for the first), the number and the `texts` of an act, in
    ASCII and without spaces. `texts`: moment (UTC), who, kind, subject, old, new, reason."""
    said = json.dumps([before, number, *texts], separators=(",", ":"), default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def few(names: Sequence[str], total: int | None = None) -> str:
    """The first names of many, and how many more: "a.png, b.png, c.png and 5 more"."""
    more = (len(names) if total is None else total) - _NAMED
    return f"{', '.join(names[:_NAMED])}{f' and {more:,} more' if more > 0 else ''}"


def list_acts(
    project: Project,
    where: ActFilter = EVERY_ACT,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> list[ActRow]:
    """Newest first, at most `limit`: those with a number below `before`, or above `after`."""
    query = _filtered(where).order_by(t.Act.id.desc()).limit(limit)
    if before is not None:
        query = query.where(t.Act.id < before)
    if after is not None:
        query = query.where(t.Act.id > after)
    with project.reading() as session:
        return [_row(row) for row in session.scalars(query)]


def all_acts(project: Project, where: ActFilter = EVERY_ACT) -> Iterator[ActRow]:
    """All of them, oldest first, read a piece at a time."""
    last: int | None = None
    while True:
        query = _filtered(where).order_by(t.Act.id).limit(_PIECE)
        with project.reading() as session:
            rows = [
                _row(one) for one in session.scalars(query if last is None else query.where(t.Act.id > last))
            ]
        yield from rows
        if len(rows) < _PIECE:
            return
        last = rows[-1].id


def list_choices(project: Project) -> tuple[list[str], list[str]]:
    """Whoever did something, and the kinds of what was done, by name."""
    with project.reading() as session:
        people, kinds = (session.scalars(select(one).distinct()) for one in (t.Act.who, t.Act.kind))
        return sorted(people, key=str.casefold), sorted(kinds)


def verify(project: Project, known: Chain = NO_ACTS) -> Chain:
    """Whether every act is as it was written, from the first on (100,000: about a second), or from those `known` to be whole."""
    number, before = (0, "") if known.broken else (known.acts, known.head)
    with project.reading() as session:
        connection = session.connection()
        written = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        rows = connection.exec_driver_sql(_READ, (number or -(2**63),))
        for key, *texts, chain in rows:
            number += 1
            if key != number or chain != checksum(before, key, texts):
                total = connection.exec_driver_sql("SELECT count(*) FROM acts").scalar_one()
                return Chain(total, "", _broken(number, key))
            before = chain
    if number < written:
        return Chain(number, before, Break(number + 1, f"{_acts(number + 1, written)} missing at the end."))
    if number > written:
        said = f"Only {written:,} acts were written, and there are {number:,}."
        return Chain(number, before, Break(written + 1, said))
    return Chain(number, before)


def _broken(number: int, found: int) -> Break:
    if found > number:
        return Break(number, f"{_acts(number, found - 1)} missing.")
    if found < number:
        return Break(found, f"Act {found} was put in later.")
    return Break(number, f"Act {number:,} was changed, or put in later.")


def _acts(first: int, last: int) -> str:
    return f"Act {first:,} is" if first == last else f"Acts {first:,} to {last:,} are"


def _filtered(where: ActFilter) -> Select[Any]:
    query = select(t.Act)
    if where.kind is not None:
        query = query.where(t.Act.kind == where.kind)
    if where.who is not None:
        query = query.where(t.Act.who == where.who)
    if where.since is not None:
        query = query.where(t.Act.created >= where.since)
    if where.until is not None:
        query = query.where(t.Act.created < where.until)
    if text := where.text.strip():
        words = (t.Act.who, t.Act.kind, t.Act.subject, t.Act.old, t.Act.new, t.Act.reason)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in words)))
    return query


def _row(row: t.Act) -> ActRow:
    return ActRow(
        row.id, row.created, row.who, row.kind, row.subject, row.old, row.new, row.reason, row.chain
    )


def _short(text: str) -> str:
    text = cleaned(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@cache
def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such account, and no name in the environment
        return "unknown"
