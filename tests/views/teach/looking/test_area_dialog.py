"""Where to look, drawn on a shot in the real window."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QDialog, QFileDialog
from pytestqt.qtbot import QtBot

from inspector.images.area import Area, as_file
from inspector.records import project as projects
from inspector.records.classes import add_class, find_class
from inspector.views.teach.looking.area_dialog import AreaDialog
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
LEFT = Area((((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),))


@pytest.fixture
def page(project_window: MainWindow, idle: Idle, picture: Callable[..., Path]) -> TeachPage:
    """A class of two shots of 960 × 1200 pixels."""
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.add_class("part")
    idle()
    project_window.take_paths([picture(f"{number}.png", number, (960, 1200)) for number in range(2)])
    idle()
    return made


@pytest.fixture
def dialog(page: TeachPage, idle: Idle, qtbot: QtBot) -> AreaDialog:
    return opened(page, idle, qtbot)


def opened(page: TeachPage, idle: Idle, qtbot: QtBot) -> AreaDialog:
    page.look.area.click()
    idle()
    found = [one for one in page.look.findChildren(AreaDialog) if one.isVisible()]
    assert len(found) == 1
    qtbot.waitUntil(lambda: found[0].canvas.picture is not None)
    return found[0]


def stored(page: TeachPage) -> Area | None:
    project = page.context.project
    assert project is not None
    return find_class(project, "part").area


def at(dialog: AreaDialog, x: float, y: float) -> QPoint:
    return dialog.canvas._place((x, y)).toPoint()


def drag(dialog: AreaDialog, qtbot: QtBot, one: tuple[float, float], other: tuple[float, float]) -> None:
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(dialog.canvas, left, pos=at(dialog, *one))
    qtbot.mouseMove(dialog.canvas, at(dialog, (one[0] + other[0]) / 2, (one[1] + other[1]) / 2))
    qtbot.mouseMove(dialog.canvas, at(dialog, *other))
    qtbot.mouseRelease(dialog.canvas, left, pos=at(dialog, *other))


def bounds(dialog: AreaDialog, number: int = 0) -> list[float]:
    corners = dialog.canvas.shapes[number].polygon
    return [*map(min, zip(*corners, strict=True)), *map(max, zip(*corners, strict=True))]


def test_a_rectangle_is_dragged_used_told_and_undone(
    page: TeachPage, dialog: AreaDialog, project_window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    assert "Everything is inspected" in dialog.said.text()
    drag(dialog, qtbot, (0.2, 0.3), (0.6, 0.8))
    assert bounds(dialog) == pytest.approx([0.2, 0.3, 0.6, 0.8], abs=0.01)
    assert dialog.said.text() == "20 % of the picture is inspected."
    assert stored(page) is None  # not before it is used
    dialog.take.click()
    idle()
    area = stored(page)
    assert area is not None
    assert area.share == pytest.approx(0.2, abs=0.01)
    assert page.look.area.text() == "Where to look: 20 %…"
    project_window.menus.undo.trigger()
    idle()
    assert stored(page) is None
    assert page.look.area.text() == "Where to look…"
    project_window.menus.redo.trigger()
    idle()
    assert stored(page) == area


def test_a_place_to_ignore_is_clicked_corner_by_corner(
    page: TeachPage, dialog: AreaDialog, idle: Idle, qtbot: QtBot
) -> None:
    dialog.ignore.click()
    dialog.polygon.click()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.7)):
        qtbot.mouseClick(dialog.canvas, Qt.MouseButton.LeftButton, pos=at(dialog, x, y))
    assert not dialog.canvas.shapes
    qtbot.mouseClick(dialog.canvas, Qt.MouseButton.LeftButton, pos=at(dialog, 0.3, 0.3))  # closes it
    assert dialog.said.text() == "92 % of the picture is inspected."
    dialog.take.click()
    idle()
    area = stored(page)
    assert area is not None
    assert not area.inspected
    assert len(area.ignored[0]) == 3


def test_corners_and_shapes_are_moved_removed_and_brought_back(dialog: AreaDialog, qtbot: QtBot) -> None:
    drag(dialog, qtbot, (0.2, 0.2), (0.5, 0.5))
    drag(dialog, qtbot, (0.5, 0.5), (0.7, 0.6))  # its corner
    assert bounds(dialog) == pytest.approx([0.2, 0.2, 0.7, 0.6], abs=0.01)
    drag(dialog, qtbot, (0.4, 0.4), (0.5, 0.5))  # all of it
    assert bounds(dialog) == pytest.approx([0.3, 0.3, 0.8, 0.7], abs=0.01)
    drag(dialog, qtbot, (0.5, 0.5), (1.5, 0.5))  # to the border and no further
    assert bounds(dialog)[2] == pytest.approx(1, abs=0.01)
    assert bounds(dialog)[2] - bounds(dialog)[0] == pytest.approx(0.5, abs=0.02)
    qtbot.keyClick(dialog.canvas, Qt.Key.Key_Delete)
    assert not dialog.canvas.shapes
    qtbot.keyClick(dialog, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(dialog.canvas.shapes) == 1
    for _ in range(4):
        dialog.undo.click()
    assert not dialog.canvas.shapes
    assert not dialog.undo.isEnabled()


def test_a_region_is_made_by_keys_alone(
    page: TeachPage, dialog: AreaDialog, idle: Idle, qtbot: QtBot
) -> None:
    dialog.add.setFocus()
    qtbot.keyClick(dialog.add, Qt.Key.Key_Space)
    assert dialog.canvas.hasFocus()
    before = bounds(dialog)
    for _ in range(5):
        qtbot.keyClick(dialog.canvas, Qt.Key.Key_Left)
        qtbot.keyClick(dialog.canvas, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert bounds(dialog) == pytest.approx(
        [before[0] - 0.05, before[1], before[2] - 0.05, before[3] + 0.05], abs=0.001
    )
    dialog.take.setFocus()
    qtbot.keyClick(dialog.take, Qt.Key.Key_Space)
    idle()
    assert stored(page) is not None


def test_closing_it_otherwise_changes_nothing(
    page: TeachPage, dialog: AreaDialog, idle: Idle, qtbot: QtBot
) -> None:
    drag(dialog, qtbot, (0.2, 0.3), (0.6, 0.8))
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    idle()
    assert not page.findChildren(AreaDialog)
    assert stored(page) is None
    assert page.look.area.text() == "Where to look…"


def test_escape_gives_up_a_polygon_before_it_closes_the_dialog(dialog: AreaDialog, qtbot: QtBot) -> None:
    dialog.polygon.click()
    qtbot.mouseClick(dialog.canvas, Qt.MouseButton.LeftButton, pos=at(dialog, 0.3, 0.3))
    qtbot.keyClick(dialog.canvas, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert not dialog.canvas.can_undo


def test_nearly_nothing_can_not_be_used(dialog: AreaDialog, qtbot: QtBot) -> None:
    dialog.ignore.click()
    drag(dialog, qtbot, (0.0, 0.0), (1.0, 1.0))
    assert not dialog.take.isEnabled()
    assert "Nearly nothing" in dialog.said.text()
    dialog.undo.click()
    assert dialog.take.isEnabled()


def test_regions_go_through_a_file_to_another_class(
    page: TeachPage,
    dialog: AreaDialog,
    idle: Idle,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    picture: Callable[..., Path],
) -> None:
    file = tmp_path / "part.json"
    dialog.canvas.use(LEFT)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))
    dialog.export_file.trigger()
    assert file.read_bytes() == as_file({"part": LEFT})
    dialog.canvas.use(None)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    dialog.import_file.trigger()
    assert dialog.canvas.area == LEFT
    file.write_bytes(as_file({"screw": LEFT, "part": LEFT}))
    raised: list[object] = []
    page.context.error_raised.connect(raised.append)
    dialog.canvas.use(None)
    dialog.import_file.trigger()
    assert "screw" in str(raised[0])
    assert dialog.canvas.area is None
    dialog.canvas.use(LEFT)
    dialog.take.click()
    idle()
    page.add_class("other")
    idle()
    page.accept_paths([picture("other.png", 7, (300, 400))])
    idle()
    copied = opened(page, idle, qtbot)
    (action,) = [one for one in copied.more.menu().actions() if one.menu() is not None]
    action.menu().actions()[0].trigger()
    assert copied.canvas.area == LEFT


def test_the_part_is_found_on_an_even_background_as_a_step_that_can_be_undone(
    page: TeachPage, idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    files = []
    for number, x in enumerate((150, 250)):
        pixels = np.full((300, 400, 3), 60, np.uint8)
        cv2.circle(pixels, (x, 150), 60, (200, 210, 220), -1)
        files.append(tmp_path / f"disc{number}.png")
        assert cv2.imwrite(str(files[-1]), pixels)
    page.add_class("disc")
    idle()
    page.accept_paths(files)
    idle()
    dialog = opened(page, idle, qtbot)
    dialog.around.click()
    qtbot.waitUntil(lambda: bool(dialog.canvas.shapes))
    left, top, right, bottom = bounds(dialog)
    assert left == pytest.approx(90 / 400, abs=0.05)
    assert right == pytest.approx(310 / 400, abs=0.05)
    assert top == pytest.approx(90 / 300, abs=0.05)
    assert bottom == pytest.approx(210 / 300, abs=0.05)
    dialog.undo.click()
    assert not dialog.canvas.shapes


def test_where_no_part_stands_out_that_is_said_and_nothing_is_drawn(dialog: AreaDialog, qtbot: QtBot) -> None:
    dialog.around.click()
    qtbot.waitUntil(dialog.around.isEnabled)
    assert dialog.said.text().startswith("⚠")
    assert not dialog.canvas.shapes


def test_a_polygon_that_is_not_closed_is_neither_used_nor_lost_without_a_word(
    dialog: AreaDialog, qtbot: QtBot
) -> None:
    dialog.polygon.click()
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.7)):
        qtbot.mouseClick(dialog.canvas, Qt.MouseButton.LeftButton, pos=at(dialog, x, y))
    assert not dialog.take.isEnabled()
    assert "Close the polygon" in dialog.said.text()
    qtbot.keyClick(dialog.canvas, Qt.Key.Key_Return)
    assert dialog.take.isEnabled()
    assert len(dialog.canvas.shapes) == 1
    for x, y in ((0.1, 0.1), (0.2, 0.1)):
        qtbot.mouseClick(dialog.canvas, Qt.MouseButton.LeftButton, pos=at(dialog, x, y))
    dialog.ignore.click()  # what was begun to be inspected isn't ignored instead
    assert not dialog.canvas.unfinished
    assert len(dialog.canvas.shapes) == 1


def test_another_project_closes_it_and_gets_nothing(
    page: TeachPage, dialog: AreaDialog, project_window: MainWindow, idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    drag(dialog, qtbot, (0.2, 0.3), (0.6, 0.8))
    before = page.context.project
    with projects.create(tmp_path / "other", "Other") as other:
        add_class(other, "part")
    project_window.projects.open(tmp_path / "other")
    qtbot.waitUntil(lambda: page.context.project not in (None, before))
    idle()
    assert not page.findChildren(AreaDialog)
    assert stored(page) is None


def test_two_clicks_open_it_once(page: TeachPage, idle: Idle, qtbot: QtBot) -> None:
    page.look.area.click()
    page.look.area.click()
    idle()
    assert len(page.findChildren(AreaDialog)) == 1


def test_more_regions_than_are_kept_can_not_be_used(dialog: AreaDialog) -> None:
    for _ in range(101):
        dialog.canvas.add_rectangle()
    assert not dialog.take.isEnabled()
    assert "more than 100" in dialog.said.text()


def test_a_picture_that_goes_while_something_is_dragged_ends_the_drag(
    dialog: AreaDialog, qtbot: QtBot
) -> None:
    left = Qt.MouseButton.LeftButton
    start, end = at(dialog, 0.2, 0.2), at(dialog, 0.6, 0.6)
    qtbot.mousePress(dialog.canvas, left, pos=start)
    dialog.canvas.show_message("gone")
    qtbot.mouseMove(dialog.canvas, end)
    qtbot.mouseRelease(dialog.canvas, left, pos=end)
    assert not dialog.canvas.shapes


def test_shots_whose_files_are_all_gone_are_said_to_be(page: TeachPage, idle: Idle) -> None:
    raised: list[object] = []
    page.context.error_raised.connect(raised.append)
    for row in page.shots.rows:
        row.path.unlink()
    page.look.area.click()
    idle()
    assert "missing" in str(raised[0])


def test_another_shot_comes_under_the_same_regions(dialog: AreaDialog, idle: Idle, qtbot: QtBot) -> None:
    drag(dialog, qtbot, (0.2, 0.3), (0.6, 0.8))
    first = dialog.canvas.picture
    dialog.after.click()
    idle()
    assert dialog.shot.text() == "Shot 2 of 2"
    assert dialog.canvas.picture is not first
    assert len(dialog.canvas.shapes) == 1


def test_a_shot_whose_file_can_not_be_read_is_said_and_the_regions_stay(
    page: TeachPage, dialog: AreaDialog, idle: Idle
) -> None:
    dialog.canvas.use(LEFT)
    Path(dialog._shots[1].path).write_bytes(b"no image")
    dialog.after.click()
    idle()
    assert "not an image" in dialog.canvas.message
    assert dialog.canvas.area == LEFT


def test_who_only_looks_can_not_draw(page: TeachPage) -> None:
    assert page.look.area.isEnabled()
    page.look.show_class(page.chosen_class, True)
    assert not page.look.area.isEnabled()
    page.look.show_class(None, True)
    assert not page.look.isVisible()
    assert not page.findChildren(QDialog)
