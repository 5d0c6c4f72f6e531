"""Projects that are moved, deleted, damaged or open elsewhere: what is said, and the way on."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.records.disk import backups
from inspector.records.inspected.results import find_result
from inspector.records.reviews import list_reviews
from inspector.views.inspect.page import InspectPage
from inspector.views.window.main_window import MainWindow
from tests.views.conftest import Stock


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the system's dialog for folders answers, put in by the test."""
    answers: list[Path] = []
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(answers.pop(0)))
    return answers


@pytest.fixture
def stock_window(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], stock: Stock
) -> tuple[MainWindow, Path]:
    """The window on the Inspect page of a project with results, which is open in it alone."""
    folder = stock.project.folder
    stock.project.close()
    window.context.settings.reviewer = "Ada"
    window.open_project(folder, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    return window, folder


def test_a_review_in_a_project_that_was_moved_is_not_confirmed_and_the_way_on_is_offered(
    qtbot: QtBot,
    stock_window: tuple[MainWindow, Path],
    idle: Callable[[], None],
    chosen: list[Path],
    stock: Stock,
    tmp_path: Path,
) -> None:
    window, folder = stock_window
    page = window.page
    assert isinstance(page, InspectPage)
    page.queue.list.choose(stock.ids[2])
    idle()
    moved = folder.rename(tmp_path / "moved")
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.keyClick(page, Qt.Key.Key_A)
    qtbot.waitUntil(window.banner.isVisible)
    idle()
    assert "moved or replaced" in window.banner.message.text()
    assert not window.toast.isVisible()
    assert not window.context.undo.canUndo()
    assert not folder.exists()  # nothing is made anew at the old place
    chosen.append(moved)
    assert window.banner.button.text() == "Open…"
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.context.project is not None and window.context.project.folder == moved)
    idle()
    assert not window.banner.isVisible()
    assert not list_reviews(window.context.project, stock.ids[2])  # type: ignore[arg-type]


def test_a_job_in_a_deleted_project_says_that_the_project_is_gone(
    qtbot: QtBot,
    stock_window: tuple[MainWindow, Path],
    idle: Callable[[], None],
    picture: Callable[..., Path],
) -> None:
    window, folder = stock_window
    page = window.page
    assert isinstance(page, InspectPage)
    shutil.rmtree(folder)
    window.take_paths([picture("a.png")])
    qtbot.waitUntil(window.banner.isVisible, timeout=60_000)
    idle()
    assert "moved or replaced" in window.banner.message.text()
    assert window.banner.button.text() == "Open…"


def test_a_project_that_was_replaced_in_its_place_is_opened_anew(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None], chosen: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "Line 3"
    folder.rename(tmp_path / "old")
    with projects.create(folder, "Line 3, new") as other:
        add_class(other, "gear")
    project_window.open_project(folder)
    qtbot.waitUntil(
        lambda: (
            project_window.context.project is not None
            and project_window.context.project.name == "Line 3, new"
        )
    )
    idle()
    assert [row.name for row in list_classes(project_window.context.project)] == ["gear"]  # type: ignore[arg-type]


def _damaged_with_backup(folder: Path) -> None:
    with projects.create(folder, "Line 5") as project:
        add_class(project, "washer")
    (folder / "backups").mkdir(exist_ok=True)
    shutil.copyfile(folder / "project.sqlite", folder / "backups" / "project-20260102-030405-replaced.sqlite")
    with (folder / "project.sqlite").open("r+b") as file:
        file.write(b"no database at all")


