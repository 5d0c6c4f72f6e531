"""A field for a number, which says in words why it doesn't take something."""

from __future__ import annotations

import math
import re

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QWidget

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)


class NumberField(QLineEdit):
    """`entered(value)` when another number was typed (Enter, or the focus leaves). What isn't a number from `low` to
    `high` is `refused(words)`, and the number before stands there again."""

    entered = Signal(float)
    refused = Signal(str)

    def __init__(
        self, name: str, parent: QWidget | None = None, *, word: tuple[str, float] | None = None
    ) -> None:
        """`word`: stands for one number, and may be typed."""
        super().__init__(parent)
        self._word, self._worth = word or ("", math.nan)
        self.setAccessibleName(name)
        self.low, self.high = 0.0, 1.0
        self._value, self._decimals, self._shown = 0.0, 3, ""
        self.editingFinished.connect(self._take)

    @property
    def value(self) -> float:
        return self._value

    def set_range(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def set_value(self, value: float, decimals: int = 3) -> None:
        """Show a number; what is being typed gives way."""
        self._value, self._decimals = value, decimals
        self._shown = self._word if value == self._worth else f"{value:.{decimals}f}"
        if self.text() != self._shown:
            self.setText(self._shown)

    def _take(self) -> None:
        typed = self.text().strip()
        if typed == self._shown:
            return
        number = float(typed.replace(",", ".")) if _NUMBER.fullmatch(typed) else math.nan
        if typed.casefold() == self._word:
            number = self._worth
        if number == self._worth or self.low <= number <= self.high:
            self.set_value(number, self._decimals)
            self.entered.emit(number)
            return
        self.setText(self._shown)
        self.selectAll()
        what = f"“{typed[:20]}” isn't taken: type" if typed else "Type"
        self.refused.emit(f"{what} a number from {self.low:g} to {self.high:g}.")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if not steps:
            super().keyPressEvent(event)
            return
        if self._value == self._worth:
            return  # there is no next one
        stepped = self._value + steps * 10.0**-self._decimals
        self.setText(f"{min(max(stepped, self.low), self.high):.{self._decimals}f}")
        self._take()

    def event(self, event: QEvent) -> bool:
        """Ctrl+Z is the window's unless something is being typed here."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and self.text() == self._shown
            and (event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo))
        ):
            event.ignore()
            return False
        return super().event(event)
