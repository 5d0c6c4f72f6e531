"""The one large answer: colour, sign and word."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.look.verdict_chip import text

_NONE = "#737983"
_LARGEST = 420.0  # px


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
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._fill or tokens.base))
        painter.drawRoundedRect(QRectF(self.rect()), 12, 12)
        painter.setBrush(QColor(self._ink or tokens.quiet))
        inside = QRectF(self.rect()).adjusted(28, 20, -28, -16)
        if self.under:
            foot = min(inside.height() * 0.14, 34.0)
            _write(painter, self.under, inside.adjusted(0, inside.height() - foot, 0, 0), 20.0)
            inside.adjust(0, 0, 0, -foot - 8)
        if not self._fill:
            _write(painter, self.words, inside, 44.0)
        else:
            sign, _, word = self.words.partition(" ")
            _write(painter, sign, inside.adjusted(0, 0, 0, -inside.height() * 0.58), _LARGEST)
            _write(painter, word, inside.adjusted(0, inside.height() * 0.48, 0, 0), _LARGEST)
        painter.end()


def _write(painter: QPainter, words: str, room: QRectF, largest: float) -> None:
    """As large as there is room, in letters of `largest` px at most, in the middle. As a shape: a sign from another font than the
    letters would be measured wrongly."""
    font = theme.font(bold=True)
    font.setPixelSize(100)
    shape = QPainterPath()
    shape.addText(0, 0, font, words)
    drawn = shape.boundingRect()
    if drawn.isEmpty() or room.isEmpty():
        return
    scale = min(room.width() / drawn.width(), room.height() / drawn.height(), largest / 100)
    painter.save()
    painter.translate(room.center())
    painter.scale(scale, scale)
    painter.translate(-drawn.center())
    painter.drawPath(shape)
    painter.restore()
