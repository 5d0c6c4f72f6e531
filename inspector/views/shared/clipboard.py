"""Images from the clipboard."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QGuiApplication, QImage


def images() -> tuple[list[Path], QImage]:
    """The files that were copied, or else the picture (null where there is none)."""
    clipboard = QGuiApplication.clipboard()
    held = clipboard.mimeData()
    files = [Path(url.toLocalFile()) for url in held.urls() if url.isLocalFile()]
    return files, clipboard.image() if held.hasImage() and not files else QImage()


def png(picture: QImage) -> bytes:
    """A picture as a PNG file. Any thread."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())
