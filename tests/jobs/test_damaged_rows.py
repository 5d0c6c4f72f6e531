"""Damage that SQLite doesn't notice: one value in one row is garbage, and everything else still opens, lists and exports."""

import random
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
from inspector.errors import ProjectDamagedError, ProjectError
from inspector.jobs.export import export
from inspector.records import project as projects
from inspector.records.classes import list_classes, list_descriptions
from inspector.records.detectors import list_detectors, list_memory, list_proposed
from inspector.records.inspected.results import count_results, list_details, result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.inspected.scores import list_scores
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.result_filter import ResultSort
from inspector.records.shots import list_shots
from inspector.records.thresholds import list_calibrated, list_thresholds
from inspector.text import is_printable

V2 = Path(__file__).parent.parent / "data" / "projects" / "v2.zip"
GARBAGE: tuple[Any, ...] = (
    b"\xff\xfe\x00", "garbage", "", "{", "[1, 2", '{"1": 5}', '"text"', "9" * 400, "2026-99-99 00:00:00", "../../x",
    "nan", -1, 10**18, float("inf"), "\u202e\0", "[" * 5000, None,
)  # fmt: skip
TABLES = (
    "classes", "images", "shots", "jobs", "detectors", "detector_shots", "thresholds", "runs", "results", "regions",
    "reviews", "project",
)  # fmt: skip
MUTANTS = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the newest revision, without the triggers that forbid changes and the words NOT NULL, which hold back no
    damage."""
    folder = tmp_path_factory.mktemp("damaged") / "project"
    with zipfile.ZipFile(V2) as archive:
        archive.extractall(folder)
    projects.open(folder).close()
    with closing(sqlite3.connect(folder / "project.sqlite")) as connection, connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
    shutil.copyfile(folder / "project.sqlite", folder.with_name("whole.sqlite"))
    return folder


def _mutate(database: Path, rng: random.Random) -> str:
    """Put garbage into one value; what was done, or "" when the schema refuses it."""
    with closing(sqlite3.connect(database)) as connection:
        table = rng.choice(TABLES)
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        column, value = rng.choice(columns), rng.choice(GARBAGE)
        ids = [row for (row,) in connection.execute(f"SELECT rowid FROM {table}")]
        if not ids:
            return ""
        row = rng.choice(ids)
        try:
            with connection:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))
        except (sqlite3.IntegrityError, sqlite3.OperationalError, OverflowError):
            return ""
    return f"{table}.{column} of row {row} = {value!r:.40}"


def _look_at_everything(project: Project, target: Path) -> int:
    """All that the window and the command line read; how many results can still be listed."""
    (
        list_classes(project),
        list_descriptions(project),
        list_shots(project),
        list_jobs(project),
        list_runs(project),
    )
    for row in [*list_detectors(project), *list_proposed(project)]:
        list_thresholds(project, row.id), list_calibrated(project, row.id), list_memory(project, row.id)
        for class_id in row.classes:
            list_scores(project, row.id, class_id)
    count_results(project)
    for sort in ResultSort:
        ids = result_ids(project, sort=sort)
    details = list_details(project, ids)
    assert all(detail.row.verdict is not None or detail.row.error for detail in details)
    events: list[JobEvent] = []
    export(project, target, ["csv", "jsonl"], emit=events.append, cancel=CancelToken())
    ended = events[-1]
    assert isinstance(ended, JobEnded)
    assert ended.status is JobStatus.DONE, ended
    return len(details)


def test_garbage_in_one_row_hides_no_other(whole: Path, tmp_path: Path) -> None:
    rng = random.Random(5)
    database = whole / "project.sqlite"
    files = {path for path in whole.rglob("*") if path.is_file() and path.parent != whole}
    shutil.copyfile(whole.with_name("whole.sqlite"), database)
    with projects.open(whole) as project:
        results = _look_at_everything(project, tmp_path / "export-whole")
    tried = 0
    for number in range(MUTANTS):
        shutil.copyfile(whole.with_name("whole.sqlite"), database)
        what = _mutate(database, rng)
        if not what:
            continue
        tried += 1
        try:
            with projects.open(whole) as project:
                assert _look_at_everything(project, tmp_path / f"export-{number}") >= results - 3, (
                    what
                )  # a run has three at most
        except ProjectError as error:
            assert error.hint, what  # noqa: PT017
        except Exception as error:
            raise AssertionError(what) from error
    assert tried > MUTANTS / 3
    shutil.copyfile(whole.with_name("whole.sqlite"), database)
    projects.open(whole).close()
    assert {path for path in whole.rglob("*") if path.is_file() and path.parent != whole} == files


def test_signs_in_damaged_names_and_messages_are_shown_and_never_obeyed(whole: Path, tmp_path: Path) -> None:
    shutil.copyfile(whole.with_name("whole.sqlite"), whole / "project.sqlite")
    with closing(sqlite3.connect(whole / "project.sqlite")) as connection, connection:
        for column in ("classes.name", "jobs.title", "jobs.message", "jobs.hint", "detectors.title", "runs.title",
                       "results.name", "results.error", "results.hint", "reviews.reason", "project.name"):  # fmt: skip
            table, name = column.split(".")
            connection.execute(f"UPDATE {table} SET {name} = ?", (b"a\xff\0\x1b[31m\xe2\x80\xae\nb",))
    shown = "a�␣␣[31m␣ b"
    with projects.open(whole) as project:
        rows: list[Any] = [*list_classes(project), *list_detectors(project), *list_runs(project)]
        rows += list_jobs(project)
        details = list_details(project, result_ids(project))
        said = {getattr(row, "name", None) or row.title for row in rows} | {
            row.message for row in list_jobs(project)
        }
        said |= {detail.row.name for detail in details} | {project.name}
        assert said == {shown}
        events: list[JobEvent] = []
        export(
            project, tmp_path / "out", ["csv", "jsonl", "report"], emit=events.append, cancel=CancelToken()
        )
        ended = events[-1]
        assert isinstance(ended, JobEnded)
        assert ended.status is JobStatus.DONE
        assert is_printable(ended.message)
        for file in (tmp_path / "out").glob("results.*"):
            assert is_printable(file.read_text("utf-8-sig").replace("\n", "")), file.name


def test_what_sqlite_says_in_many_lines_is_one_sentence(whole: Path) -> None:
    """A damaged schema is quoted by SQLite with all its line ends and tabs."""
    data = whole.with_name("whole.sqlite").read_bytes()
    at = data.index(b"CREATE TABLE classes")
    (whole / "project.sqlite").write_bytes(data[:at] + data[at:].replace(b'"key" VAR', b'"key# VAR', 1))
    with pytest.raises(ProjectDamagedError, match="unrecognized token") as caught:
        projects.open(whole)
    assert is_printable(str(caught.value))
    assert "␣" not in str(caught.value)
