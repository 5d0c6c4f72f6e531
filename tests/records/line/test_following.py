"""Drift, followed: only what is new is read, and what it is told from can be chosen."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from at_the_line.followed import NOON

from inspector.bench.line.trends import Line, Parts, line_of, store
from inspector.errors import ProjectError
from inspector.records import schema as t
from inspector.records.audit import list_acts
from inspector.records.inspected.runs import remove_run, restore_run
from inspector.records.line import slots
from inspector.records.line.alarms import Following, Watched, watch_station
from inspector.records.line.stations import Reference, StationSettings, set_lot, set_reference, station_of
from inspector.records.project import Project
from inspector.verdicts.watch import Look


def hours(since: float, until: float, light: float = 1.0, seed: int = 1) -> Parts:
    """Three parts a minute."""
    moments = NOON.timestamp() + 3600 * np.arange(since, until, 1 / 180)
    found = Parts.quiet(moments, np.random.default_rng(seed))
    found.looks[:] *= [light, light**2, light, light]
    return found


def told(found: Watched) -> list[tuple[object, ...]]:
    return [(one.words, one.since, one.noticed, one.until, one.result_ids) for one in found.alarms]


def test_what_is_new_is_added_to_what_is_known_and_says_the_same_as_all_together(
    project: Project, line: Line
) -> None:
    following = Following()
    pieces = [hours(0, 9.03), hours(9.03, 9.1, 0.9), hours(9.1, 14, 0.9), hours(14, 18)]
    for number, piece in enumerate(pieces):
        store(project, line, piece)
        step = watch_station(project, line.station_id, following)
        whole = watch_station(project, line.station_id)
        assert told(step) == told(whole), number
        assert step.usual[line.class_id].keys() == whole.usual[line.class_id].keys()
        for look, usual in step.usual[line.class_id].items():
            assert usual.mean == pytest.approx(whole.usual[line.class_id][look].mean)
    assert [one.until is None for one in step.alarms] == [False]
    assert following.slots.read == sum(len(one.moments) for one in pieces)
    watch_station(project, line.station_id, following)
    assert following.slots.read == sum(len(one.moments) for one in pieces)


def test_a_run_that_is_removed_or_brought_back_is_read_anew(project: Project, line: Line) -> None:
    following = Following()
    store(project, line, hours(0, 9))
    store(project, line, hours(9, 12, 0.9))
    before = told(watch_station(project, line.station_id, following))
    assert len(before) == 1
    remove_run(project, line.run_id)
    assert told(watch_station(project, line.station_id, following)) == []
    restore_run(project, line.run_id)
    assert told(watch_station(project, line.station_id, following)) == before


def test_a_sample_that_has_become_too_large_is_drawn_anew_and_another_station_is_kept_apart(
    project: Project, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_SAMPLE", 1000)
    following = Following()
    store(project, line, hours(0, 10))
    first = watch_station(project, line.station_id, following)
    assert following.slots.every == 1
    store(project, line, hours(10, 30))
    watch_station(project, line.station_id, following)
    assert following.slots.every == 5
    assert told(watch_station(project, line.station_id, following)) == told(
        watch_station(project, line.station_id)
    )
    other = line_of(project, 1, line.class_id, "Line 2", NOON - timedelta(days=1))
    assert watch_station(project, other.station_id, following).usual == {}
    assert first.usual.keys() == {line.class_id}


def test_the_first_parts_are_as_many_as_somebody_says(project: Project, line: Line) -> None:
    store(project, line, hours(0, 2))
    store(project, line, hours(2, 4, 0.9))
    assert told(watch_station(project, line.station_id)) == []  # six hours aren't over
    set_reference(project, line.station_id, Reference(300))
    (alarm,) = watch_station(project, line.station_id).alarms
    assert "darker by 10" in alarm.words
    assert abs((alarm.since - NOON).total_seconds() - 7200) < 60


def test_a_chosen_time_says_what_is_usual_also_to_a_detector_that_came_later(
    project: Project, line: Line
) -> None:
    """The first day was too bright from the start; the second is called good, and a new detector judges on the third."""
    store(project, line, hours(0, 20, 1.1))
    store(project, line, hours(24, 34))
    since = (NOON + timedelta(hours=24)).astimezone()
    set_reference(project, line.station_id, Reference(0, since, since + timedelta(hours=10)))
    assert told(watch_station(project, line.station_id)) == []
    with project.writing() as session:
        before = session.get_one(t.Detector, line.detector_id)
        kept = {c.name: getattr(before, c.name) for c in t.Detector.__table__.columns if c.name != "id"}
        session.add(made := t.Detector(**kept))
        session.flush()
        other = made.id
    later = line_of(project, other, line.class_id, "x", NOON + timedelta(hours=40))
    with project.writing() as session:
        session.get_one(t.Run, later.run_id).station_id = line.station_id
    new = replace(later, station_id=line.station_id)
    store(project, new, hours(48, 51, 0.9))
    found = watch_station(project, line.station_id)
    (alarm,) = found.alarms
    assert "darker by 10" in alarm.words
    assert alarm.since - NOON < timedelta(hours=48, minutes=11)
    assert found.usual[line.class_id][Look.BRIGHTNESS].mean == pytest.approx(112, abs=1)


def test_a_time_in_which_too_few_came_says_so_and_tells_of_nothing(project: Project, line: Line) -> None:
    store(project, line, hours(0, 9))
    store(project, line, hours(9, 12, 0.9))
    since = (NOON + timedelta(hours=2)).astimezone()
    set_reference(project, line.station_id, Reference(0, since, since + timedelta(hours=1)))
    found = watch_station(project, line.station_id)
    assert (found.alarms, found.usual, found.few) == ((), {}, {line.class_id})


def test_a_reference_is_kept_with_the_station_noted_and_nothing_else_touches_it(
    project: Project, line: Line
) -> None:
    since = NOON.astimezone()
    chosen = Reference(0, since, since + timedelta(hours=8))
    assert set_reference(project, line.station_id, chosen) == Reference()
    set_lot(project, line.station_id, "B-2")
    row = station_of(project, line.station_id)
    assert row.settings is not None
    assert row.settings.reference == chosen
    assert StationSettings.of(row.settings.as_json()) == row.settings
    acts = [one for one in list_acts(project) if one.kind == "station changed"]
    assert [(one.old, one.new) for one in acts] == [
        ("drift from the first hours", f"drift from {chosen.words}")
    ]
    assert set_reference(project, line.station_id, Reference()) == chosen
    with project.reading() as session:
        kept = session.get(t.Station, line.station_id)
        assert kept is not None
        assert "reference" not in kept.settings
    with pytest.raises(ProjectError):
        set_reference(project, 99, chosen)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"parts": "x"},
        {"parts": 0, "since": "2026-11-20T06:00:00+01:00"},
        {"parts": 0, "since": "?", "until": "?"},
    ],
)
def test_a_damaged_reference_is_damaged_settings(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        Reference.of(wrong)
