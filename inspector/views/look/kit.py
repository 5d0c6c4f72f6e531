"""Small widgets and dialogs that every page uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain


def tool(icon: str, words: str, *, checkable: bool = False) -> QToolButton:
    """A small button with an icon; `words` are its tool tip and its name for screen readers."""
    button = QToolButton()
    button.setIcon(icons.icon(icon))
    button.setIconSize(QSize(theme.ICON, theme.ICON))
    button.setToolTip(words)
    button.setAccessibleName(words)
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


class Fold(QToolButton):
    """A heading that opens and closes what stands under it."""

    def __init__(self, words: str, inside: QWidget) -> None:
        super().__init__()
        self._inside = inside
        self.setText(words)
        self.setCheckable(True)
        theme.set_role(self, "fold")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.toggled.connect(self._show)
        self._show(False)

    def _show(self, on: bool) -> None:
        self.setIcon(icons.icon("down" if on else "right"))
        self._inside.setVisible(on)


def switch(button: QAbstractButton, why_not: str) -> None:
    """On where `why_not` is "", else off, and its tool tip says why instead of what it does."""
    if button.property("usual") is None:
        button.setProperty("usual", button.toolTip())
    button.setEnabled(not why_not)
    button.setToolTip(plain(why_not) or button.property("usual"))


def choice(group: QButtonGroup, words: str, tip: str, on: bool = False) -> QToolButton:
    """One of several tools, of which one is in hand."""
    button = QToolButton()
    button.setText(words)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setChecked(on)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    group.addButton(button)
    return button


def around(
    canvas: QWidget, dialog: QDialog, tools: QHBoxLayout, said: QWidget, buttons: QDialogButtonBox
) -> None:
    """Lay a dialog out in which something is drawn: tools above the canvas, a sentence and the buttons below."""
    tools.setContentsMargins(12, 8, 12, 8)
    tools.setSpacing(4)
    under = QHBoxLayout()
    under.setContentsMargins(12, 8, 12, 12)
    under.addWidget(said, 1)
    under.addWidget(buttons)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addLayout(tools)
    column.addWidget(canvas, 1)
    column.addLayout(under)


class _Narrow(QComboBox):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText or self.placeholderText(), Qt.TextElideMode.ElideRight, room.width()
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def narrow_combo(words: str) -> QComboBox:
    """A combo box that gives way: long entries are shortened rather than widening the panel."""
    combo = _Narrow()
    combo.setToolTip(words)
    combo.setAccessibleName(words)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def scrolling(inside: QWidget, name: str) -> QScrollArea:
    """`inside` in a place that may be lower: it scrolls up and down, also by keys, for which `name` is read out."""
    area = QScrollArea()
    area.setAccessibleName(name)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area


def centred_column(page: QWidget, name: str, widest: int, top: int = 32) -> QVBoxLayout:
    """Make `page` one column in its middle, at most `widest` px wide, that scrolls (see `scrolling`); `top`: px above it."""
    inside = QWidget()
    inside.setMaximumWidth(widest)
    column = QVBoxLayout(inside)
    column.setContentsMargins(32, top, 32, 32)
    column.setSpacing(8)
    centred = QWidget()
    row = QHBoxLayout(centred)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(inside, 100)
    row.addStretch(1)
    whole = QVBoxLayout(page)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(scrolling(centred, name))
    return column


def quiet_table(table: QTableView, name: str, row_height: int) -> None:
    """Whole rows to choose one of and nothing to write in, without lines; `name` is for screen readers."""
    table.setAccessibleName(name)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setFrameShape(QTableView.Shape.NoFrame)
    table.horizontalHeader().setHighlightSections(False)
    rows = table.verticalHeader()
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setMinimumSectionSize(row_height)
    rows.setDefaultSectionSize(row_height)


def word_table(headings: Sequence[str], name: str, stretched: int) -> QTableWidget:
    """A quiet table of words, filled by `fill`; one column takes the room that the others leave."""
    table = QTableWidget(0, len(headings))
    table.setHorizontalHeaderLabels(headings)
    quiet_table(table, name, 30)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(stretched, QHeaderView.ResizeMode.Stretch)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return table


def fill(table: QTableWidget, rows: Sequence[Sequence[str]]) -> None:
    """The rows of a `word_table`; what is cut off can be read in a tool tip."""
    table.setRowCount(len(rows))
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            item = QTableWidgetItem(text)
            item.setToolTip(plain(text))
            table.setItem(number, column, item)


def choose_images(parent: QWidget, title: str) -> list[Path]:
    """Let image files be chosen; empty when nobody chose any."""
    from inspector.images.read import SUFFIXES

    patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    names, _ = QFileDialog.getOpenFileNames(parent, title, "", f"Images ({patterns});;All files (*)")
    return [Path(name) for name in names]
