"""Which shift a moment belongs to."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta


def shift_of(moment: datetime, begins: Sequence[str]) -> datetime:
    """When the shift began that a moment (with its time zone) belongs to, in local time without a zone. `begins`: "HH:MM" of each
    shift, see `StationSettings.shifts`; what is no such time is passed over, and without any a shift is a day."""
    local = moment.astimezone().replace(tzinfo=None)
    times = sorted(one for one in map(_time, begins) if one is not None) or [time()]
    for begin in reversed(times):
        if local.time() >= begin:
            return datetime.combine(local.date(), begin)
    return datetime.combine(local.date() - timedelta(days=1), times[-1])


def _time(text: str) -> time | None:
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()
    except ValueError:
        return None
