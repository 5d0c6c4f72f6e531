"""A project whose washers the embedded model really judges, and hands for the Line page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from inspector.domain import CancelToken, JobEnded, JobStatus
from inspector.images.demo.parts import write_demo
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.shots import add_shots

if TYPE_CHECKING:
    from inspector.views.line.operator.view import OperatorView
    from inspector.views.line.stations.section import StationsSection
    from inspector.views.window.main_window import MainWindow


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path], list[Path]]:
    """The folder of a project with a detector of washers, and pictures of good and of defective ones."""
    home = tmp_path_factory.mktemp("line")
    parts = home / "parts"
    write_demo(parts, good=3, defective=2, kinds=("washer",))
    washers = parts / "washer"
    shots = sorted((washers / "train" / "good").iterdir())[:4]
    ended: list[Any] = []
    with projects.create(home / "Line 3", "Line 3") as project:
        add_shots(project, add_class(project, "washer"), shots)
        teach(project, Engine(device="cpu"), method="patchcore", emit=ended.append, cancel=CancelToken())
    assert isinstance(ended[-1], JobEnded)
    assert ended[-1].status is JobStatus.DONE, ended[-1]
    good = sorted((washers / "test" / "good").iterdir())
    bad = sorted(one for one in (washers / "test").glob("*/*") if one.parent.name != "good")
    return home / "Line 3", good, bad


@pytest.fixture
def line(
    qtbot: QtBot,
    window: MainWindow,
    taught: tuple[Path, list[Path], list[Path]],
    tmp_path: Path,
    idle: Callable[[], None],
) -> StationsSection:
    """The stations of that project, on the Line page of the window."""
    window.context.settings.reviewer = "Ada"
    window.open_project(shutil.copytree(taught[0], tmp_path / "Line 3"), "line")
    qtbot.waitUntil(lambda: window.context.project is not None)
    window.show_page("line")
    idle()
    section: StationsSection = window.pages["line"].section  # type: ignore[attr-defined]
    return section


class Hands:
    """What somebody does on the Line page."""

    LONG = 60_000

    def __init__(self, qtbot: QtBot, section: StationsSection) -> None:
        self.qtbot, self.section = qtbot, section

    def click(self, widget: QWidget) -> None:
        self.qtbot.waitUntil(widget.isVisible)
        assert widget.isEnabled(), widget
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def set_up(self, folder: Path, name: str = "Press 3") -> int:
        """Add a station by hand: a name, a folder, nothing else. Its id."""
        section = self.section
        before = set(section.cards)
        folder.mkdir(exist_ok=True)
        self.click(section.add_button if before else section.empty.button)
        self.qtbot.waitUntil(lambda: section.dialog is not None)
        dialog = section.dialog
        assert dialog is not None
        assert dialog.form is not None
        dialog.name.selectAll()
        self.qtbot.keyClicks(dialog.name, name)
        dialog.form.inputs["path"].edit.setText(str(folder))  # type: ignore[attr-defined]
        self.qtbot.waitUntil(lambda: "✓" in dialog.check.said.text())
        self.click(dialog.save_button)
        self.qtbot.waitUntil(lambda: section.dialog is None and len(section.cards) > len(before))
        return (set(section.cards) - before).pop()

    def start(self, station_id: int) -> None:
        card = self.section.cards[station_id]
        self.click(card.start)
        self.qtbot.waitUntil(lambda: "Running" in card.state.text(), timeout=self.LONG)

    def operate(self, station_id: int) -> OperatorView:
        self.click(self.section.cards[station_id].operate)
        view = self.section.operator
        assert view is not None
        self.qtbot.waitUntil(lambda: view.line is not None)
        return view

    def stop(self) -> None:
        runner = self.section.context.runner
        for job in runner.stations:
            runner.cancel(job)
        self.qtbot.waitUntil(lambda: not runner.stations, timeout=self.LONG)

    @staticmethod
    def drop(picture: Path, folder: Path, name: str) -> None:
        """Put a picture into a folder as a camera's program does: written under another name, then renamed."""
        (folder / f".{name}").write_bytes(picture.read_bytes())
        (folder / f".{name}").rename(folder / name)


@pytest.fixture
def hands(qtbot: QtBot, line: StationsSection) -> Hands:
    return Hands(qtbot, line)
