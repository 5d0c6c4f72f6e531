"""What is in a folder that a station is to watch: whether it is there, and how many images lie in it now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from inspector.text import reason
from inspector.views.look import theme
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext

_MOST = 10_000
_PAUSE = 250  # ms after the last letter


class FolderCheck(QWidget):
    """`look` at a folder soon; the sentence follows."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.said = wrapped("small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.said)
        self._folder = ""
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_PAUSE)
        self._soon.timeout.connect(self._look)

    def look(self, folder: str) -> None:
        if folder != self._folder:
            self._folder = folder
            self._soon.start()

    def _look(self) -> None:
        folder = self._folder
        self._context.runner.read(self, lambda: describe(folder), self._say, latest="folder")

    def _say(self, found: tuple[bool, str]) -> None:
        good, words = found
        self.said.setText(words)
        theme.set_role(self.said, "small" if good else "warning")


def describe(folder: str) -> tuple[bool, str]:
    """(whether it can be watched now, a sentence on it). For a worker: a drive may be slow."""
    from inspector.images.read import SUFFIXES

    if not folder:
        return True, ""
    path = Path(folder).expanduser()
    if not path.is_absolute():
        return False, "Give the whole path of the folder."
    count = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                count += Path(entry.name).suffix.lower() in SUFFIXES
                if count > _MOST:
                    break
    except FileNotFoundError:
        return False, "There is no such folder yet; the station waits until it is there."
    except NotADirectoryError:
        return False, "This is a file, not a folder."
    except OSError as error:
        return False, f"The folder can't be read: {reason(error)}"
    if count > _MOST:
        return True, f"✓ The folder is there, with more than {_MOST:,} images in it now."
    images = "no image" if not count else "1 image" if count == 1 else f"{count:,} images"
    return True, f"✓ The folder is there, with {images} in it now."
