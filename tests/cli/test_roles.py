"""`inspector roles`: for whoever may write the folder, also where the PIN was forgotten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import Role
from inspector.records import project as projects
from inspector.records.line.roles import set_pin, sign_in


def test_a_forgotten_pin_is_set_anew_and_taken_away_by_who_may_write_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    with projects.create(folder, "Line 4") as project:
        set_pin(project, Role.ENGINEER, "4711")
    done = CliRunner().invoke(app, ["roles", str(folder), "--set", "engineer"], input="8642\n")
    assert done.exit_code == 0, done.output
    assert "8642" not in done.output
    assert "engineer: asks for a PIN" in done.output
    with projects.open(folder) as project:
        assert sign_in(project, "8642") is Role.ENGINEER
    done = CliRunner().invoke(app, ["roles", str(folder), "--remove", "engineer"])
    assert "Everybody may do everything." in done.output


def test_setting_and_removing_at_once_changes_nothing_and_a_piped_pin_is_taken_without_a_warning(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    with projects.create(folder, "Line 4") as project:
        set_pin(project, Role.ENGINEER, "4711")
    done = CliRunner().invoke(
        app, ["roles", str(folder), "--set", "operator", "--remove", "engineer"], input="8642\n"
    )
    assert done.exit_code == 1
    assert "two steps" in str(done.exception)
    with projects.open(folder) as project:
        assert project.guarded == {"engineer"}
    ran = subprocess.run(
        [sys.executable, "-m", "inspector", "roles", str(folder), "--set", "operator"],
        input="8642\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert "operator: asks for a PIN" in ran.stdout
    ran = subprocess.run(
        [sys.executable, "-m", "inspector", "roles", str(folder), "--set", "operator"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "A PIN has 4 to 12 digits." in ran.stderr
