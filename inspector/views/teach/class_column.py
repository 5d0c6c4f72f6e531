"""The left side of the Teach page: the classes, and where a new one is named."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from inspector.views.look import icons, theme
from inspector.views.look.labels import wrapped
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.teach.class_list import ClassModel, ClassView


class ClassColumn(QWidget):
    add_requested = Signal(str)  # a name; answered by `added` or `refuse`

    def __init__(self, thumbnails: Thumbnails, model: ClassModel) -> None:
        super().__init__()
        self.setMinimumWidth(200)
        self.setMaximumWidth(420)
        theme.set_role(self, "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        heading = QLabel("Classes")
        theme.set_role(heading, "heading")
        self.view = ClassView(thumbnails)
        self.view.setModel(model)
        self.add_button = QPushButton("Add class")
        self.add_button.setIcon(icons.icon("add"))
        self.add_button.setToolTip("Add a class (Ctrl+Shift+N)")
        self.add_button.clicked.connect(self.ask)
        self.name = QLineEdit()
        self.name.setPlaceholderText("Name of the part, then Enter")
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the new class")
        self.name.returnPressed.connect(self._typed)
        self.problem = wrapped("error")
        self.name.textEdited.connect(lambda _text: self.problem.hide())
        self.name.hide()
        self.problem.hide()
        foot = QVBoxLayout()
        foot.setContentsMargins(12, 8, 12, 12)
        foot.setSpacing(8)
        for widget in (self.name, self.problem, self.add_button):
            foot.addWidget(widget)
        head = QHBoxLayout()
        head.setContentsMargins(16, 16, 8, 8)
        head.addWidget(heading)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        column.addLayout(foot)

    def ask(self) -> None:
        """Let a name be typed."""
        self.name.show()
        self.name.setFocus()

    def rename(self) -> None:
        """Let the chosen class be renamed in its place."""
        self.view.edit(self.view.currentIndex())

    def added(self) -> None:
        """The class that was asked for is there."""
        self.name.clear()
        self.name.hide()
        self.problem.hide()

    def refuse(self, why: str) -> bool:
        """Say below the typed name why it can't be; False when nobody typed one."""
        if not self.name.isVisible():
            return False
        self.problem.setText(why)
        self.problem.show()
        self.name.selectAll()
        return True

    def _typed(self) -> None:
        name = " ".join(self.name.text().split())
        if name:
            self.add_requested.emit(name)
        else:
            self.name.hide()
