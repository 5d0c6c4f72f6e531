"""What a drop will do, said over the whole window while files are held over it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from inspector.views.look import theme


class DropSign(QLabel):
    """Covers the window while files are held over it, and says what a drop will do."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def say(self, text: str) -> None:
        t = theme.tokens()
        shade = "rgba(27, 29, 32, 215)" if t.dark else "rgba(233, 234, 236, 225)"
        self.setStyleSheet(
            f"background: {shade}; border: 2px dashed {theme.ACCENT}; color: {t.text};"
            " font-size: 16pt; font-weight: 600;"
        )
        self.setText(text)
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
