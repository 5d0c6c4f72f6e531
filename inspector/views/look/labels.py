"""Labels for words that come from outside: plain text, so that no file name is read as markup."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from inspector.views.look import theme


def wrapped(role: str = "") -> QLabel:
    """A label of as many lines as its words need, in the theme's `role`."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    if role:
        theme.set_role(label, role)
    return label
