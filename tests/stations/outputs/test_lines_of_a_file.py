"""JSON lines and tables: every result once, in order, whatever happens to the file or the program."""

import csv
import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stations.outputs.arriving_parts import WORDS, Line, wait_for

from inspector.records.line.deliveries import note_told, told_up_to
from inspector.records.line.shifts import shift_at
from inspector.records.line.stations import Part
from inspector.stations.sending import Sending

FAST = (0.02, 0.1)


def ids_of(path: Path) -> list[int]:
    if path.suffix == ".jsonl":
        return [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [int(row["id"]) for row in csv.DictReader(file)]


def the_file(folder: Path) -> Path:
    for path in folder.glob("[!.]*"):
        if path.suffix in (".jsonl", ".csv"):
            return path
    raise FileNotFoundError(folder)


@pytest.fixture(params=["jsonl", "table"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_result_is_told_once_in_order_and_only_what_comes_from_now_on(
    line: Line, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    station = line.station(Part(kind, {"folder": str(out)}, "a"))
    line.judge(station)
    with Sending(line.project, station) as sending:
        ids = line.judge(station, [*WORDS, None])
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        assert ids_of(the_file(out)) == ids
        assert sending.states == {"a": ""}
    assert told_up_to(line.project, station.id, "a") == ids[-1]


def test_a_line_says_what_was_judged(line: Line, tmp_path: Path) -> None:
    station = line.station(Part("jsonl", {"folder": str(tmp_path)}, "a"))
    with Sending(line.project, station) as sending:
        line.judge(station, [WORDS[1], None])
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    ng, failed = map(json.loads, (tmp_path / "Press 3.jsonl").read_text("utf-8").splitlines())
    assert (ng["station"], ng["order"], ng["name"], ng["class"], ng["verdict"]) == (
        "Press 3",
        "A-17",
        "part 1.png",
        "Cookie",
        "ng",
    )
    assert ng["score"] == pytest.approx(0.900001)
    assert (failed["verdict"], failed["score"], failed["error"]) == ("failed", None, "It is cut off.")


def test_a_table_holds_no_formula_and_a_row_is_of_the_shift_in_which_its_part_came(
    line: Line, tmp_path: Path
) -> None:
    station = line.station(Part("table", {"folder": str(tmp_path / "out")}, "a"))
    early = datetime(2026, 3, 2, 5, 59, 59).astimezone()
    with Sending(line.project, station) as sending:
        first = line.judge(station, name="=HYPERLINK({})".format, arrived=early)
        second = line.judge(station, arrived=early + timedelta(seconds=1))
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    night, morning = sorted((tmp_path / "out").glob("*.csv"))
    assert (night.name, morning.name) == ("Press 3 2026-03-01 22-00.csv", "Press 3 2026-03-02 06-00.csv")
    assert (ids_of(night), ids_of(morning)) == (first, second)
    assert night.read_bytes().startswith(b"\xef\xbb\xbfid,")
    assert "'=HYPERLINK(1)" in night.read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("hour", "begins", "began"),
    [
        ("06:00", ("06:00", "14:00"), "2026-03-02 06:00"),
        ("05:59", ("14:00", "06:00"), "2026-03-01 14:00"),
        ("23:00", (), "2026-03-02 00:00"),
        ("00:10", ("25:99", "00:00"), "2026-03-02 00:00"),
    ],
)
def test_a_moment_belongs_to_the_shift_that_began_last(
    hour: str, begins: tuple[str, ...], began: str
) -> None:
    moment = datetime.fromisoformat(f"2026-03-02T{hour}").astimezone().astimezone(UTC)
    assert shift_at(begins, moment).begins == datetime.fromisoformat(began).astimezone()


def test_what_a_kill_left_at_the_end_of_the_file_is_mended_and_not_written_twice(
    line: Line, tmp_path: Path, kind: str
) -> None:
    station = line.station(Part(kind, {"folder": str(tmp_path / "out")}, "a"))
    with Sending(line.project, station) as sending:
        ids = line.judge(station, WORDS * 4)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    path = the_file(tmp_path / "out")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for torn in (b"", lines[-1][:1], lines[-1][:40], lines[-1][:-1], lines[-1][:9] + b"\0" * 50):
        # five lines are there of which nobody noted that they are, and a part of a sixth
        path.write_bytes(b"".join(lines[:-1]) + torn)
        note_told(line.project, station.id, "a", ids[-6])
        with Sending(line.project, station) as sending:
            wait_for(lambda sending=sending: sending.behind == {"a": 0})
        assert path.read_bytes() == whole


def test_what_a_person_wrote_at_the_end_stays_and_a_file_that_was_moved_away_is_begun_anew(
    line: Line, tmp_path: Path
) -> None:
    station = line.station(Part("jsonl", {"folder": str(tmp_path)}, "a"))
    path = tmp_path / "Press 3.jsonl"
    with Sending(line.project, station) as sending:
        first = line.judge(station)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        with path.open("ab") as file:
            file.write(b"checked by Ada")
        line.judge(station, WORDS[:1])
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) == 5
        assert lines[3] == "checked by Ada"
        path.rename(tmp_path / "old")
        later = line.judge(station)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
    assert ids_of(path) == later
    assert len(first) == 3


def test_a_folder_that_can_not_be_written_is_a_state_and_what_waited_comes_in_order(
    line: Line, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "share" / "out"
    out.parent.write_text("in its way")
    station = line.station(Part(kind, {"folder": str(out)}, "a"))
    with Sending(line.project, station, pauses=FAST) as sending:
        ids = line.judge(station) + line.judge(station)
        sending.note()
        wait_for(lambda: sending.states["a"])
        assert "can't be written" in sending.states["a"]
        assert sending.behind == {"a": 6}
        out.parent.unlink()
        wait_for(lambda: sending.behind == {"a": 0})
        wait_for(lambda: not sending.states["a"])
    assert ids_of(the_file(out)) == ids


def test_a_full_disk_leaves_no_half_line_and_is_over_when_there_is_room(
    line: Line, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = line.station(Part(kind, {"folder": str(tmp_path / "out")}, "a"))
    real, full = os.fsync, [False]

    def fsync(handle: int) -> None:
        if full[0] and "out" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with Sending(line.project, station, pauses=FAST) as sending:
        first = line.judge(station)
        sending.note()
        wait_for(lambda: sending.behind == {"a": 0})
        path = the_file(tmp_path / "out")
        before = path.read_bytes()
        monkeypatch.setattr(os, "fsync", fsync)
        full[0] = True
        second = line.judge(station)
        sending.note()
        wait_for(lambda: "disk is full" in sending.states["a"])
        wait_for(lambda: path.read_bytes() == before)
        full[0] = False
        wait_for(lambda: sending.behind == {"a": 0})
    assert ids_of(path) == first + second


def test_two_stations_never_write_one_file(line: Line, tmp_path: Path) -> None:
    one = line.station(Part("jsonl", {"folder": str(tmp_path / "out")}, "a"), name="Press/3")
    other = line.station(Part("jsonl", {"folder": str(tmp_path / "out")}, "a"), name="Press:3")
    with Sending(line.project, one) as first:
        line.judge(one)
        first.note()
        wait_for(lambda: (tmp_path / "out" / "Press_3.jsonl").exists())
        with Sending(line.project, other, pauses=FAST) as second:
            line.judge(other)
            wait_for(lambda: "Another station writes" in second.states["a"])
            assert second.behind == {"a": 3}


_CHILD = """
import sys, threading
from pathlib import Path
from inspector.records import project as projects
from inspector.records.line.stations import find_station
from inspector.stations.sending import Sending

with projects.open(Path(sys.argv[1])) as project, Sending(project, find_station(project, "Press 3")):
    print("sending", flush=True)
    threading.Event().wait()
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_killed_again_and_again_while_it_writes_every_result_is_there_once(
    line: Line, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    kinds = ("jsonl", "table")
    station = line.station(*(Part(kind, {"folder": str(out / kind)}, kind) for kind in kinds))
    for kind in kinds:
        assert told_up_to(line.project, station.id, kind) == 0
    ids = line.judge(station, WORDS * 800, images=False)
    line.project.close()
    kills = 0
    for size in (1, 120_000, 350_000, 600_000, 10_000_000):
        command = [sys.executable, "-c", _CHILD, str(line.project.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            try:
                assert child.stdout
                child.stdout.readline()
                until = time.monotonic() + 10
                while time.monotonic() < until and _size(out / "jsonl") < size and not _told(out, ids[-1]):
                    time.sleep(0.0005)
            finally:
                child.kill()
        kills += not _told(out, ids[-1])
    assert kills > 1  # in the midst of it
    for kind in kinds:
        assert ids_of(the_file(out / kind)) == ids


def _told(out: Path, last: int) -> bool:
    """Whether both files end in it."""
    ends = (f'{{"id": {last}, ', f"\r\n{last},")
    try:
        return all(
            end.encode() in the_file(out / kind).read_bytes()[-1000:]
            for kind, end in zip(("jsonl", "table"), ends, strict=True)
        )
    except OSError:
        return False


def _size(folder: Path) -> int:
    try:
        return the_file(folder).stat().st_size
    except OSError:
        return 0
