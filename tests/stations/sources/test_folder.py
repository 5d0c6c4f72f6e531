"""What a watched folder gives, looked at without a detector behind it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stations.station_runs import pictures, put, station

from inspector.errors import SettingsError
from inspector.records.line.stations import Part
from inspector.records.project import Project
from inspector.stations.source import Past, Taken
from inspector.stations.sources.catalogue import open_source
from inspector.stations.sources.folder import FolderSource
from inspector.stations.sources.listing import Entry, Listing

Watch = Callable[..., FolderSource]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watch(project: Project, inbox: Path) -> Watch:
    key = station(project, "folder", path=str(inbox))

    def begin(**values: str | float | bool) -> FolderSource:
        part = Part("folder", {"path": str(inbox), "finished": "renamed", "poll": 0.02, **values})
        found = open_source(part, Past(project, key))
        assert isinstance(found, FolderSource)
        return found

    return begin


def names(taken: list[Taken]) -> list[str]:
    return [one.name for one in taken]


def all_of(source: FolderSource, wait: float = 0.15) -> list[Taken]:
    """What comes within `wait` seconds and five looks, however slow the machine."""
    found: list[Taken] = []
    until, looks = time.monotonic() + wait, 0
    while time.monotonic() < until or looks < 5:
        source._next = 0.0
        found += source.take(100, 0.02)
        looks += 1
    return found


def test_a_picture_is_taken_once_and_again_when_it_is_overwritten(
    watch: Watch, inbox: Path, washers: Path
) -> None:
    good = pictures(washers)
    put(good[0], inbox, "a.png")
    source = watch()
    assert names(all_of(source)) == ["a.png"]
    assert all_of(source) == []
    put(good[1], inbox, "a.png", 1)  # renamed into its place
    first = all_of(source)
    assert names(first) == ["a.png"]
    data = good[2].read_bytes()
    (inbox / "a.png").write_bytes(data)  # in place: the file's number stays
    second = all_of(source)
    assert [one.data for one in second] == [data]
    assert first[0].mark != second[0].mark


def test_hidden_temporary_and_other_files_are_left_alone(watch: Watch, inbox: Path, washers: Path) -> None:
    for name in (".hidden.png", "~lock.png", "half.part.png", "half.png.part", "notes.txt", "Thumbs.db"):
        (inbox / name).write_bytes(pictures(washers)[0].read_bytes())
    (inbox / "folder.png").mkdir()
    put(pictures(washers)[0], inbox / "deeper", "deep.png")
    assert all_of(watch()) == []
    put(pictures(washers)[1], inbox / "folder.png", "in a folder that is called like a picture.png")
    found = all_of(watch(subfolders=True))
    assert sorted(names(found)) == [
        "deeper/deep.png",
        "folder.png/in a folder that is called like a picture.png",
    ]


def test_a_file_that_is_still_being_written_is_waited_for(watch: Watch, inbox: Path, washers: Path) -> None:
    data = pictures(washers)[0].read_bytes()
    source = watch(finished="settled", settle=0.1)
    with (inbox / "slow.png").open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        assert all_of(source, 0.4) == []  # unchanged for longer than the setting asks, but without its end
        assert source.waiting == 1
        file.write(data[len(data) // 2 :])
    assert [one.data for one in all_of(source, 0.4)] == [data]


def test_what_lay_there_at_the_very_first_start_is_ignored_for_good_where_that_was_asked_for(
    watch: Watch, inbox: Path, washers: Path
) -> None:
    good = pictures(washers)
    put(good[0], inbox, "old.png")
    source = watch(existing="ignore")
    assert all_of(source) == []
    put(good[1], inbox, "new.png")
    again = watch(existing="ignore")  # started again: what came since is no old picture
    assert names(all_of(again)) == ["new.png"]
    put(good[2], inbox, "old.png", 5)
    assert names(all_of(again)) == ["old.png"]


def test_a_judged_file_is_moved_or_deleted_unless_it_is_another_by_then(
    watch: Watch, inbox: Path, washers: Path
) -> None:
    good = pictures(washers)
    for after, left in (("leave", ["a.png"]), ("move", []), ("delete", [])):
        put(good[0], inbox, "a.png", hash(after) % 1000)
        source = watch(after=after)
        taken = all_of(source)
        source.done(taken)
        source.done(taken)  # after a kill it is done again
        assert [one.name for one in inbox.iterdir() if one.is_file()] == left
        assert source.state == ""
    assert [one.name for one in (inbox / "judged").iterdir()] == ["a.png"]
    put(good[0], inbox, "a.png", 77)
    source = watch(after="move")
    taken = all_of(source)
    newer = put(good[1], inbox, "a.png", 78).read_bytes()
    source.done(taken)
    assert (inbox / "a.png").read_bytes() == newer
    source.done(all_of(source))
    assert sorted(one.name for one in (inbox / "judged").iterdir()) == ["a (2).png", "a.png"]


def test_a_folder_that_is_away_is_a_state_and_its_pictures_come_when_it_is_back(
    watch: Watch, inbox: Path, washers: Path
) -> None:
    put(pictures(washers)[0], inbox, "a.png")
    away = inbox.rename(inbox.with_name("elsewhere"))
    source = watch()
    assert all_of(source) == []
    assert "can't be reached" in source.state
    away.rename(inbox)
    found = all_of(source, 2.5)
    assert names(found) == ["a.png"]
    assert source.state == ""


def test_a_file_that_may_not_be_moved_is_said_and_tried_again(
    watch: Watch, inbox: Path, washers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(pictures(washers)[0], inbox, "a.png")
    source = watch(after="move")
    (inbox / "judged").write_bytes(b"no folder")
    source.done(all_of(source))
    assert "can't be moved" in source.state
    (inbox / "judged").unlink()
    monkeypatch.setattr("inspector.stations.sources.judged_files._AGAIN", 0.0)
    assert all_of(source) == []
    assert [one.name for one in (inbox / "judged").iterdir()] == ["a.png"]
    assert source.state == ""


def test_judged_pictures_never_go_back_into_the_watched_folder(watch: Watch, inbox: Path) -> None:
    for target in ("", ".", str(inbox)):
        with pytest.raises(SettingsError):
            watch(after="move", target=target)


def test_names_of_any_bytes_are_told_apart_after_a_restart(watch: Watch, inbox: Path, washers: Path) -> None:
    data = pictures(washers)[0].read_bytes()
    odd = [b"caf\xe9.png", "n\u00e4ch ste 1 2.png".encode(), b"line\nend.png"]
    for name in odd:
        (inbox / os.fsdecode(name)).write_bytes(data)
    source = watch(after="delete")
    taken = all_of(source)
    assert len(taken) == len({one.mark for one in taken}) == 3
    assert all(one.mark.isascii() and one.mark.isprintable() for one in taken)
    source.done(taken)
    assert list(inbox.iterdir()) == []


def test_thousands_of_known_files_cost_a_listing_and_not_a_look_at_each(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(600):
        (folder / f"{number}.png").write_bytes(b"x")
    listing = Listing(folder, subfolders=False)
    for entry in listing.changed():
        listing.settle(entry)
    asked = 0
    real = Entry.at.__func__  # type: ignore[attr-defined]

    def counting(cls: type[Entry], name: str, path: Path) -> Entry:
        nonlocal asked
        asked += 1
        time.sleep(0.0005)
        return real(cls, name, path)

    Entry.at = classmethod(counting)  # type: ignore[method-assign, assignment]
    try:
        assert listing.changed() == []
        assert asked < 300
        (folder / "599.png").write_bytes(b"other")
        for _ in range(600):
            if found := listing.changed():
                break
        assert [one.name for one in found] == ["599.png"]
    finally:
        Entry.at = classmethod(real)  # type: ignore[method-assign, assignment]
