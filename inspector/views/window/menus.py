"""Menus, their shortcuts, and the page of all keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from inspector.views.help.chapters import explains
from inspector.views.look import icons, theme
from inspector.views.look.kit import choose_images, scrolling
from inspector.views.look.labels import plain
from inspector.views.shared.context import WindowContext
from inspector.views.shared.page import Page
from inspector.views.start.page import StartPage
from inspector.views.window import pages
from inspector.views.window.about import AboutDialog
from inspector.views.window.errors_dialog import show_log
from inspector.views.window.tab_row import TabRow

if TYPE_CHECKING:
    from inspector.views.help.window import HelpWindow


class Commands(Protocol):
    """What the menus ask of the window."""

    context: WindowContext
    pages: dict[str, Page]
    start: StartPage
    tab_row: TabRow

    @property
    def page(self) -> Page: ...
    @property
    def page_name(self) -> str: ...
    def show_page(self, name: str) -> None: ...
    def choose_project(self) -> None: ...
    def open_project(self, folder: Path) -> None: ...
    def close_project(self) -> None: ...
    def take_paths(self, dropped: list[Path]) -> None: ...
    def other_theme(self) -> None: ...


class Menus(QObject):
    def __init__(self, commands: Commands, window: QMainWindow) -> None:
        super().__init__(window)
        self.commands, self.window = commands, window
        self._help: HelpWindow | None = None
        bar = commands.tab_row.menu_bar

        file = bar.addMenu("&File")
        self.new = self._add(file, "New project…", "new", "Ctrl+N", self._new)
        self.open = self._add(file, "Open project…", "open", "Ctrl+O", commands.choose_project)
        self.recent = file.addMenu(icons.icon("recent"), "Open recent")
        self.recent.aboutToShow.connect(self._fill_recent)
        self.demo = self._add(file, "Open the demo", "demo", "", lambda: commands.start.open_demo())
        self.close = self._add(file, "Close project", "close", "Ctrl+W", commands.close_project)
        file.addSeparator()
        self.import_files = self._add(file, "Import images…", "import", "Ctrl+I", self._import_files)
        self.import_folder = self._add(
            file, "Import a folder…", "folder", "Ctrl+Shift+I", self._import_folder
        )
        self.export = self._add(file, "Export results…", "export", "Ctrl+E", self._export)
        self.take_over = self._add(file, "Take over a detector…", "open", "", self._take_over)
        file.addSeparator()
        self.preferences = self._add(
            file, "Preferences", "settings", "Ctrl+,", lambda: commands.show_page("preferences")
        )
        self.preferences.setMenuRole(QAction.MenuRole.PreferencesRole)
        self.weights = self._add(
            file, "Weights", "weights", "Ctrl+Shift+W", lambda: commands.show_page("weights")
        )
        self.quit = self._add(file, "Quit", "", "Ctrl+Q", window.close)
        self.quit.setMenuRole(QAction.MenuRole.QuitRole)

        edit = bar.addMenu("&Edit")
        self.undo = commands.context.undo.createUndoAction(self, "Undo")
        self.undo.setShortcut(QKeySequence("Ctrl+Z"))
        self.undo.setIcon(icons.icon("undo"))
        self.redo = commands.context.undo.createRedoAction(self, "Redo")
        self.redo.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self.redo.setIcon(icons.icon("redo"))
        edit.addActions([self.undo, self.redo])
        edit.addSeparator()
        self.paste = self._add(edit, "Paste images", "paste", "Ctrl+V", self._paste)

        view = bar.addMenu("&View")
        self.go: dict[str, QAction] = {}
        for number, (name, button) in enumerate(commands.tab_row.tabs.items(), 1):
            self.go[name] = self._add(
                view, button.text(), name, f"Ctrl+{number}", partial(commands.show_page, name)
            )
        self.go["start"].setIcon(icons.icon("home"))
        view.addSeparator()
        self.theme = self._add(view, "Dark or light", "moon", "Ctrl+Shift+D", commands.other_theme)
        self.full = self._add(view, "Full screen", "fit", "F11", self._full_screen)

        help_menu = bar.addMenu("&Help")
        self.help = self._add(help_menu, "Help for this page", "help", "F1", self.show_help)
        self.tour = self._add(help_menu, "Take the tour", "demo", "", self.take_tour)
        self.keys = self._add(help_menu, "All keys", "", "?", self.show_keys)
        self.log = self._add(help_menu, "Show log", "log", "", show_log)
        self.about = self._add(help_menu, "About Inspector", "about", "", self.show_about)
        self.about.setMenuRole(QAction.MenuRole.AboutRole)

    def _add(self, menu: QMenu, text: str, icon: str, keys: str, action: Callable[[], object]) -> QAction:
        made = QAction(text, self)
        if icon:
            made.setIcon(icons.icon(icon))
        if keys:
            made.setShortcut(QKeySequence(keys))
        made.triggered.connect(lambda _checked=False: action())
        menu.addAction(made)
        return made

    def refresh(self) -> None:
        """Grey out what can't be done now."""
        if not hasattr(self, "about"):
            return
        has_project = self.commands.context.project is not None
        for action in (
            *(self.close, self.import_files, self.import_folder, self.export, self.paste),
            self.take_over,
        ):
            action.setEnabled(has_project)
        for name, action in self.go.items():
            action.setEnabled(has_project or name in ("start", "evaluate"))

    def _new(self) -> None:
        self.commands.show_page("start")
        self.commands.start.show_new()

    def _import_files(self) -> None:
        chosen = choose_images(self.window, "Import images")
        if chosen:
            self.commands.take_paths(chosen)

    def _import_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self.window, "Import a folder of images")
        if name:
            self.commands.take_paths([Path(name)])

    def _take_over(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self.window, "Take over a detector", "", "Detectors (*.inspector)"
        )
        if name:
            self.commands.take_paths([Path(name)])

    def _export(self) -> None:
        if not self.commands.page.export():
            self.commands.show_page("results")
            self.commands.page.export()

    def _paste(self) -> None:
        if not self.commands.page.paste():
            self.commands.context.toast(
                "Paste images on Teach, to add shots, or on Inspect, to inspect them."
            )

    def _fill_recent(self) -> None:
        self.recent.clear()
        for name in self.commands.context.settings.recent_projects:
            folder = Path(name)
            action = self.recent.addAction(folder.name)
            action.setToolTip(plain(name))
            action.triggered.connect(lambda _=False, folder=folder: self.commands.open_project(folder))
        if self.recent.isEmpty():
            self.recent.addAction("No projects yet").setEnabled(False)

    def _full_screen(self) -> None:
        if self.window.isFullScreen():
            self.window.showNormal()
        else:
            self.window.showFullScreen()

    def show_help(self) -> None:
        from inspector.views.help.window import HelpWindow

        if self._help is None:
            self._help = HelpWindow(self.commands.context, self.window)
        self._help.open_at(explains(self.commands.page_name, self.commands.page.place))

    def take_tour(self) -> None:
        from inspector.views.help.tour import begin

        begin(self.commands, self.window, self.commands.start.open_demo)

    def show_keys(self) -> None:
        KeysDialog(self.groups(), self.window).open()

    def show_about(self) -> None:
        AboutDialog(self.window).open()

    def groups(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Every key: (group, [(key, words)])."""
        actions = [
            (action.shortcut().toString(QKeySequence.SequenceFormat.NativeText), action.text().rstrip("…"))
            for action in (
                *(self.new, self.open, self.close, self.import_files, self.import_folder, self.export),
                *(self.preferences, self.weights, self.undo, self.redo, self.paste),
                *self.go.values(),
                *(self.theme, self.full, self.help, self.keys, self.quit),
            )
        ]
        groups = [("Everywhere", actions)]
        everywhere = {key for key, _ in actions}
        for info in pages.PAGES:
            own = [(key, words) for key, words in info.kind().shortcuts if key not in everywhere]
            if own:
                groups.append((info.title, own))
        return groups


class KeysDialog(QDialog):
    def __init__(self, groups: list[tuple[str, list[tuple[str, str]]]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("All keys")
        self.resize(480, 680)
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(8, 8, 8, 8)
        grid.setHorizontalSpacing(24)
        grid.setColumnStretch(1, 1)
        line = 0
        for title, keys in groups:
            heading = QLabel(title)
            theme.set_role(heading, "heading")
            heading.setContentsMargins(0, 8 if line else 0, 0, 0)
            grid.addWidget(heading, line, 0, 1, 2)
            line += 1
            for key, words in keys:
                grid.addWidget(QLabel(key), line, 0)
                text = QLabel(words)
                theme.set_role(text, "quiet")
                grid.addWidget(text, line, 1)
                line += 1
        grid.setRowStretch(line, 1)
        scroll = scrolling(inside, "All keys")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.addWidget(scroll)
        column.addWidget(buttons)
