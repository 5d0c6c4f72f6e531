"""The images of one cell of the confusion matrix: thumbnails at the left, the image with its marked defect beside."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeySequence, QPixmap, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListView, QPushButton, QVBoxLayout, QWidget

from inspector.exports.heat import Heat, Mode
from inspector.jobs.evaluation.reading import Reading
from inspector.jobs.evaluation.stored import read_map
from inspector.paths import inside
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import tool
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.viewer.image_view import ImageView
from inspector.views.viewer.picture import Picture, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.views.shared.context import WindowContext

_THUMB = 56
_MASK_SIDE = 1024
_NO_MAP = "This evaluation kept no map of what the detector saw."


@dataclass(frozen=True, slots=True)
class Item:
    """A test image of a reading. `folder`: of the evaluation; `source`: of the images; `white`: the end of the range in
    which they were read."""

    folder: Path
    source: Path
    reading: Reading
    number: int
    white: int | None = None

    @property
    def key(self) -> str:
        return self.reading.keys[self.number]

    @property
    def path(self) -> Path | None:
        """None: the evaluation names a file outside its folder."""
        return inside(self.source, self.key)

    @property
    def defect(self) -> str:
        return self.reading.defects[self.number]

    @property
    def words(self) -> str:
        """Its class and defect type, and the class it was taken for where that is another."""
        own, judged = self.reading.class_name, self.reading.judged_as[self.number]
        return f"{own} · {self.defect}" + (f" · taken for {judged}" if judged != own else "")

    @property
    def score(self) -> float:
        return float(self.reading.scores[self.number])

    @property
    def masks(self) -> list[Path]:
        found = [inside(self.source, key) for key in self.reading.masks[self.number]]
        return [path for path in found if path is not None]


class _Items(QAbstractListModel):
    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self.items: tuple[Item, ...] = ()
        self._thumbnails = thumbnails
        self._blank = QPixmap(_THUMB, _THUMB)
        self._blank.fill(Qt.GlobalColor.transparent)

    def set_items(self, items: Sequence[Item]) -> None:
        self.beginResetModel()
        self.items = tuple(items)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.items)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = 0) -> Any:
        item = self.items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{Path(item.key).name}\n{item.words}   {item.score:.3f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain(item.key)
        if role == Qt.ItemDataRole.DecorationRole:
            place = QPersistentModelIndex(index)
            made = None
            if item.path is not None:
                made = self._thumbnails.get(item.path, lambda: self._arrived(place), white=item.white)
            return QIcon(made or self._blank)
        return None

    def _arrived(self, place: QPersistentModelIndex) -> None:
        if place.isValid():
            self.dataChanged.emit(
                self.index(place.row()), self.index(place.row()), [Qt.ItemDataRole.DecorationRole]
            )


class EvaluationImages(QWidget):
    """`closed` when the user goes back; `moved` when the images are to be looked for elsewhere."""

    closed = Signal()
    moved = Signal()

    def __init__(self, context: WindowContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._asked = 0
        self.back = QPushButton(icons.icon("left"), "Back to the figures")
        self.back.setToolTip("Back (Esc)")
        self.title = QLabel()
        theme.set_role(self.title, "heading")
        self.list = QListView()
        self.list.setIconSize(QSize(_THUMB, _THUMB))
        self.list.setFixedWidth(264)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setFrameShape(QListView.Shape.NoFrame)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName("Images")
        self.model = _Items(Thumbnails(context.runner, 2 * _THUMB, self), self)
        self.list.setModel(self.model)
        self.view = ImageView()
        self.name = Elided()
        self.detail = QLabel()
        self.detail.setFont(theme.font(figures=True))
        theme.set_role(self.detail, "quiet")
        self.heat = tool("heat", "What the detector saw (Space)", checkable=True)
        self.heat.setChecked(True)
        self.outline = tool("contour", "Outline of the marked defect (O)", checkable=True)
        self.outline.setChecked(True)
        self.elsewhere = QPushButton("Choose where the images are now")
        self.elsewhere.hide()

        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 8)
        head.setSpacing(16)
        head.addWidget(self.back)
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.elsewhere)
        line = QHBoxLayout()
        line.setContentsMargins(12, 4, 12, 4)
        line.setSpacing(16)
        line.addWidget(self.name, 1)
        line.addWidget(self.detail)
        line.addWidget(self.heat)
        line.addWidget(self.outline)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addLayout(line)
        right.addWidget(self.view, 1)
        both = QHBoxLayout()
        both.setSpacing(0)
        both.addWidget(self.list)
        both.addLayout(right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(head)
        whole.addLayout(both, 1)

        self.back.clicked.connect(self.closed)
        self.elsewhere.clicked.connect(self.moved)
        self.heat.toggled.connect(self.view.set_overlay)
        self.outline.toggled.connect(lambda _: self._show(self.list.currentIndex().row()))
        self.list.selectionModel().currentChanged.connect(lambda now, _before: self._show(now.row()))
        for keys, action in (
            ("Esc", self.closed.emit),
            ("Space", self.heat.toggle),
            ("O", self.outline.toggle),
            ("Right", lambda: self.step(1)),
            ("Left", lambda: self.step(-1)),
            ("+", lambda: self.view.zoom(1.25)),
            ("-", lambda: self.view.zoom(0.8)),
            ("0", self.view.fit),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    def show_items(self, title: str, items: Sequence[Item]) -> None:
        self.title.setText(title)
        self.elsewhere.hide()
        self.model.set_items(items)
        if items:
            self.list.setCurrentIndex(self.model.index(0))
        self.list.setFocus()

    def step(self, by: int) -> None:
        """To the next (1) or the previous (-1) image."""
        place = min(max(self.list.currentIndex().row() + by, 0), self.model.rowCount() - 1)
        self.list.setCurrentIndex(self.model.index(place))

    def _show(self, place: int) -> None:
        if not 0 <= place < len(self.model.items):
            return
        item = self.model.items[place]
        self._asked += 1
        number = self._asked
        self.name.setText(item.key)
        self.detail.setText(f"{item.words}   {item.score:.4f}")

        outline = self.outline.isChecked()

        def arrived(found: tuple[Picture, NDArray[np.float32] | None]) -> None:
            if number == self._asked:
                made, values = found
                low, high = item.reading.scale
                self.view.set_heat(Heat(low, max(high, low + 1e-9), low))
                self.view.show_picture(made, values, note="" if values is not None else _NO_MAP)

        def failed(_error: BaseException) -> None:
            if number == self._asked:
                self.elsewhere.show()
                self.view.show_message(
                    "This image can't be read: it was moved or changed since the evaluation."
                )

        self._context.runner.read(self, partial(_read, item, outline), arrived, failed, priority=1_000_000)


def _read(item: Item, outline: bool) -> tuple[Picture, NDArray[np.float32] | None]:
    """The picture, with the marked defect's outline if asked for, and the map of what the detector saw."""
    from inspector.errors import ImageError
    from inspector.exports.overlay import render_overlay
    from inspector.images import mask, read

    if item.path is None:
        raise ImageError(f"“{item.key}” lies outside the image set.", "Run the evaluation again.")
    image = read.read(item.path, white=item.white)
    pixels = image.pixels
    if outline and item.masks:
        marked = np.zeros(pixels.shape[:2], np.bool_)
        for path in item.masks:
            with contextlib.suppress(ImageError):  # the picture and its heat stand without it
                marked |= mask.read(path, item.path, image.size)
        step = max(1, -(-max(marked.shape) // _MASK_SIDE))
        small = marked[::step, ::step].astype(np.float32)
        pixels = render_overlay(pixels, small, Heat(0.0, 1.0, 0.5, opacity=1.0, mode=Mode.CONTOUR))
    return picture(pixels, image.name), read_map(item.folder, item.reading, item.number)
