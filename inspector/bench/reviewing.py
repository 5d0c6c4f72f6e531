"""How many parts a person can review in a minute, as far as the window goes: by single keys, each part on screen first."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.domain import CancelToken
from inspector.errors import InspectorError

if TYPE_CHECKING:
    from inspector.views.inspect.page import InspectPage
    from inspector.views.window.main_window import MainWindow

_PATIENCE = 60.0


def measure(parts: int = 30) -> dict[str, float]:
    """Accept the verdict on so many parts of the demo in the real window, each once its picture, heat and verdict are painted.

    Returns `parts`, `per_minute`, and `median_ms` and `worst_ms` from a key to the next part on screen; all words are in the
    project afterwards. Raises InspectorError where the window stands still.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    from inspector.jobs.demo import make_demo_project
    from inspector.jobs.engine import Engine
    from inspector.records.inspected.results import count_results
    from inspector.records.result_filter import ResultFilter
    from inspector.settings import Settings
    from inspector.views import app

    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "project"
        make_demo_project(
            folder, Engine("inspector-tiny", "cpu"), emit=lambda event: None, cancel=CancelToken()
        )
        application = app.application()
        window = app.build(Settings(theme="dark", reviewer="Bench"))
        window.resize(1280, 800)
        window.show()
        try:
            window.open_project(folder, "inspect")
            _wait(window, lambda: window.context.project is not None and "inspect" in window.pages)
            page: Any = window.pages["inspect"]
            _wait(window, lambda: bool(page.at_hand.rows))
            took: list[float] = []
            for _ in range(parts):
                before = page.queue.list.result_id
                began = time.perf_counter()
                QTest.keyClick(page, Qt.Key.Key_A)
                _wait(window, lambda: _next_is_there(page, before))  # noqa: B023  (called at once)
                page.repaint()
                took.append(time.perf_counter() - began)
            _wait(window, lambda: not window.context.runner.reading)
            project = window.context.project
            assert project is not None
            words = count_results(project, ResultFilter(reviewed=True)).total
        finally:
            window.shut_down()
            application.processEvents()
    if words < parts:
        raise InspectorError(f"Only {words} of {parts} words were stored.", "Run it again.")
    return {
        "parts": float(parts),
        "per_minute": 60 / statistics.fmean(took),
        "median_ms": statistics.median(took) * 1000,
        "worst_ms": max(took) * 1000,
    }


def _next_is_there(page: InspectPage, before: int) -> bool:
    rows = page.at_hand.rows
    shown = bool(rows) and rows[0].id != before and rows[0].verdict is not None
    return shown and page.viewer.view.picture is not None


def _wait(window: MainWindow, until: Callable[[], bool]) -> None:
    from PySide6.QtGui import QGuiApplication

    end = time.monotonic() + _PATIENCE
    while not until():
        QGuiApplication.processEvents()
        time.sleep(0.0005)
        if time.monotonic() > end:
            raise InspectorError("The window stands still.", "See the log.")
