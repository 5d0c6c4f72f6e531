"""The form for a new project."""

import re
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
)

from inspector import paths
from inspector.views.look import theme


class NewForm(QFrame):
    """Name and folder of a new project; the folder follows the name until it is chosen."""

    def __init__(self) -> None:
        super().__init__()
        theme.set_role(self, "card")
        self._parent_folder = paths.documents_dir()
        self.name = QLineEdit()
        self.name.setPlaceholderText("For instance: Gearbox line 3")
        self.name.setMaxLength(80)
        self.folder = QLineEdit()
        browse = QPushButton("Browse…")
        browse.clicked.connect(self._browse)
        self.make = QPushButton("Create project")
        theme.set_role(self.make, "primary")
        self.make.setEnabled(False)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.hide)
        self.name.textChanged.connect(self._follow)
        self.name.returnPressed.connect(self.make.click)
        self.folder.returnPressed.connect(self.make.click)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("Name"), 0, 0)
        grid.addWidget(self.name, 0, 1, 1, 2)
        grid.addWidget(QLabel("Folder"), 1, 0)
        grid.addWidget(self.folder, 1, 1)
        grid.addWidget(browse, 1, 2)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.make)
        grid.addLayout(buttons, 2, 0, 1, 3)
        self._follow("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _follow(self, text: str) -> None:
        safe = re.sub(r"[^\w .()+-]+", "-", " ".join(text.split())).strip(" .-")[:60]
        self.folder.setText(str(self._parent_folder / (safe or "New project")))
        self.make.setEnabled(bool(text.strip()))

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Put the project in", str(self._parent_folder))
        if chosen:
            self._parent_folder = Path(chosen)
            self._follow(self.name.text())
