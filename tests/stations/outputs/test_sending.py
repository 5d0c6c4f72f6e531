"""What holds for every output: queued in the project, shown, ended at once, and none in the way of another."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from stations.outputs.arriving_parts import WORDS, Line, wait_for

from inspector.domain import NEVER
from inspector.errors import ProjectError, SettingsError
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.deliveries import count_arrivals, nth_arrival, told_up_to
from inspector.records.line.stations import Part
from inspector.stations import sending as sending_module
from inspector.stations.fields import checked
from inspector.stations.output import message
from inspector.stations.outputs.catalogue import OUTPUTS, find_output
from inspector.stations.sending import Sending

FAST = (0.02, 0.1)


def test_an_output_that_is_in_trouble_holds_up_no_other(line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    station = line.station(
        Part("jsonl", {"folder": str(tmp_path / "file" / "in its way")}, "blocked"),
        Part("jsonl", {"folder": str(tmp_path / "out")}, "well"),
        Part("fax", {}, "unknown"),
        Part("jsonl", {}, "unfinished"),
    )
    with Sending(line.project, station, pauses=FAST) as sending:
        line.judge(station, images=False)
        sending.note()
        wait_for(
            lambda: (
                sending.behind["well"] == 0
                and all(sending.states[one] for one in sending.states if one != "well")
            )
        )
        assert sending.behind == {"blocked": 3, "well": 0, "unknown": 3, "unfinished": 3}
        assert sending.states["well"] == ""
        assert "There is no output “fax”" in sending.states["unknown"]
        assert "“Folder” is missing" in sending.states["unfinished"]


def test_how_many_wait_is_right_while_it_comes_and_goes_and_memory_holds_a_batch_at_most(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_module, "BATCH", 7)
    (tmp_path / "out").write_text("")
    station = line.station(Part("jsonl", {"folder": str(tmp_path / "out")}, "a"))
    other = line.station(name="Press 4")
    with Sending(line.project, station, pauses=FAST) as sending:
        for number in range(1, 4):
            line.judge(station, images=False)
            line.judge(other, images=False)
            assert sending.behind == {"a": 3 * number}
        (tmp_path / "out").unlink()
        wait_for(lambda: sending.behind == {"a": 0})
        for _ in range(20):
            line.judge(station, images=False)
            sending.note()
            assert 0 <= sending.behind["a"] <= 60
        wait_for(lambda: sending.behind == {"a": 0})
    assert count_arrivals(line.project, station.id)[0] == 69
    assert len((tmp_path / "out" / "Press 3.jsonl").read_text("utf-8").splitlines()) == 69


def test_a_note_that_can_not_be_stored_is_said_and_nothing_is_told_twice_meanwhile(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = sending_module.note_told, threading.Event()

    def note(*given: object) -> None:
        if full.is_set():
            raise ProjectError("The disk is full.", "Free some space.")
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(sending_module, "note_told", note)
    station = line.station(Part("jsonl", {"folder": str(tmp_path / "out")}, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        full.set()
        for _ in range(3):
            line.judge(station, images=False)
            sending.note()
            wait_for(lambda: sending.behind == {"a": 0})
        wait_for(lambda: "The disk is full." in sending.states["a"])
        assert told_up_to(line.project, station.id, "a") == 0
        full.clear()
        line.judge(station, images=False)
        sending.note()
        wait_for(lambda: sending.states == {"a": ""} and sending.behind == {"a": 0})
    assert told_up_to(line.project, station.id, "a") == 12
    assert len((tmp_path / "out" / "Press 3.jsonl").read_text("utf-8").splitlines()) == 12


def test_a_station_ends_at_once_and_goes_on_where_it_was(line: Line, tmp_path: Path) -> None:
    station = line.station(*(Part("jsonl", {"folder": str(tmp_path / name)}, name) for name in "abc"))
    ids: list[int] = []
    for _ in range(5):
        with Sending(line.project, station) as sending:
            ids += line.judge(station, WORDS * 50, images=False)
            sending.note()
            began = time.monotonic()
        assert time.monotonic() - began < 1
    with Sending(line.project, station) as sending:
        wait_for(lambda: sending.behind == {"a": 0, "b": 0, "c": 0})
    for name in "abc":
        lines = (tmp_path / name / "Press 3.jsonl").read_text("utf-8").splitlines()
        assert len(lines) == len(ids)


def test_a_station_whose_settings_are_damaged_is_refused_with_a_sentence(line: Line) -> None:
    with pytest.raises(ProjectError, match="are damaged"):
        Sending(line.project, replace(line.station(), settings=None))


def test_arrivals_are_counted_and_found_by_their_number(line: Line) -> None:
    station, other = line.station(), line.station(name="Press 4")
    first = line.judge(station, images=False)
    line.judge(other, images=False)
    second = line.judge(station, images=False)
    assert count_arrivals(line.project, station.id) == (6, second[-1])
    assert count_arrivals(line.project, station.id, after=first[0], up_to=second[0]) == (3, second[0])
    assert count_arrivals(line.project, station.id, after=second[-1]) == (0, second[-1])
    assert [nth_arrival(line.project, station.id, number) for number in (0, 3, 4, 99)] == [
        0,
        first[2],
        second[0],
        second[-1],
    ]


def test_every_output_has_words_and_settings_that_a_form_can_show() -> None:
    for kind, info in OUTPUTS.items():
        assert info.kind == kind
        assert info.summary.endswith(".")
        names = [one.name for one in info.fields]
        assert len(names) == len(set(names))
        must = {one.name: "x" for one in info.fields if one.default is None}
        assert set(checked(info.fields, must)) == set(names)
    with pytest.raises(SettingsError, match="There is no output"):
        find_output("fax")


@pytest.mark.parametrize("kind", ["mqtt", "opcua", "modbus"])
def test_what_has_to_be_installed_first_is_said(
    line: Line, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, OUTPUTS[kind].module, None)
    station = line.station(Part(kind, {"host": "127.0.0.1"}, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: "inspector[line]" in sending.states["a"])


def test_a_threshold_that_no_score_reaches_is_told_as_none(line: Line) -> None:
    station = line.station()
    line.judge(station, images=False)
    arrival = list_arrivals(line.project, station.id)[0]
    assert message(replace(arrival, threshold=NEVER))["threshold"] is None
    assert message(replace(arrival, threshold=0.7))["threshold"] == 0.7
