"""Files that come from anywhere: looked at off the GUI thread, then handed on in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from inspector.views.shared.context import WindowContext
from inspector.views.shared.page import Page
from inspector.views.window.projects import DATABASE
from inspector.views.window.taking_over import SUFFIX, TakingOver


class Drops(QObject):
    project_found = Signal(object)  # the folder of the first project among what was dropped
    images_found = Signal(object, object)  # the page that was in sight then, and all that was dropped

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.taking_over = TakingOver(context, parent)
        self._waiting: deque[tuple[Page, list[Path]]] = deque()

    def take(self, page: Page, dropped: Sequence[Path]) -> None:
        """There may be thousands, on a drive that is slow to answer. A single file that carries a detector is taken over."""
        if len(dropped) == 1 and dropped[0].suffix.lower() == SUFFIX:
            self.taking_over.take(dropped[0])
            return
        self._waiting.append((page, list(dropped)))
        if len(self._waiting) == 1:
            self._look()

    def _look(self) -> None:
        read = partial(_project_among, self._waiting[0][1])
        self.context.runner.read(self, read, self._found, self._failed)

    def _found(self, folder: Path | None) -> None:
        page, dropped = self._waiting.popleft()
        if self._waiting:
            self._look()
        if folder is not None:
            self.project_found.emit(folder)
        else:
            self.images_found.emit(page, dropped)

    def _failed(self, error: BaseException) -> None:
        self._found(None)
        self.context.show_error(error)


def _project_among(dropped: Sequence[Path]) -> Path | None:
    folders = (path.parent if path.name == DATABASE else path for path in dropped)
    return next((folder for folder in folders if (folder / DATABASE).is_file()), None)
