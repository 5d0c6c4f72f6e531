"""The shift check: a station's detector shows on parts that are known that it still judges as it must, before a shift relies on it.
It is made by `jobs/golden.check_golden` with the station; here stands when one is due, and what came of it.

The NG parts of the golden set are the red rabbits: parts with a defect, of which each must be caught.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from inspector.domain import Decision
from inspector.records.audit import few
from inspector.records.line.shifts import shift_at, times_of
from inspector.records.line.stations import StationRow
from inspector.records.project import Project
from inspector.records.qualification.checks import CheckedPart, GoldenCheck, list_checks


@dataclass(frozen=True, slots=True)
class Due:
    """A check that a station waits for. `since`: when it fell due. `failed`: one was made since then, and not passed. `blocks`: nothing
    is to be judged until one is passed; else it is only to be shown. `said`: all of it in a sentence for people."""

    since: datetime
    failed: bool
    blocks: bool
    said: str


def check_due(project: Project, station: StationRow, now: datetime) -> Due | None:
    """The check that a station's settings ask for by `now` (with a time zone), None while there is none. One query: for between two
    pictures."""
    if station.settings is None:
        return None
    asked = station.settings.check
    moments = []
    if asked.at_start and (began := shift_began(station.settings.shifts, now)) is not None:
        moments.append((began, f"for the shift of {began.astimezone():%H:%M}"))
    if asked.hours is not None and asked.hours > 0:
        moments.append((now - timedelta(hours=asked.hours), f"as every {asked.hours:g} hours"))
    if not moments:
        return None
    since, why = max(moments)
    newest = next(iter(list_checks(project, 1, station_id=station.id)), None)
    made = newest is not None and newest.created >= since
    if made and newest is not None and passed(newest):
        return None
    if made and newest is not None:
        said = f"The shift check of “{station.name}” was not passed: {_missed(newest)}"
    else:
        said = f"The shift check of “{station.name}” is due, {why}."
    if asked.blocks:
        said += " Nothing is judged until one is passed."
    return Due(since, made, asked.blocks, said)


def passed(check: GoldenCheck) -> bool:
    """Whether there were parts, and each was judged as it must be."""
    return bool(check.parts) and not check.missed


def shift_began(shifts: tuple[str, ...], now: datetime) -> datetime | None:
    """When the shift that runs `now` began, by local times "HH:MM"; None without shifts. Times that are none are left out."""
    return shift_at(shifts, now).begins if times_of(shifts) else None


def _escaped(part: CheckedPart) -> bool:
    return part.expected is Decision.NG and part.said is Decision.OK


def _missed(check: GoldenCheck) -> str:
    """By name, in sentences."""
    said = []
    escaped = [f"“{part.name}”" for part in check.missed if _escaped(part)]
    unknown = [f"“{part.name}”" for part in check.missed if part.said is None]
    other = [f"“{part.name}”" for part in check.missed if part.said is Decision.OTHER]
    held = [f"“{part.name}”" for part in check.missed if part.said in (Decision.REVIEW, Decision.NG)]
    if escaped:
        said.append(f"{few(escaped)} {_is(escaped)} NG and would pass as OK.")
    if held:
        said.append(f"{few(held)} {_is(held)} good and would be held back.")
    if other:
        said.append(f"{few(other)} {_is(other)} taken for another product.")
    if unknown:
        said.append(f"{few(unknown)} could not be judged.")
    return " ".join(said) or "there was no part that could be checked."


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def said_of(check: GoldenCheck) -> str:
    """What came of a check, in sentences: which NG part would pass, which good one would be held back, by name."""
    if not passed(check):
        return f"Not passed: {_missed(check)}"
    bad = sum(part.expected is Decision.NG for part in check.parts)
    caught = (
        f", {'the' if bad == 1 else f'all {bad}'} NG part{'' if bad == 1 else 's'} among them caught"
        if bad
        else ""
    )
    return f"Passed: all {len(check.parts)} golden parts are judged as they must be{caught}."
