"""On a real drive that is really full, every verdict is still stored; and what is said while there is time."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import judged_parts
import pytest
from at_the_line import kept_parts
from at_the_line.kept_parts import NG, OK, come

from inspector.errors import ProjectFullError
from inspector.records import project as projects
from inspector.records.disk import spare
from inspector.records.inspected.new_results import NOT_KEPT
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.line.arrivals import list_arrivals
from inspector.records.line.stations import Retention
from inspector.stations.upkeep import disk
from inspector.stations.upkeep.disk import DiskWatch, Limits, Room
from inspector.stations.upkeep.retention import tidy

MB = 1 << 20


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Path]:
    """An own small filesystem of 24 MB."""
    folder = tmp_path / "drive"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={24 * MB}", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a filesystem of its own can be mounted by root on Linux only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "SIZE", 4 * MB)
    monkeypatch.setattr(spare, "STEP", MB)
    monkeypatch.setattr(spare, "LEAST", MB // 4)


def fill(folder: Path) -> Path:
    """Take all that is left of a drive."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(folder).free == 0
    return filler


def test_a_full_drive_keeps_every_verdict_without_its_image_and_images_again_once_there_is_room(
    drive: Path,
) -> None:
    with projects.create(drive / "project", "Line 4") as project:
        taught = judged_parts.taught(project)
        press = kept_parts.station(project, Retention())
        watch = DiskWatch(project.folder, Limits(bytes=0, share=0.0))
        assert watch.look(0).room is Room.ENOUGH
        before = come(project, press, taught, [OK, NG])
        filler = fill(drive)
        during = []
        for number in range(20):
            during += come(project, press, taught, [OK, NG], seed=1 + number)
        rows = list_results(project, during)
        assert [row.image_score for row in rows] == [OK, NG] * 20
        assert [row.verdict for row in rows] == [r.verdict for r in list_results(project, before)] * 20
        assert all(row.path is None and row.map_path is None and row.hint == NOT_KEPT for row in rows)
        assert not any(row.error for row in rows)
        assert [one.result_id for one in list_arrivals(project, press.id)] == before + during
        now = watch.look(10)
        assert now.room is Room.FULL
        assert "Results are still stored" in now.said
        filler.unlink()
        assert watch.look(20).room is Room.ENOUGH
        (after,) = list_results(project, come(project, press, taught, [OK], seed=90))
        assert after.path is not None
        assert (after.missing, after.hint) == (False, "")
    with projects.open(drive / "project") as project:  # nothing is damaged
        assert project.doubt is None
        assert len(result_ids(project)) == 43


def test_what_is_held_back_is_given_away_little_by_little_and_then_no_more_is_stored(drive: Path) -> None:
    with projects.create(drive / "project", "Line 4") as project:
        taught = judged_parts.taught(project)
        press = kept_parts.station(project, Retention())
        assert spare.reserve(project.folder)
        fill(drive)
        seen, stored, same = {4}, 0, [kept_parts.png(5)] * 50

        def until_nothing_is_left() -> None:
            nonlocal stored
            for number in range(2000):
                stored += len(come(project, press, taught, [OK] * 50, seed=number, data=same))
                seen.add((project.folder / spare.FILE).stat().st_size // MB)

        with pytest.raises(ProjectFullError, match="is full"):
            until_nothing_is_left()
        assert seen == {0, 1, 2, 3, 4}
        assert len(result_ids(project)) >= stored > 500


def test_on_a_full_drive_images_are_let_go_all_the_same(drive: Path) -> None:
    with projects.create(drive / "project", "Line 4") as project:
        taught = judged_parts.taught(project)
        press = kept_parts.station(project, Retention(ok_every=0))
        spare.reserve(project.folder)
        ids = come(project, press, taught, [OK] * 5)
        fill(drive)
        assert tidy(project, press, 10).images == 5
        assert all(row.files.let_go for row in list_results(project, ids))


def test_it_is_little_by_share_by_bytes_and_by_how_fast_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / spare.FILE).write_bytes(bytes(spare.SIZE))
    free = 500_000_000_000

    def usage(_folder: object) -> object:
        return type("Usage", (), {"free": free, "total": 1_000_000_000_000})()

    monkeypatch.setattr(disk.shutil, "disk_usage", usage)
    watch = DiskWatch(tmp_path)
    assert watch.look(0).room is Room.ENOUGH
    free -= 30_000_000_000
    assert watch.look(60).hours is None  # too soon to tell
    found = watch.look(3600)  # 30 GB an hour: 470 last for less than 24
    assert found.hours == pytest.approx(470 / 30)
    assert (found.room, "about 16 hours" in found.said) == (Room.LITTLE, True)
    watch = DiskWatch(tmp_path)
    free = 40_000_000_000
    assert watch.look(0).room is Room.LITTLE  # below 5 %
    assert DiskWatch(tmp_path, Limits(share=0.01)).look(0).room is Room.ENOUGH
    free = 1_500_000_000
    assert DiskWatch(tmp_path, Limits(share=0.0)).look(0).said.startswith("Only 1.5 GB")


def test_holes_hold_nothing_so_the_room_is_really_taken(tmp_path: Path) -> None:
    assert spare.reserve(tmp_path)
    assert (tmp_path / spare.FILE).stat().st_blocks * 512 >= spare.SIZE
    assert [spare.release(tmp_path), spare.is_short(tmp_path)] == [True, True]
    assert [spare.reserve(tmp_path), spare.is_short(tmp_path)] == [True, False]
    (tmp_path / spare.FILE).unlink()
    assert not spare.release(tmp_path)
