"""What an empty page says: one sentence and one button."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from inspector.views.look import icons, theme


class EmptyState(QWidget):
    """`button` is the next step; `more` is a quieter second line, for instance that files may be dropped."""

    def __init__(self, icon: str, sentence: str, button: str, more: str = "") -> None:
        super().__init__()
        self._icon_name = icon
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence = QLabel(sentence)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setWordWrap(True)
        self.button = QPushButton(button)
        theme.set_role(self.button, "primary")
        self.more = QLabel(more)
        self.more.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.more.setWordWrap(True)
        theme.set_role(self.more, "quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 32, 32, 32)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(self._icon)
        column.addWidget(self.sentence)
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.more)
        self.more.setVisible(bool(more))  # only now: without a parent it would be a window for a moment
        column.addStretch(3)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._draw()

    def _draw(self) -> None:
        self._icon.setPixmap(
            icons.pixmap(self._icon_name, theme.tokens().faint, 40, self.devicePixelRatioF())
        )
