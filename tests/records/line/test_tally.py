"""When shifts begin."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from inspector.domain import Decision
from inspector.records.line.shifts import shift_at
from inspector.records.line.tally import Tally


@pytest.mark.parametrize(
    ("shifts", "now", "begun"),
    [
        (("06:00", "14:00", "22:00"), "2026-03-02 06:00", "2026-03-02 06:00"),
        (("06:00", "14:00", "22:00"), "2026-03-02 13:59", "2026-03-02 06:00"),
        (("06:00", "14:00", "22:00"), "2026-03-02 05:59", "2026-03-01 22:00"),
        (("06:00", "14:00", "22:00"), "2026-03-01 00:10", "2026-02-28 22:00"),
        (("07:30",), "2026-03-02 07:29", "2026-03-01 07:30"),
        ((), "2026-03-02 07:29", "2026-03-02 00:00"),
    ],
)
def test_the_shift_of_a_moment_began_at_the_last_of_the_times_that_passed(
    shifts: tuple[str, ...], now: str, begun: str
) -> None:
    assert (
        shift_at(shifts, datetime.fromisoformat(now).astimezone()).begins
        == datetime.fromisoformat(begun).astimezone()
    )


def test_the_yield_counts_what_was_judged_and_adds_up() -> None:
    first = Tally(Counter({Decision.OK: 8, Decision.NG: 1, None: 1}), 10)
    both = first + Tally(Counter({Decision.REVIEW: 1}), 11)
    assert both.share_ok == 0.8
    assert (both.total, both.last) == (11, 11)
    assert Tally(Counter({None: 3})).share_ok is None
