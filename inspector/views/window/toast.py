"""What the window says without a dialog: a toast at its foot, a banner below its tabs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.errors import InspectorError
from inspector.views.look import icons, theme
from inspector.views.look.labels import plain

_ABOVE = 88  # px: over the status bar and the row of tools that a page has at its foot


class Toast(QFrame):
    """A line, or two, for a few seconds above the foot of its parent, with Undo where something can be undone."""

    SECONDS = 6.0

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setObjectName("toast")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        theme.set_role(self, "card")
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 4)
        shadow.setColor(QColor(0, 0, 0, 110))
        self.setGraphicsEffect(shadow)
        self._undo: Callable[[], None] | None = None
        self._text = ""
        self.label = QLabel(self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.undo_button = QPushButton("Undo", self)
        theme.set_role(self.undo_button, "link")
        self.undo_button.setToolTip("Undo (Ctrl+Z)")
        self.undo_button.clicked.connect(self._take_back)
        close = QToolButton(self)
        close.setIcon(icons.icon("close"))
        close.setToolTip("Dismiss")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 8, 4)
        row.setSpacing(12)
        row.addWidget(self.label)
        row.addWidget(self.undo_button)
        row.addWidget(close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._leave)
        parent.installEventFilter(self)
        self.hide()

    def say(self, text: str, undo: Callable[[], None] | None = None) -> None:
        self._undo = undo
        self._text = " ".join(text.split())
        self.label.setToolTip(plain(text))
        self.undo_button.setVisible(undo is not None)
        self._place()
        self.show()
        self.raise_()
        self._timer.start(int(self.SECONDS * 1000))

    def forget(self) -> None:
        """Something else was done or undone since: Undo here would now take back that."""
        if self._undo is not None:
            self.hide()
            self._undo = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def _leave(self) -> None:
        if self.underMouse():  # somebody is about to press Undo
            self._timer.start(1000)
        else:
            self.hide()

    def _take_back(self) -> None:
        undo, self._undo = self._undo, None
        self.hide()
        if undo is not None:
            undo()

    def _place(self) -> None:
        room = max(200, self._window.width() - 240)
        metrics = self.label.fontMetrics()
        wraps = metrics.horizontalAdvance(self._text) > room  # into two lines at most
        self.label.setWordWrap(wraps)
        self.label.setFixedWidth(room if wraps else metrics.horizontalAdvance(self._text) + 4)
        self.label.setText(metrics.elidedText(self._text, Qt.TextElideMode.ElideMiddle, round(1.8 * room)))
        self.adjustSize()
        parent = self._window
        self.move((parent.width() - self.width()) // 2, parent.height() - self.height() - _ABOVE)


class Banner(QFrame):
    """An error that stays until it is read: what happened and why, what to do, and a button for that if there is."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme.set_role(self, "banner")
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message = QLabel(self)
        self.hint = QLabel(self)
        for label in (self.message, self.hint):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        theme.set_role(self.message, "heading")
        theme.set_role(self.hint, "quiet")
        self.button = QPushButton(self)
        self._action: Callable[[], None] | None = None
        self.button.clicked.connect(self._act)
        close = QToolButton(self)
        close.setIcon(icons.icon("close"))
        close.setToolTip("Dismiss")
        close.setAccessibleName("Dismiss")
        close.clicked.connect(self.dismiss)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self._icon, alignment=Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(words, 1)
        row.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(close, alignment=Qt.AlignmentFlag.AlignTop)
        self.hide()

    def say(self, error: InspectorError, button: str = "", action: Callable[[], None] | None = None) -> None:
        self.message.setText(error.message)
        self.hint.setText(error.hint)
        self.hint.setVisible(bool(error.hint))
        self._action = action
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._icon.setPixmap(
            icons.pixmap("error", theme.tokens().danger, theme.ICON, self.devicePixelRatioF())
        )
        self.show()

    def dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()

    def _act(self) -> None:
        action, self._action = self._action, None
        self.dismiss()
        if action is not None:
            action()