def test_a_damaged_project_offers_its_backup_and_restores_it_on_a_yes(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    folder = tmp_path / "Line 5"
    _damaged_with_backup(folder)
    broken = (folder / "project.sqlite").read_bytes()
    window.open_project(folder)
    qtbot.waitUntil(window.banner.isVisible)
    assert "damaged" in window.banner.message.text()
    assert "02 Jan 2026" in window.banner.button.text()
    assert (folder / "project.sqlite").read_bytes() == broken  # nothing is done without a yes
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    project = window.context.project
    assert project is not None
    assert [row.name for row in list_classes(project)] == ["washer"]
    kept = [entry.path.read_bytes() for entry in backups.list_backups(folder)]
    assert broken in kept


def test_a_damaged_project_without_a_backup_says_where_help_may_come_from(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    folder = tmp_path / "Line 5"
    _damaged_with_backup(folder)
    shutil.rmtree(folder / "backups")
    window.open_project(folder)
    qtbot.waitUntil(window.banner.isVisible)
    assert "your own backup" in window.banner.hint.text()
    assert not window.banner.button.isVisible()


def test_a_score_that_changed_while_the_project_was_closed_is_said_and_its_backup_offered(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], stock: Stock
) -> None:
    folder = stock.project.folder
    stock.project.close()
    (folder / "backups").mkdir()
    shutil.copyfile(folder / "project.sqlite", folder / "backups/project-20260102-030405-replaced.sqlite")
    with closing(sqlite3.connect(folder / "project.sqlite")) as connection, connection:
        connection.execute("UPDATE results SET image_score = 0.01 WHERE id = ?", (stock.ids[2],))
    window.open_project(folder, "inspect")
    qtbot.waitUntil(window.banner.isVisible)
    idle()
    doubted = window.context.project
    assert doubted is not None  # it can be worked in all the same
    assert "was changed since Inspector closed it" in window.banner.message.text()
    qtbot.mouseClick(window.banner.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.context.project not in (None, doubted))
    idle()
    assert find_result(window.context.project, stock.ids[2]).row.image_score == 0.8  # type: ignore[arg-type]
    assert not window.banner.isVisible()


def test_a_project_that_a_crash_left_is_not_taken_for_one_that_is_open_elsewhere(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    folder = tmp_path / "Line 5"
    _damaged_with_backup(folder)
    (folder / "lock-owner.json").write_text("{}")
    window.open_project(folder)
    qtbot.waitUntil(window.banner.isVisible)
    assert window.banner.button.text().startswith("Restore")


def test_viewing_only_gives_the_advice_that_fits(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    with projects.create(tmp_path / "Shared", "Shared"):
        window.projects.open(tmp_path / "Shared", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        assert window.context.writable() is None
        assert "close it there" in window.banner.hint.text()
        assert (
            "opy" not in window.banner.hint.text()
        )  # a copy would go its own way from the one that is in use
        window.close_project()
        idle()


def test_thousands_of_dropped_files_are_looked_at_off_the_gui_thread(
    qtbot: QtBot,
    project_window: MainWindow,
    idle: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: set[int] = set()
    real = os.stat

    def stat(path: object, *rest: object, **options: object) -> os.stat_result:
        if "from the line" in str(path):
            asked.add(threading.get_ident())
        return real(path, *rest, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", stat)
    project_window.show_page("start")
    projects.create(tmp_path / "Other", "Other").close()
    dropped = [tmp_path / "from the line" / f"{number}.png" for number in range(5000)]
    project_window.take_paths([*dropped, tmp_path / "Other"])
    idle()
    qtbot.waitUntil(lambda: project_window.windowTitle() == "Other — Inspector")
    assert asked
    assert threading.get_ident() not in asked


def test_a_project_that_is_still_being_closed_is_opened_again_once_it_is(
    qtbot: QtBot, project_window: MainWindow, tmp_path: Path
) -> None:
    context = project_window.context
    first = context.project
    assert first is not None
    context.runner.write(project_window, lambda: time.sleep(0.5), lambda _none: None)  # a slow drive
    project_window.projects.create(tmp_path / "Other", "Other")
    qtbot.waitUntil(lambda: context.project is not first)
    project_window.open_project(first.folder, "teach")
    qtbot.waitUntil(lambda: context.project is not None and context.project.name == "Line 3")
    assert not project_window.banner.isVisible()
