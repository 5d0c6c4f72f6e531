"""The window of the help: its pages on the left, one of them on the right."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import (
    QImage,
    QImageReader,
    QKeySequence,
    QShortcut,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from inspector.views.help.chapters import Chapter, chapters, folder
from inspector.views.look import theme
from inspector.views.shared.context import WindowContext

_WIDEST = 680
"""So wide is a picture at most, in px."""
_LINE = 125.0
"""Height of a line in per cent of its letters'."""
_ABOVE = {0: 6, 1: 0, 2: 24, 3: 16}
"""By level of heading, in px; 0 is no heading."""
_NAME = Qt.ItemDataRole.UserRole


class HelpText(QTextBrowser):
    """One page. Pictures are put in when they are decoded; their room is kept for them until then."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.setOpenLinks(False)
        self._images: dict[str, QImage] = {}

    def show_chapter(self, chapter: Chapter) -> None:
        self.document().setBaseUrl(QUrl.fromLocalFile(f"{folder()}/"))
        self.document().setDocumentMargin(24)
        self.setMarkdown(chapter.text)
        block = self.document().begin()
        while block.isValid():  # room to breathe: Markdown's own is close
            form = block.blockFormat()
            if "\ufffc" not in block.text():  # a picture is as high as it is
                form.setLineHeight(_LINE, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
            form.setTopMargin(_ABOVE[form.headingLevel()] if block.blockNumber() else 0)
            QTextCursor(block).setBlockFormat(form)
            block = block.next()

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return super().loadResource(kind, name)
        url = QUrl(name).toString()
        if url not in self._images:
            reader = QImageReader(QUrl(name).toLocalFile())
            size = reader.size()
            if size.width() > _WIDEST:
                size *= _WIDEST / size.width()
            reader.setScaledSize(size * self.devicePixelRatioF())
            room = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
            room.fill(0)
            self._images[url] = room
            self._context.runner.read(self, reader.read, partial(self._decoded, url))
        return self._images[url]

    def _decoded(self, url: str, image: QImage) -> None:
        image.setDevicePixelRatio(self.devicePixelRatioF())
        self._images[url] = image
        document = self.document()
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(url), image)
        document.markContentsDirty(0, document.characterCount())


class HelpWindow(QDialog):
    """Stays beside the main window; made once, and shown again where it was."""

    def __init__(self, context: WindowContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Help")
        self.resize(1040, 720)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search the help")
        self.search.setAccessibleName("Search the help")
        self.search.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Pages")
        self.list.setFixedWidth(264)
        theme.set_role(self.list, "pages")
        for chapter in chapters():
            item = QListWidgetItem(chapter.title)
            item.setData(_NAME, chapter.name)
            self.list.addItem(item)
        self.text = HelpText(context)
        self.text.setAccessibleName("Page")
        theme.set_role(self.text, "page")
        left = QVBoxLayout()
        left.setContentsMargins(12, 12, 12, 12)
        left.setSpacing(8)
        left.addWidget(self.search)
        left.addWidget(self.list, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left)
        row.addWidget(self.text, 1)
        self.search.textChanged.connect(self._find)
        self.search.returnPressed.connect(lambda: self.text.setFocus())
        self.list.currentItemChanged.connect(lambda item, _: self._show(item))
        self.text.anchorClicked.connect(lambda url: self.open_at(url.fileName().removesuffix(".md")))
        QShortcut(QKeySequence.StandardKey.Find, self).activated.connect(self.search.setFocus)

    def open_at(self, name: str) -> None:
        """Show a page by its name, whatever was searched for."""
        self.search.clear()
        for row in range(self.list.count()):
            if self.list.item(row).data(_NAME) == name:
                self.list.setCurrentRow(row)
        self.show()
        self.raise_()
        self.activateWindow()

    def _find(self, words: str) -> None:
        for row, chapter in enumerate(chapters()):
            self.list.item(row).setHidden(not chapter.says(words))
        seen = [row for row in range(self.list.count()) if not self.list.item(row).isHidden()]
        if seen and self.list.currentRow() not in seen:
            self.list.setCurrentRow(seen[0])
        self._mark(words)

    def _show(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.text.show_chapter(next(one for one in chapters() if one.name == item.data(_NAME)))
            self._mark(self.search.text())

    def _mark(self, words: str) -> None:
        """Go to the first of the words that were searched for."""
        self.text.moveCursor(QTextCursor.MoveOperation.Start)
        if words.split():
            self.text.find(words.split()[0])
