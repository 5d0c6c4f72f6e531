"""A button that is off says why."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from inspector.records import project as projects
from inspector.views.window import pages
from inspector.views.window.main_window import MainWindow


@pytest.fixture(params=["no project", "empty project", "results", "viewing only"])
def shown(
    request: pytest.FixtureRequest, window: MainWindow, stocked: Any, tmp_path: Path, qtbot: QtBot
) -> Any:
    """The window with a project in every state that turns buttons off."""
    if request.param == "no project":
        yield window
        return
    folder = tmp_path / "project"
    if request.param == "empty project":
        projects.create(folder, "Line 4").close()
    else:
        shutil.copytree(stocked[0], folder)
    if request.param == "viewing only":
        with projects.open(folder):
            window.projects.open(folder, "start", read_only=True)
            qtbot.waitUntil(lambda: window.context.project is not None)
            yield window
    else:
        window.open_project(folder, "start")
        qtbot.waitUntil(lambda: window.context.project is not None)
        yield window


def test_every_button_that_is_off_says_why_in_its_tool_tip(
    shown: MainWindow, idle: Callable[..., Any]
) -> None:
    usual: dict[str, str] = {}
    for info in pages.PAGES:
        shown.show_page(info.name)
        idle()
        for button in shown.findChildren(QAbstractButton):
            if (
                button.isVisible()
                and not button.isEnabled()
                and button.isEnabledTo(button.parentWidget()) is False
            ):
                words = button.toolTip()
                if not words.endswith(".") and words not in ("Open or make a project first",):
                    usual[f"{info.name}: {button.text() or button.accessibleName()}"] = words
    assert usual == {}
