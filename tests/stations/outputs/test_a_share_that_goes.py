"""A share that is gone leaves an empty folder in its place: nothing is written there, and all is told once it is back."""

from pathlib import Path

import pytest
from stations.outputs.arriving_parts import WORDS, Line, wait_for

from inspector.records.line.stations import Part
from inspector.stations.outputs.known_folder import MARK
from inspector.stations.sending import Sending

FAST = (0.02, 0.1)


@pytest.mark.parametrize("kind", ["jsonl", "table", "sorting"])
def test_results_wait_for_the_folder_that_they_went_to_before_also_after_a_restart(
    line: Line, tmp_path: Path, kind: str
) -> None:
    place, away = tmp_path / "share", tmp_path / "away"
    station = line.station(Part(kind, {"folder": str(place / "told")}, "a"))

    def count(folder: Path) -> int:
        if kind == "sorting":
            return len(list(folder.rglob("*.png")))
        return sum(
            file.read_text("utf-8-sig").count("part ") for file in folder.rglob("*.*") if file.is_file()
        )

    with Sending(line.project, station, pauses=FAST) as sending:
        line.judge(station)
        sending.note()
        wait_for(lambda: count(place) == len(WORDS) and sending.behind == {"a": 0})
        place.rename(away)
        place.mkdir()
        line.judge(station)
        sending.note()
        wait_for(lambda: "Connect its drive or share" in sending.states["a"])
        assert list(place.iterdir()) == []
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: "Connect its drive or share" in sending.states["a"])
        assert (list(place.iterdir()), sending.behind) == ([], {"a": 3})
        place.rmdir()
        away.rename(place)
        wait_for(lambda: sending.behind == {"a": 0} and sending.states == {"a": ""})
    assert count(place) == 2 * len(WORDS)


def test_a_folder_that_was_emptied_on_purpose_is_taken_again_once_somebody_says_so(
    line: Line, tmp_path: Path
) -> None:
    folder = tmp_path / "told"
    station = line.station(Part("jsonl", {"folder": str(folder)}, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        line.judge(station)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    folder.rename(tmp_path / "archive")
    line.judge(station)
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: MARK in sending.states["a"])
        folder.mkdir()
        (folder / MARK).touch()
        wait_for(lambda: sending.behind == {"a": 0})
    assert (folder / "Press 3.jsonl").read_text().count("part ") == 3
