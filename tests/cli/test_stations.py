"""Stations from the command line: set up, run in a process of their own, stopped and killed as supervisors do."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspector.bench import drawn_parts
from inspector.bench.line.station import killed
from inspector.cli.line.run import systemd_unit
from inspector.cli.main import app
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.records.audit import list_acts
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.stations import find_station, list_stations

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    said = str(done.exception) if done.exception and not isinstance(done.exception, SystemExit) else ""
    return done.exit_code, " ".join((done.output + said).split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that nobody taught."""
    projects.create(tmp_path / "project", "Line 4").close()
    return tmp_path / "project"


def test_a_station_is_set_up_changed_listed_and_taken_out_without_a_window(
    folder: Path, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    words = ("--source", "folder", "--set", "path=/data/in", "--set", "after=move")
    code, said = run(
        "station", "add", folder, "Press 3", *words, "--output", f"jsonl folder='{told}'", "--lot", "A 17"
    )
    assert code == 0, said
    with projects.open(folder) as project:
        row = find_station(project, "press 3")
        assert row.settings is not None
        assert (row.settings.source.values["path"], row.settings.source.values["after"]) == (
            "/data/in",
            "move",
        )
        assert [(one.kind, one.key) for one in row.settings.outputs] == [("jsonl", "jsonl")]
        assert row.settings.lot == "A 17"
    assert run("station", "edit", folder, "Press 3", "--set", "after=delete", "--output", "none")[0] == 0
    with projects.open(folder) as project:
        row = find_station(project, "Press 3")
        assert row.settings is not None
        values = row.settings.source.values
        assert (values["path"], values["after"], row.settings.outputs) == ("/data/in", "delete", ())
        assert {act.subject for act in list_acts(project)} == {"Press 3"}
    code, said = run("stations", folder)
    assert code == 0
    assert "folder /data/in" in said
    assert run("station", "remove", folder, "Press 3")[0] == 0
    with projects.open(folder) as project:
        assert list_stations(project) == []


def test_settings_that_cannot_be_are_refused_with_what_can(folder: Path) -> None:
    for words, said in (
        (("--source", "teleport"), "folder, camera"),
        (("--source", "folder"), "“Folder” is missing"),
        (("--set", "path=/data", "--set", "depth=3"), "no setting “depth”"),
        (("--set", "path"), "NAME=VALUE"),
        (("--set", "path=/data", "--output", "pigeon"), "jsonl"),
        (("--set", "path=/data", "--class", "cookie"), "cookie"),
    ):
        code, answer = run("station", "add", folder, "Press 3", *words)
        assert code == 1
        assert said in answer
    assert run("run", folder)[0] == 1


def test_the_unit_starts_the_same_program_again_and_again(tmp_path: Path) -> None:
    folder = tmp_path / 'odd "100%" $HOME'
    unit = systemd_unit(folder, ["Press 3", "back\\slash"])
    (command,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command.startswith(f'"{sys.executable}" "-m" "inspector" "run" ')
    assert r"odd \"100%%\" $$HOME" in command
    assert '"--station" "Press 3" "--station" "back\\\\slash"' in command
    assert "Restart=always" in unit
    assert "StartLimitIntervalSec=0" in unit


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """(a taught project, pictures for it)"""
    top = tmp_path_factory.mktemp("line")
    shots, drawn = drawn_parts.files(top, 6, None, size=160)
    with projects.create(top / "project", "Line 4") as project:
        drawn_parts.teach_part(project, Engine(), shots)
    return top / "project", drawn


@pytest.fixture
def started(parts: tuple[Path, list[Path]], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`inspector run` with two stations, each at a folder of its own, in which three pictures lie."""
    folder, drawn = parts
    for name in ("Front", "Back"):
        inbox = tmp_path / name
        inbox.mkdir()
        for file in drawn[:3]:
            (inbox / file.name).write_bytes(file.read_bytes())
        assert run("station", "add", folder, name, "--set", f"path={inbox}")[0] == 0
    command = [sys.executable, "-m", "inspector", "run", str(folder), "--station", "Front"]
    process = subprocess.Popen(
        [*command, "--station", "back"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_several_stations_run_in_one_process_which_ends_well_when_it_is_told_to(
    parts: tuple[Path, list[Path]], started: subprocess.Popen[str]
) -> None:
    assert started.stdout is not None
    lines = [started.stdout.readline() for _ in range(6)]
    assert sorted(line.split(" ")[2] for line in lines) == ["Back"] * 3 + ["Front"] * 3
    assert all(re.search(r" (OK|REVIEW|NG) 0\.\d+ \S+\.png \(\d+ ms\)$", line.strip()) for line in lines)
    code, said = run("stations", parts[0])  # to look is allowed meanwhile
    assert code == 0
    code, said = run("run", parts[0], "--station", "Front")
    assert code == 1
    assert "open" in said
    started.send_signal(signal.SIGTERM)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 0, errors
    assert "3 pictures judged" in errors
    with projects.open(parts[0]) as project:
        for name in ("Front", "Back"):
            assert len(list_arrivals(project, find_station(project, name).id)) == 3


@pytest.mark.timeout(400)  # five programs start, on however busy a machine
def test_a_runner_that_is_killed_while_receivers_come_and_go_loses_no_picture_and_judges_none_twice() -> None:
    there = MOSQUITTO is not None and find_spec("paho") is not None and find_spec("asyncua") is not None
    seed = int(time.monotonic())
    found = killed(2, 60, rate=12.0, seed=seed, outputs=there, progress=lambda words: None)
    if there:
        assert (found["mqtt_wrong"], found["opcua_wrong"]) == (0, 0), found
        assert min(found["outages"].values()) > 0
    assert found["images"] == 60
    assert [found[name] for name in ("lost", "doubled", "wrong", "left_in_folder", "told_wrong")] == [
        0
    ] * 5, found
    assert found["failed"] == 5
    assert found["exit_code"] == 0
