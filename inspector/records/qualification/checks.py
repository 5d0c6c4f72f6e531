"""The records of looks at the golden set: what was said of each part, for good."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from inspector.domain import Decision
from inspector.records import schema as t
from inspector.records.audit import ActKind, few, note
from inspector.records.project import Project
from inspector.records.qualification.golden import GoldenWord, as_it_must_be, charges, judge_golden


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """One part in the record of a check; `said` None: it could not be judged."""

    name: str
    class_name: str
    expected: Decision
    said: Decision | None
    score: float | None
    detector_id: int | None
    error: str

    @property
    def kept(self) -> bool:
        """As `GoldenWord.kept`."""
        return as_it_must_be(self.said, self.expected)


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """The record of one look at the golden set. `occasion`: what it was made for. `signed`: why somebody went on although parts
    are judged otherwise than they must be, "" where nobody had to. `station_id`: the station whose shift it was for."""

    id: int
    created: datetime
    who: str
    occasion: str
    signed: str
    parts: tuple[CheckedPart, ...]
    station_id: int | None = None

    @property
    def missed(self) -> tuple[CheckedPart, ...]:
        """The parts that are judged otherwise than they must be."""
        return tuple(part for part in self.parts if not part.kept)


def record_moved(
    project: Project, before: Mapping[int, int], *, occasion: str, who: str, signed: str = ""
) -> None:
    """A record of what is said of the golden parts of the classes that another detector judges than `before` (see `charges`);
    nothing where there are none."""
    after = charges(project)
    moved = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    words = judge_golden(project, class_ids=moved) if moved else []
    if words:
        add_check(project, words, occasion=occasion, who=who, signed=signed)


def add_check(
    project: Project,
    words: Sequence[GoldenWord],
    *,
    occasion: str,
    who: str,
    signed: str = "",
    station_id: int | None = None,
) -> int:
    """Keep what was said of the golden set, for good; its id."""
    parts = [
        [
            word.part.id,
            word.part.name,
            word.part.class_name,
            word.part.expected,
            word.decision,
            word.score,
            word.detector_id,
            word.error,
        ]
        for word in words
    ]
    with project.writing() as session:
        row = t.GoldenCheck(
            who=who, occasion=occasion, outcome={"parts": parts}, signed=signed, station_id=station_id
        )
        session.add(row)
        missed = [word.part.name for word in words if not word.kept]
        said = f"{len(words) - len(missed)} of {len(words)} as they must be"
        new = f"{said}; not: {few(missed)}" if missed else said
        note(session, ActKind.GOLDEN_CHECKED, occasion, who=who, new=new, reason=signed)
        session.flush()
        return row.id


def list_checks(
    project: Project, limit: int | None = 200, *, station_id: int | None = None
) -> list[GoldenCheck]:
    """The newest records (all with None; of one station), newest first; parts that damage left unreadable are left out."""
    query = select(t.GoldenCheck).order_by(t.GoldenCheck.id.desc()).limit(limit)
    if station_id is not None:
        query = query.where(t.GoldenCheck.station_id == station_id)
    with project.reading() as session:
        return [_check(row) for row in session.scalars(query)]


def _check(row: t.GoldenCheck) -> GoldenCheck:
    parts = tuple(_checked(row.outcome))
    return GoldenCheck(row.id, row.created, row.who, row.occasion, row.signed, parts, row.station_id)


def _checked(outcome: Mapping[str, Any]) -> Iterable[CheckedPart]:
    stored = outcome.get("parts")
    for values in stored if isinstance(stored, list) else ():
        try:
            _, name, class_name, expected, said, score, detector_id, error = values
            if (known := t.word(Decision, expected)) is not None:
                decision = t.word(Decision, said)
                yield CheckedPart(str(name), str(class_name), known, decision, score, detector_id, str(error))
        except (ValueError, TypeError):
            continue
