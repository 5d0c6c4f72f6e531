import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from inspector.records import project as projects
from inspector.views.teach.class_list import ROW
from inspector.views.teach.page import TeachPage
from inspector.views.teach.shot_grid import complaint
from inspector.views.window.main_window import MainWindow

Picture = Callable[..., Path]
Idle = Callable[[], None]


def _classes(page: TeachPage) -> dict[str, tuple[int, str]]:
    return {row.name: (row.shots, str(row.state)) for row in page.classes.rows}


def _names(page: TeachPage) -> list[str]:
    return [row.name for row in page.shots.rows]


def test_an_empty_project_says_what_to_do_with_one_button(page: TeachPage) -> None:
    assert page.stack.currentWidget() is page.no_class
    assert page.no_class.button.isEnabled()
    assert not page.panel.button.isEnabled()
    assert page.panel.reason.text() == "Add a class and its good shots first."
    assert not page.header.isVisible()


def test_a_class_is_typed_and_chosen(qtbot: QtBot, page: TeachPage, idle: Idle) -> None:
    page.no_class.button.click()
    qtbot.keyClicks(page.column.name, "  gear   wheel ")
    qtbot.keyClick(page.column.name, Qt.Key.Key_Return)
    idle()
    assert _classes(page) == {"gear wheel": (0, "needs shots")}
    assert page.header.title.text() == "gear wheel"
    assert page.stack.currentWidget() is page.no_shots
    assert not page.column.name.isVisible()


def test_a_second_class_of_the_same_name_is_refused_where_it_was_typed(
    qtbot: QtBot, page: TeachPage, idle: Idle
) -> None:
    page.add_class("washer")
    idle()
    page.ask_class()
    qtbot.keyClicks(page.column.name, "WASHER")
    qtbot.keyClick(page.column.name, Qt.Key.Key_Return)
    idle()
    assert list(_classes(page)) == ["washer"]
    assert page.column.problem.isVisible()
    assert "washer" in page.column.problem.text()
    qtbot.keyClicks(page.column.name, "x")
    assert not page.column.problem.isVisible()


