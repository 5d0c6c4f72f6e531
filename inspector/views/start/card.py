"""What can be clicked as a whole: the large buttons of the first page."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout

from inspector.views.look import icons, theme


class Clickable(QFrame):
    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.set_role(self, "clickable")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)


class Card(Clickable):
    """A large button: icon, title, one sentence."""

    def __init__(self, icon: str, title: str, line: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        picture = QLabel()
        picture.setPixmap(icons.icon(icon, theme.ACCENT).pixmap(QSize(24, 24), self.devicePixelRatioF()))
        words = QLabel(title)
        theme.set_role(words, "heading")
        self.line = QLabel(line)
        self.line.setWordWrap(True)
        self.line.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.line.setMinimumHeight(self.line.fontMetrics().lineSpacing() * 2)
        theme.set_role(self.line, "quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        for widget in (picture, words, self.line):
            column.addWidget(widget)
        column.addStretch(1)

    def say(self, line: str) -> None:
        self.line.setText(line)
