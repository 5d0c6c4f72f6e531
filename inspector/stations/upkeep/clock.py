"""Whether the computer's clock may be believed when images are let go by their age: one that is set wrongly would let all of them go."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_MOVED = timedelta(hours=1)
"""By how much it was moved at least; summer time moves no clock that counts in UTC."""
_AWAY = timedelta(days=30)
"""After so long without a picture it is asked rather than believed."""
_WAIT = 86400.0
"""Seconds for which it isn't believed then: time to set it right."""


class Clock:
    """From now on; used by one thread. `last`: when the last picture came (aware), if any did. `now`, `ticks`: the clock, and one that
    nobody sets."""

    def __init__(
        self,
        last: datetime | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._ticks = now, ticks
        self._offset = self._apart()
        self._until = 0.0
        self._why = ""
        if last is not None and now() - last > _AWAY:
            self._doubt(f"By the clock of this computer, no picture came for {(now() - last).days:,} days.")

    def doubt(self) -> str:
        """Why it isn't believed, in sentences; ""."""
        moved = self._apart() - self._offset
        if abs(moved) > _MOVED.total_seconds():
            self._offset += moved
            days = abs(moved) / 86400
            long = f"{days:,.0f} days" if days >= 2 else f"{abs(moved) / 3600:.0f} hours"
            self._doubt(f"The clock of this computer was moved by {long}.")
        return self._why if self._ticks() < self._until else ""

    def _doubt(self, why: str) -> None:
        self._until = self._ticks() + _WAIT
        self._why = f"{why} For a day, no image is let go by its age; set the clock right if it is wrong."

    def _apart(self) -> float:
        return self._now().timestamp() - self._ticks()
