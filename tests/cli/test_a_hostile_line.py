"""What a line does to a runner: parts of another product, cameras without a clock, ids that come again, stations that can't go on."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from inspector.bench import drawn_parts
from inspector.cli.main import app
from inspector.domain import Decision
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.records.classes import add_class, remove_class
from inspector.records.line.arrivals import ArrivalRow, list_arrivals
from inspector.records.line.deliveries import told_up_to
from inspector.records.line.stations import change_station, find_station


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    said = str(done.exception) if done.exception and not isinstance(done.exception, SystemExit) else ""
    return done.exit_code, " ".join((done.output + said).split())


class Runner:
    """`inspector run`, and what it says."""

    def __init__(self, folder: Path, *stations: str) -> None:
        named = [word for name in stations for word in ("--station", name)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inspector", "run", str(folder), *named],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.judged: list[str] = []
        self.said: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.judged)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.said)),
        ]
        for one in self._threads:
            one.start()

    def _read(self, stream: Iterator[str], lines: list[str]) -> None:
        lines.extend(line.rstrip() for line in iter(stream.readline, ""))  # type: ignore[attr-defined]

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 180
        while not holds():
            assert time.monotonic() < deadline, (self.judged, self.said)
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for one in self._threads:
            one.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """(a taught project, pictures for it)"""
    top = tmp_path_factory.mktemp("hostile")
    shots, drawn = drawn_parts.files(top, 6, None, size=160)
    with projects.create(top / "project", "Line 4") as project:
        drawn_parts.teach_part(project, Engine(), shots)
    return top / "project", drawn


@dataclass
class Line:
    """A runner with stations that each go through something else, and their folders by name."""

    runner: Runner
    project: Path
    drawn: list[Path]
    inbox: dict[str, Path]
    out: Path

    def judged(self, name: str) -> int:
        return sum(f" {name} " in line for line in self.runner.judged)

    def arrivals(self, name: str) -> list[ArrivalRow]:
        with projects.open(self.project, read_only=True) as project:
            return list_arrivals(project, find_station(project, name).id)


OUTPUTS = ("jsonl", "table", "sorting", "modbus", "opcua")


@pytest.fixture(scope="module")
def line(parts: tuple[Path, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    pytest.importorskip("asyncua")
    pytest.importorskip("pymodbus")
    folder, drawn = parts
    top = tmp_path_factory.mktemp("line")
    inbox = {name: top / name for name in ("Told", "Broken", "Clockless", "Takes")}
    for one in inbox.values():
        one.mkdir()
    inbox["Misses"] = inbox["Takes"]
    words = [f"folder={top / 'out'}"] * 3 + [f"port={free_port()} shown_for=10" for _ in range(2)]
    told = [
        word for kind, values in zip(OUTPUTS, words, strict=True) for word in ("--output", f"{kind} {values}")
    ]
    more = {
        "Told": ("--class", "Part", *told),
        "Clockless": ("--set", "after=delete"),
        "Takes": ("--set", "after=move"),
    }
    for name, place in inbox.items():
        assert run("station", "add", folder, name, "--set", f"path={place}", *more.get(name, ()))[0] == 0
    with projects.open(folder) as project:
        nut, row = add_class(project, "Nut"), find_station(project, "Broken")
        assert row.settings is not None
        change_station(project, row.id, name="Broken", settings=row.settings, class_id=nut, detector_id=None)
        remove_class(project, nut)
    runner = Runner(folder, *inbox)
    try:
        yield Line(runner, folder, drawn, inbox, top / "out")
        assert runner.stop() == 1  # one can't go on to the end
    finally:
        runner.close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_part_of_another_product_is_told_to_every_receiver_and_what_follows_it_too(line: Line) -> None:
    Image.new("RGB", (160, 160), (255, 0, 255)).save(line.inbox["Told"] / "a.png")
    line.runner.until(lambda: line.judged("Told") == 1)
    (line.inbox["Told"] / "b.png").write_bytes(line.drawn[0].read_bytes())

    def told() -> list[int]:
        with projects.open(line.project, read_only=True) as project:
            key = find_station(project, "Told").id
            return [told_up_to(project, key, one) for one in OUTPUTS]

    line.runner.until(lambda: line.judged("Told") == 2)
    first, second = line.arrivals("Told")
    assert first.said is Decision.OTHER
    line.runner.until(lambda: told() == [second.id] * 5)
    assert (line.out / "other" / f"a-{first.id}.png").is_file()
    assert len(list(line.out.rglob("*.png"))) == 2
    assert len((line.out / "Told.jsonl").read_text().splitlines()) == 2
    assert not [one for one in line.runner.said if "unexpectedly" in one or "Another station" in one]


def test_pictures_of_a_camera_without_a_clock_are_judged_though_all_are_called_alike(line: Line) -> None:
    inbox = line.inbox["Clockless"]
    for number in range(4):
        with Image.open(line.drawn[number]) as picture:
            picture.convert("RGB").save(inbox / ".image.bmp", "bmp")
        os.utime(inbox / ".image.bmp", (1_700_000_000, 1_700_000_000))
        (inbox / ".image.bmp").rename(inbox / "image.bmp")
        line.runner.until(lambda: not (inbox / "image.bmp").exists())
    line.runner.until(lambda: line.judged("Clockless") == 4)
    assert len(line.arrivals("Clockless")) == 4


def test_a_station_that_cannot_go_on_says_why_and_stops_no_other(line: Line) -> None:
    line.runner.until(lambda: any(one.startswith("Broken: ") for one in line.runner.said))
    assert "Nut" in next(one for one in line.runner.said if one.startswith("Broken: "))
    assert line.runner.process.poll() is None


def test_of_two_stations_at_a_folder_one_does_not_take_away_what_the_other_must_judge(line: Line) -> None:
    line.runner.until(lambda: any("would miss them" in one for one in line.runner.said))
    (line.inbox["Takes"] / "a.png").write_bytes(line.drawn[0].read_bytes())
    line.runner.until(lambda: line.judged("Takes") + line.judged("Misses") == 1)


def test_folders_that_feed_themselves_cannot_be_watched(
    parts: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    sub = ("--set", "subfolders=yes")
    projects.create(tmp_path / "project", "Line 4").close()
    folder, inbox = tmp_path / "project", tmp_path / "in"
    for words, said in (
        (("--set", f"path={folder}"), "the project itself"),
        (("--set", f"path={folder / 'images'}"), "the project itself"),
        (("--set", f"path={folder.parent}", *sub), "the project itself"),
        (("--set", f"path={inbox}", *sub, "--output", f"sorting folder={inbox}"), "for ever"),
        (("--set", f"path={inbox / 'ok'}", "--output", f"sorting folder={inbox}"), "for ever"),
    ):
        code, answer = run("station", "add", folder, "S", *words)
        assert code == 1, words
        assert said in answer
    sorting = ("--output", f"sorting folder={inbox / 'sorted'}")
    assert run("station", "add", folder, "A", "--set", f"path={inbox}", *sorting)[0] == 0
    assert run("station", "edit", folder, "A", *sub)[0] == 1


def test_an_output_keeps_what_it_still_waits_for_when_others_are_taken_out(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    projects.create(folder, "Line 4").close()

    def outputs(*words: str) -> dict[str, str]:
        given = [one for word in words for one in ("--output", word)]
        assert run("station", "edit", folder, "A", *given)[0] == 0
        with projects.open(folder) as project:
            settings = find_station(project, "A").settings
            assert settings is not None
            return {
                str(one.values.get("url") or one.values.get("folder")): one.key for one in settings.outputs
            }

    assert run("station", "add", folder, "A", "--set", f"path={tmp_path}")[0] == 0
    first, second, third = (f"http://{name}.example" for name in "abc")
    before = outputs(f"webhook url={first}", f"webhook url={second}", f"jsonl folder={tmp_path / 'told'}")
    assert len(set(before.values())) == 3
    assert outputs(f"webhook url={second}") == {second: before[second]}
    assert outputs(f"webhook url={second}", f"webhook url={first}")[second] == before[second]
    moved = outputs(f"webhook url={second}", f"webhook url={third}")  # the address of the other one changed
    assert moved[second] == before[second]
    assert len(set(moved.values())) == 2
