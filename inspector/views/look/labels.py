"""Labels for words that come from outside: plain text, so that no file name is read as markup."""

import re

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from inspector.views.look import theme


def plain(text: str) -> str:
    """`text` as it is, also where Qt guesses whether it is markup (tool tips): a name must not open a file."""
    return text.replace("<", "<\u200b")


_LONGEST = 24
"""Letters of a word that stay together: names without spaces would push whatever is beside them out of the window."""


class _Wrapped(QLabel):
    def __init__(self) -> None:
        super().__init__()
        self._said = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def setText(self, text: str) -> None:
        self._said = text
        super().setText(re.sub(rf"\S{{{_LONGEST}}}(?=\S)", lambda part: f"{part[0]}\u200b", text))

    def text(self) -> str:
        return self._said


def wrapped(role: str = "") -> QLabel:
    """A label of as many lines as its words need, in the theme's `role`."""
    label = _Wrapped()
    if role:
        theme.set_role(label, role)
    return label
