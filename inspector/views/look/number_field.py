"""A field for one number that says in words what it can't take, instead of making something else of it."""

from __future__ import annotations

import math

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from inspector.text import printable


class NumberField(QLineEdit):
    """`changed(value)` when a number was typed that can be taken, `refused(sentence)` when it can't; the field then
    shows the last good number again."""

    changed = Signal(float)
    refused = Signal(str)

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        """`what`: the number's name, to begin a sentence with."""
        super().__init__(parent)
        self._what = what
        self._range = (-math.inf, math.inf)
        self._decimals = 3
        self.value = 0.0
        self.setAccessibleName(what)
        self.editingFinished.connect(self._typed)

    def set_range(self, low: float, high: float, decimals: int) -> None:
        self._range, self._decimals = (low, high), decimals

    def set_value(self, value: float) -> None:
        """Show a number, whatever its size. Says nothing."""
        self.value = value
        self.setText(self._words(value))
        self.setModified(False)

    def _words(self, value: float) -> str:
        return f"{value:.{self._decimals}f}"

    def _typed(self) -> None:
        if not self.isModified():
            return
        text = self.text().strip()
        try:
            value = float(text.replace(",", ".").replace("−", "-"))
        except ValueError:
            self._refuse(f"“{printable(text)}” is no number.")
            return
        low, high = self._range
        if low <= value <= high:
            self.set_value(value)
            self.changed.emit(value)
        else:
            self._refuse(
                f"{self._what} lies between {self._words(low)} and {self._words(high)}, not at {printable(text)}."
            )

    def _refuse(self, sentence: str) -> None:
        self.set_value(self.value)
        self.refused.emit(sentence)
