"""What a line does to a runner: parts of another product, cameras without a clock, ids that come again, stations that can't go on."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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


@pytest.fixture
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """(a taught project, pictures for it)"""
    top = tmp_path_factory.mktemp("hostile")
    shots, drawn = drawn_parts.files(top, 6, None, size=160)
    with projects.create(top / "project", "Line 4") as project:
        drawn_parts.teach_part(project, Engine(), shots)
    return top / "project", drawn


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
        deadline = time.monotonic() + 60
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


@pytest.fixture
def start(parts: tuple[Path, list[Path]]) -> Iterator[Callable[..., Runner]]:
    running: list[Runner] = []

    def begin(*stations: str) -> Runner:
        running.append(Runner(parts[0], *stations))
        return running[-1]

    yield begin
    for one in running:
        one.close()


def arrivals(folder: Path, name: str) -> list[ArrivalRow]:
    with projects.open(folder) as project:
        return list_arrivals(project, find_station(project, name).id)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_part_of_another_product_is_told_to_every_receiver_and_what_follows_it_too(
    parts: tuple[Path, list[Path]], start: Callable[..., Runner], tmp_path: Path
) -> None:
    pytest.importorskip("asyncua")
    pytest.importorskip("pymodbus")
    folder, drawn = parts
    inbox, told, out = tmp_path / "in", tmp_path / "told", tmp_path / "sorted"
    inbox.mkdir()
    Image.new("RGB", (160, 160), (255, 0, 255)).save(inbox / "a.png")
    outputs = [
        f"jsonl folder={told}",
        f"table folder={told}",
        f"sorting folder={out}",
        f"modbus port={free_port()} shown_for=10",
        f"opcua port={free_port()} shown_for=10",
    ]
    words = [word for one in outputs for word in ("--output", one)]
    assert run("station", "add", folder, "A", "--set", f"path={inbox}", "--class", "Part", *words)[0] == 0
    runner = start("A")
    runner.until(lambda: len(runner.judged) == 1)
    (inbox / "b.png").write_bytes(drawn[0].read_bytes())
    runner.until(lambda: len(runner.judged) == 2 and len(list(out.rglob("*.png"))) == 2)
    time.sleep(1.0)  # the servers show each for a while
    assert runner.stop() == 0
    found = arrivals(folder, "A")
    assert found[0].said is Decision.OTHER
    assert [path.parent.name for path in sorted(out.rglob("*.png"))][:1] != ["ok"]
    assert (out / "other" / "a-1.png").is_file()
    with projects.open(folder) as project:
        key = find_station(project, "A").id
        assert [told_up_to(project, key, one.split()[0]) for one in outputs] == [found[-1].id] * 5
    assert len((told / "A.jsonl").read_text().splitlines()) == 2
    assert not [line for line in runner.said if "unexpectedly" in line or "Another station" in line]


def test_a_station_that_cannot_go_on_stops_no_other_and_runs_once_it_can(
    parts: tuple[Path, list[Path]], start: Callable[..., Runner], tmp_path: Path
) -> None:
    folder, drawn = parts
    inbox = tmp_path / "in"
    inbox.mkdir()
    (tmp_path / "in2").mkdir()
    assert run("station", "add", folder, "A", "--set", f"path={inbox}")[0] == 0
    assert run("station", "add", folder, "B", "--set", f"path={tmp_path / 'in2'}")[0] == 0
    with projects.open(folder) as project:
        nut, row = add_class(project, "Nut"), find_station(project, "B")
        assert row.settings is not None
        change_station(project, row.id, name="B", settings=row.settings, class_id=nut, detector_id=None)
        remove_class(project, nut)
    runner = start("A", "B")
    runner.until(lambda: any(line.startswith("B: ") for line in runner.said))
    (inbox / "a.png").write_bytes(drawn[0].read_bytes())
    runner.until(lambda: len(runner.judged) == 1)
    assert "Nut" in next(line for line in runner.said if line.startswith("B: "))
    assert runner.stop() == 1
    assert len(arrivals(folder, "A")) == 1


def test_pictures_that_would_come_again_for_ever_or_be_taken_away_by_another_station_are_refused(
    parts: tuple[Path, list[Path]], start: Callable[..., Runner], tmp_path: Path
) -> None:
    folder, drawn = parts
    inbox = tmp_path / "in"
    inbox.mkdir()
    sub = ("--set", "subfolders=yes")
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
    assert (
        run("station", "add", folder, "A", "--set", f"path={inbox}", "--set", "after=move", *sorting)[0] == 0
    )
    assert run("station", "edit", folder, "A", *sub)[0] == 1
    assert run("station", "add", folder, "B", "--set", f"path={inbox}")[0] == 0
    runner = start("A", "B")
    runner.until(lambda: any("would miss them" in line for line in runner.said))
    (inbox / "a.png").write_bytes(drawn[0].read_bytes())
    runner.until(lambda: len(runner.judged) == 1)
    runner.stop()


def test_an_output_keeps_what_it_still_waits_for_when_others_are_taken_out(
    parts: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    folder, _ = parts

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


def test_pictures_of_a_camera_without_a_clock_are_judged_though_all_are_called_alike(
    parts: tuple[Path, list[Path]], start: Callable[..., Runner], tmp_path: Path
) -> None:
    folder, drawn = parts
    inbox = tmp_path / "in"
    inbox.mkdir()
    assert run("station", "add", folder, "A", "--set", f"path={inbox}", "--set", "after=delete")[0] == 0

    def put(number: int) -> None:
        with Image.open(drawn[number]) as picture:
            picture.convert("RGB").save(inbox / ".image.bmp", "bmp")
        os.utime(inbox / ".image.bmp", (1_700_000_000, 1_700_000_000))
        (inbox / ".image.bmp").rename(inbox / "image.bmp")

    put(0)
    runner = start("A")
    for number in range(1, 4):
        runner.until(lambda number=number: len(runner.judged) == number)
        runner.until(lambda: not (inbox / "image.bmp").exists())
        put(number)
    runner.until(lambda: len(runner.judged) == 4)
    runner.process.kill()
    assert len({one.result_id for one in arrivals(folder, "A")}) == 4
