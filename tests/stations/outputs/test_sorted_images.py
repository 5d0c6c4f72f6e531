"""Images in the folder of their verdict."""

from pathlib import Path

import pytest
from stations.outputs.arriving_parts import EVERY, WORDS, Line, png, wait_for

from inspector.records.line.deliveries import note_told
from inspector.records.line.stations import Part, StationRow, Value
from inspector.stations.outputs import known_folder
from inspector.stations.sending import Sending

FAST = (0.02, 0.1)


def sorting(folder: Path, **values: Value) -> Part:
    return Part("sorting", {"folder": str(folder), **values}, "a")


def tell(line: Line, station: StationRow) -> None:
    with Sending(line.project, station, pauses=FAST) as sending:
        wait_for(lambda: sending.behind == {"a": 0})
        assert sending.states == {"a": ""}


def found(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != known_folder.MARK
    )


@pytest.mark.parametrize("how", ["copy", "link"])
def test_every_image_lies_in_the_folder_of_its_verdict_whatever_it_is_called(
    line: Line, tmp_path: Path, how: str
) -> None:
    out = tmp_path / "out"
    station = line.station(sorting(out, how=how))
    tell(line, station)
    ids = line.judge(station, EVERY, name=lambda number: "a/b:c.png")
    assert ids == [1, 2, 3, 4, 5]
    tell(line, station)
    assert found(out) == [
        "failed/a_b_c-4.txt",
        "ng/a_b_c-2.png",
        "ok/a_b_c-1.png",
        "other/a_b_c-5.png",
        "review/a_b_c-3.png",
    ]
    image = next((out / "ng").iterdir())
    assert image.read_bytes() == png(2)
    assert (image.stat().st_nlink > 1) == (how == "link")
    assert "It is cut off." in next((out / "failed").iterdir()).read_text("utf-8")


def test_what_is_told_again_is_there_once_and_another_file_of_that_name_stays(
    line: Line, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    station = line.station(sorting(out, ok=False, below="order"))
    tell(line, station)
    line.judge(station, [*WORDS, None])
    other = out / "A-17" / "ng" / "part 2-2.png"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    tell(line, station)
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    note_told(line.project, station.id, "a", 0)  # as after a kill
    tell(line, station)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == first
    assert found(out) == [
        "A-17/failed/part 4-4.txt",
        "A-17/ng/part 2-2.png",
        "A-17/ng/part 2-2_2.png",
        "A-17/review/part 3-3.png",
    ]
    assert other.read_text() == "mine"


def test_an_image_that_the_project_has_no_more_leaves_a_line_in_its_place(line: Line, tmp_path: Path) -> None:
    station = line.station(sorting(tmp_path / "out"))
    tell(line, station)
    line.judge(station, WORDS[:1])
    for image in (line.project.folder / "images").rglob("*.png"):
        image.unlink()
    tell(line, station)
    assert (tmp_path / "out" / "ok" / "part 1-1.txt").read_text("utf-8") == (
        "part 1.png\nIts image is no longer in the project.\n"
    )


def test_a_folder_that_is_gone_for_a_while_gets_all_when_it_is_back(line: Line, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.write_text("not mounted")
    station = line.station(sorting(share / "out"))
    with Sending(line.project, station, pauses=FAST) as sending:
        line.judge(station, WORDS * 2)
        sending.note()
        wait_for(lambda: "can't be written" in sending.states["a"])
        assert sending.behind == {"a": 6}
        share.unlink()
        wait_for(lambda: sending.behind == {"a": 0})
    assert len(found(share)) == 6
