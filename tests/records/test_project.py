"""A project as a folder: made, moved, locked, viewed, recovered, migrated."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from inspector.domain import JobKind, JobStatus
from inspector.errors import ProjectError
from inspector.methods.prompts.description import template
from inspector.paths import is_unfinished
from inspector.records import project as projects
from inspector.records import schema
from inspector.records.classes import (
    add_class,
    describe_class,
    find_class,
    list_classes,
    list_descriptions,
    rename_class,
)
from inspector.records.detectors import list_detectors
from inspector.records.disk import database as db
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.jobs import end_job, list_jobs, start_job
from inspector.records.project import Project
from inspector.records.reviews import list_reviews
from inspector.records.shots import add_shots, list_shots
from inspector.records.taught.new_detectors import detector_staging

Png = Callable[..., bytes]
V1 = Path(__file__).parent.parent / "data" / "projects" / "v1"


def test_a_moved_and_a_copied_project_show_the_same(project: Project, tmp_path: Path, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png())])
    project.close()
    shutil.copytree(project.folder, tmp_path / "copy")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(project.folder, tmp_path / "elsewhere" / "moved 100% ü")
    for folder in (tmp_path / "copy", tmp_path / "elsewhere" / "moved 100% ü"):
        with projects.open(folder) as opened:
            (shot,) = list_shots(opened)
            assert opened.name == "Line 4"
            assert shot.path.read_bytes() == png()
            assert shot.path.is_relative_to(folder)


def test_a_closed_project_is_one_database_file_without_side_files(project: Project) -> None:
    add_class(project, "Cookie")
    project.close()
    assert {path.name for path in project.folder.iterdir() if path.is_file()} <= {
        "project.sqlite",
        "project.seal",
        "project.lock",
    }


def test_nothing_in_the_database_names_an_absolute_path(project: Project, taught: object) -> None:
    project.close()
    content = (project.folder / "project.sqlite").read_bytes()
    assert str(project.folder).encode() not in content


def test_a_project_is_never_made_over_other_files(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(ProjectError, match="not an empty folder"):
        projects.create(tmp_path / "full", "x")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    with pytest.raises(ProjectError, match="name"):
        projects.create(tmp_path / "new", "  ")


def test_a_second_writer_reads_who_has_the_project_open(project: Project) -> None:
    with pytest.raises(ProjectError, match=rf"already open on .*process {os.getpid()}, since"):
        projects.open(project.folder)


def test_another_process_can_neither_write_nor_disturb(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from inspector.records import project\n"
        "try: project.open(Path(sys.argv[1]))\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "already open" in done.stdout
    add_class(project, "Cookie")


def test_a_project_that_is_open_elsewhere_can_be_viewed(project: Project) -> None:
    add_class(project, "Cookie")
    with projects.open(project.folder, read_only=True) as viewed:
        assert [row.name for row in list_classes(viewed)] == ["Cookie"]
        with pytest.raises(ProjectError, match="viewing only"):
            add_class(viewed, "Nut")
    add_class(project, "Bolt")


@pytest.fixture
def protected(png: Png) -> Iterator[Path]:
    """A folder that this process can't write for the time of the test, also when the tests run as root."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    with projects.create(top / "project", "Sealed") as opened:
        add_shots(opened, add_class(opened, "Cookie"), [("a.png", png())])
    for path in (top / "project").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (top / "project").chmod(0o555)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield top / "project"
    if root:
        os.seteuid(0)
    for path in (top / "project", *(top / "project").rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(top)


def test_a_read_only_folder_opens_for_viewing_with_a_note(protected: Path) -> None:
    with projects.open(protected) as opened:
        assert opened.read_only
        assert "can't be written" in opened.note
        assert [row.shots for row in list_classes(opened)] == [1]
        with pytest.raises(ProjectError, match="viewing only"):
            add_class(opened, "Nut")


def test_what_is_no_project_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project in"):
        projects.open(tmp_path)
    (tmp_path / "project.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(ProjectError, match="damaged or no project"):
        projects.open(tmp_path)
    assert not (tmp_path / "lock-owner.json").exists()


def test_a_project_from_a_newer_version_is_refused_and_left_alone(project: Project) -> None:
    project.close()
    database = project.folder / "project.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.read_bytes()
    with pytest.raises(ProjectError, match="newer version of Inspector"):
        projects.open(project.folder)
    with pytest.raises(ProjectError, match="newer version of Inspector"):
        projects.open(project.folder, read_only=True)
    assert database.read_bytes() == before


def test_the_revisions_make_exactly_the_tables_of_the_schema(project: Project) -> None:
    engine = create_engine(f"sqlite:///{project.folder / 'project.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, schema.Base.metadata) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_the_schema_names() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(projects.__file__).parent / "migrations"))
    assert script.get_current_head() == schema.REVISION == schema.KNOWN_REVISIONS[-1]
    assert [item.revision for item in script.walk_revisions()][::-1] == list(schema.KNOWN_REVISIONS)


def test_an_older_project_is_copied_then_migrated(tmp_path: Path) -> None:
    shutil.copytree(V1, tmp_path / "old")
    with projects.open(tmp_path / "old") as opened:
        assert len(list_classes(opened)) == 3
        (backup,) = (tmp_path / "old" / "backups").iterdir()
        assert backup.name in opened.note
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert connection.execute("SELECT count(*) FROM classes").fetchone() == (3,)


def test_what_lies_in_the_write_ahead_log_alone_is_migrated_backed_up_and_viewed_too(tmp_path: Path) -> None:
    old, killed = tmp_path / "old", tmp_path / "killed"
    shutil.copytree(V1, old)
    with closing(sqlite3.connect(old / "project.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE classes SET name = 'only in the log' WHERE id = 1")
        connection.commit()
        shutil.copytree(old, killed)
    before = (killed / "project.sqlite").read_bytes()
    assert b"only in the log" not in before
    with projects.open(killed, read_only=True) as viewed:
        assert "only in the log" in [row.name for row in list_classes(viewed)]
    with projects.open(killed) as opened:
        assert "only in the log" in [row.name for row in list_classes(opened)]
    (backup,) = (killed / "backups").iterdir()
    with closing(sqlite3.connect(backup)) as connection:
        assert ("only in the log",) in connection.execute("SELECT name FROM classes").fetchall()


def test_a_migration_that_fails_leaves_the_project_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(V1, tmp_path / "old")
    database = tmp_path / "old" / "project.sqlite"
    before = database.read_bytes()

    def fail(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TABLE shots")

    monkeypatch.setattr(db, "migrate", fail)
    with pytest.raises(ProjectError, match="left as it was"):
        projects.open(tmp_path / "old")
    assert database.read_bytes() == before
    assert not [path for path in (tmp_path / "old").iterdir() if is_unfinished(path.name)]


def test_jobs_left_running_by_a_crash_are_aborted_at_the_next_opening(project: Project) -> None:
    running = start_job(project, JobKind.INSPECT, "Inspect", 10)
    done = start_job(project, JobKind.TEACH, "Teach")
    end_job(project, done, JobStatus.DONE, "Taught.")
    half = detector_staging(project)
    (project.folder / "detectors" / "77").mkdir()
    project.close()
    with projects.open(project.folder) as opened:
        states = {row.id: row.status for row in list_jobs(opened)}
        assert states == {running: JobStatus.ABORTED, done: JobStatus.DONE}
        assert list_jobs(opened)[1].ended is not None
    assert not half.exists()
    assert not (project.folder / "detectors" / "77").exists()


def test_a_full_disk_is_a_sentence_and_changes_nothing(project: Project) -> None:
    class_id = add_class(project, "Cookie")
    with project._engine.connect() as connection:  # SQLite's own answer to a full disk
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(5000):
            rename_class(project, class_id, "n" * 90 + str(number))
            add_class(project, "m" * 90 + str(number))

    with pytest.raises(ProjectError, match="full") as caught:
        fill()
    assert "Free some space" in caught.value.hint
    names = {row.name for row in list_classes(project)}
    assert len(names) >= 1
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_an_image_that_no_longer_fits_on_the_disk_leaves_no_shot(
    project: Project, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_id = add_class(project, "Cookie")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProjectError, match="full"):
        add_shots(project, class_id, [("a.png", png())])
    assert list_shots(project) == []
    assert [path for path in (project.folder / "images").rglob("*") if path.is_file()] == []


def test_names_that_leave_the_folder_are_refused(project: Project) -> None:
    for name in ("../x", "/etc/passwd", "a/../../x", "C:\\x", "c:x"):
        with pytest.raises(ProjectError, match="outside its folder"):
            project.path(name)


def test_a_real_project_of_the_first_revision_opens(tmp_path: Path) -> None:
    shutil.copytree(V1, tmp_path / "v1")
    expected = json.loads((V1 / "expected.json").read_text("utf-8"))
    with projects.open(tmp_path / "v1") as opened:
        assert opened.name == expected["name"]
        assert {row.name: row.state for row in list_classes(opened)} == expected["classes"]
        assert not any(row.missing for row in list_shots(opened))
        (detector,) = list_detectors(opened)
        assert detector.problem == ""
        rows = list_results(opened, result_ids(opened))
        assert {row.name: row.verdict for row in rows} == expected["verdicts"]
        assert any(row.error for row in rows)
        reviews = [review for row in rows for review in list_reviews(opened, row.id)]
        assert [review.who for review in reviews] == expected["reviewers"]
        assert list_descriptions(opened) == {}
        assert detector.added_shots == {}
        washer = find_class(opened, "washer")
        describe_class(opened, washer.id, template("washer"))
        assert list_descriptions(opened) == {washer.id: template("washer")}
    (backup,) = (tmp_path / "v1" / "backups").iterdir()
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)


def test_an_older_project_that_can_not_be_written_is_viewed_as_it_would_be_now(tmp_path: Path) -> None:
    shutil.copytree(V1, tmp_path / "v1")
    before = (tmp_path / "v1" / "project.sqlite").read_bytes()
    with projects.open(tmp_path / "v1", read_only=True) as opened:
        assert list_descriptions(opened) == {}
        assert len(list_classes(opened)) == 3
    assert (tmp_path / "v1" / "project.sqlite").read_bytes() == before


def test_what_is_written_within_a_writing_is_seen_there_and_stored_with_it_or_not_at_all(
    project: Project,
) -> None:
    def names() -> list[str]:
        return [row.name for row in list_classes(project)]

    class Lost(Exception):
        pass

    def fail_in_part() -> None:
        with project.writing():
            add_class(project, "lost with the error")
            add_class(project, "washer")

    def fail_after_two() -> None:
        with project.writing():
            add_class(project, "washer")
            assert names() == ["washer"]
            with pytest.raises(ProjectError):
                fail_in_part()
            assert names() == ["washer"]
            add_class(project, "nut")
            raise Lost

    with pytest.raises(Lost):
        fail_after_two()
    assert names() == []
    with project.writing():
        add_class(project, "washer")
        add_class(project, "nut")
    assert sorted(names()) == ["nut", "washer"]


def test_another_thread_reads_what_is_stored_while_one_writes(project: Project) -> None:
    with ThreadPoolExecutor(1) as other, project.writing():
        add_class(project, "washer")
        assert other.submit(list_classes, project).result() == []
