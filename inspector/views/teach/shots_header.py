"""Above the shots: which class they are of, and what can be done with it and with them; by right click too. Below,
in which range of values they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from inspector.images.value_range import ENDS, FULL, narrower, words
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import switch
from inspector.views.teach.class_list import ClassView, shots_text
from inspector.views.teach.shot_grid import ROW, ShotGrid
from inspector.views.viewer.image_dialog import ImageDialog

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.shots import ShotRow
    from inspector.views.shared.context import WindowContext
    from inspector.views.teach.edits import ClassEdits

_RANGE = "Values beyond the range are read as white. Teaching uses it; a detector keeps the one it was taught with."


class ShotsHeader(QWidget):
    """Whoever shows it connects its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.title = Elided()
        self.title.setMinimumWidth(40)
        self.title.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        theme.set_role(self.title, "title")
        self.count = QLabel()
        theme.set_role(self.count, "quiet")
        self.rename_button = _tool("rename", "Rename the class (F2)")
        self.remove_class_button = _tool("trash", "Remove the class")
        self.examine_button = _tool(
            "search", "What each shot is good for, and which part would be the best next one"
        )
        self.remove_button = QPushButton("Remove")
        self.remove_button.setIcon(icons.icon("trash"))
        self.remove_button.setToolTip("Remove the chosen shots (Del)")
        self.paste_button = _tool(
            "paste", "Add what the clipboard holds: a picture, or copied files (Ctrl+V)"
        )
        self.add_button = QPushButton("Add shots…")
        self.add_button.setIcon(icons.icon("add"))
        self.always = (self.add_button, self.paste_button, self.rename_button, self.remove_class_button)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 8)
        row.setSpacing(8)
        for widget in (self.title, self.count, self.rename_button, self.remove_class_button):
            row.addWidget(widget)
        row.addStretch(1)
        for button in (self.remove_button, self.examine_button, self.paste_button, self.add_button):
            row.addWidget(button)

    def show_class(self, row: ClassRow) -> None:
        self.title.setText(row.name)
        self.count.setText(shots_text(row.shots))
        switch(self.examine_button, "" if row.detector_id is not None else "Teach the class first.")

    def show_chosen(self, count: int) -> None:
        """How many shots can be removed now."""
        self.remove_button.setVisible(count > 0)
        self.remove_button.setText("Remove" if count <= 1 else f"Remove {count}")


class RangeChoice(QWidget):
    """In which range the files of a class are read, and whether another one suits them better. Hidden for files of 8 bits,
    which have no choice."""

    def __init__(self, edits: ClassEdits) -> None:
        super().__init__()
        self._edits = edits
        self._row: ClassRow | None = None
        self._shown: tuple[ClassRow | None, bool] = (None, False)
        self.choice = QComboBox()
        self.choice.setAccessibleName("Range of values")
        self.choice.setToolTip(_RANGE)
        label = QLabel("Va&lues")
        label.setBuddy(self.choice)
        self.said = QLabel()
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setWordWrap(True)
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.set_role(self.said, "warning")
        self.use = QPushButton()
        self.use.setToolTip(_RANGE)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 8)
        row.setSpacing(8)
        row.addWidget(label)
        row.addWidget(self.choice)
        row.addWidget(self.said, 1)
        row.addWidget(self.use)
        self.choice.activated.connect(lambda _place: self._choose(self.choice.currentData()))
        self.use.clicked.connect(self._take_offer)
        self.hide()

    def show_class(self, row: ClassRow | None, read_only: bool) -> None:
        if (row, read_only) == self._shown:  # an open list of choices stays open
            return
        self._row, self._shown = row, (row, read_only)
        self.setVisible(row is not None and row.range_counts)
        if row is None:
            return
        ends = sorted({*ENDS.values(), FULL, row.white or FULL})
        self.choice.clear()
        self.choice.addItem("As the files say", None)
        for end in ends:
            bits = f" ({end.bit_length()} bit)" if (end + 1).bit_count() == 1 else ""
            self.choice.addItem(f"{words(end)}{bits}", end)
        self.choice.setCurrentIndex(self.choice.findData(row.white))
        self.choice.setEnabled(not read_only)
        changed = row.note if row.range_changed else ""
        self.said.setText(f"{changed} {row.offer}".strip())
        self.use.setText(f"Use {words(narrower(row.modes))}")
        self.use.setVisible(bool(row.offer))
        self.use.setEnabled(not read_only)

    def _take_offer(self) -> None:
        if self._row is not None:
            self._choose(narrower(self._row.modes))

    def _choose(self, white: int | None) -> None:
        if self._row is not None and white != self._row.white:
            self._edits.choose_range(self._row, white)


def _tool(icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icons.icon(icon))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button


class ContextMenus(QObject):
    """What a right click and a double click do: the same as the header's buttons, where the hand is. What can't be done
    now is off, as its button is."""

    def __init__(
        self, context: WindowContext, grid: ShotGrid, classes: ClassView, header: ShotsHeader, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._context, self._grid, self._classes = context, grid, classes
        self._header, self._parent = header, parent
        for view, opens in ((grid, self._on_shots), (classes, self._on_classes)):
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            view.customContextMenuRequested.connect(opens)
        grid.doubleClicked.connect(self._show)

    def _show(self, index: QModelIndex) -> None:
        row: ShotRow = index.data(ROW)
        title = f"{row.class_name}: {row.name}"
        ImageDialog(self._context, row.path, title, self._parent, row.white, row.box).open()

    def _on_shots(self, at: QPoint) -> None:
        index, header = self._grid.indexAt(at), self._header
        menu = QMenu(self._parent)
        if index.isValid():
            row: ShotRow = index.data(ROW)
            menu.addAction("Show large").triggered.connect(lambda _checked=False: self._show(index))
            menu.addAction(icons.icon("folder"), "Show in folder").triggered.connect(
                lambda _checked=False: QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.path.parent)))
            )
            menu.addAction("Copy name").triggered.connect(
                lambda _checked=False: QGuiApplication.clipboard().setText(row.name)
            )
            menu.addSeparator()
            _press(menu, header.remove_button, header.remove_button.text(), "trash")
        else:
            _press(menu, header.paste_button, "Paste", "paste")
            _press(menu, header.add_button, "Add shots…", "add")
        self._open(menu, self._grid.viewport().mapToGlobal(at))

    def _on_classes(self, at: QPoint) -> None:
        if self._classes.indexAt(at).isValid():
            menu = QMenu(self._parent)
            _press(menu, self._header.rename_button, "Rename", "rename")
            _press(menu, self._header.add_button, "Add shots…", "add")
            menu.addSeparator()
            _press(menu, self._header.remove_class_button, "Remove the class", "trash")
            self._open(menu, self._classes.viewport().mapToGlobal(at))

    def _open(self, menu: QMenu, at: QPoint) -> None:
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)


def _press(menu: QMenu, button: QAbstractButton, words: str, icon: str) -> None:
    """An action that does what a button does, and is off when that is."""
    action = menu.addAction(icons.icon(icon), words)
    action.setEnabled(button.isEnabled() and not button.isHidden())
    action.triggered.connect(lambda _checked=False: button.click())
