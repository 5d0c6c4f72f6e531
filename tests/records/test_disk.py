"""A project's folder under bad luck: killed, moved, linked, damaged, put back. Nothing is lost and nothing is silent."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import JobKind
from inspector.errors import ProjectError
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.detectors import list_detectors
from inspector.records.disk import database as db
from inspector.records.disk.backups import list_backups, restore_backup
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import result_ids
from inspector.records.jobs import start_job
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots

Png = Callable[..., bytes]
V1 = Path(__file__).parent.parent / "data" / "projects" / "v1"


def _run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    imports = "import os, sys; from pathlib import Path; from inspector.records import project\n"
    command = [sys.executable, "-c", imports + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


# Links


@pytest.mark.parametrize("part", ["detectors", "images", "maps", "backups", "project.sqlite", "set-aside"])
def test_a_part_that_is_a_link_is_refused_by_name_and_nothing_outside_is_touched(
    project: Project, tmp_path: Path, part: str
) -> None:
    project.close()
    place, outside = project.folder / part, tmp_path / "outside"
    if place.exists():
        place.rename(outside)
    else:
        outside.mkdir()
    if outside.is_dir():
        for name in ("17", ".hidden", ".new-0123456789ab-mine"):
            (outside / name).mkdir()
    place.symlink_to(outside)
    before = sorted(path.name for path in outside.iterdir()) if outside.is_dir() else outside.read_bytes()
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=f"“{part}” in .* is a link") as caught:
            projects.open(project.folder, read_only=read_only)
        assert caught.value.hint
    after = sorted(path.name for path in outside.iterdir()) if outside.is_dir() else outside.read_bytes()
    assert after == before


def test_a_kept_image_that_became_a_link_counts_as_missing(
    project: Project, tmp_path: Path, png: Png
) -> None:
    add_shots(project, add_class(project, "Cookie"), [("a.png", png())])
    (shot,) = list_shots(project)
    (tmp_path / "secret.png").write_bytes(png())
    shot.path.unlink()
    shot.path.symlink_to(tmp_path / "secret.png")
    assert list_shots(project)[0].missing


def test_a_write_through_a_linked_subfolder_is_refused(project: Project, tmp_path: Path, png: Png) -> None:
    import hashlib

    class_id = add_class(project, "Cookie")
    (tmp_path / "outside").mkdir()
    first = hashlib.sha256(png()).hexdigest()[:2]
    (project.folder / "images" / first).symlink_to(tmp_path / "outside")
    with pytest.raises(ProjectError, match="is a link"):
        add_shots(project, class_id, [("a.png", png())])
    assert list((tmp_path / "outside").iterdir()) == []


# Killed


def test_a_killed_create_can_be_done_again(tmp_path: Path) -> None:
    code = (
        "from inspector.records.disk import database\n"
        "real = database.migrate\n"
        "def migrate(path):\n"
        "    real(path)\n"
        "    os._exit(9)\n"
        "database.migrate = migrate\n"
        "project.create(Path(sys.argv[1]), 'x')"
    )
    assert _run(code, tmp_path / "new").returncode == 9
    assert list((tmp_path / "new").iterdir())
    with pytest.raises(ProjectError, match="no project in"):
        projects.open(tmp_path / "new")
    with projects.create(tmp_path / "new", "Again") as made:
        assert made.name == "Again"
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {
        "project.sqlite", "project.seal", "project.lock", "images", "maps", "detectors", "thumbnails"
    }  # fmt: skip


def test_after_a_kill_only_our_own_unfinished_files_are_swept(project: Project) -> None:
    project.close()
    code = "opened = project.open(Path(sys.argv[1])); os._exit(9)"
    assert _run(code, project.folder).returncode == 9
    ours = [
        "images/ab/.new-0123456789ab-x.png",
        f"images/ab/.{'a' * 40}.0123456789ab",
        "maps/1/.new-0123456789ab-x.npy",
        "detectors/.staging-0123456789ab-new/detector.json",
        "detectors/.teaching/.new-0123456789ab-teaching.safetensors",
        "detectors/.teaching/experts/.new-0123456789ab-teaching.safetensors",
        "backups/.new-0123456789ab-project.sqlite",
    ]
    theirs = [
        "images/ab/.DS_Store",
        "detectors/my notes/a.txt",
        "detectors/.git/config",
        "detectors/.teaching/teaching.safetensors",
        "detectors/.teaching/experts/teaching.safetensors",
        ".new-idea",
        "maps/.x/y",
    ]
    for name in (*ours, *theirs):
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text("1")
    projects.open(project.folder).close()
    assert [name for name in ours if (project.folder / name).exists()] == []
    assert [name for name in theirs if not (project.folder / name).exists()] == []


def test_who_was_killed_while_saying_that_it_opens_a_project_leaves_nothing(project: Project) -> None:
    project.close()
    code = (
        "from inspector import paths\n"
        "from inspector.records.disk import lock\n"
        "lock.paths = type('', (), {'write_atomic': lambda path, *_, **__: (paths._create(paths.beside(path)), "
        "os._exit(9))})\n"
        "project.open(Path(sys.argv[1]))"
    )
    assert _run(code, project.folder).returncode == 9
    assert list(project.folder.glob(".new-*"))
    assert not (project.folder / "lock-owner.json").exists()
    projects.open(project.folder).close()
    assert list(project.folder.glob(".*")) == []


def test_a_detector_that_was_killed_before_its_row_was_stored_leaves_nothing(project: Project) -> None:
    folder = project.folder / "detectors" / "7"
    folder.mkdir()
    (folder / ".uncommitted").touch()
    (folder / "detector.json").write_text("{}")
    project.close()
    projects.open(project.folder).close()
    assert not folder.exists()
    assert not (project.folder / "set-aside").exists()


def test_copies_of_dead_processes_are_swept_from_the_temporary_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with projects.open(project.folder, read_only=True):
        (own,) = tmp_path.glob("inspector-view-*")
        dead = own.with_name(own.name.replace(str(os.getpid()), "999999999"))
        shutil.copytree(own, dead)
        with projects.open(project.folder, read_only=True):
            assert own.exists()
            assert not dead.exists()
        shutil.copytree(own, dead)
        project.close()
        projects.open(project.folder).close()  # also where nobody only views
        assert own.exists()
        assert not dead.exists()
    assert list(tmp_path.glob("inspector-view-*")) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM to answer")
def test_a_command_that_is_told_to_end_leaves_no_copy_of_the_database(tmp_path: Path) -> None:
    folder = shutil.copytree(V1, tmp_path / "project")
    code = (
        "import signal, tempfile\n"
        "from inspector.cli import main\n"
        "from inspector.jobs import export\n"
        "tempfile.tempdir = sys.argv.pop()\n"
        "def wait(*_, **__):\n"
        "    assert list(Path(tempfile.tempdir).glob('inspector-view-*'))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
        "export.export = wait\n"
        "main.main()"
    )
    (tmp_path / "temporary").mkdir()
    done = _run(code, "export", folder, tmp_path / "out", tmp_path / "temporary")
    assert done.returncode == 143, done.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_killed_migration_leaves_a_whole_backup_or_none(tmp_path: Path) -> None:
    for place in ("copy_database", "migrate", "put_in_place"):
        folder = tmp_path / place
        shutil.copytree(V1, folder)
        code = (
            "from inspector.records.disk import database\n"
            f"real = database.{place}\n"
            "def killed(*arguments):\n"
            "    real(*arguments)\n"
            "    os._exit(9)\n"
            f"database.{place} = killed\n"
            "project.open(Path(sys.argv[1]))"
        )
        assert _run(code, folder).returncode == 9
        assert all(db.is_sound(one.path) for one in list_backups(folder))
        with projects.open(folder) as opened:
            assert len(list_classes(opened)) == 3
        left = [path.name for path in folder.rglob(".*")]
        assert left == []


# Another database


def test_detectors_that_the_database_does_not_know_are_moved_aside_and_brought_back(tmp_path: Path) -> None:
    folder = shutil.copytree(V1, tmp_path / "project")
    projects.open(folder).close()
    files = _tree(folder / "detectors" / "1")
    (folder / "detectors" / "2024").mkdir()
    (folder / "detectors" / "2024" / "holiday.txt").write_text("mine")
    projects.create(tmp_path / "other", "Other").close()
    right = (folder / "project.sqlite").read_bytes()
    shutil.copyfile(tmp_path / "other" / "project.sqlite", folder / "project.sqlite")
    with projects.open(folder) as wrong:
        assert wrong.name == "Other"
        assert "2 detectors that this database does not know were moved to set-aside" in wrong.note
        assert "nothing was deleted" in wrong.note
    aside = _tree(folder / "set-aside" / "detectors")
    assert sorted(Path(name).name for name in aside) == [
        "detector.json",
        "detector.safetensors",
        "holiday.txt",
    ]
    (folder / "project.sqlite").write_bytes(right)
    with projects.open(folder) as again:
        assert "brought back" in again.note
        assert [row.problem for row in list_detectors(again)] == [""]
    assert _tree(folder / "detectors" / "1") == files


def test_a_project_that_is_moved_while_it_is_open_stores_nothing_more_and_says_so(
    project: Project, taught: object, tmp_path: Path, png: Png
) -> None:
    shutil.move(project.folder, tmp_path / "elsewhere")
    for write in (
        lambda: add_class(project, "Nut"),
        lambda: add_shots(project, 1, [("new.png", png(9))]),
        lambda: record_results(project, 1, [NewResult("x", class_id=1, image_score=0.1)]),
    ):
        with pytest.raises(ProjectError, match="moved or replaced"):
            write()
    assert not project.folder.exists()
    project.close()
    with projects.open(tmp_path / "elsewhere") as moved:
        assert [row.name for row in list_classes(moved)] == ["Cookie"]
        assert len(result_ids(moved)) == 0


def test_a_database_that_is_replaced_while_it_is_open_is_not_written(
    project: Project, tmp_path: Path
) -> None:
    projects.create(tmp_path / "other", "Other").close()
    os.replace(tmp_path / "other" / "project.sqlite", project.folder / "project.sqlite")  # noqa: PTH105
    with pytest.raises(ProjectError, match="moved or replaced"):
        add_class(project, "Nut")


def test_nothing_is_written_once_a_project_is_closed(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    project.close()
    for write in (
        lambda: add_class(project, "Nut"),
        lambda: add_shots(project, class_id, [("a.png", png())]),
    ):
        with pytest.raises(ProjectError, match="is closed"):
            write()
    assert not list((project.folder / "images").rglob("*.png"))


def test_a_database_that_another_program_holds_is_a_sentence(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.close()
    monkeypatch.setattr(db, "_TIMEOUT", 0.1)
    with projects.open(project.folder) as opened:
        with closing(sqlite3.connect(project.folder / "project.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ProjectError, match="Another program holds the database"):
                start_job(opened, JobKind.TEACH, "Teach")
            other.execute("ROLLBACK")
        start_job(opened, JobKind.TEACH, "Teach")


# Damage and the way back


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer version of Inspector"),
        ("UPDATE alembic_version SET version_num = 'garbage'", "no version of Inspector wrote"),
        ("DELETE FROM alembic_version", "doesn't say which version"),
    ],
)
def test_revisions_that_can_not_be_opened_are_told_apart(project: Project, statement: str, said: str) -> None:
    project.close()
    database = project.folder / "project.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=said) as caught:
            projects.open(project.folder, read_only=read_only)
        assert "inspector-view" not in str(caught.value)
        assert caught.value.hint


def test_an_empty_database_is_named_where_it_lies(project: Project) -> None:
    project.close()
    (project.folder / "project.sqlite").write_bytes(b"")
    for read_only in (False, True):
        with pytest.raises(ProjectError, match="is empty") as caught:
            projects.open(project.folder, read_only=read_only)
        assert str(project.folder / "project.sqlite") in caught.value.message


def test_a_damaged_database_names_the_way_back_and_the_command_goes_it(tmp_path: Path) -> None:
    folder = shutil.copytree(V1, tmp_path / "project")
    with projects.open(folder) as opened:
        names = [row.name for row in list_classes(opened)]
        detectors = [row.id for row in list_detectors(opened)]
    broken = b"\0" * 3000 + (folder / "project.sqlite").read_bytes()[3000:]
    (folder / "project.sqlite").write_bytes(broken)
    with pytest.raises(ProjectError, match="damaged") as caught:
        projects.open(folder)
    assert f"inspector restore {folder}" in caught.value.hint
    done = CliRunner().invoke(app, ["restore", str(folder)])
    assert done.exit_code == 0, done.output
    with projects.open(folder) as opened:
        assert [row.name for row in list_classes(opened)] == names
        assert [row.id for row in list_detectors(opened)] == detectors
    replaced = next(one for one in list_backups(folder) if one.path.name.endswith("-replaced.sqlite"))
    assert replaced.path.read_bytes() == broken


def test_a_truncated_backup_is_passed_over_and_an_open_project_is_not_restored(tmp_path: Path) -> None:
    folder = shutil.copytree(V1, tmp_path / "project")
    with projects.open(folder):
        (backup,) = list_backups(folder)
        with pytest.raises(ProjectError, match="already open"):
            restore_backup(folder)
    newer = backup.path.with_name("project-29991231-000000-revision-0001.sqlite")
    newer.write_bytes(backup.path.read_bytes()[:20000])
    restore_backup(folder)
    with projects.open(folder) as opened:
        assert len(list_classes(opened)) == 3
    with pytest.raises(ProjectError, match="no sound backup"):
        restore_backup(folder, newer)


# Names


@pytest.mark.parametrize("name", [".", "..", "...", "\0", "\u202e", " \u200b "])
def test_names_that_are_nothing_or_a_folder_are_refused(project: Project, name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        add_class(project, name)
    assert caught.value.hint


def test_control_and_bidirectional_characters_never_get_into_a_name(project: Project, png: Png) -> None:
    class_id = add_class(project, "Coo\0kie\u202egnp.\x1b[31m  ü\n2")
    assert [row.name for row in list_classes(project)] == ["Cookiegnp.[31m ü 2"]
    add_shots(project, class_id, [("a\x07\u202eb.png", png())])
    assert list_shots(project)[0].name == "ab.png"
