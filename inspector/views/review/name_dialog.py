"""Who judges: asked once, before the first word on a result is stored."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from inspector.errors import SettingsError
from inspector.views.look import theme

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext

_NOBODY = {"root", "admin", "administrator", "user", "guest"}


def _account() -> str:
    """The name of the account where that says who somebody is."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return ""
    return "" if name.casefold() in _NOBODY else name


class NameDialog(QDialog):
    """Keeps the name in the settings when it is accepted."""

    def __init__(self, context: WindowContext, parent: QWidget) -> None:
        super().__init__(parent)
        self.context = context
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Who judges?")
        words = QLabel("Your name will stand beside your verdicts. Preferences can change it.")
        words.setWordWrap(True)
        self.name = QLineEdit(_account())
        self.name.setAccessibleName("Your name")
        self.name.setPlaceholderText("Your name")
        self.said = QLabel()
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.said, "error")
        self.said.hide()
        buttons = QDialogButtonBox()
        sign = buttons.addButton("Sign", QDialogButtonBox.ButtonRole.AcceptRole)
        sign.setDefault(True)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        for widget in (words, self.name, self.said, buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(360)
        self.name.setFocus()

    def accept(self) -> None:
        name = " ".join(self.name.text().split())
        if not name:
            self._say("Type your name, or leave with Cancel: then nothing is stored.")
            return
        try:
            self.context.settings.reviewer = name
        except SettingsError as error:
            self._say(f"{error.message} {error.hint}")
            return
        self.context.save_settings()
        super().accept()

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.show()
