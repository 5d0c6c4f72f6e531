"""The window: tabs, pages, menus, drops, and the opening and closing of projects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QPaintEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector import paths
from inspector.domain import JobEnded, JobEvent, JobKind, JobStatus
from inspector.errors import InspectorError, NotAllowedError, ProjectDamagedError, ProjectMovedError
from inspector.views.line.again import StartAgain
from inspector.views.look import theme
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job, JobRunner
from inspector.views.shared.page import Page
from inspector.views.start.page import StartPage
from inspector.views.window import geometry, menus, pages
from inspector.views.window.drop_sign import DropSign
from inspector.views.window.drops import Drops
from inspector.views.window.errors_dialog import ErrorDialog, ErrorDoor
from inspector.views.window.job_bar import JobBar
from inspector.views.window.projects import Projects
from inspector.views.window.sign_in import Door
from inspector.views.window.stop_question import StopQuestion
from inspector.views.window.tab_row import TabRow
from inspector.views.window.toast import Banner, Toast

if TYPE_CHECKING:
    from inspector.records.project import Project


class MainWindow(QMainWindow):
    painted = Signal()  # once, when the window was drawn for the first time

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        context.setParent(self)
        self.context = context
        self._painted = False
        self._closing = self._stopping = False  # it will close; and everything has stopped
        self._question: StopQuestion | None = None
        self.pages: dict[str, Page] = {}
        self._page_name = self._before = "start"  # in sight; the one to go back to from a page without a tab
        self.setAcceptDrops(True)

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
        self.menus = menus.Menus(self, self)
        self.door = Door(context, self.tab_row, self)
        self.tab_row.page_requested.connect(self.show_page)
        self.tab_row.theme_requested.connect(self.other_theme)
        self.tab_row.help_requested.connect(self.menus.show_help)

        self.projects = Projects(context, self)
        self.projects.opening_changed.connect(self._opening_changed)
        self.projects.opened.connect(self._opened)
        self.projects.offered.connect(self.banner.say)
        self.again = StartAgain(context, self)
        self.again.offered.connect(self.banner.say)
        self.drops = Drops(context, self)
        self.drops.project_found.connect(self.open_project)
        self.drops.images_found.connect(self._images_found)
        start = StartPage(context)
        start.open_requested.connect(lambda folder: self.open_project(folder))
        start.create_requested.connect(self.projects.create)
        start.choose_requested.connect(self.choose_project)
        start.tour_requested.connect(self.menus.take_tour)
        self.start = start
        self._keep("start", start)

        context.page_requested.connect(self.show_page)
        context.toast_requested.connect(self.toast.say)
        context.undo.indexChanged.connect(lambda _index: self.toast.forget())
        context.error_raised.connect(self.show_error)
        context.project_changed.connect(self._project_changed)
        context.settings_changed.connect(self._settings_changed)
        context.runner.said.connect(self._job_said)
        context.runner.stopped.connect(self._stopped)
        focus = QApplication.instance()
        if isinstance(focus, QApplication):
            focus.focusChanged.connect(self._focus_changed)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_theme_changed)
        self._project_changed()
        self.show_page("start")
        geometry.restore(self)
        start.setFocus()

    # pages

    @property
    def page(self) -> Page:
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
            page = info.kind()(self.context)
            self._keep(name, page)
        if pages.info(self._page_name).tab:
            self._before = self._page_name
        self._page_name = name
        self.stack.setCurrentIndex(list(self.pages).index(name))
        self.tab_row.show_page(name)
        self.menus.refresh()
        self._focus_page()
        page.activated()

    def _keep(self, name: str, page: Page) -> None:
        self.pages[name] = page
        room = QScrollArea()  # in a window that is too small for a page, it scrolls rather than being cut off
        room.setFrameShape(QScrollArea.Shape.NoFrame)
        room.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        room.setWidgetResizable(True)
        room.setWidget(page)
        self.stack.addWidget(room)
        if not pages.info(name).tab:
            back = QShortcut(QKeySequence("Esc"), page)
            back.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            back.activated.connect(lambda: self.show_page(self._before))

    def _focus_page(self) -> None:
        focus = QApplication.focusWidget()
        if focus is None or not self.page.isAncestorOf(focus):
            self.page.setFocus()

    def _focus_changed(self, old: QWidget | None, now: QWidget | None) -> None:
        """A button that goes off while it has the focus hands it on, past the last of its page to the tabs or to
        nobody: not so."""
        if (
            old is None
            or not self.page.isAncestorOf(old)
            or not (now is None or self.tab_row.isAncestorOf(now))
        ):
            return
        if not old.isEnabled() or not old.isVisible():
            QTimer.singleShot(0, self, self._focus_page)

    # projects

    def choose_project(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open project", str(paths.documents_dir()))
        if folder:
            self.open_project(Path(folder))

    def open_project(self, folder: Path, page: str = "") -> None:
        if self.projects.is_open(folder):
            self.show_page(page or "teach")
        else:
            self.projects.open(folder, page)

    def close_project(self) -> None:
        if self.context.runner.busy or self.context.runner.stations:
            self._ask_to_stop(lambda: self.context.runner.cancel_all(self.close_project))
        elif self.projects.close():
            self.show_page("start")

    def _opening_changed(self, opening: bool) -> None:
        if opening:
            self.tab_row.name_project("Opening…")
        else:
            self._name_project()

    def _opened(self, project: Project, page: str) -> None:
        self.banner.hide()
        self.show_page(page or "teach")
        if not page:
            self.context.query(self, _has_detector, self._first_page)
        if page != "line":
            self.again.ask()

    def _first_page(self, taught: bool) -> None:
        if taught and self.page_name == "teach":
            self.show_page("inspect")

    def _name_project(self) -> None:
        project = self.context.project
        name = project.name if project else ""
        viewing = " (viewing only)" if project and project.read_only else ""
        # The systems that put the program's name behind a title leave alone what ends with it.
        self.setWindowTitle(f"{name}{viewing} — Inspector" if project else "Inspector")
        self.tab_row.show_project(f"{name}{viewing}", project is not None)

    def _project_changed(self) -> None:
        self._name_project()
        self.menus.refresh()

    # jobs and what they change

    def _job_said(self, _job: Job, event: JobEvent) -> None:
        if not isinstance(event, JobEnded) or self._closing:
            return
        if event.kind == JobKind.TEACH:
            self.context.detectors_changed.emit()
            self.context.classes_changed.emit()
        elif event.kind == JobKind.INSPECT:
            self.context.results_changed.emit()
        if event.status == JobStatus.FAILED:
            self._job_failed(InspectorError(event.message, event.hint))
        elif event.message and event.kind != JobKind.EXPORT:  # its page says where the files are
            self.context.toast(event.message)

    def _job_failed(self, error: InspectorError) -> None:
        """A project that is gone is why every job fails: say that, with the way on."""
        project = self.context.project
        if project is not None and not project.read_only:
            self.context.query(
                self, lambda project: project.require_writable(), lambda _none: self.show_error(error)
            )
        else:
            self.show_error(error)

    # words to the user

    def show_error(self, error: BaseException) -> None:
        project = self.context.project
        if isinstance(error, ProjectMovedError):
            self.banner.say(error, "Open…", self.choose_project)
        elif isinstance(error, NotAllowedError):
            self.door.refused(error)
        elif isinstance(error, ProjectDamagedError) and project is not None:
            self.projects.offer_backup(error, project.folder)
        elif isinstance(error, InspectorError):
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

    def take_paths(self, dropped: list[Path]) -> None:
        """Files from anywhere: a project is opened, images go to the page in sight (or to Inspect)."""
        self.drops.take(self.page, dropped)

    def _images_found(self, page: Page, dropped: list[Path]) -> None:
        if page.accept_paths(dropped):
            return
        if self.context.project is None:
            self.show_error(
                InspectorError(
                    "No project is open to put these images in.", "Open a project or make a new one."
                )
            )
            return
        self.show_page("inspect")
        self.page.accept_paths(dropped)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            usual = (
                "Drop images to inspect them" if self.context.project else "Drop a project folder to open it"
            )
            self.drop_sign.say(self.page.drop_text or usual)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_sign.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_sign.hide()
        dropped = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if dropped:
            event.acceptProposedAction()
            QTimer.singleShot(0, self, lambda: self.take_paths(dropped))  # the dragging program waits for us

    # looks

    def other_theme(self) -> None:
        self.context.settings.theme = "light" if theme.tokens().dark else "dark"
        self.context.save_settings()

    def _settings_changed(self) -> None:
        if theme.wanted(self.context.settings.theme) is not theme.tokens():
            theme.apply(self.context.settings.theme)

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
        """Nothing that runs is stopped without a yes; then the window stays until all is written, and says so."""
        runner = self.context.runner
        if self._closing or not runner.active:
            geometry.remember(self)
            if self._stopping or runner.settled:
                self.hide()  # a large database is sealed for a moment
                self.shut_down(0)
                event.accept()
                return
            self._closing = True
            self.job_bar.stopping()
            self.toast.say("Finishing what was begun, then closing. What is finished is saved.")
            runner.stop()
        else:
            self._ask_to_stop(self._stop_and_close)
        event.ignore()

    def _ask_to_stop(self, then: Callable[[], None]) -> None:
        if self._question is None:
            self._question = StopQuestion(self.context.runner, then, self)
            self._question.finished.connect(self._answered)
            self._question.open()

    def _answered(self, _answer: int) -> None:
        self._question = None

    def _stop_and_close(self) -> None:
        self._closing = True
        self.close()

    def _stopped(self) -> None:
        if self._closing:
            self._stopping = True
            QTimer.singleShot(0, self, self.close)

    def shut_down(self, seconds: float = JobRunner.PATIENCE) -> bool:
        """Stop the threads and let go of the project. Safe to call twice. False if a job or a drive would not stop."""
        if not self.context.runner.close(seconds):
            return False
        project = self.context.project
        if project is not None:
            with QSignalBlocker(self.context):  # nobody is to read or draw any more
                self.context.set_project(None)
            project.close()
        return True


def _has_detector(project: Project) -> bool:
    from inspector.records.detectors import list_detectors

    return any(not row.problem for row in list_detectors(project))
