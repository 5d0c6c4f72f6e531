"""Start the window. Nothing here, nor in what it imports, loads torch, OpenCV or SQLAlchemy before the first paint."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from inspector import log
from inspector import settings as stored_settings
from inspector.errors import InspectorError, SettingsError
from inspector.settings import Settings
from inspector.views import display, startup
from inspector.views.look import icons, theme
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import JobRunner
from inspector.views.window import pages
from inspector.views.window.errors_dialog import ErrorDoor
from inspector.views.window.main_window import MainWindow
from inspector.views.window.taking_over import SUFFIX

_log = logging.getLogger("inspector.window")


def application() -> QApplication:
    """The one QApplication, named and in our style."""
    running = QCoreApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Inspector")
    app.setApplicationDisplayName("Inspector")
    app.setOrganizationName("Inspector")
    QGuiApplication.setDesktopFileName("inspector")
    app.setStyle("Fusion")
    return app


def build(settings: Settings | None = None) -> MainWindow:
    """A window with everything wired, not shown yet. Needs an application."""
    problems = list[str]()
    if settings is None:
        settings, problems = stored_settings.read()
    context = WindowContext(JobRunner(), settings)
    theme.apply(context.settings.theme)
    window = MainWindow(context)
    window.setWindowIcon(icons.plain("inspector"))
    for problem in problems:
        _log.warning(problem)
    if problems:
        more = f" {len(problems) - 1} more in the log." if len(problems) > 1 else ""
        context.show_error(SettingsError(problems[0] + more, "Choose anew in Preferences."))
    return window


def run(
    project: Path | None = None, page: str | None = None, *, station: str = "", start: bool = True
) -> int:
    """Open the window, and `project` in it (at `page`: "teach", "inspect", "results"); returns the exit code. `project` may be a file
    that carries a detector. `station`: open its operator view at once, and `start` it.

    Raises InspectorError where there is no display.
    """
    reason = display.problem()
    if reason:
        raise InspectorError(
            reason, "Run Inspector on a desktop, or use the commands that need no window: inspector --help."
        )
    log.start()
    app = application()
    display.release()
    door = ErrorDoor()
    window = build()
    window.take_errors(door)

    def painted() -> None:
        if startup.wanted():
            startup.record()
            window.close()
            return
        window.context.runner.read(window, pages.load, lambda _none: None, priority=-1)
        if project is not None and project.suffix.lower() == SUFFIX and not project.is_dir():
            window.take_paths([project])
        elif project is not None:
            if station:
                window.projects.opened.connect(lambda *_: operate(window, station, start=start))
            window.open_project(project, "line" if station else page or "")

    window.painted.connect(lambda: QTimer.singleShot(0, painted))
    window.show()
    try:
        return app.exec()
    finally:
        stopped = window.shut_down()
        door.close()
        if not stopped:  # destroying a running thread is a crash; what the job finished is on disk
            os._exit(1)


def operate(window: MainWindow, station: str, *, start: bool) -> None:
    """Open the operator view of a station of the open project."""
    from inspector.views.line.page import LinePage

    window.show_page("line")
    page = window.page
    if isinstance(page, LinePage):
        page.operate(station, start=start)
