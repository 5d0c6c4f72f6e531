"""What moved at a station, as a list: what it points to, since when, and the pictures that show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from inspector.text import printable
from inspector.views.look import icons, theme
from inspector.views.look.kit import scrolling
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.line.alarms import AlarmRow

_ICONS = {
    "light or exposure": "sun",
    "focus": "image",
    "lamp or white balance": "sun",
    "another product, or how it lies": "class",
    "material or process": "warning",
}


class AlarmCard(QFrame):
    """`opened` on a click or Enter."""

    opened = Signal(object)  # AlarmRow

    def __init__(self, row: AlarmRow) -> None:
        super().__init__()
        self.row = row
        theme.set_role(self, "clickable")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        head = QHBoxLayout()
        head.setSpacing(6)
        icon = QLabel()
        colour = theme.tokens().quiet if row.until else theme.tokens().warning
        icon.setPixmap(
            icons.pixmap(_ICONS.get(row.causes[0].value, "warning"), colour, 16, self.devicePixelRatioF())
        )
        self.when = wrapped("heading" if row.until is None else "quiet")
        self.when.setText(when_words(row))
        head.addWidget(icon)
        head.addWidget(self.when, 1)
        self.words = wrapped()
        self.words.setText(row.words)
        self.more = wrapped("small")
        shown = len(row.result_ids)
        pictures = (
            f"Open the first {shown} pictures that show it" if shown > 1 else "Open the picture that shows it"
        )
        self.more.setText(" · ".join(filter(None, (printable(row.class_name), pictures if shown else ""))))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.words)
        column.addWidget(self.more)
        self.setAccessibleName(f"{self.when.text()}. {row.words}")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.opened.emit(self.row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit(self.row)
        else:
            super().keyPressEvent(event)


class AlarmList(QWidget):
    """Newest first. `opened(AlarmRow)`."""

    opened = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[AlarmCard] = []
        self.heading = QLabel("Drift")
        theme.set_role(self.heading, "heading")
        self.reference = wrapped("small")
        self.none = wrapped("quiet")
        inside = QWidget()
        self._cards = QVBoxLayout(inside)
        self._cards.setContentsMargins(12, 0, 12, 12)
        self._cards.setSpacing(8)
        self._cards.addWidget(self.none)
        self._cards.addStretch(1)
        scroll = scrolling(inside, "Alarms")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        head = QVBoxLayout()
        head.setContentsMargins(12, 0, 12, 0)
        head.setSpacing(2)
        head.addWidget(self.heading)
        head.addWidget(self.reference)
        column.addLayout(head)
        column.addWidget(scroll, 1)

    def show_reference(self, words: str) -> None:
        """What drift is told from; "" where that isn't known."""
        self.reference.setText(f"Held against {words}" if words else "")

    def show_rows(self, rows: Sequence[AlarmRow], none: str) -> None:
        """`none`: what is said where there are none."""
        self.none.setText(none)
        self.none.setVisible(not rows)
        if [card.row for card in self.cards] == list(rows):
            return
        for card in self.cards:
            self._cards.removeWidget(card)
            card.deleteLater()
        self.cards = [AlarmCard(row) for row in rows]
        for place, card in enumerate(self.cards):
            card.opened.connect(self.opened)
            self._cards.insertWidget(place, card)


def when_words(row: AlarmRow) -> str:
    """ "Since 27 Nov 14:32", "27 Nov 14:32 – 15:10"; today's without the day."""
    since = row.since.astimezone()
    if row.until is None:
        return f"Since {_moment(since)}"
    until = row.until.astimezone()
    end = f"{until:%H:%M}" if until.date() == since.date() else _moment(until)
    return f"{_moment(since)} – {end}"


def _moment(moment: datetime) -> str:
    today = moment.date() == datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if today else f"{moment:%d %b %H:%M}"
