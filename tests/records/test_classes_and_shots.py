"""Classes and shots that go into a project come out again."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from inspector.errors import ProjectError
from inspector.records import shots
from inspector.records.classes import (
    ClassState,
    add_class,
    find_class,
    list_classes,
    remove_class,
    rename_class,
    restore_class,
)
from inspector.records.detectors import (
    remove_detector,
    restore_detector,
)
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots, remove_shots, restore_shots

Png = Callable[..., bytes]


# classes


@pytest.mark.parametrize("name", ["Cookie", "COOKIE", " coo kie "])
def test_two_classes_of_one_name_are_refused_whatever_case_and_spaces(project: Project, name: str) -> None:
    add_class(project, "Cookie")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        add_class(project, name)
    nut = add_class(project, "Nut")
    with pytest.raises(ProjectError, match="“Cookie” already"):
        rename_class(project, nut, name)


def test_a_removed_class_comes_back_with_its_shots(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png())])
    remove_class(project, class_id)
    assert list_classes(project) == []
    assert list_shots(project) == []
    restore_class(project, class_id)
    (row,) = list_classes(project)
    assert (row.name, row.shots) == ("Cookie", 1)


def test_a_removed_class_frees_its_name_and_can_then_not_come_back_under_it(project: Project) -> None:
    first = add_class(project, "Cookie")
    remove_class(project, first)
    add_class(project, "cookie")
    with pytest.raises(ProjectError, match="already"):
        restore_class(project, first)


@pytest.mark.parametrize("name", ["", "  \n ", "x" * 101])
def test_a_class_needs_a_sensible_name(project: Project, name: str) -> None:
    with pytest.raises(ProjectError):
        add_class(project, name)


def test_a_class_says_whether_it_is_taught_and_up_to_date(project: Project, taught: Any, png: Png) -> None:
    def state() -> ClassState:
        return find_class(project, "cookie").state

    assert state() is ClassState.TAUGHT
    (added,) = add_shots(project, taught.class_id, [("c.png", png(3))])
    assert state() is ClassState.OUT_OF_DATE
    remove_shots(project, [added.shot_id or 0])
    assert state() is ClassState.TAUGHT
    remove_detector(project, taught.detector_id)
    assert state() is ClassState.READY
    restore_detector(project, taught.detector_id)
    remove_shots(project, [row.id for row in list_shots(project)])
    assert state() is ClassState.NEEDS_SHOTS


# shots


def test_bad_files_are_reported_and_the_good_ones_become_shots(
    project: Project, tmp_path: Path, png: Png
) -> None:
    class_id = add_class(project, "Cookie")
    good = tmp_path / "gut ü\n1.png"
    good.write_bytes(png(1))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(png(2)[:200])
    (tmp_path / "text.png").write_bytes(b"hello, I am no image")
    sources = [tmp_path / name for name in ("empty.png", good.name, "cut.png", "text.png", "gone.png")]
    added = add_shots(project, class_id, sources)
    assert [item.status for item in added] == ["failed", "added", "failed", "failed", "failed"]
    assert all(item.message for item in added if item.status == "failed")
    (shot,) = list_shots(project, class_id)
    assert (shot.name, shot.size) == ("gut ü 1.png", (32, 24))
    good.unlink()  # the project has its own copy
    assert shot.path.read_bytes() == png(1)


def test_the_same_picture_out_of_other_bytes_is_a_shot_once_in_its_class(project: Project, png: Png) -> None:
    """Compressed otherwise, with other notes in the file, saved in another format: held out, it would find itself."""
    picture = PIL.Image.open(io.BytesIO(png(1)))

    def saved(kind: str, **options: object) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    others = [saved("PNG", compress_level=0), saved("TIFF", compression="tiff_lzw"), saved("BMP")]
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    (first,) = add_shots(project, cookie, [("a.png", png(1))])
    added = add_shots(project, cookie, [(f"{number}.png", data) for number, data in enumerate(others)])
    assert [(one.status, one.shot_id) for one in added] == [("duplicate", first.shot_id)] * 3
    assert added[0].message == "“0.png” is the same picture as “a.png” and counts once."
    assert [row.name for row in list_shots(project, cookie)] == ["a.png"]
    assert add_shots(project, cookie, [("b.png", png(2))])[0].status == "added"
    assert add_shots(project, nut, [("a.png", others[0])])[0].status == "added"
    assert first.shot_id is not None
    remove_shots(project, [first.shot_id])
    assert add_shots(project, cookie, [("again.png", others[0])])[0].status == "added"


def test_a_shot_whose_file_is_gone_keeps_no_other_from_being_added(project: Project, png: Png) -> None:
    cookie = add_class(project, "Cookie")
    add_shots(project, cookie, [("a.png", png(1))])
    (shot,) = list_shots(project, cookie)
    shot.path.unlink()
    shots._looks.clear()  # as another process would find it
    assert add_shots(project, cookie, [("b.png", png(2))])[0].status == "added"


def test_the_same_image_is_a_shot_once_and_another_class_is_told(project: Project, png: Png) -> None:
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    first, again = add_shots(project, cookie, [("a.png", png(1)), ("b.png", png(1))])
    assert (again.status, again.shot_id) == ("duplicate", first.shot_id)
    (other,) = add_shots(project, nut, [("c.png", png(1))])
    assert other.status == "added"
    assert "Cookie" in other.message
    assert {row.class_name: row.duplicate_of for row in list_shots(project)} == {
        "Cookie": "Nut",
        "Nut": "Cookie",
    }


def test_a_shot_of_another_size_than_most_is_marked(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    images = [(f"{n}.png", png(n, (32, 24) if n < 3 else (24, 32))) for n in range(4)]
    add_shots(project, class_id, images)
    assert [row.odd_size for row in list_shots(project)] == [False, False, False, True]


def test_removing_a_shot_can_be_undone_and_adding_it_again_brings_back_the_same(
    project: Project, png: Png
) -> None:
    class_id = add_class(project, "Cookie")
    (added,) = add_shots(project, class_id, [("a.png", png())])
    remove_shots(project, [added.shot_id or 0])
    assert list_shots(project) == []
    restore_shots(project, [added.shot_id or 0])
    assert len(list_shots(project)) == 1
    remove_shots(project, [added.shot_id or 0])
    (again,) = add_shots(project, class_id, [("a.png", png())])
    assert (again.status, again.shot_id) == ("added", added.shot_id)


def test_a_missing_image_is_told_on_its_row_alone(project: Project, png: Png) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png(1)), ("b.png", png(2))])
    list_shots(project)[0].path.unlink()
    assert [row.missing for row in list_shots(project)] == [True, False]
