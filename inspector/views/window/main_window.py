"""The window: tabs, pages, menus, drops, and the opening and closing of projects."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QPaintEvent,
    QUndoStack,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector import paths
from inspector.domain import JobEnded, JobEvent, JobKind, JobStatus
from inspector.errors import InspectorError
from inspector.views.look import theme
from inspector.views.shared.context import WindowContext
from inspector.views.start.page import StartPage
from inspector.views.window import menus, pages
from inspector.views.window.drop_sign import DropSign
from inspector.views.window.errors_dialog import ErrorDialog, ErrorDoor
from inspector.views.window.job_bar import JobBar
from inspector.views.window.tab_row import TabRow
from inspector.views.window.toast import Banner, Toast

if TYPE_CHECKING:
    from inspector.records.project import Project

DATABASE = "project.sqlite"


class MainWindow(QMainWindow):
    painted = Signal()  # once, when the window was drawn for the first time

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        context.setParent(self)
        context.runner.setParent(self)
        self.context = context
        self._painted = False
        self._closing = False
        self._opening = False
        self._no_undo = QUndoStack(context.undo_group)  # for pages where nothing can be undone
        self.pages: dict[str, QWidget] = {}
        self._page_name = "start"
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)

        self.tab_row = TabRow(self)
        self.stack = QStackedWidget(self)
        self.banner = Banner(self)
        whole = QWidget(self)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tab_row)
        column.addWidget(self.banner)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(whole)
        self.job_bar = JobBar(context, self)
        self.setStatusBar(self.job_bar)
        self.toast = Toast(self)
        self.drop_sign = DropSign(self)
        self.menus = menus.Menus(self)
        self.tab_row.page_requested.connect(self.show_page)
        self.tab_row.theme_requested.connect(self._other_theme)
        self.tab_row.keys_requested.connect(self.menus.show_keys)

        start = StartPage(context)
        start.open_requested.connect(lambda folder: self.open_project(folder))
        start.create_requested.connect(self.create_project)
        start.choose_requested.connect(self.choose_project)
        self.start = start
        self._keep("start", start)

        context.page_requested.connect(self.show_page)
        context.toast_requested.connect(self.toast.say)
        context.error_raised.connect(self.show_error)
        context.project_changed.connect(self._project_changed)
        context.detectors_changed.connect(self._describe)
        context.settings_changed.connect(self._settings_changed)
        context.job_event.connect(self._job_event)
        context.runner.device_changed.connect(lambda _note: self._describe())
        context.runner.stopped.connect(self._stopped)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_theme_changed)
        self._project_changed()
        self.show_page("start")
        self._restore()
        start.setFocus()

    # pages

    @property
    def page(self) -> QWidget:
        return self.pages[self._page_name]

    @property
    def page_name(self) -> str:
        return self._page_name

    def show_page(self, name: str) -> None:
        info = pages.info(name)
        if info.needs_project and self.context.project is None:
            name, info = "start", pages.PAGES[0]
        page = self.pages.get(name)
        if page is None:
            module, _, kind = info.factory.partition(":")
            page = getattr(importlib.import_module(module), kind)(self.context)
            self._keep(name, page)
        self._page_name = name
        self.stack.setCurrentWidget(page)
        self.tab_row.show_page(name)
        stack: QUndoStack = getattr(page, "undo_stack", self._no_undo)
        self.context.undo_group.setActiveStack(stack)
        self.menus.refresh()
        activated = getattr(page, "activated", None)
        if activated is not None:
            activated()

    def _keep(self, name: str, page: QWidget) -> None:
        self.pages[name] = page
        self.stack.addWidget(page)

    # projects

    def choose_project(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open project", str(paths.documents_dir()))
        if folder:
            self.open_project(Path(folder))

    def open_project(self, folder: Path, page: str | None = None, *, read_only: bool = False) -> None:
        """Open `folder` off the GUI thread; the project that is open stays until the new one is."""

        def work() -> Project:
            from inspector.records import project

            return project.open(folder, read_only=read_only)

        def failed(error: BaseException) -> None:
            self._set_opening(False)
            if (folder / "lock-owner.json").exists() and isinstance(error, InspectorError):
                self.banner.say(
                    error,
                    "Open for viewing only",
                    lambda: self.open_project(folder, page, read_only=True),
                )
            else:
                self.show_error(error)

        current = self.context.project
        if current is not None and _same_folder(current.folder, folder):
            self.show_page(page or "teach")
            return
        if self._may_switch():
            self._set_opening(True)
            self.context.runner.read(self, work, lambda opened: self._opened(opened, page), failed)

    def create_project(self, folder: Path, name: str) -> None:
        def work() -> Project:
            from inspector.records import project

            return project.create(folder, name)

        def failed(error: BaseException) -> None:
            self._set_opening(False)
            self.show_error(error)

        if self._may_switch():
            self._set_opening(True)
            self.context.runner.read(self, work, lambda made: self._opened(made, "teach"), failed)

    def close_project(self) -> None:
        if self.context.project is None or not self._may_switch():
            return
        self._set_project(None)
        self.show_page("start")

    def _set_opening(self, opening: bool) -> None:
        self._opening = opening
        if opening:
            self.tab_row.project.setText("Opening…")
        else:
            self._name_project()

    def _may_switch(self) -> bool:
        if self._opening:
            return False
        if self.context.runner.busy:
            self.show_error(
                InspectorError(
                    "A job is running in this project.",
                    "Wait until it is done, or press Cancel at the foot of the window.",
                )
            )
            return False
        return True

    def _opened(self, project: Project, page: str | None) -> None:
        self._opening = False
        self.banner.hide()
        self._set_project(project)
        self.context.settings.remember(str(project.folder))
        self.context.save_settings()
        if project.note:
            self.context.toast(project.note)
        self.show_page(page or "teach")
        if page is None:
            self.context.runner.read(self, lambda: _has_detector(project), self._first_page)

    def _first_page(self, taught: bool) -> None:
        if taught and self.page_name == "teach":
            self.show_page("inspect")

    def _set_project(self, project: Project | None) -> None:
        old = self.context.project
        self.context.set_project(project)
        if old is not None:
            self.context.runner.read(self, old.close, lambda _none: None)

    def _name_project(self) -> None:
        project = self.context.project
        name = project.name if project else ""
        viewing = " (viewing only)" if project and project.read_only else ""
        self.setWindowTitle(f"Inspector — {name}{viewing}" if project else "Inspector")
        self.tab_row.show_project(f"{name}{viewing}", project is not None)

    def _project_changed(self) -> None:
        self._name_project()
        self.menus.refresh()
        self._describe()

    # jobs and what they change

    def _job_event(self, event: JobEvent) -> None:
        if not isinstance(event, JobEnded) or self._closing:
            return
        if event.kind == JobKind.TEACH:
            self.context.detectors_changed.emit()
            self.context.classes_changed.emit()
        elif event.kind == JobKind.INSPECT:
            self.context.results_changed.emit()
        if event.status == JobStatus.FAILED:
            self.show_error(InspectorError(event.message, event.hint))
        elif event.message and event.kind != JobKind.EXPORT:  # its page says where the files are
            self.context.toast(event.message)

    def _describe(self) -> None:
        """Device · backbone · method, at the foot of the window."""
        project = self.context.project

        def said(method: str) -> None:
            settings = self.context.settings
            asked = {"auto": "Automatic device", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}
            device = self.context.runner.device_note or asked.get(settings.device, settings.device)
            parts = (device, settings.weights, method)
            self.job_bar.about.setText(" · ".join(part for part in parts if part))

        said("")
        if project is not None:
            self.context.runner.read(self, lambda: _newest_detector(project), said, latest="detector")

    # words to the user

    def show_error(self, error: BaseException) -> None:
        if isinstance(error, InspectorError):
            self.banner.say(error)
        else:
            self.unexpected(error)

    def unexpected(self, error: BaseException) -> None:
        """One dialog at a time; the door has seen to it that each kind comes once."""
        ErrorDialog(error, self).open()

    def take_errors(self, door: ErrorDoor) -> None:
        door.expected.connect(self.show_error)
        door.unexpected.connect(self.unexpected)
        self.context.error_raised.disconnect(self.show_error)
        self.context.error_raised.connect(door.take)

    # files dropped or chosen

    def import_files(self) -> None:
        from inspector.images.read import SUFFIXES

        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        names, _ = QFileDialog.getOpenFileNames(
            self, "Import images", "", f"Images ({patterns});;All files (*)"
        )
        if names:
            self.take_paths([Path(name) for name in names])

    def import_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Import a folder of images")
        if name:
            self.take_paths([Path(name)])

    def take_paths(self, dropped: list[Path]) -> None:
        """Files from anywhere: a project is opened, images go to the page in front (or to Inspect)."""
        for path in dropped:
            folder = path.parent if path.name == DATABASE else path
            if (folder / DATABASE).is_file():
                self.open_project(folder)
                return
        accept: Callable[[list[Path]], None] | None = getattr(self.page, "accept_paths", None)
        if accept is not None and not pages.info(self.page_name).needs_project:
            accept(dropped)
            return
        if self.context.project is None:
            self.show_error(
                InspectorError(
                    "No project is open to put these images in.", "Open a project or make a new one."
                )
            )
            return
        if accept is None:
            self.show_page("inspect")
            accept = getattr(self.page, "accept_paths", None)
        if accept is not None:
            accept(dropped)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            usual = (
                "Drop images to inspect them" if self.context.project else "Drop a project folder to open it"
            )
            self.drop_sign.say(getattr(self.page, "drop_text", "") or usual)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_sign.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_sign.hide()
        dropped = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if dropped:
            event.acceptProposedAction()
            QTimer.singleShot(0, self, lambda: self.take_paths(dropped))  # the dragging program waits for us

    # looks

    def _other_theme(self) -> None:
        self.context.settings.theme = "light" if theme.tokens().dark else "dark"
        self.context.save_settings()

    def _settings_changed(self) -> None:
        if theme.wanted(self.context.settings.theme) is not theme.tokens():
            theme.apply(self.context.settings.theme)
        self._describe()

    def _system_theme_changed(self) -> None:
        if self.context.settings.theme == "system":
            theme.apply("system")
            self.context.settings_changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    # leaving

    def closeEvent(self, event: QCloseEvent) -> None:
        """A running job is asked to stop; the window closes when it has."""
        if not self._closing:
            self._closing = True
            self._remember()
            if self.context.runner.busy:
                self.job_bar.stopping()
                self.toast.say("Stopping the job, then closing. What is finished is saved.")
                self.context.runner.stop()
        if self.context.runner.busy:
            event.ignore()
            return
        self.shut_down()
        event.accept()

    def _stopped(self) -> None:
        if self._closing:
            QTimer.singleShot(0, self, self.close)

    def shut_down(self) -> bool:
        """Stop the threads and let go of the project. Safe to call twice. False if a job would not stop."""
        if not self.context.runner.close():
            return False
        project = self.context.project
        if project is not None:
            self.context.blockSignals(True)
            self.context.set_project(None)
            project.close()
        return True

    def _store(self) -> QSettings:
        return QSettings(str(paths.config_dir() / "window.ini"), QSettings.Format.IniFormat)

    def _remember(self) -> None:
        self._store().setValue("geometry", self.saveGeometry())

    def _restore(self) -> None:
        geometry = self._store().value("geometry")
        if not isinstance(geometry, QByteArray) or not self.restoreGeometry(geometry):
            self.resize(1280, 800)


def _same_folder(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b if b.name != DATABASE else b.parent)
    except OSError:
        return False


def _has_detector(project: Project) -> bool:
    from inspector.records.detectors import list_detectors

    return any(not row.problem for row in list_detectors(project))


def _newest_detector(project: Project) -> str:
    from inspector.methods.catalogue import METHODS
    from inspector.records.detectors import list_detectors

    rows = list_detectors(project)
    if not rows:
        return "nothing taught yet"
    row = rows[0]
    title = METHODS[row.method].title if row.method in METHODS else row.method
    count = len(row.classes)
    return f"{title}, {count} class{'es' if count != 1 else ''}"
