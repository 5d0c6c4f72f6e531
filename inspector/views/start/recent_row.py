"""One of the recent projects, with a few of its pictures."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.look.words import folder_text
from inspector.views.start.card import Clickable

PREVIEW = 56
"""Side of a picture in px."""
_PREVIEWS = 3


def look(folder: Path) -> list[Path] | None:
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


class RecentRow(Clickable):
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
            picture.setFixedSize(PREVIEW, PREVIEW)
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
                    QSize(round(PREVIEW * ratio), round(PREVIEW * ratio)),
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                scaled.setDevicePixelRatio(ratio)
                picture.setPixmap(scaled)
