"""Writing whole or not at all, and names that stay inside a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspector import paths


def test_a_name_that_could_leave_its_folder_on_any_system_names_no_file(tmp_path: Path) -> None:
    assert paths.inside(tmp_path, "washer/test/good/1.png") == tmp_path / "washer/test/good/1.png"
    assert paths.inside(tmp_path, "12:30.png") == tmp_path / "12:30.png"
    for name in ("", "/etc/passwd", "../s.png", "a/../../b.png", "C:/x.png", "a/C:x.png", "a\\b.png", "a\0b"):
        assert paths.inside(tmp_path, name) is None


def test_a_name_that_goes_through_a_link_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    assert paths.inside(folder, "a/b/c.png") == folder / "a/b/c.png"
    assert paths.inside(folder, "a/b/c.png", links=False) is None
    assert paths.inside(folder, "b/c.png", links=False) == folder / "b/c.png"


def test_a_folder_that_fails_in_the_making_leaves_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with paths.new_folder(target) as fresh:
        (fresh / "old.txt").write_text("old")

    def fail() -> None:
        with paths.new_folder(target) as fresh:
            (fresh / "new.txt").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old.txt"]
    with paths.new_folder(target) as fresh:
        (fresh / "sub").mkdir()
        (fresh / "sub" / "new.txt").write_text("new")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "sub", "new.txt"]


def test_a_kill_between_the_two_renames_is_made_good_by_the_next_call(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old.txt").write_text("old")
    killed_before_the_second_rename = (
        "import os, sys; from pathlib import Path; from inspector import paths\n"
        "real = Path.rename\n"
        "def rename(self, to):\n"
        "    real(self, to)\n"
        "    os._exit(9)\n"
        "Path.rename = rename\n"
        "with paths.new_folder(Path(sys.argv[1])) as fresh: (fresh / 'new.txt').write_text('new')"
    )
    code = [sys.executable, "-c", killed_before_the_second_rename, str(target)]
    assert subprocess.run(code, timeout=60, check=False).returncode != 0
    assert not target.exists()
    assert all(paths.is_unfinished(path.name) for path in tmp_path.iterdir())
    paths.restore_folder(target)
    assert (target / "old.txt").read_text() == "old"


def test_an_unfinished_file_has_the_ending_of_the_finished_one_and_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with paths.new_file(tmp_path / "new" / "table.xlsx") as file:
        assert file.suffix == ".xlsx"
        assert paths.is_unfinished(file.name)
        file.write_bytes(b"1")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.xlsx"]
    assert (tmp_path / "new" / "table.xlsx").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert not paths.is_unfinished(".hidden-of-the-user")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads the names of open files from /proc")
def test_a_new_name_is_flushed_to_the_drive_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def note(handle: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    paths.write_atomic(tmp_path / "map.npy", b"1")
    assert Path(flushed[0]).parent == tmp_path
    assert flushed[1] == str(tmp_path)
