"""New shots enter the memory by themselves: a real project, the real engine, the real window."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class, find_class
from inspector.records.detectors import list_detectors
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.shots import add_shots
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Picture = Callable[..., Path]
Idle = Callable[[], None]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a class of two shots, taught with PatchCore."""
    folder = tmp_path_factory.mktemp("taught") / "Line 3"
    with projects.create(folder, "Line 3") as made:
        class_id = add_class(made, "washer")
        add_shots(made, class_id, [(f"{number}.png", noise(number)) for number in range(2)])
        teach(made, Engine(), method="patchcore", emit=lambda event: None, cancel=CancelToken())
        assert list_detectors(made)
    return folder


def noise(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, idle: Idle, taught: Path, tmp_path: Path) -> TeachPage:
    """That project's Teach page; the pause before an update is short."""
    window.open_project(shutil.copytree(taught, tmp_path / "Line 3"), "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    made = window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.memory._start_soon.setTimeout(150)
    idle()
    return made


def project(page: TeachPage) -> Project:
    opened = page.context.project
    assert opened is not None
    return opened


def settle(qtbot: QtBot, page: TeachPage, idle: Idle) -> None:
    """Until whatever the page begins by itself is done."""
    idle()
    qtbot.wait(300)
    qtbot.waitUntil(lambda: not page.context.runner.busy, timeout=60000)
    idle()


def accept(qtbot: QtBot, page: TeachPage, idle: Idle) -> None:
    assert page.proposal.isVisible()
    if not page.proposal.accept_button.isEnabled():
        page.proposal.good_button.click()
        idle()
    page.proposal.accept_button.click()
    settle(qtbot, page, idle)
    assert not page.proposal.isVisible()


def test_a_new_shot_is_remembered_after_a_pause_and_the_detector_proposed(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.accept_paths([picture("new.png", 9), picture("newer.png", 10)])
    settle(qtbot, page, idle)
    assert window.toast.label.text().startswith("The memory knows 2 new shots of washer.")
    assert not page.panel.progress.isVisible()
    assert [one.shots for one in list_detectors(project(page))] == [2]
    accept(qtbot, page, idle)
    (row,) = page.classes.rows
    assert (row.shots, str(row.state)) == (4, "taught")
    assert [one.shots for one in list_detectors(project(page))] == [4, 2]
    assert page.panel.taught.text().startswith("Updated ")
    settle(qtbot, page, idle)
    assert len(list_detectors(project(page))) == 2  # once


def test_a_shot_that_is_taken_back_in_time_updates_nothing(
    qtbot: QtBot, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.memory._start_soon.setTimeout(60000)
    page.accept_paths([picture("new.png", 9)])
    idle()
    assert page.memory._wanted is not None
    page.context.undo.undo()
    idle()
    assert page.memory._wanted is None
    assert [str(row.state) for row in page.classes.rows] == ["taught"]
    page.context.undo.redo()
    idle()
    page.memory._start_soon.setTimeout(50)
    settle(qtbot, page, idle)
    accept(qtbot, page, idle)
    assert len(list_detectors(project(page))) == 2


def test_a_discarded_detector_changes_nothing_and_comes_back_with_undo(
    qtbot: QtBot, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    (before,) = list_detectors(project(page))
    page.accept_paths([picture("new.png", 9)])
    settle(qtbot, page, idle)
    page.proposal.discard_button.click()
    settle(qtbot, page, idle)
    assert not page.proposal.isVisible()
    assert [row.id for row in list_detectors(project(page)) if row.in_charge] == [before.id]
    page.context.undo.undo()
    settle(qtbot, page, idle)
    assert page.proposal.isVisible()


def test_undo_after_an_update_puts_the_earlier_detector_in_charge_again(
    qtbot: QtBot, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    page.accept_paths([picture("new.png", 9)])
    settle(qtbot, page, idle)
    accept(qtbot, page, idle)
    newer, earlier = list_detectors(project(page))
    assert newer.in_charge
    while page.context.undo.canUndo():  # called good, put in charge, added
        page.context.undo.undo()
        settle(qtbot, page, idle)
    assert [str(row.state) for row in page.classes.rows] == ["taught"]
    assert [row.id for row in list_detectors(project(page)) if row.in_charge] == [earlier.id]


def test_a_damaged_detector_is_not_updated_over_and_over(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, picture: Picture
) -> None:
    (row,) = list_detectors(project(page))
    (row.folder / "detector.safetensors").write_bytes(b"garbage")
    page.accept_paths([picture("new.png", 9)])
    settle(qtbot, page, idle)
    assert "damaged" in window.banner.message.text()
    assert "Teach the detector again." in window.banner.hint.text()
    window.banner.dismiss()
    page.refresh()
    settle(qtbot, page, idle)
    assert not window.banner.isVisible()
    assert [job.status for job in list_jobs(project(page))].count("failed") == 1
    (row.folder / "detector.safetensors").unlink()
    page.accept_paths([picture("newer.png", 10)])
    settle(qtbot, page, idle)
    assert "missing from the project folder; teach again" in page.panel.taught.text()
    assert len(list_jobs(project(page))) == 2  # taught, and one update that failed
    assert page.panel.button.isEnabled()


def test_teaching_goes_before_an_update(qtbot: QtBot, page: TeachPage, idle: Idle, picture: Picture) -> None:
    page.memory._start_soon.setTimeout(60000)
    page.accept_paths([picture("new.png", 9)])
    idle()
    page.memory._start()
    assert page.memory.running
    page._show_state()
    assert page.panel.button.isEnabled()
    page.panel.button.click()
    settle(qtbot, page, idle)
    accept(qtbot, page, idle)
    assert [one.added_shots for one in list_detectors(project(page))] == [{}, {}]
    assert [str(row.state) for row in page.classes.rows] == ["taught"]


def test_what_was_new_when_the_project_was_opened_waits_for_the_user(
    qtbot: QtBot, window: MainWindow, idle: Idle, taught: Path, tmp_path: Path, picture: Picture
) -> None:
    folder = shutil.copytree(taught, tmp_path / "Line 3")
    with projects.open(folder) as opened:
        add_shots(opened, find_class(opened, "washer").id, [("later.png", noise(7))])
    window.open_project(folder, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    page = window.pages["teach"]
    assert isinstance(page, TeachPage)
    page.memory._start_soon.setTimeout(50)
    settle(qtbot, page, idle)
    assert [str(row.state) for row in page.classes.rows] == ["out of date"]
    assert len(list_jobs(project(page))) == 1
    page.accept_paths([picture("new.png", 9)])
    settle(qtbot, page, idle)
    assert window.toast.label.text().startswith("The memory knows 2 new shots of washer.")
