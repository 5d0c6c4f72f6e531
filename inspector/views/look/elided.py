"""A label that gives way. Apart from the other small widgets, because superqt must not be loaded before the window is
on screen."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QSizePolicy
from superqt.elidable import QElidingLabel

from inspector.views.look import theme
from inspector.views.look.labels import plain


class Elided(QElidingLabel):  # type: ignore[misc]
    """Too long a text is shortened in the middle and told whole in the tool tip; `text()` is the whole."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        if role:
            theme.set_role(self, role)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        whole = " ".join(text.split())
        super().setText(whole)
        self.setToolTip(plain(whole))
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Of the whole text: by that of the shortened one it would stay short."""
        wide = self.fontMetrics().horizontalAdvance(self.text()) + 4
        return QSize(wide, super().sizeHint().height())
