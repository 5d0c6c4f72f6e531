"""A drive that fails for a while, is full, or whose database another program holds: said as what it is, never as damage, and
what is tried again later works."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.disk import backups, database
from inspector.records.inspected.results import find_result
from inspector.records.shots import list_shots
from inspector.views.inspect.page import InspectPage
from inspector.views.window.main_window import MainWindow
from tests.views.conftest import Stock

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def _held(file: Path) -> Iterator[None]:
    """Another program has the database to itself."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.communicate()


@contextmanager
def _failing() -> Iterator[None]:
    """Every write fails, as the system refuses files of more than a byte."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _full() -> Iterator[None]:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


@pytest.fixture
def opened(
    qtbot: QtBot,
    window: MainWindow,
    idle: Callable[[], None],
    stock: Stock,
    monkeypatch: pytest.MonkeyPatch,
) -> MainWindow:
    """The window on the Inspect page of a project with results and a backup, the third of them chosen."""
    monkeypatch.setattr(database, "_TIMEOUT", 0.2)  # seconds to wait for another program
    stock.project.close()
    (stock.project.folder / "backups").mkdir()
    backup = stock.project.folder / "backups" / "project-20260102-030405-replaced.sqlite"
    backup.write_bytes((stock.project.folder / "project.sqlite").read_bytes())
    assert len(backups.list_backups(stock.project.folder)) == 1
    window.context.settings.reviewer = "Ada"
    window.open_project(stock.project.folder, "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    page = window.page
    assert isinstance(page, InspectPage)
    page.queue.list.choose(stock.ids[2])
    idle()
    with qtbot.waitActive(window):
        window.activateWindow()
    return window


def _said(window: MainWindow) -> str:
    """What the banner says, which offers no backup and calls nothing damaged."""
    assert window.banner.isVisible()
    text = f"{window.banner.message.text()} {window.banner.hint.text()} {window.banner.button.text()}"
    assert "damage" not in text
    assert "ackup" not in text
    assert window.banner.hint.text()
    return text


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(_held, "Another program holds the database"), (_failing, "reported an error")],
)
def test_a_word_that_could_not_be_stored_is_said_to_be_lost_and_is_taken_later(
    qtbot: QtBot, opened: MainWindow, idle: Callable[[], None], stock: Stock, trouble: object, words: str
) -> None:
    project = opened.context.project
    assert project is not None
    with _held(project.folder / "project.sqlite") if trouble is _held else _failing():
        qtbot.keyClick(opened.page, Qt.Key.Key_A)
        qtbot.waitUntil(opened.banner.isVisible)
        idle()
    assert words in _said(opened)
    assert "not saved" in opened.banner.message.text()
    assert find_result(project, stock.ids[2]).row.override is None
    page = opened.page
    assert isinstance(page, InspectPage)
    page.queue.list.choose(stock.ids[2])
    idle()
    qtbot.keyClick(page, Qt.Key.Key_A)
    idle()
    assert find_result(project, stock.ids[2]).row.override is Decision.NG  # as the detector has it


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(_held, "Another program holds the database"), (_failing, "reported an error")],
)
def test_a_project_that_can_not_be_opened_just_now_is_opened_later(
    qtbot: QtBot, opened: MainWindow, idle: Callable[[], None], trouble: object, words: str
) -> None:
    folder = opened.context.project.folder  # type: ignore[union-attr]
    opened.close_project()
    idle()
    assert opened.context.project is None
    with _held(folder / "project.sqlite") if trouble is _held else _failing():
        opened.open_project(folder)
        qtbot.waitUntil(opened.banner.isVisible)
        idle()
    assert words in _said(opened)
    assert opened.context.project is None
    opened.open_project(folder)
    qtbot.waitUntil(lambda: opened.context.project is not None)
    idle()
    assert not opened.banner.isVisible()


def test_shots_that_no_longer_fit_on_a_full_disk_are_said_and_fit_later(
    qtbot: QtBot, project_window: MainWindow, idle: Callable[[], None], picture: Callable[..., Path]
) -> None:
    window, file = project_window, picture("washer/train/good/a.png")
    with _full():
        window.take_paths([file])
        qtbot.waitUntil(window.banner.isVisible)
        idle()
    assert "is full" in _said(window)
    project = window.context.project
    assert project is not None
    assert list_shots(project) == []
    window.take_paths([file])
    idle()
    assert [row.name for row in list_shots(project)] == ["a.png"]
