"""Opening, making and closing projects, off the GUI thread; the one that is open stays until the new one is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.domain import Deed
from inspector.errors import ProjectDamagedError, ProjectError, ProjectInUseError
from inspector.views.shared.context import WindowContext

if TYPE_CHECKING:
    from inspector.records.disk.backups import Backup
    from inspector.records.project import Project

DATABASE = "project.sqlite"


class Projects(QObject):
    opening_changed = Signal(bool)  # whether a project is being opened or made
    opened = Signal(object, str)  # the project, and the page that was asked for, or ""
    offered = Signal(object, str, object)  # an error, and a button's words and deed that lead on from it

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.opening = False

    def open(self, folder: Path, page: str = "", *, read_only: bool = False) -> None:
        """Open a project beside the open one, then let go of that. One that was moved or replaced goes first."""
        current = self.context.project
        if current is not None and not current.in_place:
            if self._may_switch():
                self._put(None, lambda: self.open(folder, page, read_only=read_only))
            return

        def work() -> Project:
            from inspector.records import project

            return project.open(folder, read_only=read_only)

        def failed(error: BaseException) -> None:
            self._set_opening(False)
            if isinstance(error, ProjectInUseError):
                view = partial(self.open, folder, page, read_only=True)
                self.offered.emit(error, "Open for viewing only", view)
            elif isinstance(error, ProjectDamagedError):
                self.offer_backup(error, folder if folder.name != DATABASE else folder.parent)
            else:
                self.context.show_error(error)

        self._begin(work, page, failed)

    def offer_backup(self, error: ProjectDamagedError, folder: Path) -> None:
        """Say that a project is damaged, and offer its newest sound backup where there is one."""

        def found(backup: Backup | None) -> None:
            if backup is None:
                self.offered.emit(error, "", None)
                return
            when = f"{backup.created.astimezone():%d %b %Y, %H:%M}"
            hint = (
                f"There is a sound backup of {when}. What was done since then is not in it, but no image, detector or"
                " map is deleted, and the damaged database is kept too."
            )
            words = f"Restore the backup of {when}"
            restore = partial(self._restore, folder, backup.path)
            self.offered.emit(ProjectDamagedError(error.message, hint), words, restore)

        self.context.runner.read(self, partial(_sound_backup, folder), found, self.context.show_error)

    def _restore(self, folder: Path, backup: Path) -> None:
        def work() -> Path:
            from inspector.records import audit, project
            from inspector.records.disk.backups import restore_backup

            replaced = restore_backup(folder, backup)
            with project.open(folder) as opened:
                opened.who = self.context.who
                audit.record(opened, audit.ActKind.BACKUP_RESTORED, backup.name, new=replaced.name)
            return replaced

        def restored(replaced: Path) -> None:
            self.context.toast(f"The backup was restored; the damaged database is kept as {replaced.name}.")
            self.open(folder)

        def begin() -> None:
            self.context.runner.read(self, work, restored, self.context.show_error)

        if not self._may_switch() or (self.is_open(folder) and not self.context.may(Deed.REMOVE)):
            return
        if self.is_open(folder):
            self._put(None, begin)
        else:
            begin()

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
        """Whether it is the open project, and still in its place."""
        current = self.context.project
        if current is None or not current.in_place:
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
            if note := self.context.viewing_only or project.note:
                self.context.toast(note)
            self.opened.emit(project, page)
            if project.doubt is not None:
                self.offer_backup(project.doubt, project.folder)

        if self._may_switch():
            self._set_opening(True)
            # In line: the project may be one whose closing is still under way, and locked until it is done.
            self.context.runner.write(self, work, done, failed)

    def _may_switch(self) -> bool:
        if self.opening:
            return False
        if self.context.runner.busy:
            self.context.show_error(
                ProjectError(
                    "A job is running in this project.",
                    "Wait until it is done, or press Cancel at the foot of the window.",
                )
            )
            return False
        if self.context.runner.stations:
            self.context.show_error(
                ProjectError(
                    "A station is running in this project.", "Close the project first, which stops it."
                )
            )
            return False
        return True

    def _put(self, project: Project | None, then: Callable[[], None] = lambda: None) -> None:
        """`then`: once the project that was open is closed."""
        old = self.context.project
        self.context.set_project(project)
        if old is not None:
            self.context.runner.write(self, old.close, lambda _none: then(), self.context.show_error)

    def _set_opening(self, opening: bool) -> None:
        self.opening = opening
        self.opening_changed.emit(opening)


def _sound_backup(folder: Path) -> Backup | None:
    from inspector.records.disk import backups, database

    return next((one for one in backups.list_backups(folder) if database.is_sound(one.path)), None)
