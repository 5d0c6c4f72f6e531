"""The first page: make a project, open one, or see the demo."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector import paths
from inspector.domain import CancelToken, Emit, JobEnded, JobKind, JobStatus
from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.look.words import folder_text
from inspector.views.shared.context import WindowContext
from inspector.views.shared.job_runner import Job
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine

_PREVIEW = 56  # px
_PREVIEWS = 3


class StartPage(Page):
    open_requested = Signal(object)  # Path of a project folder
    create_requested = Signal(object, str)  # folder, name
    choose_requested = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._context = context
        self._demo: Job | None = None
        self._thumbnails = Thumbnails(context.runner, _PREVIEW * 2, self)

        title = QLabel("Inspector")
        theme.set_role(title, "title")
        line = QLabel(
            "Teach a machine to find defects from a handful of good parts. Nothing leaves this computer."
        )
        theme.set_role(line, "quiet")
        line.setWordWrap(True)

        self.new_card = Card("new", "New project", "One folder for your parts, shots and results.")
        self.open_card = Card("open", "Open a project", "Choose its folder, or drop it here.")
        self.demo_card = Card("demo", "Open the demo", "Three drawn parts, taught and inspected for you.")
        self.new_card.clicked.connect(self.show_new)
        self.open_card.clicked.connect(self.choose_requested)
        self.demo_card.clicked.connect(self.open_demo)
        cards = QHBoxLayout()
        cards.setSpacing(16)
        for card in (self.new_card, self.open_card, self.demo_card):
            cards.addWidget(card, 1)

        self.form = NewForm()
        self.form.make.clicked.connect(self._create)
        self.form.hide()

        self.heading = QLabel("Recent projects")
        theme.set_role(self.heading, "heading")
        self.empty = QLabel("No projects yet: the demo shows the whole way in about a minute.")
        theme.set_role(self.empty, "quiet")
        self.recent = QVBoxLayout()
        self.recent.setSpacing(8)
        self.rows: list[RecentRow] = []

        inside = QWidget()
        inside.setMaximumWidth(880)
        column = QVBoxLayout(inside)
        column.setContentsMargins(32, 40, 32, 32)
        column.setSpacing(8)
        column.addWidget(title)
        column.addWidget(line)
        column.addSpacing(16)
        column.addLayout(cards)
        column.addWidget(self.form)
        column.addSpacing(24)
        column.addWidget(self.heading)
        column.addWidget(self.empty)
        column.addLayout(self.recent)
        column.addStretch(1)
        centred = QWidget()
        row = QHBoxLayout(centred)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(inside, 100)
        row.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(centred)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        context.settings_changed.connect(self._fill)
        context.project_changed.connect(self.form.hide)
        context.runner.ended.connect(self._ended)
        self._fill()

    def show_new(self) -> None:
        """Ask for a name and a folder, in the page."""
        self.form.show()
        self.form.name.setFocus()
        self.form.name.selectAll()

    def open_demo(self) -> None:
        """Open the demo project, after drawing, teaching and inspecting it where there is none yet."""
        folder = paths.documents_dir() / "Demo"
        if (folder / "project.sqlite").is_file():
            self.open_requested.emit(folder)
            return
        if self._demo is not None:
            return

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs import demo

            demo.make_demo_project(demo.free_folder(folder), engine, emit=emit, cancel=cancel)

        self._demo = self._context.runner.start(JobKind.DEMO, "Build the demo", work)
        self.demo_card.setEnabled(False)
        self.demo_card.say("Drawing, teaching and inspecting; see the progress below.")

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job is not self._demo:
            return
        self._demo = None
        self.demo_card.setEnabled(True)
        self.demo_card.say("Three drawn parts, taught and inspected for you.")
        made = event.result.get("project")
        if event.status == JobStatus.DONE and made:
            self._when_idle(Path(made))

    def _when_idle(self, folder: Path) -> None:
        """The runner is idle a moment after the job's last word."""
        if not self._context.runner.busy:
            self.open_requested.emit(folder)
            return
        runner = self._context.runner

        def idle(busy: bool) -> None:
            if not busy:
                runner.busy_changed.disconnect(idle)
                self.open_requested.emit(folder)

        runner.busy_changed.connect(idle)

    def _create(self) -> None:
        name = " ".join(self.form.name.text().split())
        if name:
            self.create_requested.emit(Path(self.form.folder.text()).expanduser(), name)

    def _fill(self) -> None:
        wanted = list(self._context.settings.recent_projects)
        if wanted == [str(row.folder) for row in self.rows]:
            return
        for row in self.rows:
            self.recent.removeWidget(row)
            row.deleteLater()
        self.rows = []
        for name in wanted:
            row = RecentRow(Path(name), self._thumbnails)
            row.clicked.connect(partial(self.open_requested.emit, Path(name)))
            row.forget.clicked.connect(partial(self._forget, name))
            self.recent.addWidget(row)
            self.rows.append(row)
            self._context.runner.read(row, partial(_look, Path(name)), row.show_found)
        self.empty.setVisible(not wanted)
        self.heading.setVisible(bool(wanted))

    def _forget(self, name: str) -> None:
        settings = self._context.settings
        before = settings.recent_projects
        settings.recent_projects = tuple(item for item in before if item != name)
        self._context.save_settings()

        def undo() -> None:
            settings.recent_projects = before
            self._context.save_settings()

        self._context.toast(f"“{Path(name).name}” is off the list; its folder is untouched.", undo)


