"""A clock that was set wrongly lets no image go."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import judged_parts
import pytest
from at_the_line import kept_parts
from at_the_line.kept_parts import NG, OK, come

from inspector.records import project as projects
from inspector.records.inspected.results import list_results
from inspector.records.line.stations import Retention
from inspector.stations.upkeep import turns as upkeep
from inspector.stations.upkeep.clock import Clock
from inspector.stations.upkeep.turns import Upkeep


class Hands:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.moved = timedelta()
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=self.passed) + self.moved

    def ticks(self) -> float:
        return 1000.0 + self.passed


@pytest.mark.parametrize("days", [-9000, -3, 400])
def test_a_clock_that_was_moved_is_not_believed_for_a_day(days: int) -> None:
    hands = Hands()
    clock = Clock(hands.now(), hands.now, hands.ticks)
    hands.passed += 100 * 86400
    assert clock.doubt() == ""
    hands.moved = timedelta(days=days)
    assert f"moved by {abs(days):,} days" in clock.doubt()
    hands.passed += 86399
    assert clock.doubt() != ""
    hands.passed += 2
    assert clock.doubt() == ""


def test_a_clock_that_says_that_long_nothing_came_is_not_believed_for_a_day() -> None:
    hands = Hands()
    assert Clock(hands.now() - timedelta(days=29), hands.now, hands.ticks).doubt() == ""
    clock = Clock(hands.now() - timedelta(days=400), hands.now, hands.ticks)
    assert "no picture came for 400 days" in clock.doubt()
    hands.passed += 86401
    assert clock.doubt() == ""


def test_a_station_that_wakes_far_in_the_future_keeps_its_images_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with projects.create(tmp_path / "project", "Line 4") as project:
        press = kept_parts.station(project, Retention(days=90))
        ids = come(project, press, judged_parts.taught(project), [OK, NG], days_ago=400)
        monkeypatch.setattr(upkeep, "_PAUSE", 0.01)
        with Upkeep(project, press.id) as beside:
            kept_parts.until(lambda: any("set the clock right" in words for words in beside.said))
        assert all(row.path is not None for row in list_results(project, ids))
