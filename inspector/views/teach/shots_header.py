"""Above the shots: which class they are of, and what can be done with it and with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.teach.class_list import shots_text

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow


class ShotsHeader(QWidget):
    """Whoever shows it connects its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.title, "title")
        self.count = QLabel()
        theme.set_role(self.count, "quiet")
        self.rename_button = _tool("rename", "Rename the class (F2)")
        self.remove_class_button = _tool("trash", "Remove the class")
        self.remove_button = QPushButton("Remove")
        self.remove_button.setIcon(icons.icon("trash"))
        self.remove_button.setToolTip("Remove the chosen shots (Del)")
        self.paste_button = QPushButton("Paste")
        self.paste_button.setIcon(icons.icon("paste"))
        self.paste_button.setToolTip("Add what the clipboard holds: a picture, or copied files (Ctrl+V)")
        self.add_button = QPushButton("Add shots…")
        self.add_button.setIcon(icons.icon("add"))
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 12, 16, 8)
        row.setSpacing(8)
        for widget in (self.title, self.count, self.rename_button, self.remove_class_button):
            row.addWidget(widget)
        row.addStretch(1)
        for button in (self.remove_button, self.paste_button, self.add_button):
            row.addWidget(button)

    def show_class(self, row: ClassRow) -> None:
        metrics = self.title.fontMetrics()
        self.title.setText(metrics.elidedText(row.name, Qt.TextElideMode.ElideRight, 360))
        self.title.setToolTip(plain(row.name))
        self.count.setText(shots_text(row.shots))

    def show_chosen(self, count: int) -> None:
        """How many shots can be removed now."""
        self.remove_button.setVisible(count > 0)
        self.remove_button.setText("Remove" if count <= 1 else f"Remove {count}")

    def set_read_only(self, read_only: bool) -> None:
        for button in (self.add_button, self.paste_button, self.rename_button, self.remove_class_button):
            button.setEnabled(not read_only)


def _tool(icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icons.icon(icon))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
