"""Where the window stood and how large it was, from one start to the next."""

from PySide6.QtCore import QByteArray, QSettings, QSize
from PySide6.QtWidgets import QMainWindow

from inspector import paths

_LEAST = QSize(960, 600)
_FRAME = QSize(16, 40)
"""What a system's window frame may take; it is known only after the window was shown."""


def _store() -> QSettings:
    return QSettings(str(paths.config_dir() / "window.ini"), QSettings.Format.IniFormat)


def remember(window: QMainWindow) -> None:
    _store().setValue("geometry", window.saveGeometry())


def restore(window: QMainWindow) -> None:
    geometry = _store().value("geometry")
    if not isinstance(geometry, QByteArray) or not window.restoreGeometry(geometry):
        window.resize(1280, 800)
    room = window.screen().availableSize() - _FRAME
    window.setMinimumSize(_LEAST.boundedTo(room))
    window.resize(window.size().boundedTo(room))
