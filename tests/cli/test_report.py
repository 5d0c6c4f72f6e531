"""`inspector report` on the command line, without a display."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inspector.bench.line.trends import Parts, line_of, store
from inspector.bench.records import make
from inspector.cli.main import app
from inspector.errors import InspectorError
from inspector.records import project as projects
from inspector.records.classes import list_classes

SHIFT = datetime(2026, 11, 20, 6).astimezone()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    make(folder, 0)
    with projects.open(folder) as opened:
        line = line_of(opened, 1, list_classes(opened)[0].id, "Press 4", SHIFT)
        moments = SHIFT.timestamp() + np.arange(10, 4000, 10)
        store(opened, line, Parts.quiet(moments, np.random.default_rng(1)))
    return folder


def test_a_shift_is_written_as_pdf_without_a_display_and_noted(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "shift.pdf"
    said = subprocess.run(
        [sys.executable, "-m", "inspector", "report", project, "--shift", "2026-11-20 06:30", "--to", target],
        env={**os.environ, "QT_QPA_PLATFORM": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "Shift 2026-11-20 06:00 – 14:00" in said.stdout
    assert target.read_bytes().startswith(b"%PDF")
    audit = CliRunner().invoke(app, ["audit", str(project), "--kind", "report written"])
    assert "Press 4, Shift 2026-11-20 06:00 – 14:00" in audit.output


def test_a_run_is_written_as_html(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "run.html"
    done = CliRunner().invoke(
        app, ["report", str(project), "--station", "press 4", "--run", "2", "--to", str(target)]
    )
    assert done.exit_code == 0, done.output
    assert "Run #2" in target.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--order", "B"], "No part of order “B” came to the station “Press 4”."),
        (["--run", "7"], "No part of run #7"),
        (["--shift", "soon"], "“soon” is no moment."),
        (["--shift", "2026-11-20", "--order", "A"], "A report is of one thing."),
        (["--station", "Press 5"], "There is no station “Press 5”."),
    ],
)
def test_what_cant_be_reported_is_said(
    project: Path, tmp_path: Path, options: list[str], sentence: str
) -> None:
    done = CliRunner().invoke(app, ["report", str(project), *options, "--to", str(tmp_path / "x.html")])
    assert isinstance(done.exception, InspectorError)
    assert sentence in str(done.exception)
    assert not (tmp_path / "x.html").exists()


def test_another_kind_of_file_is_refused_and_nothing_is_replaced(project: Path, tmp_path: Path) -> None:
    assert timedelta(0) < datetime.now().astimezone() - SHIFT
    for name in ("x.docx", "x.html"):
        target = tmp_path / name
        target.write_text("mine")
        done = CliRunner().invoke(
            app, ["report", str(project), "--shift", "2026-11-20 07:00", "--to", str(target)]
        )
        assert isinstance(done.exception, InspectorError)
        assert target.read_text() == "mine"
