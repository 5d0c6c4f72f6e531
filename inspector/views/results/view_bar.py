"""How results are shown: as a table or as pictures, how large, in which order, with a preview or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QWidget,
)

from inspector.views.look import theme
from inspector.views.look.kit import tool
from inspector.views.look.words import shots_said
from inspector.views.results import tile
from inspector.views.results.kept import keep, kept, number
from inspector.views.review.result_model import SORTS

if TYPE_CHECKING:
    from inspector.records.inspected.results import Counts

_ORDERS = (
    ("Newest first", "time", True),
    ("Oldest first", "time", False),
    ("Highest score first", "score", True),
    ("Lowest score first", "score", False),
    ("NG first", "verdict", True),
    ("OK first", "verdict", False),
    ("By name", "name", False),
    ("By class", "class", False),
    ("By defect type", "defect type", False),
    ("Last reviewed first", "reviewed", True),
)
_WIDE = 1100  # px that a page must have, for a preview to stand there unasked


def counts_words(counts: Counts) -> str:
    """How many results of each verdict there are, "" for none."""
    parts = [f"{counts.total:,} results"] if counts.total != 1 else ["1 result"]
    parts += [f"✓ {counts.ok:,} OK", f"? {counts.review:,} review", f"✕ {counts.ng:,} NG"]
    if counts.other:
        parts.append(f"≠ {counts.other:,} not this product")
    if counts.failed:
        parts.append(f"! {counts.failed:,} failed")
    parts.append(f"{counts.reviewed:,} reviewed")
    return "     ".join(parts) if counts.total else ""


class ViewBar(QWidget):
    """Remembers what was chosen, in the next session too."""

    gallery_chosen = Signal(bool)
    side_chosen = Signal(int)
    preview_chosen = Signal()
    order_chosen = Signal(int, Qt.SortOrder)  # column of the table, direction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = _button("results", "Table", "Results as a table (G)")
        self.gallery = _button("gallery", "Gallery", "Results as pictures (G)")
        self.preview = _button("image", "Preview", "The current result large, beside the others (P)")
        self._views = QButtonGroup(self)
        self.order = QComboBox()
        self.order.setAccessibleName("Order")
        self.order.setToolTip("In which order the results stand")
        self.order.setPlaceholderText("Another order")
        for words, _, _ in _ORDERS:
            self.order.addItem(words)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(tile.LEAST, tile.MOST)
        self.slider.setPageStep(32)
        self.slider.setFixedWidth(120)
        self.slider.setAccessibleName("Size of the pictures")
        self.slider.setToolTip("Size of the pictures")
        self.slider.setValue(number("side", tile.LEAST, tile.MOST, tile.USUAL))
        self.shots = QCheckBox("Shots too")
        self.shots.setToolTip("Count results of images that taught the detector too")
        self.note = QLabel()
        theme.set_role(self.note, "small")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for button in (self.table, self.gallery):
            self._views.addButton(button)
            layout.addWidget(button)
        layout.addSpacing(8)
        layout.addWidget(self.order)
        layout.addWidget(self.slider)
        layout.addStretch(1)
        layout.addWidget(self.note)
        layout.addWidget(self.shots)
        layout.addWidget(self.preview)
        self.show_shots(0)
        self._show(kept("view") == "gallery")
        self.gallery.toggled.connect(self._chosen)
        self.slider.valueChanged.connect(self.side_chosen)
        self.slider.sliderReleased.connect(self._keep_size)
        self.order.activated.connect(self._order_chosen)
        self.preview.clicked.connect(self._preview_chosen)

    @property
    def as_gallery(self) -> bool:
        return self.gallery.isChecked()

    def toggle(self) -> None:
        """The other way to show results."""
        (self.table if self.as_gallery else self.gallery).setChecked(True)

    def show_shots(self, count: int) -> None:
        """So many of the results shown taught the detector."""
        self.note.setText("" if self.shots.isChecked() else shots_said(count))
        self.shots.setVisible(count > 0)

    def wants_preview(self, width: int) -> bool:
        """Whether a preview is to stand in a page of this width: as somebody chose, else where there is room."""
        wanted = kept("preview")
        shown = wanted == "on" if wanted else width >= _WIDE
        self.preview.setChecked(shown)
        return shown

    def _preview_chosen(self, on: bool) -> None:
        keep("preview", "on" if on else "off")
        self.preview_chosen.emit()

    def show_order(self, column: int, order: Qt.SortOrder) -> None:
        """How the table is sorted."""
        now = SORTS[column], order == Qt.SortOrder.DescendingOrder
        places = [(sort, down) for _, sort, down in _ORDERS]
        with QSignalBlocker(self.order):
            self.order.setCurrentIndex(places.index(now) if now in places else -1)

    def _order_chosen(self, number: int) -> None:
        _, sort, down = _ORDERS[number]
        self.order_chosen.emit(
            SORTS.index(sort), Qt.SortOrder.DescendingOrder if down else Qt.SortOrder.AscendingOrder
        )

    def _chosen(self, gallery: bool) -> None:
        keep("view", "gallery" if gallery else "table")
        self._show(gallery)
        self.gallery_chosen.emit(gallery)

    def _show(self, gallery: bool) -> None:
        (self.gallery if gallery else self.table).setChecked(True)
        for widget in (self.order, self.slider):
            widget.setVisible(gallery)

    def _keep_size(self) -> None:
        keep("side", self.slider.value())


def _button(icon: str, words: str, tip: str) -> QToolButton:
    button = tool(icon, tip, checkable=True)
    button.setText(words)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button
