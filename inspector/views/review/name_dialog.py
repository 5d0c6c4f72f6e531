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


def keep_name(context: WindowContext, typed: str) -> str:
    """Whoever types this judges from now on; why the settings don't take the name, or ""."""
    name = " ".join(typed.split())
    if name != context.settings.reviewer:
        try:
            context.settings.reviewer = name
        except SettingsError as error:
            return f"{error.message} {error.hint}"
        context.save_settings()
    return ""


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
        if not self.name.text().strip():
            self._say("Type your name, or leave with Cancel: then nothing is stored.")
        elif problem := keep_name(self.context, self.name.text()):
            self._say(problem)
        else:
            super().accept()

    def _say(self, text: str) -> None:
        self.said.setText(text)
        self.said.show()
