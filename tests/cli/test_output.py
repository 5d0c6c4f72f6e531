"""The real command, its output redirected into whatever encoding and from whatever names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import Emit, JobEnded, JobKind, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.records import project as projects
from inspector.records.classes import list_classes


def run(*arguments: str | Path, encoding: str = "utf-8") -> tuple[int, str]:
    """Exit code, and standard output and error together as one who redirected them reads them."""
    done = subprocess.run(
        [sys.executable, "-m", "inspector", *map(str, arguments)],
        env={**os.environ, "PYTHONIOENCODING": encoding, "QT_QPA_PLATFORM": "offscreen", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=170,
    )
    text = done.stdout.decode(encoding)
    assert "Traceback" not in text, text
    return done.returncode, text


def set_badly() -> None:
    config = Path(os.environ["INSPECTOR_HOME"]) / "config"
    config.mkdir(parents=True)
    (config / "settings.toml").write_text("batch_size = -5\n")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo project, made by the command with its output in a Windows code page, and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "project"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSPECTOR_HOME", str(folder.parent / "home"))
        code, said = run("demo", "--headless", "--output", folder, encoding="cp1252")
    assert code == 0, said
    return folder, said


def test_the_demo_speaks_a_windows_code_page(demo: tuple[Path, str]) -> None:
    folder, said = demo
    assert "OK 3 products taught" in said
    assert f"OK {folder / 'report' / 'report.html'}" in said


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_doctor_and_weights_speak_every_encoding(encoding: str) -> None:
    absent = "–" if encoding == "cp1252" else "-"
    _, said = run("doctor", encoding=encoding)
    assert "OK weights inspector-tiny" in said
    assert f"{absent} weights ViT-B-16-quickgelu: not here" in said
    assert "-> Install" not in said
    code, said = run("weights", "list", encoding=encoding)
    assert code == 0
    assert "MobileCLIP2-S0" in said


def test_evaluate_speaks_ascii(tmp_path: Path) -> None:
    data = tmp_path / "data" / "washer"
    for folder, defect, seeds in (
        ("train/good", None, (1, 2)),
        ("test/good", None, (3,)),
        ("test/bad", demo_parts.DEFECTS["washer"][0], (4,)),
    ):
        (data / folder).mkdir(parents=True)
        for seed in seeds:
            pixels, _ = demo_parts.draw("washer", seed, defect)
            PIL.Image.fromarray(pixels).resize((96, 96)).save(data / folder / f"{seed}.png")
    code, said = run(
        "evaluate",
        data.parent,
        "--shots",
        "1",
        "--seeds",
        "1",
        "--output",
        tmp_path / "out",
        encoding="ascii",
    )
    assert code == 0, said
    assert "washer" in said


def test_names_reach_the_terminal_without_what_it_would_obey_and_a_bad_setting_is_said_once(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    set_badly()
    hostile, good = tmp_path / "a\x1b[31m‮gnp.exe.png", tmp_path / "good.png"
    hostile.write_bytes(b"no image")
    PIL.Image.fromarray(demo_parts.draw("washer", 5001)[0]).save(good)
    code, said = run("inspect", demo[0], hostile, good, "--class", "washer")
    assert code == 3
    assert "a␣[31m␣gnp.exe.png" in said
    assert "\x1b" not in said
    assert "‮" not in said
    assert said.count("batch_size can't be “-5”") == 1
    assert "8 is used" in said


def test_inspect_says_by_its_exit_code_whether_parts_are_good_bad_or_unseen(
    demo: tuple[Path, str], tmp_path: Path
) -> None:
    good, bad, broken = (tmp_path / f"{name}.png" for name in ("good", "bad", "broken"))
    PIL.Image.fromarray(demo_parts.draw("washer", 5001)[0]).save(good)
    PIL.Image.fromarray(255 - demo_parts.draw("washer", 5001)[0]).save(bad)
    broken.write_bytes(b"")

    def code(*words: Path | str) -> int:
        return CliRunner().invoke(app, ["inspect", str(demo[0]), *map(str, words)]).exit_code

    assert code(good, "--class", "washer") == 0
    set_badly()
    assert code(good, "--class", "washer") == 0  # with the default
    assert code(good, bad, "--class", "washer") == 2
    assert code(bad, broken, "--class", "washer") == 3
    assert code(good, broken) == 3
    assert code(broken) == 3


def test_two_spellings_of_a_class_are_taught_as_one_whenever_the_command_is_given(tmp_path: Path) -> None:
    """Also a spelling with what can't be seen, and pictures that differ in nothing but their bytes."""
    for number, name in enumerate(("Bolt", "Bolt\u200e")):
        folder = tmp_path / "shots" / name
        folder.mkdir(parents=True)
        picture = PIL.Image.effect_noise((64, 48), 40 + number)
        picture.save(folder / "a.png")
        picture.save(folder / "b.png", compress_level=0)
    project = tmp_path / "project"
    for _ in range(2):
        words = ["teach", str(project), "--shots", str(tmp_path / "shots"), "--method", "patchcore"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        with projects.open(project) as opened:
            assert [(row.name, row.shots) for row in list_classes(opened)] == [("Bolt", 2)]
    assert "“b.png” is the same picture as “a.png”" in done.output


def test_what_opening_a_project_did_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works on the command line sees no window that says it."""

    def refuse(*_: object, emit: Emit, **__: object) -> None:
        emit(JobEnded(0, JobKind.INSPECT, JobStatus.FAILED, "Not today."))

    monkeypatch.setattr("inspector.jobs.inspect.inspect", refuse)  # that loads no model
    folder = shutil.copytree(Path(__file__).parent.parent / "data" / "projects" / "v1", tmp_path / "project")
    (folder / "detectors" / "2024").mkdir()
    done = CliRunner().invoke(app, ["inspect", str(folder), "a.png"])
    assert done.exit_code == 1
    assert "! The project was brought up to date; a copy of the old one is in project-" in done.stderr
    assert "One detector that this database does not know was moved to set-aside/detectors" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_projects_classes_images_and_targets_whose_names_are_no_utf8_go_the_whole_way(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    shots, project, out = tmp_path / f"shots{odd}", tmp_path / f"project{odd}", tmp_path / f"out{odd}"
    parts = [shots / f"cl{odd}" / "1.png", tmp_path / f"in{odd}" / f"2{odd}.png", tmp_path / f"3{odd}.png"]
    for seed, part in enumerate(parts):
        part.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(demo_parts.draw("washer", seed)[0]).resize((96, 96)).save(part)

    def done(*words: str | Path) -> str:
        found = CliRunner().invoke(app, list(map(str, words)))
        assert found.exit_code in (0, 2), (found.output, found.exception)
        return found.output

    taught = done("teach", project, "--shots", shots, "--method", "patchcore")
    assert "PatchCore taught on 1 shot of cl�." in taught
    assert "2 images" in done("inspect", project, parts[1].parent, parts[2])
    done("export", project, out, "-f", "csv", "-f", "report", "-f", "overlays")
    table = (out / "results.csv").read_text("utf-8-sig")
    assert "in�/2�.png" in table
    assert "3�.png" in table
