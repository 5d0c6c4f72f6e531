"""Inspector knows which package it is, and starts its own kind, also where Python is inside the program."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from inspector import installation, paths
from inspector.cli.line.run import systemd_unit
from inspector.installation import Package
from inspector.jobs.doctor import examine
from inspector.stations.outputs.catalogue import OUTPUTS
from inspector.views import display


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that does what a frozen one does with its arguments; this process believes to be it, too."""
    program = tmp_path / "opt" / "inspector"
    program.parent.mkdir()
    start = f"import sys; sys.frozen, sys.executable = True, {str(program)!r}; from inspector.__main__ import main; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{start}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def test_a_checkout_and_what_pip_installed_know_themselves_and_start_by_python() -> None:
    own = Path(installation.__file__).parent
    checkout = (own.parent / "pyproject.toml").is_file()
    assert installation.package() is (Package.SOURCE if checkout else Package.PIP)
    assert installation.place() == (own.parent if checkout else own) == paths.resources().parent
    assert installation.command() == [sys.executable, "-m", "inspector"]
    done = subprocess.run([*installation.command(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"Inspector {metadata.version('inspector')}"


@pytest.mark.parametrize(
    ("mark", "kind"),
    [("bundle", Package.BUNDLE), ("deb", Package.DEB), ("setup", Package.SETUP), ("?", Package.BUNDLE)],
)
def test_a_frozen_program_reads_which_package_it_came_in(
    frozen: Path, monkeypatch: pytest.MonkeyPatch, mark: str, kind: Package
) -> None:
    monkeypatch.setattr(installation, "__file__", str(frozen.parent / "installation.pyc"))
    assert installation.package() is Package.BUNDLE
    (frozen.parent / installation.MARK).write_text(f"{mark}\n")
    assert installation.package() is kind
    assert installation.place() == frozen.parent
    line = next(check for check in examine() if check.what == "Inspector")
    assert line.found == f"{metadata.version('inspector')}, {kind} in {frozen.parent}"


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
def test_a_frozen_program_starts_itself_and_never_python(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installation.command() == [str(frozen)]
    done = subprocess.run([*installation.command(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Inspector ")
    assert f'ExecStart="{frozen}" "run" "{tmp_path}"' in systemd_unit(tmp_path, ["Cell 4"])
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    child = display._Child()  # what asks whether a window can be opened
    child.wait()
    child.leave()
    assert (child.platform, child.error) == ("offscreen", "")


def test_where_nothing_can_be_installed_nobody_is_told_to_do_just_that(
    frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.stations.outputs.link.importlib.util.find_spec", lambda _name: None)
    missing = OUTPUTS["mqtt"].missing
    assert "This package of Inspector doesn't hold it." in missing
    assert installation.again() == "Unpack Inspector's archive again."
    monkeypatch.delattr(sys, "frozen")
    assert OUTPUTS["mqtt"].missing.endswith("Install it with: pip install “inspector[line]”")