def test_dropped_files_become_shots_of_the_chosen_class(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    project_window.take_paths([picture("a.png", 1), picture("b.jpg", 2)])
    idle()
    assert _classes(page) == {"washer": (2, "ready to teach")}
    assert _names(page) == ["a.png", "b.jpg"]
    assert project_window.toast.label.text() == "Added 2 shots."
    assert page.panel.button.text() == "Teach 1 class"
    assert page.panel.button.isEnabled()


def test_a_folder_dropped_on_an_empty_project_becomes_a_class(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    for number in range(3):
        picture(f"gear/good {number}.png", number)
    (tmp_path / "gear" / "notes.txt").write_text("no picture")
    project_window.take_paths([tmp_path / "gear"])
    idle()
    assert _classes(page) == {"gear": (3, "ready to teach")}


def test_several_folders_become_classes_and_known_names_are_reused(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    page.add_class("Washer")
    idle()
    picture("washer/1.png", 1)
    picture("cloth/1.png", 2)
    picture("cloth/2.png", 3)
    project_window.take_paths([tmp_path / "washer", tmp_path / "cloth"])
    idle()
    assert _classes(page) == {"Washer": (1, "ready to teach"), "cloth": (2, "ready to teach")}


def test_a_data_set_becomes_classes_named_by_their_products_and_what_was_left_out_is_said(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    for number, name in enumerate(("cookie/train/good", "nut/train/good", "nut/test/cracked", "nut/.cache")):
        picture(f"set/{name}/{number}.png", number)
    project_window.take_paths([tmp_path / "set"])
    idle()
    assert _classes(page) == {"cookie": (1, "ready to teach"), "nut": (1, "ready to teach")}
    assert "test" in project_window.toast.label.toolTip()


@pytest.mark.parametrize("inside", ["good", "good/1.png"])
def test_good_parts_are_called_by_their_product_not_by_the_folder_they_lie_in(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path, inside: str
) -> None:
    picture("cookie/train/good/1.png", 1)
    project_window.take_paths([tmp_path / "cookie" / "train" / inside])
    idle()
    assert list(_classes(page)) == ["cookie"]


def test_folders_whose_names_differ_only_in_case_or_encoding_are_one_class(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    picture("a/M\u00fcller/1.png", 1)
    picture("b/mu\u0308ller/2.png", 2)
    project_window.take_paths([tmp_path / "a" / "M\u00fcller", tmp_path / "b" / "mu\u0308ller"])
    idle()
    assert list(_classes(page).values()) == [(2, "ready to teach")]
    assert not project_window.banner.isVisible()


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_added(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    page.add_class("washer")
    idle()
    (tmp_path / "broken.png").write_bytes(b"")
    project_window.take_paths([tmp_path / "broken.png", picture("good.png")])
    idle()
    assert _names(page) == ["good.png"]
    assert "broken.png" in project_window.banner.message.text()
    assert project_window.banner.hint.text()
    assert project_window.toast.label.text() == "Added 1 shot; 1 could not be read."


def test_the_same_picture_twice_is_one_shot_and_said_so(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    page.accept_paths([picture("a.png", 1)])
    idle()
    page.accept_paths([picture("copy.png", 1)])
    idle()
    assert _names(page) == ["a.png"]
    said = project_window.toast.label.text
    assert said() == "“copy.png” is the same image as “a.png”."
    copies = [picture(name, 1) for name in ("again.bmp", "small.tiff")]
    page.accept_paths(copies[:1])
    idle()
    assert said() == "“again.bmp” is the same picture as “a.png” and counts once."
    page.accept_paths([*copies, picture("b.png", 2)])
    idle()
    assert _names(page) == ["a.png", "b.png"]
    assert said() == (
        "Added 1 shot; 2 were there already. “again.bmp” is the same picture as “a.png” and counts once."
    )


def test_shots_of_another_size_and_of_two_classes_are_pointed_out(
    page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("blister")
    idle()
    page.accept_paths([picture("shared.png", 1)])
    idle()
    page.add_class("washer")
    idle()
    page.accept_paths([picture("shared.png", 1), picture("b.png", 2), picture("odd.png", 3, (80, 80))])
    idle()
    assert {row.name: complaint(row) for row in page.shots.rows} == {
        "b.png": "",
        "odd.png": "Other size 80×80",
        "shared.png": "Also in blister",
    }
    assert page.notes.isVisible()
    assert "“shared.png” is also in blister" in page.notes.text()
    assert "“odd.png” is of another size" in page.notes.text()


def test_a_shot_whose_file_is_gone_is_pointed_out(
    page: TeachPage, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    page.add_class("washer")
    idle()
    page.accept_paths([picture("a.png", 1)])
    idle()
    page.shots.rows[0].path.unlink()
    page.refresh()
    idle()
    assert complaint(page.shots.rows[0]) == "File is missing"
    assert "no longer in the project folder" in page.notes.text()


def test_a_picture_on_the_clipboard_is_pasted_as_a_shot(
    project_window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    page.add_class("washer")
    idle()
    image = QImage(40, 30, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.darkGreen)
    QGuiApplication.clipboard().setImage(image)
    project_window.menus.paste.trigger()
    idle()
    assert page.shots.rows[0].name.startswith("Pasted ")
    assert page.shots.rows[0].size == (40, 30)


def test_copied_files_are_pasted_as_shots(
    project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(picture("a.png", 1))), QUrl.fromLocalFile(str(picture("b.png", 2)))])
    QGuiApplication.clipboard().setMimeData(data)
    page.header.paste_button.click()
    idle()
    assert _names(page) == ["a.png", "b.png"]


def test_a_clipboard_without_pictures_is_said(project_window: MainWindow, page: TeachPage) -> None:
    QGuiApplication.clipboard().setText("just words")
    page.paste()
    assert "neither a picture" in project_window.toast.label.text()


def test_an_answer_that_was_overtaken_is_not_shown(
    qtbot: QtBot, page: TeachPage, idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspector.views.teach import page as teach_page

    found, overtaken = threading.Event(), threading.Event()
    read_all = teach_page.read_all

    def late(project: Any) -> Any:
        rows = read_all(project)
        if not found.is_set():
            found.set()
            overtaken.wait(10)
        return rows

    monkeypatch.setattr(teach_page, "read_all", late)
    page.refresh()
    assert found.wait(10)
    page.add_class("washer")
    qtbot.waitUntil(lambda: "washer" in _classes(page), timeout=10000)
    overtaken.set()
    idle()
    assert "washer" in _classes(page)


def test_removing_shots_can_be_undone_and_redone(
    qtbot: QtBot, project_window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.add_class("washer")
    idle()
    page.accept_paths([picture(f"{number}.png", number) for number in range(3)])
    idle()
    page.grid.selectAll()
    assert page.header.remove_button.text() == "Remove 3"
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_Delete)
    idle()
    assert page.stack.currentWidget() is page.no_shots
    project_window.toast.undo_button.click()
    idle()
    assert _names(page) == ["0.png", "1.png", "2.png"]
    project_window.menus.redo.trigger()
    idle()
    assert _names(page) == []
    for _ in range(3):  # remove, add, add class
        project_window.menus.undo.trigger()
    idle()
    assert _classes(page) == {}
    for _ in range(2):
        project_window.menus.redo.trigger()
    idle()
    assert _classes(page) == {"washer": (3, "ready to teach")}


def test_a_class_is_renamed_in_place_and_back(
    qtbot: QtBot, project_window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    page.add_class("washer")
    idle()
    page.header.rename_button.click()
    editor = page.class_view.findChild(QLineEdit)
    assert editor is not None
    editor.setText("gear")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    idle()
    assert list(_classes(page)) == ["gear"]
    assert page.header.title.text() == "gear"
    project_window.menus.undo.trigger()
    idle()
    assert list(_classes(page)) == ["washer"]


def test_a_class_is_removed_with_undo_and_another_is_chosen(
    project_window: MainWindow, page: TeachPage, idle: Idle
) -> None:
    for name in ("cloth", "washer"):
        page.add_class(name)
        idle()
    assert page.header.title.text() == "washer"
    page.header.remove_class_button.click()
    idle()
    assert list(_classes(page)) == ["cloth"]
    assert page.header.title.text() == "cloth"
    project_window.toast.undo_button.click()
    idle()
    assert list(_classes(page)) == ["cloth", "washer"]


def test_a_project_open_for_viewing_offers_no_changes(
    qtbot: QtBot, window: MainWindow, idle: Idle, picture: Picture, tmp_path: Path
) -> None:
    with projects.create(tmp_path / "Shared", "Shared") as owner:
        from inspector.records.classes import add_class
        from inspector.records.shots import add_shots

        add_shots(owner, add_class(owner, "washer"), [picture("a.png", 1)])
        window.projects.open(tmp_path / "Shared", "teach", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        page = window.pages["teach"]
        assert isinstance(page, TeachPage)
        assert _names(page) == ["a.png"]
        assert not page.header.add_button.isEnabled()
        assert not page.panel.button.isEnabled()
        assert page.panel.reason.text() == "The project is open for viewing only."
        window.take_paths([picture("b.png", 2)])
        qtbot.waitUntil(window.banner.isVisible)
        assert "viewing only" in window.banner.message.text()
        window.close_project()
        idle()


def test_the_models_keep_qts_rules(page: TeachPage, idle: Idle, picture: Picture) -> None:
    testers = [
        QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
        for model in (page.classes, page.shots)
    ]
    for name in ("a", "b"):
        page.add_class(name)
        idle()
        page.accept_paths([picture(f"{name}.png", ord(name))])
        idle()
    page.class_view.setCurrentIndex(page.classes.index(0))
    idle()
    assert page.classes.index(0).data(ROW).name == "a"
    assert _names(page) == ["a.png"]
    assert len(testers) == 2


def test_another_project_starts_without_the_first_ones_undo(
    qtbot: QtBot, project_window: MainWindow, page: TeachPage, idle: Idle, tmp_path: Path
) -> None:
    page.add_class("washer")
    idle()
    project_window.projects.create(tmp_path / "Other", "Other")
    qtbot.waitUntil(lambda: project_window.windowTitle() == "Other — Inspector")
    idle()
    assert _classes(page) == {}
    assert not project_window.menus.undo.isEnabled()
