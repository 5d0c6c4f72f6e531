"""One image on its own, as large as the window allows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from inspector.views.viewer import picture as pictures
from inspector.views.viewer.image_view import ImageView
from inspector.views.viewer.picture import Box, Picture

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext


class ImageDialog(QDialog):
    """Opens at once; the image comes when it is read. Esc closes it."""

    def __init__(
        self,
        context: WindowContext,
        path: Path,
        title: str,
        parent: QWidget,
        white: int | None = None,
        mark: Box | None = None,
    ) -> None:
        """`white`: the end of its range, see `images.read`. `mark`: a place of it that is marked."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(parent.window().size() * 0.8)
        self.view = ImageView()
        self.view.set_overlay(False)
        self.view.setAccessibleName("Image")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view)
        self.view.show_message("Opening…")

        def read(_project: Project) -> Picture:
            from inspector.images.read import read

            return pictures.picture(read(path, white=white).pixels, path.name)

        def show(picture: Picture) -> None:
            self.view.show_picture(picture)
            self.view.set_mark(mark)

        context.query(self, read, show, failed=lambda error: self.view.show_message(str(error)))
