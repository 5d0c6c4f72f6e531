"""What drives do to a project: no locks, no room, no power; and what another program leaves in the file that says who writes."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inspector.errors import ProjectInUseError
from inspector.paths import is_unfinished
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.disk import database as db
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import count_results
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.text import is_printable

V1 = Path(__file__).parent.parent / "data" / "projects" / "v1"


@pytest.mark.skipif(os.name != "posix", reason="flock is a call of Unix")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_viewed_and_no_mere_file_is_taken_for_a_lock(
    project: Project, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    import fcntl

    def unknown(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    add_class(project, "Cookie")
    project.close()
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", unknown)
        for _ in range(2):
            with projects.open(project.folder) as viewed:
                assert viewed.read_only
                assert viewed.note == "Its drive can't keep two programs from writing at once."
                assert [row.name for row in list_classes(viewed)] == ["Cookie"]
    with projects.open(project.folder) as again:
        add_class(again, "Nut")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            '{"host": "pc\\u001b[31m\\u202e\\u0000 7\\n", "process": 5, "since": "2026-03-01T09:30"}',
            "on pc[31m 7 (process 5,",
        ),
        ("[" * 100_000, "in another window"),
        ('{"host": "pc", "process": "' + "9" * 5000 + '", "since": "2026-03-01"}', "in another window"),
        ('{"host": "pc", "process": 5, "since": "soon"}', "in another window"),
        ("\0", "in another window"),
    ],
)
def test_who_writes_is_told_in_a_sentence_whatever_the_file_says(
    project: Project, said: str, shown: str
) -> None:
    (project.folder / "lock-owner.json").write_text(said, "utf-8")
    with pytest.raises(ProjectInUseError) as caught:
        projects.open(project.folder)
    assert shown in caught.value.message
    assert is_printable(str(caught.value))
    assert "␣" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads the names of open files from /proc")
def test_maps_and_images_last_through_a_power_cut_before_a_row_names_them(
    project: Project, taught: object, png: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    real = os.fsync

    def note(handle: int) -> None:
        assert not count_results(project, ResultFilter(run_id=1)).total
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    facts = ImageFacts("ab" * 32, ".png", (32, 24), "RGB 8 bit")
    item = NewResult("a.png", facts, png(), class_id=1, image_score=0.1, values=np.zeros((4, 4), np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", note)
        record_results(project, 1, [item])
    kept = list(project.folder.rglob(f"{facts.sha256}*"))
    assert {path.suffix for path in kept} == {".npy", ".png"}
    folders = [folder for path in kept for folder in (path.parent, path.parent.parent)]
    assert set(kept + folders) <= set(flushed)


@pytest.mark.parametrize("part", ["_back_up", "migrate"])
def test_a_disk_that_is_full_while_an_older_project_is_brought_up_to_date_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    folder = shutil.copytree(V1, tmp_path / "old")
    before = (folder / "project.sqlite").read_bytes()

    def full(*given: object) -> None:
        Path(str(given[-1])).write_bytes(before[:5000])
        raise sqlite3.DatabaseError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(db, part, full)
        with pytest.raises(projects.ProjectError, match="is full") as caught:
            projects.open(folder)
    assert "Free some space" in caught.value.hint
    assert (folder / "project.sqlite").read_bytes() == before
    assert not [path for path in folder.rglob("*") if is_unfinished(path.name)]
    backups = list((folder / "backups").iterdir())
    assert all(db.is_sound(path) for path in backups)
    assert len(backups) == (part == "migrate")  # the copy that was made before it is whole
    with projects.open(folder) as opened:
        assert list_classes(opened)
