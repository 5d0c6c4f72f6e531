"""A closed project's database carries a checksum, so that what changed it meanwhile is said when it is opened."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inspector.domain import Decision, Region, Thresholds
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.disk import seal
from inspector.records.disk.seal import SEAL, odd_values
from inspector.records.inspected.results import find_result
from inspector.records.project import DATABASE, Project
from inspector.records.reviews import add_review
from inspector.records.thresholds import list_calibrated, list_thresholds, set_thresholds

V1 = Path(__file__).parent.parent / "data" / "projects" / "v1"
Record = Callable[..., list[int]]


def _edit(folder: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement, values)


def _doubt(folder: Path, **options: Any) -> str:
    with projects.open(folder, **options) as opened:
        return str(opened.doubt or "")


@pytest.fixture
def folder(project: Project, record: Record) -> Path:
    """Of a closed project with three results."""
    record(0.2, 0.6, 0.8)
    project.close()
    return project.folder


def test_a_score_that_was_changed_while_the_project_was_closed_is_said(folder: Path) -> None:
    assert _doubt(folder) == ""
    assert _doubt(folder, read_only=True) == ""
    _edit(folder, "UPDATE results SET image_score = image_score / 2")  # numbers like any other
    assert "was changed since Inspector closed it on" in _doubt(folder, read_only=True)
    assert "don't trust its results" in _doubt(folder)
    assert _doubt(folder) == ""  # who opened it has taken it as it is


def test_a_project_that_was_written_killed_or_moved_by_us_is_not_doubted(
    folder: Path, tmp_path: Path
) -> None:
    with projects.open(folder) as opened:
        add_class(opened, "Gear")
        assert not (folder / SEAL).exists()
        assert _doubt(folder, read_only=True) == ""  # while somebody writes
        shutil.copytree(folder, tmp_path / "as after a kill")
    assert _doubt(tmp_path / "as after a kill") == ""
    folder.rename(tmp_path / "moved")
    assert _doubt(tmp_path / "moved") == ""


def test_a_seal_of_an_earlier_version_is_read_and_replaced_by_one_of_this(folder: Path) -> None:
    seal_file = folder / SEAL
    old = {"closed": json.loads(seal_file.read_bytes())["closed"]}
    old["sha256"] = hashlib.sha256((folder / DATABASE).read_bytes()).hexdigest()
    seal_file.write_text(json.dumps(old))
    assert _doubt(folder, read_only=True) == ""
    with projects.open(folder) as opened:
        assert opened.doubt is None
        add_class(opened, "Gear")
    assert json.loads(seal_file.read_bytes()).keys() == {"closed", "xxh3"}
    seal_file.write_text(json.dumps(old))  # of the project before the class came
    assert "was changed since Inspector closed it" in _doubt(folder)


def test_who_only_looks_at_a_project_puts_its_seal_back_without_reading_the_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    digest = seal._digest
    monkeypatch.setattr(seal, "_digest", lambda file, kind: (read.append(file), digest(file, kind))[1])
    sealed = (folder / SEAL).read_bytes()
    with projects.open(folder) as opened:
        assert not (folder / SEAL).exists()
        assert find_result(opened, 1).row.image_score == 0.2
    assert len(read) == 1  # at opening
    assert (folder / SEAL).read_bytes() == sealed
    with projects.open(folder) as opened:
        add_class(opened, "Gear")
    assert len(read) == 3
    assert (folder / SEAL).read_bytes() != sealed
    assert _doubt(folder) == ""


def test_what_another_program_writes_while_a_project_is_looked_at_is_not_sealed_as_right(
    folder: Path,
) -> None:
    with projects.open(folder):
        _edit(folder, "UPDATE results SET image_score = image_score / 2")
    assert "was changed since Inspector closed it" in _doubt(folder)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ("UPDATE runs SET removed = 'soon'", "runs 1 (removed)"),
        ("UPDATE results SET override = 'maybe' WHERE id = 2", "results 2 (override)"),
        ("UPDATE results SET image_score = 'high' WHERE id = 3", "results 3 (image_score)"),
        ("UPDATE results SET image_score = 9e999 WHERE id = 3", "results 3 (image_score)"),
        ("UPDATE results SET image_score = NULL WHERE id = 3", "results 3 (its values together)"),
        ("UPDATE results SET class_id = 77 WHERE id = 1", "results 1 (points to nothing)"),
        ("UPDATE thresholds SET review = ng + 1", "thresholds 1 (its values together)"),
        ("UPDATE thresholds SET provenance = '[' ", "thresholds 1 (provenance)"),
        ("UPDATE images SET width = -4 WHERE id = 1", "images 1 (width)"),
        ("UPDATE shots SET created = '2026-99-99 00:00:00' WHERE id = 2", "shots 2 (created)"),
        ("UPDATE detectors SET held_out = x'ff'", "detectors 1 (held_out)"),
        ("UPDATE classes SET name = 7", ""),  # becomes text
    ],
)
def test_a_value_that_can_not_be_right_is_named_at_every_opening(folder: Path, edit: str, named: str) -> None:
    _edit(folder, edit)
    for _ in range(2 if named else 0):
        assert named in _doubt(folder, read_only=True)
        assert named in _doubt(folder)


def test_a_damaged_index_is_named(folder: Path) -> None:
    _edit(folder, "DELETE FROM results WHERE id = 2")
    assert odd_values(folder / DATABASE) == []
    with closing(sqlite3.connect(folder / DATABASE)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'image_score)', 'map)') WHERE name = 'ix_results_score'"
        )
    (said,) = odd_values(folder / DATABASE)
    assert "index" in said


def test_a_damaged_threshold_row_lets_no_other_take_its_place(project: Project, taught: Any) -> None:
    set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.1, 0.2, 0.1), who="Ada")
    project.close()
    _edit(project.folder, "UPDATE thresholds SET ng = 'high' WHERE id = 1")
    with projects.open(project.folder) as opened:
        assert list_calibrated(opened, taught.detector_id) == {}
        assert list_thresholds(opened, taught.detector_id)[taught.class_id].thresholds.ng == 0.2
    _edit(project.folder, "UPDATE thresholds SET review = 9 WHERE id = 2")
    with projects.open(project.folder) as opened:
        assert list_thresholds(opened, taught.detector_id) == {}


def test_regions_that_are_damaged_are_cut_anew_and_a_damaged_word_of_a_person_is_said(
    project: Project, record: Record
) -> None:
    (key,) = record(0.8, regions=(Region((1, 2, 3, 4), 9, 0.8),), threshold_id=1)
    add_review(project, [key], Decision.OK, who="Ada")
    assert find_result(project, key).regions_current
    project.close()
    _edit(project.folder, "UPDATE regions SET y = 'low'")
    _edit(project.folder, "UPDATE results SET override = 'okay'")
    with projects.open(project.folder) as opened:
        found = find_result(opened, key)
        assert not found.regions_current
        assert found.row.verdict is None
        assert found.row.error


def test_an_older_project_that_was_killed_is_brought_up_to_date_and_not_doubted(tmp_path: Path) -> None:
    """Its database lacks columns that were added since; that is no damage."""
    folder = shutil.copytree(V1, tmp_path / "old")
    (folder / "lock-owner.json").write_text("{}")
    assert _doubt(folder) == ""
    assert {path.name for path in folder.iterdir() if path.is_file()} - {"expected.json"} == {
        DATABASE,
        SEAL,
        "project.lock",
    }


def test_a_doubted_project_is_closed_without_side_files(folder: Path) -> None:
    _edit(folder, "UPDATE results SET decision = 'maybe'")
    for _ in range(2):
        assert "It can't be right in results 1 (decision)" in _doubt(folder)
        assert not list(folder.glob(f"{DATABASE}-*"))
