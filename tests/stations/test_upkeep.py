"""What a running station does beside judging, with a real detector."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from at_the_line import kept_parts
from stations.station_runs import Running, arrivals, pictures, put

from inspector.domain import CancelToken, Decision
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.line import keeping
from inspector.records.line.stations import (
    Part,
    Retention,
    ShiftCheck,
    StationSettings,
    add_station,
    station_of,
)
from inspector.records.project import Project
from inspector.records.qualification.golden import add_golden
from inspector.stations.shift_check import passed
from inspector.stations.upkeep import retention

Start = Callable[[int], Running]


def _station(project: Project, inbox: Path, check: ShiftCheck, keep: Retention = Retention()) -> int:
    source = Part("folder", {"path": str(inbox), "finished": "renamed"})
    return add_station(project, "Press 3", StationSettings(source, check=check, retention=keep))


def test_nothing_is_judged_until_the_shift_check_is_passed_and_then_all_that_waited_is(
    project: Project, washers: Path, tmp_path: Path, start: Start, engine: Engine
) -> None:
    inbox = tmp_path / "inbox"
    for number, file in enumerate(pictures(washers)):
        put(file, inbox, f"good {number}.png")
    key = _station(project, inbox, ShiftCheck(at_start=True, blocks=True))
    press = start(key)
    press.until(lambda: "Nothing is judged until one is passed" in press.watch.state.blocked)
    time.sleep(0.5)
    assert arrivals(project, key) == []
    inspect(
        project,
        engine,
        pictures(washers, "bad")[:1],
        class_name="washer",
        emit=lambda event: None,
        cancel=CancelToken(),
    )
    (row,) = list_results(project, result_ids(project))
    add_golden(project, {row.id: Decision.NG}, who="Ada")
    assert passed(kept_parts.shift_check(project, engine, station_of(project, key)))
    assert len(press.until_judged(3)) == 3
    press.until(lambda: press.watch.state.blocked == "")


def test_a_check_that_only_warns_stops_nothing_and_good_parts_images_go_by_the_rule(
    project: Project, washers: Path, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (retention, keeping):
        monkeypatch.setattr(module, "GRACE", 0.0)
    inbox = tmp_path / "inbox"
    for number, file in enumerate(pictures(washers)):
        put(file, inbox, f"good {number}.png")
    put(pictures(washers, "bad")[0], inbox, "bad.png")
    key = _station(project, inbox, ShiftCheck(at_start=True), Retention(ok_every=0))
    press = start(key)
    said = {one.name: one.said for one in press.until_judged(4)}
    assert said["bad.png"] is Decision.NG
    good = next(name for name, decision in said.items() if decision is Decision.OK)
    press.until(lambda: any("is due" in words for words in press.watch.state.warned))
    press.stop()
    rows = {row.name: row for row in list_results(project, result_ids(project))}
    again = start(key)  # the rule is looked at when a station starts, and every minute
    again.until(lambda: _gone(project, rows[good].id))
    rows = {row.name: row for row in list_results(project, result_ids(project))}
    assert rows[good].verdict is Decision.OK
    assert rows["bad.png"].path is not None
    assert rows["bad.png"].path.is_file()


def _gone(project: Project, result_id: int) -> bool:
    (row,) = list_results(project, [result_id])
    return row.path is None
