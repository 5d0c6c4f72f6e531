"""One real window, the real engine with the embedded model, real files."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inspector.domain import CancelToken
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import list_detectors
from inspector.records.shots import add_shots
from inspector.settings import Settings

with contextlib.suppress(ImportError):  # without Qt, every module of this folder is skipped (../conftest.py)
    from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent
    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from inspector.views import app
    from inspector.views.teach.page import TeachPage
    from inspector.views.window.main_window import MainWindow


@pytest.fixture
def window(qtbot: QtBot, home: Path) -> Iterator[MainWindow]:
    app.application()
    made = app.build(Settings(theme="dark", reviewer="Ada", method="patchcore", device="cpu"))
    made.show()
    yield made
    made.context.runner.close()
    made.close()
    made.shut_down()
    made.deleteLater()


@pytest.fixture
def idle(qtbot: QtBot, window: MainWindow) -> Callable[[], None]:
    """Wait until no job runs, nothing is being read or written, and all answers were shown."""

    def wait() -> None:
        runner = window.context.runner
        for _ in range(3):  # an answer may ask for more
            qtbot.waitUntil(lambda: not runner.busy and not runner.reading, timeout=500_000)
            qtbot.wait(5)

    return wait


@pytest.fixture
def drop(window: MainWindow, idle: Callable[[], None]) -> Callable[..., None]:
    """Let go of files over the middle of the window, and wait for what follows."""

    def let_go(*paths: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        buttons, keys, copy = (
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.DropAction.CopyAction,
        )
        enter = QDragEnterEvent(QPoint(600, 400), copy, data, buttons, keys)
        QApplication.sendEvent(window, enter)
        assert enter.isAccepted()
        QApplication.sendEvent(window, QDropEvent(QPointF(600, 400), copy, data, buttons, keys))
        QApplication.processEvents()  # the drop is taken in the next turn
        idle()

    return let_go


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The embedded model as it ships."""
    return Engine("inspector-tiny", "cpu")


@pytest.fixture(scope="session")
def washers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/good with three shots; test/good and test/<defect>."""
    folder = tmp_path_factory.mktemp("washers")
    return demo_parts.write_demo(folder, shots=3, good=2, defective=2, kinds=("washer",), size=256) / "washer"


@pytest.fixture(scope="session")
def defective(washers: Path) -> list[Path]:
    """The defective parts of `washers`, by name."""
    return sorted(path for path in (washers / "test").rglob("*.png") if path.parent.name != "good")


@pytest.fixture(scope="session")
def _taught(tmp_path_factory: pytest.TempPathFactory, washers: Path, engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "Line 3"
    with projects.create(folder, "Line 3") as project:
        add_shots(project, add_class(project, "washer"), sorted((washers / "train/good").iterdir()))
        teach(project, engine, method="patchcore", emit=lambda event: None, cancel=CancelToken())
        assert list_detectors(project)
    return folder


@pytest.fixture
def taught(_taught: Path, tmp_path: Path) -> Path:
    """The folder of a project with one class, taught from three shots with PatchCore."""
    return shutil.copytree(_taught, tmp_path / "Line 3")


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, idle: Callable[[], None], taught: Path) -> TeachPage:
    """Teach, on the project of `taught`; added shots are looked at soon."""
    window.open_project(taught, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    idle()
    made = window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.memory._start_soon.setTimeout(50)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return made
