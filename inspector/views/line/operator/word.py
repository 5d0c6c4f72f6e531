"""The one large answer: colour, sign and word."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.look.verdict_chip import text

_NONE = "#737983"
_LONG = "? Review"
"""No answer is written larger than this one fits, so that the letters don't jump from part to part."""


class BigWord(QWidget):
    """`show_decision` fills it with the verdict's colour; `show_words` is quiet, for where there is no verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(96)
        self.words = ""
        self.under = ""
        self._fill, self._ink = "", ""

    def show_decision(self, decision: Decision | None, under: str = "") -> None:
        """None: it could not be judged."""
        self.words, self.under = text(decision), under
        self._fill = theme.VERDICTS[decision] if decision else _NONE
        self._ink = theme.ON_VERDICTS[decision] if decision else "#ffffff"
        self._changed()

    def show_words(self, words: str, under: str = "") -> None:
        self.words, self.under, self._fill, self._ink = words, under, "", ""
        self._changed()

    @property
    def colour(self) -> str:
        """What fills it; "": nothing."""
        return self._fill

    def sizeHint(self) -> QSize:
        return QSize(320, 180)

    def _changed(self) -> None:
        self.setAccessibleName(f"{self.words} {self.under}".strip())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme.tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._fill or tokens.base))
        painter.drawRoundedRect(box, 12, 12)
        ink = QColor(self._ink or tokens.quiet)
        painter.setPen(ink)
        inside = box.adjusted(24, 12, -24, -12)
        foot = inside.height() * 0.2 if self.under else 0.0
        large = inside.adjusted(0, 0, 0, -foot)
        painter.setFont(_fitting(self.words, large, _LONG if self._fill else ""))
        painter.drawText(large, Qt.AlignmentFlag.AlignCenter, self.words)
        if self.under:
            small = QRectF(inside.left(), large.bottom(), inside.width(), foot)
            painter.setFont(_fitting(self.under, small, ""))
            painter.drawText(small, Qt.AlignmentFlag.AlignCenter, self.under)
        painter.end()


def _fitting(words: str, room: QRectF, least: str) -> QFont:
    """The largest bold font in which the words, and `least`, fit the room."""
    font = theme.font(bold=True)
    font.setPixelSize(100)
    metrics = QFontMetricsF(font)
    wide = max(metrics.horizontalAdvance(words), metrics.horizontalAdvance(least), 1.0)
    scale = min(room.width() / wide, room.height() / metrics.height(), 2.4)
    font.setPixelSize(max(9, int(100 * scale)))
    return font