def _look(folder: Path) -> list[Path] | None:
    """A few pictures of a project without opening it; None when it is gone."""
    if not (folder / "project.sqlite").is_file():
        return None
    found: list[Path] = []
    try:
        with os.scandir(folder / "images") as buckets:
            for bucket in sorted((entry.path for entry in buckets if entry.is_dir()), reverse=True):
                with os.scandir(bucket) as files:
                    found += [Path(entry.path) for entry in files if not entry.name.startswith(".")][:1]
                if len(found) >= _PREVIEWS:
                    break
    except OSError:
        pass
    return found[:_PREVIEWS]


class _Clickable(QFrame):
    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.set_role(self, "clickable")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)


class Card(_Clickable):
    """A large button: icon, title, one sentence."""

    def __init__(self, icon: str, title: str, line: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        picture = QLabel()
        picture.setPixmap(icons.icon(icon, theme.ACCENT).pixmap(QSize(24, 24), self.devicePixelRatioF()))
        words = QLabel(title)
        theme.set_role(words, "heading")
        self.line = QLabel(line)
        self.line.setWordWrap(True)
        self.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.line.setMinimumHeight(self.line.fontMetrics().lineSpacing() * 2)
        theme.set_role(self.line, "quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        for widget in (picture, words, self.line):
            column.addWidget(widget)
        column.addStretch(1)

    def say(self, line: str) -> None:
        self.line.setText(line)


class RecentRow(_Clickable):
    """One recent project: pictures, name, folder."""

    def __init__(self, folder: Path, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.folder = folder
        self._thumbnails = thumbnails
        self._found: list[Path] = []
        self.setAccessibleName(folder.name)
        name = QLabel(folder.name)
        name.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(name, "heading")
        self.place = QLabel()
        self.place.setTextFormat(Qt.TextFormat.PlainText)
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.set_role(self.place, "small")
        self.setToolTip(plain(str(folder)))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(name)
        words.addWidget(self.place)
        self.pictures = [QLabel() for _ in range(_PREVIEWS)]
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(8)
        row.addLayout(words, 1)
        for picture in self.pictures:
            picture.setFixedSize(_PREVIEW, _PREVIEW)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            row.addWidget(picture)
        self.forget = QToolButton()
        self.forget.setIcon(icons.icon("close"))
        self.forget.setToolTip("Take off this list (the folder stays)")
        self.forget.setAccessibleName("Take off this list")
        row.addWidget(self.forget)

    def show_found(self, found: list[Path] | None) -> None:
        if found is None:
            theme.set_role(self.place, "warning")
            self.place.setText("Not found; it may have been moved. Open it from its new place.")
            return
        self._found = found
        self._draw()

    def resizeEvent(self, event: QEvent) -> None:
        if self.place.property("role") == "small":
            metrics = self.place.fontMetrics()
            self.place.setText(
                metrics.elidedText(
                    folder_text(self.folder), Qt.TextElideMode.ElideMiddle, max(120, self.place.width())
                )
            )

    def _draw(self) -> None:
        for picture, source in zip(self.pictures, self._found, strict=False):
            small = self._thumbnails.get(source, self._draw, source.stem)
            if small is not None:
                ratio = self.devicePixelRatioF()
                scaled = small.scaled(
                    QSize(round(_PREVIEW * ratio), round(_PREVIEW * ratio)),
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                scaled.setDevicePixelRatio(ratio)
                picture.setPixmap(scaled)


class NewForm(QFrame):
    """Name and folder of a new project; the folder follows the name until it is chosen."""

    def __init__(self) -> None:
        super().__init__()
        theme.set_role(self, "card")
        self._parent_folder = paths.documents_dir()
        self.name = QLineEdit()
        self.name.setPlaceholderText("For instance: Gearbox line 3")
        self.name.setMaxLength(80)
        self.folder = QLineEdit()
        browse = QPushButton("Browse…")
        browse.clicked.connect(self._browse)
        self.make = QPushButton("Create project")
        theme.set_role(self.make, "primary")
        self.make.setEnabled(False)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.hide)
        self.name.textChanged.connect(self._follow)
        self.name.returnPressed.connect(self.make.click)
        self.folder.returnPressed.connect(self.make.click)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("Name"), 0, 0)
        grid.addWidget(self.name, 0, 1, 1, 2)
        grid.addWidget(QLabel("Folder"), 1, 0)
        grid.addWidget(self.folder, 1, 1)
        grid.addWidget(browse, 1, 2)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.make)
        grid.addLayout(buttons, 2, 0, 1, 3)
        self._follow("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _follow(self, text: str) -> None:
        safe = re.sub(r"[^\w .()+-]+", "-", " ".join(text.split())).strip(" .-")[:60]
        self.folder.setText(str(self._parent_folder / (safe or "New project")))
        self.make.setEnabled(bool(text.strip()))

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Put the project in", str(self._parent_folder))
        if chosen:
            self._parent_folder = Path(chosen)
            self._follow(self.name.text())
