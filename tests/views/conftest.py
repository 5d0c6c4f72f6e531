"""The real window over real projects, offscreen."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pytestqt.qtbot import QtBot

from inspector.settings import Settings
from inspector.views import app
from inspector.views.main_window import MainWindow


@pytest.fixture
def window(qtbot: QtBot, home: Path) -> Iterator[MainWindow]:
    app.application()
    made = app.build(Settings(theme="dark"))
    made.show()
    yield made
    made.context.runner.close()
    made.close()
    made.shut_down()
    made.deleteLater()


@pytest.fixture
def project_window(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> MainWindow:
    """The window with a new, empty project, at its Teach page."""
    window.create_project(tmp_path / "Line 3", "Line 3")
    qtbot.waitUntil(lambda: window.context.project is not None)
    return window


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small picture; another `seed` is another picture."""

    def write(name: str, seed: int = 0, size: tuple[int, int] = (64, 48)) -> Path:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
        PIL.Image.fromarray(pixels).save(target)
        return target

    return write


@pytest.fixture
def idle(qtbot: QtBot, window: MainWindow) -> Callable[..., Any]:
    """Wait until nothing is being read or written and its answers were shown."""

    def wait() -> None:
        reads = window.context.runner._reads
        for _ in range(3):  # an answer may ask for more
            qtbot.waitUntil(lambda: not reads._open, timeout=20000)
            qtbot.wait(5)

    return wait
