"""A station as it runs: every picture judged once, whatever else happens meanwhile."""

from collections.abc import Callable
from pathlib import Path

from stations.station_runs import Running, arrivals, pictures, put, station

from inspector.domain import Decision, JobItem, JobStatus
from inspector.records.audit import ActKind, list_acts
from inspector.records.inspected.runs import list_runs
from inspector.records.project import Project

Start = Callable[[int], Running]


def test_pictures_are_judged_as_they_come_and_a_broken_one_fails_by_name(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox = tmp_path / "inbox"
    for number, file in enumerate(pictures(washers)):
        put(file, inbox, f"good {number}.png")
    press = start(station(project, "folder", path=str(inbox), finished="renamed"))
    press.until_judged(3)
    put(pictures(washers, "bad")[0], inbox, "bad.png")
    (inbox / ".broken").write_bytes(b"\x89PNG\r\n\x1a\n" + b"no picture" * 9)
    (inbox / ".broken").rename(inbox / "broken.png")
    found = {one.name: one for one in press.until_judged(5)}
    ended = press.stop()
    assert ended.status is JobStatus.DONE
    assert ended.result == {"station": "Press 3", "judged": 5, "failed": 1}
    assert found["bad.png"].said is Decision.NG
    assert found["broken.png"].said is None
    assert "broken.png" in found["broken.png"].error
    items = [event for event in press.events if isinstance(event, JobItem)]
    assert sorted(one.name for one in items) == sorted(found)
    assert [one.error != "" for one in items if one.name == "broken.png"] == [True]
    state = press.watch.state
    assert (state.judged, state.failed, sum(state.said.values())) == (5, 1, 4)
    assert 0 < (state.p95 or 0) < 30
    kinds = [act.kind for act in list_acts(project)]
    assert kinds.count(ActKind.STATION_STARTED) == kinds.count(ActKind.STATION_STOPPED) == 1
    assert len(list(inbox.iterdir())) == 5


def test_a_station_that_starts_again_goes_on_with_the_run_of_the_day_and_judges_nothing_twice(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox = tmp_path / "inbox"
    key = station(project, "folder", path=str(inbox), finished="renamed")
    put(pictures(washers)[0], inbox, "1.png")
    first = start(key)
    first.until_judged(1)
    first.stop()
    put(pictures(washers)[1], inbox, "2.png")
    put(pictures(washers)[0], inbox, "1.png", 7)  # another part under the same name
    second = start(key)
    second.until_judged(2)
    second.stop()
    assert sorted(one.name for one in arrivals(project, key)) == ["1.png", "1.png", "2.png"]
    assert len({one.run_id for one in arrivals(project, key)}) == 1
    assert len(list_runs(project)) == 1
