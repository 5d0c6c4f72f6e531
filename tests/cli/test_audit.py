"""`inspector audit`: the list, whether it is whole, and its export."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from judged_parts import inspected, taught
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.records import project as projects
from inspector.records.audit import checksum, list_acts
from inspector.records.classes import rename_class
from inspector.records.thresholds import list_thresholds


@pytest.fixture
def folder(tmp_path: Path, home: Path) -> Path:
    """A closed project with a class, shots, a detector and a run."""
    with projects.create(tmp_path / "line", "Line 4") as project:
        project.who = "Ada"
        class_id, detector_id = taught(project)
        inspected(project, class_id, detector_id, [0.2, 0.9])
        assert list_thresholds(project, detector_id)
        project.who = "Bo"
        rename_class(project, class_id, '=HYPERLINK("x")')
    return tmp_path / "line"


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, " ".join(done.output.split())


def test_the_list_says_who_did_what_and_that_it_is_whole(folder: Path) -> None:
    code, said = run("audit", folder)
    assert code == 0
    assert "Ada · class added · washer" in said
    assert "Ada · inspection begun · #1 Monday · by detector #1" in said
    assert "Bo · class renamed · washer · washer → =HYPERLINK" in said
    assert "The chain is whole: 5 acts." in said
    code, said = run("audit", folder, "--who", "Bo", "--kind", "class renamed")
    assert "class added" not in said
    code, said = run("audit", folder, "--verify")
    assert (code, said.split(" Last")[0]) == (0, "✓ The chain is whole: 5 acts.")


def test_a_changed_act_is_an_exit_code_of_its_own(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "project.sqlite")) as connection:
        connection.execute("DROP TRIGGER acts_no_delete")
        connection.execute("DELETE FROM acts WHERE id = 2")
        connection.commit()
    code, said = run("audit", folder, "--verify")
    assert code == 2
    assert "Act 2 is missing." in said


def test_the_exported_list_can_be_checked_again_and_its_export_is_an_act(
    folder: Path, tmp_path: Path
) -> None:
    code, said = run("audit", folder, "--export", tmp_path / "acts.json")
    assert code == 0
    assert "5 acts exported" in said
    before = ""
    for act in json.loads((tmp_path / "acts.json").read_text("utf-8"))["acts"]:
        number, *texts, chain = act.values()
        before = checksum(before, number, texts)
        assert before == chain
    assert run("audit", folder, "--export", tmp_path / "acts.csv")[0] == 0
    lines = list(csv.reader((tmp_path / "acts.csv").read_text("utf-8-sig").splitlines()))
    assert len(lines) == 7  # with a heading, and the export before
    assert lines[5][6] == '\'=HYPERLINK("x")'
    with projects.open(folder) as project:
        assert [row.kind for row in list_acts(project, limit=2)] == ["audit exported", "audit exported"]
    code, said = run("audit", folder, "--export", tmp_path / "acts.csv")
    assert code != 0  # nothing is ever replaced
    assert run("audit", folder, "--export", tmp_path / "acts.txt")[0] != 0


def test_an_export_of_results_is_an_act_unless_the_project_is_open_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    assert run("export", folder, tmp_path / "a.csv", "--format", "csv")[0] == 0
    with projects.open(folder) as project:
        row = list_acts(project)[0]
        assert (row.kind, row.subject, row.reason) == ("results exported", "2 results", "csv")
        code, said = run("export", folder, tmp_path / "b.csv", "--format", "csv")
        assert code == 0
        assert "its audit doesn't hold this export" in said
        assert list_acts(project)[0] == row
