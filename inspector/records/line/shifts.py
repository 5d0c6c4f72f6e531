"""When the shifts of a station begin and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Shift:
    """From `begins` until before `ends`, aware, in the time of this place."""

    begins: datetime
    ends: datetime

    @property
    def words(self) -> str:
        """ "2026-11-27 06:00 – 14:00"."""
        same = self.begins.date() == self.ends.date()
        return f"{self.begins:%Y-%m-%d %H:%M} – {self.ends:{'%H:%M' if same else '%Y-%m-%d %H:%M'}}"


def shift_at(starts: Sequence[str], moment: datetime) -> Shift:
    """The shift that `moment` (aware) lies in. `starts`: "HH:MM" in local time, in any order; what is no time is left out, and without
    any a shift is a day."""
    times = times_of(starts) or [time(0, 0)]
    local = moment.astimezone().replace(tzinfo=None)
    day = local.date()
    around = [
        datetime.combine(day + timedelta(days=away), at).astimezone()
        for away in (-1, 0, 1, 2)
        for at in times
    ]
    begins = max(one for one in around if one <= moment)
    return Shift(begins, min(one for one in around if one > begins))


def shifts_between(starts: Sequence[str], since: datetime, until: datetime) -> list[Shift]:
    """Those that ended after `since`, and at `until` at the latest, oldest first."""
    found: list[Shift] = []
    shift = shift_at(starts, since)
    while shift.ends <= until:
        found.append(shift)
        shift = shift_at(starts, shift.ends)
    return found


def times_of(starts: Sequence[str]) -> list[time]:
    """Those of "HH:MM" that are times, in order."""
    found = set()
    for one in starts:
        try:
            found.add(time.fromisoformat(one).replace(tzinfo=None))
        except ValueError:
            continue
    return sorted(found)
