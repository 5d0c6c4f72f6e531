"""For every test: an own home folder, no display needed, and nothing left behind."""

import gc
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"
for _name in ("DISPLAY", "WAYLAND_DISPLAY", "INSPECTOR_STARTUP_PROBE"):
    os.environ.pop(_name, None)


def _qt_problem() -> str:
    try:
        for module in ("QtCore", "QtGui", "QtWidgets", "QtSvg", "QtTest"):
            importlib.import_module(f"PySide6.{module}")
    except ImportError as error:
        return str(error)
    return ""


QT_PROBLEM = _qt_problem()
_WINDOW_TESTS = ("views", "e2e")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if QT_PROBLEM and os.environ.get("INSPECTOR_REQUIRE_QT") != "1":
        # pytest-qt would end the whole run where Qt can't be loaded; the stages below the window need none of it.
        pluginmanager.unregister(name="pytest-qt")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    folder = module_path.relative_to(Path(__file__).parent).parts[0]
    if QT_PROBLEM and folder in _WINDOW_TESTS and os.environ.get("INSPECTOR_REQUIRE_QT") != "1":
        module: pytest.Module = _SkippedModule.from_parent(parent, path=module_path)
        return module
    return None


class _SkippedModule(pytest.Module):
    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(
            f"the window can't be tested here, Qt does not load: {QT_PROBLEM} (INSPECTOR_REQUIRE_QT=1 makes this fail)",
            allow_module_level=True,
        )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, caches, logs and weights of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("INSPECTOR_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_leftovers(home: Path) -> Iterator[None]:
    """A test that leaves a thread or a window behind fails."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while (left := _threads(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads left behind: {left}"
    windows = _windows()
    assert not windows, f"windows left behind: {windows}"


def _threads(before: set[threading.Thread]) -> list[threading.Thread]:
    # Qt's pool threads show up as dummies when Python runs on them; Qt ends them itself.
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and thread.is_alive()
        and not isinstance(thread, threading._DummyThread)
        and not thread.name.startswith(("asyncio_", "tqdm", "pydevd"))
    ]


def _windows() -> list[str]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    app = widgets.QApplication.instance() if widgets is not None else None
    if app is None:
        return []
    core = sys.modules["PySide6.QtCore"]
    for _ in range(2):
        app.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
        app.processEvents()
    if app.topLevelWidgets():
        gc.collect()
        app.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
    left = [repr(widget) for widget in app.topLevelWidgets()]
    for widget in app.topLevelWidgets():  # so that only the guilty test fails
        widget.close()
        widget.deleteLater()
    app.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
    return left
