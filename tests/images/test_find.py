import os
from pathlib import Path

import pytest
from PIL import Image as Pillow

from inspector.images.find import counted, find, look


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder as people have them."""
    top = tmp_path / "parts"
    for name in (
        *("b/img10.PNG", "b/img2.png", "a.tiff", "c.jfif", "d.jpe"),
        *("phone.HEIC", "anim.gif", "film.mp4", "other.gif", "third.GIF", "fourth.gif", "b/notes.txt"),
        *("b/.hidden.png", ".git/x.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "b/._img2.png"),
        *("Thumbs.db", "desktop.ini", "@eaDir/a.png"),
    ):
        (top / name).parent.mkdir(exist_ok=True, parents=True)
        (top / name).touch()
    Pillow.new("RGB", (16, 16)).save(top / "no ending", "PNG")
    Pillow.new("RGB", (16, 16)).save(top / "2026.11.26 part", "JPEG")
    (top / "LICENSE").write_text("All of it.")
    return top


def test_images_are_found_in_natural_order_by_their_ending_or_without_one_by_content(tree: Path) -> None:
    assert [path.relative_to(tree).as_posix() for path in find([tree]).images] == [
        *("2026.11.26 part", "a.tiff", "b/img2.png", "b/img10.PNG", "c.jfif", "d.jpe", "no ending"),
    ]


def test_what_is_left_out_is_named_and_counted_but_for_hidden_entries(tree: Path) -> None:
    (tree / "linked").symlink_to(tree / "b", target_is_directory=True)
    found = find([tree])
    assert {entry.path.name: entry.what for entry in found.left_out} == {
        "anim.gif": "GIF file",
        "other.gif": "GIF file",
        "third.GIF": "GIF file",
        "fourth.gif": "GIF file",
        "phone.HEIC": "HEIC file",
        "film.mp4": "MP4 file",
        "notes.txt": "TXT file",
        "LICENSE": "other file",
        "linked": "linked folder",
    }
    assert counted(found.left_out).startswith("4 GIF files (anim.gif, fourth.gif, other.gif, …), 1 ")
    assert "1 linked folder (linked)" in counted(found.left_out)
    assert counted(()) == ""


def test_what_is_named_by_itself_always_stays_and_each_file_comes_once(tree: Path) -> None:
    named = [tree / "phone.HEIC", tree / "gone.png", tree / "b" / "img2.png", "nul\0.png"]
    found = find([tree, *named, tree])
    assert {Path(path) for path in named} <= set(found.images)
    assert len(set(found.images)) == len(found.images) == 10
    assert "phone.HEIC" not in [entry.path.name for entry in found.left_out]


def test_a_hidden_or_linked_folder_that_is_named_by_itself_is_searched(tree: Path) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree / ".ipynb_checkpoints", target_is_directory=True)
    assert find([link]).images == (link / "a.png",)
    assert find([tree / ".git"]).images == (tree / ".git" / "x.png",)


def test_links_that_lead_in_a_circle_end(tree: Path) -> None:
    (tree / "b" / "up").symlink_to(tree, target_is_directory=True)
    assert len(find([tree]).images) == 7


def test_a_pipe_without_an_ending_is_not_opened(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe")
    assert [entry.what for entry in find([tmp_path]).left_out] == ["device or pipe"]


def test_looking_stays_in_one_folder_and_a_file_is_none(tree: Path) -> None:
    inside = look(tree)
    assert [path.name for path in inside.folders] == ["b"]
    assert all(path.parent == tree for path in inside.images)
    with pytest.raises(OSError, match=r"a\.tiff"):
        look(tree / "a.tiff")
