import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector import paths, settings
from inspector.domain import CancelToken, Emit, JobEnded, JobKind, JobProgress, JobStarted, JobStatus
from inspector.errors import InspectorError
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.views import app
from inspector.views.look import theme
from inspector.views.look.words import rate_text, time_left
from inspector.views.window.errors_dialog import ErrorDialog, ErrorDoor, fingerprint
from inspector.views.window.main_window import MainWindow
from inspector.views.window.menus import KeysDialog


def _endless(started: threading.Event) -> Any:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        emit(JobStarted(1, JobKind.INSPECT, 312, "Inspect 312 images"))
        emit(JobProgress(1, 214, 312, "part.png", 31.0, 3.2))
        started.set()
        while True:
            cancel.check()
            time.sleep(0.001)

    return work


def test_a_new_project_is_made_in_the_start_page(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    window.menus.new.trigger()
    form = window.start.form
    assert form.isVisible()
    assert not form.make.isEnabled()
    form._parent_folder = tmp_path
    qtbot.keyClicks(form.name, "Gearbox: line 3")
    assert form.folder.text() == str(tmp_path / "Gearbox- line 3")
    qtbot.keyClick(form.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.context.project is not None)
    assert window.windowTitle() == "Gearbox: line 3 — Inspector"
    assert window.page_name == "teach"
    assert (tmp_path / "Gearbox- line 3" / "project.sqlite").is_file()
    qtbot.waitUntil(lambda: settings.load().recent_projects == (str(tmp_path / "Gearbox- line 3"),))


def test_tabs_that_need_a_project_wait_for_one(window: MainWindow) -> None:
    assert window.tab_row.tabs["start"].isEnabled()
    assert not any(window.tab_row.tabs[name].isEnabled() for name in ("teach", "inspect", "results"))
    window.show_page("teach")
    assert window.page_name == "start"


def test_closing_a_project_returns_to_the_start_and_frees_the_folder(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    project_window.menus.close.trigger()
    idle()
    assert project_window.context.project is None
    assert project_window.page_name == "start"
    projects.open(tmp_path / "Line 3").close()


def test_a_project_that_is_open_elsewhere_can_be_viewed(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    with projects.create(tmp_path / "Shared", "Shared"):
        window.open_project(tmp_path / "Shared")
        qtbot.waitUntil(window.banner.isVisible)
        assert "already open" in window.banner.message.text()
        assert window.banner.button.text() == "Open for viewing only"
        window.banner.button.click()
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        assert window.context.project is not None
        assert window.context.project.read_only
        assert "(viewing only)" in window.windowTitle()
        window.close_project()
        idle()


def test_a_project_of_a_newer_version_is_refused_with_a_sentence(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    projects.create(tmp_path / "New", "New").close()
    connection = sqlite3.connect(tmp_path / "New" / "project.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    window.open_project(tmp_path / "New")
    qtbot.waitUntil(window.banner.isVisible)
    assert "newer version" in window.banner.message.text()
    assert "Update Inspector" in window.banner.hint.text()
    assert window.context.project is None


def test_a_folder_without_a_project_is_refused_and_the_open_one_stays(
    qtbot: QtBot, project_window: MainWindow, tmp_path: Path
) -> None:
    before = project_window.context.project
    project_window.open_project(tmp_path / "nothing")
    qtbot.waitUntil(project_window.banner.isVisible)
    assert "no project" in project_window.banner.message.text()
    assert project_window.context.project is before


def test_a_project_is_not_switched_under_a_running_job(
    qtbot: QtBot, project_window: MainWindow, tmp_path: Path
) -> None:
    started = threading.Event()
    project_window.context.runner.start(JobKind.INSPECT, "Inspect", _endless(started))
    qtbot.waitUntil(started.is_set)
    before = project_window.context.project
    project_window.open_project(tmp_path / "other")
    assert project_window.context.project is before
    assert "job is running" in project_window.banner.message.text()
    project_window.context.runner.cancel()
    qtbot.waitUntil(lambda: not project_window.context.runner.busy)


def _drop(window: MainWindow, paths: list[Path]) -> tuple[QDragEnterEvent, QDropEvent]:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window._test_data = data  # type: ignore[attr-defined]  # the events don't own it
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(200, 200), Qt.DropAction.CopyAction, data, buttons, keys)
    drop = QDropEvent(QPointF(200, 200), Qt.DropAction.CopyAction, data, buttons, keys)
    return enter, drop


def test_a_dropped_project_folder_is_opened(
    qtbot: QtBot, window: MainWindow, idle: Callable[[], None], tmp_path: Path
) -> None:
    projects.create(tmp_path / "Dropped", "Dropped").close()
    enter, drop = _drop(window, [tmp_path / "Dropped"])
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    assert window.drop_sign.isVisible()
    QApplication.sendEvent(window, drop)
    assert not window.drop_sign.isVisible()
    qtbot.waitUntil(lambda: window.context.project is not None)
    assert window.windowTitle() == "Dropped — Inspector"


def test_images_dropped_without_a_project_say_what_to_do(
    qtbot: QtBot, window: MainWindow, picture: Callable[..., Path]
) -> None:
    window.take_paths([picture("a.png")])
    qtbot.waitUntil(window.banner.isVisible)
    assert "Open a project" in window.banner.hint.text()


def test_the_status_bar_shows_progress_and_stops_the_job(qtbot: QtBot, window: MainWindow) -> None:
    bar = window.job_bar
    started = threading.Event()
    window.context.runner.start(JobKind.INSPECT, "Inspect", _endless(started))
    qtbot.waitUntil(lambda: "214/312" in bar.figures.text())
    assert bar.figures.text().split("  ") == ["69\u00a0%", "214/312", "31/s", "3 s left"]
    assert bar.job.isVisible()
    bar.cancel.click()
    assert bar.cancel.text() == "Stopping…"
    assert not bar.cancel.isEnabled()
    qtbot.waitUntil(lambda: not bar.job.isVisible())
    assert window.toast.label.text() == "Stopped."


def test_a_failed_job_is_shown_with_its_next_step(qtbot: QtBot, window: MainWindow) -> None:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        emit(JobEnded(1, JobKind.TEACH, JobStatus.FAILED, "No shot can be read.", "Add good shots."))

    window.context.runner.start(JobKind.TEACH, "Teach", work)
    qtbot.waitUntil(window.banner.isVisible)
    assert (window.banner.message.text(), window.banner.hint.text()) == (
        "No shot can be read.",
        "Add good shots.",
    )


def test_undo_in_a_toast_undoes_once(qtbot: QtBot, window: MainWindow) -> None:
    undone = []
    window.context.toast("Removed  “a\nb.png”.", lambda: undone.append(1))
    assert window.toast.isVisible()
    assert window.toast.label.text() == "Removed “a b.png”."
    window.toast.undo_button.click()
    assert undone == [1]
    assert not window.toast.isVisible()
    window.context.toast("Nothing to undo here.")
    assert not window.toast.undo_button.isVisible()


def test_the_size_of_the_window_is_kept(qtbot: QtBot, home: Path) -> None:
    app.application()
    first = app.build(settings.Settings(theme="dark"))
    first.resize(1000, 654)
    first.show()
    first.close()
    first.deleteLater()
    second = app.build(settings.Settings(theme="dark"))
    assert second.height() == 654
    second.close()
    second.deleteLater()


def test_all_keys_are_listed_and_unique(qtbot: QtBot, project_window: MainWindow) -> None:
    keys = [key for _, keys in project_window.menus.groups() for key, _ in keys if key]
    everywhere = [key for key, _ in project_window.menus.groups()[0][1] if key]
    assert {"Ctrl+N", "Ctrl+O", "Ctrl+W", "Ctrl+I", "Ctrl+E", "?"} <= set(everywhere)
    assert len(everywhere) == len(set(everywhere))
    titles = [title for title, _ in project_window.menus.groups()]
    assert titles[:5] == ["Everywhere", "Teach", "Inspect", "Results", "Evaluate"]  # shown or not yet
    for title, own in project_window.menus.groups()[1:]:
        assert not {key for key, _ in own} & set(everywhere), title
        assert len(own) == len({key for key, _ in own}), title
    assert "Ctrl+Return" in keys
    groups = dict(project_window.menus.groups())
    assert {"Teach", "Inspect", "Results", "Evaluate"} <= set(groups)  # of pages that were never opened, too
    assert "Open in Inspect" in dict(groups["Results"]).values()
    for listed in groups.values():
        assert len(listed) == len({key for key, _ in listed})
    project_window.menus.keys.trigger()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, KeysDialog)
    dialog.reject()


def test_the_theme_switches_and_is_kept(qtbot: QtBot, window: MainWindow) -> None:
    window.menus.theme.trigger()
    assert theme.tokens() is theme.LIGHT
    qtbot.waitUntil(lambda: settings.load().theme == "light")
    window.menus.theme.trigger()
    assert theme.tokens() is theme.DARK


def test_settings_that_cannot_be_saved_are_said_and_still_hold(
    qtbot: QtBot, window: MainWindow, home: Path
) -> None:
    home.mkdir(exist_ok=True)
    (home / "config").write_text("in the way")
    window.menus.theme.trigger()
    qtbot.waitUntil(lambda: "can't be saved" in window.toast.label.text())
    assert theme.tokens() is theme.LIGHT


# unexpected errors


def _fail(text: str) -> BaseException:
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        return error


def _other_line(text: str) -> BaseException:
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        return error


@pytest.fixture
def door(qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = ErrorDoor(window)
    window.take_errors(made)
    yield made
    made.close()
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, ErrorDialog):
            widget.reject()


def _dialogs() -> list[ErrorDialog]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, ErrorDialog)]


def test_an_unexpected_error_shows_one_dialog_however_often_it_happens(
    qtbot: QtBot, window: MainWindow, door: ErrorDoor
) -> None:
    for number in range(5):
        door.take(_fail(f"number {number}"))
    qtbot.waitUntil(lambda: len(_dialogs()) > 0)
    qtbot.wait(20)
    assert len(_dialogs()) == 1
    assert "RuntimeError: number 0" in _dialogs()[0].details.toPlainText()
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        window.context.show_error(error)
    qtbot.waitUntil(lambda: len(_dialogs()) == 2)


def test_an_error_a_person_can_act_on_becomes_a_banner(
    qtbot: QtBot, window: MainWindow, door: ErrorDoor
) -> None:
    window.context.show_error(InspectorError("The disk is full.", "Free some space."))
    qtbot.waitUntil(window.banner.isVisible)
    assert not _dialogs()
    assert window.banner.message.text() == "The disk is full."


def test_errors_of_any_thread_reach_the_door_and_the_hooks_are_given_back(
    qtbot: QtBot, window: MainWindow, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (sys.excepthook, threading.excepthook)
    made = ErrorDoor(window)
    seen: list[BaseException] = []
    made.unexpected.connect(seen.append)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(seen) == 1)
    assert isinstance(seen[0], ZeroDivisionError)
    made.close()
    assert (sys.excepthook, threading.excepthook) == before
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_errors_from_one_line_are_alike_whatever_they_say() -> None:
    assert fingerprint(_fail("a")) == fingerprint(_fail("b"))
    assert fingerprint(_fail("a")) != fingerprint(_other_line("a"))


# the start page


def test_a_project_that_is_gone_says_so_and_leaves_the_list_with_undo(
    qtbot: QtBot, home: Path, tmp_path: Path
) -> None:
    app.application()
    gone = str(tmp_path / "Gone")
    window = app.build(settings.Settings(theme="dark", recent_projects=(gone,)))
    window.show()
    row = window.start.rows[0]
    qtbot.waitUntil(lambda: "Not found" in row.place.text())
    row.forget.click()
    assert not window.start.rows
    assert window.start.empty.isVisible()
    window.toast.undo_button.click()
    assert [str(row.folder) for row in window.start.rows] == [gone]
    window.close()
    window.deleteLater()


def test_a_click_on_a_recent_project_opens_it(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    projects.create(tmp_path / "Known", "Known").close()
    window.context.settings.remember(str(tmp_path / "Known"))
    window.context.save_settings()
    qtbot.mouseClick(window.start.rows[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.context.project is not None)
    assert window.context.project is not None
    assert window.context.project.name == "Known"


def test_an_existing_demo_is_opened_instead_of_built_again(qtbot: QtBot, window: MainWindow) -> None:
    projects.create(paths.documents_dir() / "Demo", "Demo").close()
    window.start.demo_card.clicked.emit()
    assert not window.context.runner.busy
    qtbot.waitUntil(lambda: window.context.project is not None)
    assert window.context.project is not None
    assert window.context.project.name == "Demo"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s left"),
        (42.4, "42 s left"),
        (239, "4 min left"),
        (4799, "80 min left"),
        (7300, "2 h 2 min left"),
    ],
)
def test_time_left_is_short(seconds: float, text: str) -> None:
    assert time_left(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(31.4, "31/s"), (2.44, "2.4/s"), (0.2, "12/min")])
def test_rates_are_short(rate: float, text: str) -> None:
    assert rate_text(rate) == text
