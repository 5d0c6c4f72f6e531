"""When shifts begin and end."""

from datetime import datetime, timedelta

from inspector.records.line.shifts import shift_at, shifts_between

THREE = ("06:00", "14:00", "22:00")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


def test_a_moment_lies_in_the_shift_that_began_last() -> None:
    found = shift_at(THREE, local("2026-11-27 14:32"))
    assert (found.begins, found.ends) == (local("2026-11-27 14:00"), local("2026-11-27 22:00"))
    assert found.words == "2026-11-27 14:00 – 22:00"
    assert shift_at(THREE, local("2026-11-27 14:00")).begins == local("2026-11-27 14:00")


def test_the_night_shift_goes_over_midnight() -> None:
    found = shift_at(THREE, local("2026-11-28 02:00"))
    assert (found.begins, found.ends) == (local("2026-11-27 22:00"), local("2026-11-28 06:00"))
    assert found.words == "2026-11-27 22:00 – 2026-11-28 06:00"


def test_without_times_a_shift_is_a_day_and_what_is_no_time_is_left_out() -> None:
    assert shift_at((), local("2026-11-28 02:00")).ends - local("2026-11-28 00:00") == timedelta(days=1)
    assert shift_at(("soon", "07:00"), local("2026-11-28 02:00")).begins == local("2026-11-27 07:00")


def test_shifts_between_are_those_that_ended() -> None:
    found = shifts_between(THREE, local("2026-11-27 07:00"), local("2026-11-28 06:00"))
    assert [one.begins.hour for one in found] == [6, 14, 22]
    assert shifts_between(THREE, local("2026-11-27 07:00"), local("2026-11-27 13:00")) == []
