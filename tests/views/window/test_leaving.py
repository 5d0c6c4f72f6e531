"""Closing the window or the project: nothing that runs is stopped without a yes, nothing that was done is lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, Emit, JobKind, JobStarted
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.records.classes import add_class, list_classes
from inspector.settings import Settings
from inspector.views import app
from inspector.views.window.main_window import MainWindow


def _endless(started: threading.Event) -> Any:
    def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
        emit(JobStarted(1, JobKind.TEACH, 100, "Teach 2 classes"))
        started.set()
        while True:
            cancel.check()
            time.sleep(0.001)

    return work


@pytest.fixture
def leaving(qtbot: QtBot, home: Path, tmp_path: Path) -> Iterator[MainWindow]:
    """A window of its own with a project, to be closed by the test."""
    app.application()
    window = app.build(Settings(theme="dark"))
    window.show()
    window.projects.create(tmp_path / "Line 3", "Line 3")
    qtbot.waitUntil(lambda: window.context.project is not None)
    yield window
    window.shut_down()
    window.deleteLater()


def _run(qtbot: QtBot, window: MainWindow) -> None:
    started = threading.Event()
    window.context.runner.start(JobKind.TEACH, "Teach 2 classes", _endless(started))
    qtbot.waitUntil(started.is_set)


def _question() -> QMessageBox:
    box = QApplication.activeModalWidget()
    assert isinstance(box, QMessageBox)
    assert "Teach 2 classes" in box.text()
    return box


def _click(qtbot: QtBot, words: str) -> None:
    button = next(b for b in _question().findChildren(QPushButton) if b.text() == words)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_closing_the_window_while_a_job_runs_asks_and_may_be_thought_over(
    qtbot: QtBot, leaving: MainWindow
) -> None:
    _run(qtbot, leaving)
    assert not leaving.close()
    assert not leaving.close()  # clicked twice: one question
    _click(qtbot, "Keep running")
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    assert leaving.isVisible()
    assert leaving.context.runner.busy
    assert leaving.job_bar.cancel.text() == "Cancel"
    leaving.close()
    qtbot.keyClick(_question(), Qt.Key.Key_Escape)
    assert leaving.context.runner.busy
    leaving.close()
    qtbot.keyClick(_question(), Qt.Key.Key_Return)  # the answer that harms nothing is the default
    assert leaving.context.runner.busy


def test_stop_and_close_stops_the_job_first(qtbot: QtBot, leaving: MainWindow) -> None:
    _run(qtbot, leaving)
    leaving.close()
    _click(qtbot, "Stop and close")
    assert leaving.job_bar.cancel.text() == "Stopping…"
    qtbot.waitUntil(lambda: not leaving.isVisible())
    assert leaving.context.runner.settled


def test_closing_the_project_asks_the_same(
    qtbot: QtBot, leaving: MainWindow, tmp_path: Path, no_leftovers: None
) -> None:
    _run(qtbot, leaving)
    with qtbot.waitActive(leaving):
        leaving.activateWindow()
    qtbot.keyClick(leaving, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    _click(qtbot, "Keep running")
    assert leaving.context.project is not None
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    leaving.menus.close.trigger()
    _click(qtbot, "Stop and close")
    qtbot.waitUntil(lambda: leaving.context.project is None)
    assert leaving.page_name == "start"
    qtbot.waitUntil(lambda: not leaving.context.runner.reading)
    projects.open(tmp_path / "Line 3").close()


def test_what_is_being_written_is_written_before_the_window_goes_and_the_window_never_freezes(
    qtbot: QtBot, leaving: MainWindow, tmp_path: Path
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(project: projects.Project) -> int:
        begun.set()
        go_on.wait(60)
        return add_class(project, "washer")

    leaving.context.change(leaving, slow)
    qtbot.waitUntil(begun.is_set)
    assert not leaving.close()  # it returns at once, while the drive takes its time
    qtbot.wait(60)
    assert leaving.isVisible()
    assert "then closing" in leaving.toast.label.text()
    go_on.set()
    qtbot.waitUntil(lambda: not leaving.isVisible())
    with projects.open(tmp_path / "Line 3") as project:
        assert [row.name for row in list_classes(project)] == ["washer"]


def test_a_drive_that_never_answers_does_not_hold_the_window_for_ever(
    qtbot: QtBot, leaving: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving.context.runner, "PATIENCE", 0.1)
    begun, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        go_on.wait(60)

    leaving.context.runner.read(leaving, hang, lambda _none: None)
    qtbot.waitUntil(begun.is_set)
    assert not leaving.close()
    qtbot.waitUntil(lambda: not leaving.isVisible())
    go_on.set()


def test_an_idle_window_closes_at_once(qtbot: QtBot, leaving: MainWindow) -> None:
    qtbot.waitUntil(lambda: not leaving.context.runner.reading)
    assert leaving.close()
    assert not leaving.isVisible()
