"""What this is, which versions it runs on, and under which licence."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from inspector.views.look import icons, theme

_PARTS = (
    ("Python", ""),
    ("Qt for Python", "PySide6-Essentials"),
    ("PyTorch", "torch"),
    ("open_clip", "open_clip_torch"),
    ("timm", "timm"),
    ("OpenCV", "opencv-python-headless"),
    ("SQLAlchemy", "SQLAlchemy"),
)


def versions() -> list[tuple[str, str]]:
    """Name and version of what Inspector stands on, read from package metadata (nothing is imported)."""
    rows = [("Inspector", _version("inspector"))]
    rows += [
        (title, _version(package) if package else platform.python_version()) for title, package in _PARTS
    ]
    return [*rows, ("System", f"{platform.system()} {platform.release()} ({platform.machine()})")]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class AboutDialog(QDialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About Inspector")
        mark = QLabel(self)
        mark.setPixmap(icons.pixmap("inspector", "#ffffff", 64, self.devicePixelRatioF()))
        title = QLabel("Inspector", self)
        theme.set_role(title, "title")
        line = QLabel(
            "Teaches a machine to find defects from a handful of good parts. Everything stays on this computer.",
            self,
        )
        line.setWordWrap(True)
        theme.set_role(line, "quiet")
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setColumnStretch(1, 1)
        rows = versions()
        for row, (name, number) in enumerate(rows):
            key = QLabel(name, self)
            theme.set_role(key, "quiet")
            value = QLabel(number, self)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(key, row, 0)
            grid.addWidget(value, row, 1)
        licence = QLabel("Apache License 2.0. Parts by others keep their own licences.", self)
        theme.set_role(licence, "small")
        buttons = QDialogButtonBox(self)
        copy = buttons.addButton("Copy versions", QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(
            lambda: QGuiApplication.clipboard().setText("\n".join(f"{n}: {v}" for n, v in rows))
        )
        close = buttons.addButton(QDialogButtonBox.StandardButton.Close)
        close.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(12)
        for widget in (mark, title, line):
            column.addWidget(widget)
        column.addLayout(grid)
        column.addWidget(licence)
        column.addWidget(buttons)
        self.setFixedWidth(440)
