"""Opening, making and closing projects, off the GUI thread; the one that is open stays until the new one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.errors import InspectorError
from inspector.views.shared.context import WindowContext

if TYPE_CHECKING:
    from inspector.records.project import Project

DATABASE = "project.sqlite"


class Projects(QObject):
    opening_changed = Signal(bool)  # whether a project is being opened or made
    opened = Signal(object, str)  # the project, and the page that was asked for, or ""
    viewing_offered = Signal(object, object)  # the error, and what opens the project for viewing only

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.opening = False

    def open(self, folder: Path, page: str = "", *, read_only: bool = False) -> None:
        def work() -> Project:
            from inspector.records import project

            return project.open(folder, read_only=read_only)

        def failed(error: BaseException) -> None:
            self._set_opening(False)
            if (folder / "lock-owner.json").exists() and isinstance(error, InspectorError):
                self.viewing_offered.emit(error, lambda: self.open(folder, page, read_only=True))
            else:
                self.context.show_error(error)

        self._begin(work, page, failed)

    def create(self, folder: Path, name: str) -> None:
        def work() -> Project:
            from inspector.records import project

            return project.create(folder, name)

        def failed(error: BaseException) -> None:
            self._set_opening(False)
            self.context.show_error(error)

        self._begin(work, "teach", failed)

    def close(self) -> bool:
        """Let go of the open project; False where there is none or a job needs it."""
        if self.context.project is None or not self._may_switch():
            return False
        self._put(None)
        return True

    def is_open(self, folder: Path) -> bool:
        current = self.context.project
        if current is None:
            return False
        try:
            return current.folder.samefile(folder if folder.name != DATABASE else folder.parent)
        except OSError:
            return False

    def _begin(self, work: Callable[[], Project], page: str, failed: Callable[[BaseException], None]) -> None:
        def done(project: Project) -> None:
            self._put(project)
            self._set_opening(False)
            self.context.settings.remember(str(project.folder))
            self.context.save_settings()
            if project.note:
                self.context.toast(project.note)
            self.opened.emit(project, page)

        if self._may_switch():
            self._set_opening(True)
            self.context.runner.read(self, work, done, failed)

    def _may_switch(self) -> bool:
        if self.opening:
            return False
        if self.context.runner.busy:
            self.context.show_error(
                InspectorError(
                    "A job is running in this project.",
                    "Wait until it is done, or press Cancel at the foot of the window.",
                )
            )
            return False
        return True

    def _put(self, project: Project | None) -> None:
        old = self.context.project
        self.context.set_project(project)
        if old is not None:
            self.context.runner.write(self, old.close, lambda _none: None, self.context.show_error)

    def _set_opening(self, opening: bool) -> None:
        self.opening = opening
        self.opening_changed.emit(opening)
