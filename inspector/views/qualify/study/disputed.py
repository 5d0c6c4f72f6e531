"""The parts on which words differed, as small pictures; a click shows one large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QResizeEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from inspector.text import printable
from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.viewer.image_dialog import ImageDialog

if TYPE_CHECKING:
    from inspector.records.qualification.outcome import PartWords
    from inspector.views.shared.context import WindowContext

_SIDE = 148


class Disputed(QListWidget):
    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self.parts: tuple[PartWords, ...] = ()
        ratio = self.devicePixelRatioF()
        self._thumbnails = Thumbnails(context.runner, round(_SIDE * ratio), self)
        self.setAccessibleName("Parts that were judged differently")
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setMovement(QListWidget.Movement.Static)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setSpacing(8)
        self.setWordWrap(True)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme.set_role(self, "shots")
        self.itemClicked.connect(self.show_large)
        self.itemActivated.connect(self.show_large)

    def show_parts(self, parts: Sequence[PartWords]) -> None:
        from inspector.exports.study import part_words

        self.parts = tuple(parts)
        self.clear()
        lines = max((len(one.words) + 3 for one in parts), default=4)
        size = QSize(_SIDE + 40, _SIDE + 16 + lines * self.fontMetrics().lineSpacing())
        for one in parts:
            words = "\n".join(f"{printable(who, 16)}: {said}" for who, said in part_words(one))
            item = QListWidgetItem(f"{printable(one.part.name, 24)}\n{words}")
            item.setToolTip(plain(f"{one.part.name}\nClick to see it large"))
            item.setSizeHint(size)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.addItem(item)
        self._draw()
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as all need: the page scrolls, not the list in it."""
        if self.parts:
            size, gap = self.item(0).sizeHint(), self.spacing()
            across = max(1, (self.width() - gap) // (size.width() + gap))
            self.setFixedHeight(-(-len(self.parts) // across) * (size.height() + gap) + 2 * gap)

    def _draw(self) -> None:
        for number, one in enumerate(self.parts):
            part = one.part
            pixmap = self._thumbnails.get(part.path, self._draw, part.sha256, part.white)
            if pixmap is not None:
                self.item(number).setIcon(QIcon(pixmap))
            elif self._thumbnails.failed(part.path, part.white):
                self.item(number).setIcon(icons.icon("error"))

    def show_large(self, item: QListWidgetItem) -> None:
        part = self.parts[self.row(item)].part
        if not any(one.isVisible() for one in self.findChildren(ImageDialog)):  # a double click is one
            ImageDialog(self.context, part.path, printable(part.name), self, part.white).open()
