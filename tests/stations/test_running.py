"""A station as it runs: every picture judged once, whatever else happens meanwhile."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import stem_engine
from PIL import Image
from stations.station_runs import Running, arrivals, pictures, put, station

from inspector import paths
from inspector.domain import CancelToken, Decision, JobItem, JobStatus
from inspector.errors import ProjectFullError
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records.audit import ActKind, list_acts
from inspector.records.classes import find_class
from inspector.records.detectors import accept_detector, find_detector, list_proposed, remove_detector
from inspector.records.inspected.new_results import NOT_KEPT
from inspector.records.inspected.results import list_results
from inspector.records.inspected.runs import list_runs
from inspector.records.line.stations import (
    Part,
    StationSettings,
    add_station,
    change_station,
    station_of,
)
from inspector.records.project import Project
from inspector.records.shots import add_shots
from inspector.stations import running
from inspector.stations.looks import looks_of

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
    assert ended.result.pop("computed_by").startswith("CPU")
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


def test_a_detector_that_is_put_in_charge_judges_from_the_next_picture_on_in_a_run_of_its_own(
    project: Project, engine: Engine, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox = tmp_path / "inbox"
    key = station(project, "folder", path=str(inbox), finished="renamed")
    put(pictures(washers)[0], inbox, "before.png")
    press = start(key)
    press.until_judged(1)
    first = press.watch.state.detector_id
    add_shots(project, find_class(project, "washer").id, [pictures(washers)[2]])
    teach(project, stem_engine.make(), method="patchcore", emit=lambda event: None, cancel=CancelToken())
    newer = find_detector(project)
    if newer.id == first:
        accept_detector(project, list_proposed(project)[0].id)
        newer = find_detector(project)
    assert newer.id != first
    press.until(lambda: press.watch.state.detector_id == newer.id)
    put(pictures(washers)[1], inbox, "after.png")
    found = press.until_judged(2)
    assert [(one.name, one.detector_id) for one in found] == [("before.png", first), ("after.png", newer.id)]
    assert found[0].run_id != found[1].run_id


def test_order_and_source_follow_the_settings_while_it_runs(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox, other = tmp_path / "inbox", tmp_path / "other"
    key = station(project, "folder", path=str(inbox), finished="renamed")
    press = start(key)
    put(pictures(washers)[0], inbox, "1.png")
    press.until_judged(1)
    row = station_of(project, key)
    assert row.settings is not None
    moved = replace(row.settings, source=Part("folder", {"path": str(other), "finished": "renamed"}), lot="B")
    change_station(project, key, name="Press 3", settings=moved, class_id=None, detector_id=None)
    put(pictures(washers)[1], other, "2.png")
    found = press.until_judged(2)
    assert [(one.name, one.lot) for one in found] == [("1.png", ""), ("2.png", "B")]
    assert press.stop().status is JobStatus.DONE


def _as_a_camera_without_a_clock(source: Path, folder: Path, name: str = "image.bmp") -> None:
    """The same name, size and time whatever it shows."""
    with Image.open(source) as picture:
        picture.convert("RGB").save(folder / f".{name}", "bmp")
    os.utime(folder / f".{name}", (1_700_000_000, 1_700_000_000))
    (folder / f".{name}").rename(folder / name)


@pytest.mark.parametrize("after", ["delete", "move", "leave"])
def test_pictures_of_one_name_size_and_time_are_each_judged_before_the_next_takes_their_place(
    project: Project, washers: Path, tmp_path: Path, start: Start, after: str
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    key = station(project, "folder", path=str(inbox), finished="renamed", after=after)
    files = [*pictures(washers), *pictures(washers, "bad")]
    press = start(key)
    for number, file in enumerate(files[:4], 1):
        _as_a_camera_without_a_clock(file, inbox)
        press.until_judged(number)
        gone = inbox / "image.bmp"
        press.until(lambda gone=gone: after == "leave" or not gone.exists())
    press.stop()
    if after != "leave":  # one that came while nobody looked
        _as_a_camera_without_a_clock(files[4], inbox)
        again = start(key)
        again.until_judged(1)
        again.stop()
    rows = list_results(project, [one.result_id for one in arrivals(project, key)])
    assert len({row.sha256 for row in rows}) == (4 if after == "leave" else 5)
    assert len(rows) == len({row.sha256 for row in rows})
    if after == "move":
        assert len(list((inbox / "judged").iterdir())) == 5


def test_a_judged_file_whose_rights_are_changed_is_the_same_picture(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox = tmp_path / "inbox"
    key = station(project, "folder", path=str(inbox), finished="renamed")
    file = put(pictures(washers)[0], inbox, "1.png")
    press = start(key)
    press.until_judged(1)
    file.chmod(0o600)
    put(pictures(washers)[1], inbox, "2.png")
    press.until_judged(2)
    press.until(lambda: press.watch.state.waiting == 0)
    press.stop()
    assert [one.name for one in arrivals(project, key)] == ["1.png", "2.png"]


def test_on_a_full_disk_verdicts_are_stored_and_a_picture_of_which_no_copy_is_kept_stays_where_it_lies(
    project: Project, washers: Path, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "inbox"
    key = station(project, "folder", path=str(inbox), finished="renamed", after="delete")
    press = start(key)
    real = paths.write_atomic

    def full(*words: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths, "write_atomic", full)
    put(pictures(washers)[0], inbox, "1.png")
    (found,) = press.until_judged(1)
    (row,) = list_results(project, [found.result_id])
    assert (row.verdict, row.error, row.path, row.hint) == (Decision.OK, "", None, NOT_KEPT)
    monkeypatch.setattr(paths, "write_atomic", real)
    put(pictures(washers)[1], inbox, "2.png")
    press.until(lambda: press.watch.state.judged == 2 and not (inbox / "2.png").exists())
    press.stop()
    again = start(key)
    put(pictures(washers)[2], inbox, "3.png")
    again.until(lambda: again.watch.state.judged == 1 and not (inbox / "3.png").exists())
    assert [one.name for one in inbox.iterdir()] == ["1.png"]
    assert [one.name for one in arrivals(project, key)] == ["1.png", "2.png", "3.png"]


def test_while_not_even_a_verdict_can_be_stored_pictures_wait(
    project: Project, washers: Path, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "inbox"
    press = start(station(project, "folder", path=str(inbox), finished="renamed", after="delete"))
    real = running.record_arrivals

    def full(*words: object, **named: object) -> None:
        raise ProjectFullError("The disk is full.", "Free some space.")

    monkeypatch.setattr("inspector.stations.running._AGAIN", 0.2)
    monkeypatch.setattr(running, "record_arrivals", full)
    put(pictures(washers)[0], inbox, "1.png")
    press.until(lambda: press.watch.state.blocked != "")
    assert (inbox / "1.png").exists()
    monkeypatch.setattr(running, "record_arrivals", real)
    assert [one.name for one in press.until_judged(1)] == ["1.png"]
    press.until(lambda: press.watch.state.blocked == "" and not (inbox / "1.png").exists())


def test_every_result_is_told_in_order_once_it_is_stored(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    inbox, told = tmp_path / "inbox", tmp_path / "told" / "Press 3.jsonl"
    source = Part("folder", {"path": str(inbox), "finished": "renamed"})
    settings = StationSettings(source, (Part("jsonl", {"folder": str(told.parent)}, "jsonl"),), lot="C")
    key = add_station(project, "Press 3", settings, class_id=find_class(project, "washer").id)
    press = start(key)
    for number, file in enumerate(pictures(washers) + pictures(washers, "bad")):
        put(file, inbox, f"{number}.png")
    found = press.until_judged(6)
    press.until(lambda: told.exists() and told.read_text().count("\n") >= 6)
    press.stop()
    said = [json.loads(line) for line in told.read_text().splitlines()]
    assert [one["id"] for one in said] == [one.id for one in found]
    assert {one["order"] for one in said} == {"C"}
    assert {one["class"] for one in said} == {"washer"}


def test_a_station_whose_class_nobody_judges_any_more_ends_and_says_why(
    project: Project, washers: Path, tmp_path: Path, start: Start
) -> None:
    key = station(project, "folder", path=str(tmp_path / "inbox"))
    press = start(key)
    press.until(lambda: press.watch.state.running)
    remove_detector(project, find_detector(project).id)
    press.until(lambda: not press.watch.state.running)
    ended = press.ended()
    assert ended.status is JobStatus.FAILED
    assert "taught" in ended.message


def test_a_station_that_is_stopped_before_it_could_begin_ends_well(
    project: Project, tmp_path: Path, start: Start
) -> None:
    press = start(station(project, "folder", path=str(tmp_path / "inbox")))
    ended = press.stop()
    assert ended.status is JobStatus.DONE
    assert ended.message == "Stopped. 0 pictures judged."


def test_a_picture_is_looked_at_for_its_light_focus_and_colour() -> None:
    sharp = np.kron(
        np.random.default_rng(0).integers(60, 190, (96, 128, 1), np.uint8), np.ones((8, 8, 3), np.uint8)
    )
    plain = looks_of(sharp)
    assert abs(plain.brightness - float(sharp.mean())) < 1
    assert abs(plain.red_green) < 1e-6
    blurred = looks_of(cv2.GaussianBlur(sharp, (0, 0), 9))
    assert blurred.sharpness < plain.sharpness / 4
    warm = sharp.copy()
    warm[..., 0] = np.minimum(255, warm[..., 0] + 30)
    assert 25 < looks_of(warm).red_green < 31
    assert looks_of(warm).blue_yellow < -10
