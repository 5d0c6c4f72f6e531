"""The side of the operator view that people read and press: the answer, what to say of it, the counters, the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision
from inspector.views.line.operator.word import BigWord
from inspector.views.line.words import counted
from inspector.views.look import icons, theme
from inspector.views.look.words import share_text

if TYPE_CHECKING:
    from inspector.records.line.tally import Tally
    from inspector.views.line.operator.reads import Counted


class Counters(QFrame):
    """Yield and counts of the shift, or of the order."""

    def __init__(self, title: str) -> None:
        super().__init__()
        theme.set_role(self, "card")
        self.title = QLabel(title)
        theme.set_role(self.title, "small")
        self.share = QLabel("–")
        theme.set_role(self.share, "title")
        self.share.setFont(theme.font("title", bold=True, figures=True))
        self.counts = QLabel()
        self.counts.setFont(theme.font(figures=True))
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.head.addWidget(self.title)
        self.head.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 10)
        column.setSpacing(2)
        column.addLayout(self.head)
        column.addWidget(self.share)
        column.addWidget(self.counts)

    def show_tally(self, tally: Tally) -> None:
        share = tally.share_ok
        self.share.setText("no parts yet" if share is None else f"{share_text(share, '.1f')} yield")
        self.counts.setText(counted(tally.counts))


class SidePanel(QWidget):
    """`confirm` agrees with the answer that is shown, `other` says the opposite."""

    confirmed = Signal()
    contradicted = Signal()
    check_requested = Signal()
    lot_typed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.word = BigWord()
        self.confirm = _large("Confirm", "accept", "What was said is right (A)")
        self.other = _large("False alarm", "override", "What was said is wrong (X)")
        self.check = _large("Start shift check", "golden", "Check the golden set, and keep the record")
        self.confirm.clicked.connect(self.confirmed)
        self.other.clicked.connect(self.contradicted)
        self.check.clicked.connect(self.check_requested)
        self.shift = Counters("Shift")
        self.order = Counters("Order")
        self.lot = QLineEdit()
        self.lot.setPlaceholderText("Order number")
        self.lot.setAccessibleName("Order number")
        self.lot.setMaxLength(80)
        self.lot.setMinimumWidth(160)
        self.lot.editingFinished.connect(lambda: self.lot_typed.emit(self.lot.text()))
        self.order.head.addWidget(self.lot)
        buttons = QGridLayout()
        buttons.setSpacing(12)
        buttons.addWidget(self.confirm, 0, 0)
        buttons.addWidget(self.other, 0, 1)
        buttons.addWidget(self.check, 1, 0, 1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.word, 1)
        column.addLayout(buttons)
        column.addWidget(self.shift)
        column.addWidget(self.order)
        self.show_buttons(None, False)

    def show_buttons(self, said: Decision | None, known: bool) -> None:
        """What can be said of the part in sight. `known` False: there is none, or it could not be judged."""
        words = {
            Decision.OK: ("It is OK", "It is NG"),
            Decision.REVIEW: ("It is NG", "It is OK"),
            Decision.NG: ("Confirm NG", "False alarm"),
            Decision.OTHER: ("Confirm", "It is OK"),
        }
        usual = "Confirm", "False alarm"
        agree, differ = words.get(said, usual) if said else usual
        self.confirm.setText(agree)
        self.other.setText(differ)
        for button in (self.confirm, self.other):
            button.setEnabled(known and said is not None)

    def show_counted(self, counted: Counted) -> None:
        self.shift.title.setText(f"Shift since {counted.begun:%H:%M}")
        self.shift.show_tally(counted.shift)
        self.order.setVisible(True)
        self.order.show_tally(counted.order)
        self.order.share.setVisible(bool(counted.lot))
        self.order.counts.setVisible(bool(counted.lot))
        if not self.lot.hasFocus() and self.lot.text() != counted.lot:
            self.lot.setText(counted.lot)


def _large(words: str, icon: str, tip: str) -> QPushButton:
    button = QPushButton(words)
    button.setIcon(icons.icon(icon))
    button.setIconSize(QSize(24, 24))
    button.setToolTip(tip)
    theme.set_role(button, "large")
    return button
