"""For every test: an own home folder, no display needed, and nothing left behind."""

import errno
import gc
import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# A screen as people have it: the offscreen one of 800×800 is smaller than the window's least size.
os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={Path(__file__).parent / 'data' / 'screen.json'}"
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # threads that wait for others would keep the other workers' tests waiting
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault(
    "INSPECTOR_RUNTIME", "torch"
)  # exporting a graph takes seconds; tests of runtimes name one
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


@pytest.fixture(autouse=True, scope="session")
def _migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new project's database is what the migrations made of an empty one, once: they take a tenth of a second."""
    from inspector.records.disk import database

    migrate = database.migrate
    made = tmp_path_factory.mktemp("migrated") / "project.sqlite"
    made.touch()
    migrate(made)
    new = made.read_bytes()

    def migrate_or_copy(path: Path) -> None:
        if path.stat().st_size:
            migrate(path)
        else:
            path.write_bytes(new)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrate", migrate_or_copy)
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that asks anybody but this computer fails, also when the code takes the refusal for a lost network."""
    asked: list[str] = []
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", "localhost", "::1") and not str(name).startswith("127."):
            asked.append(str(name))
            raise OSError(errno.ENETUNREACH, "tests have no network")

    def checked(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(address[0])
            return call(self, address)

        return instead

    def found(host: Any, *rest: Any, **options: Any) -> Any:
        check(host)
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket.socket, "connect", checked(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", checked(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield
    assert not asked, f"asked the network for {asked}"


@pytest.fixture(autouse=True)
def no_leftovers(home: Path) -> Iterator[None]:
    """A test that leaves a thread or a window behind fails."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 60  # only a test that fails waits so long
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
