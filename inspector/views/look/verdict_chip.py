"""How a verdict looks everywhere: always colour and sign and word."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import Decision
from inspector.views.look import theme

_NO_VERDICT = "#737983"


def text(decision: Decision | None) -> str:
    """ "✕ NG" and so on; an image that failed has no verdict."""
    return theme.verdict_text(decision) if decision else "! Failed"


def paint(painter: QPainter, box: QRectF, decision: Decision | None, font: QFont) -> None:
    """A filled pill with sign and word; grey where there is no verdict."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.VERDICTS[decision] if decision else _NO_VERDICT))
    painter.drawRoundedRect(box, 4, 4)
    painter.setFont(font)
    painter.setPen(QColor(theme.ON_VERDICTS[decision] if decision else "#ffffff"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text(decision))
    painter.restore()


def width(font: QFont, decision: Decision | None) -> int:
    """Of a verdict's pill in `font`: the same for all, but for the one with a long word."""
    metrics = QFontMetrics(font)
    usual = (one for one in (*Decision, None) if one is not Decision.OTHER)
    return max(metrics.horizontalAdvance(text(one)) for one in (*usual, decision)) + 16


class VerdictChip(QWidget):
    """One verdict, larger, for the head of a panel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._decision: Decision | None = None
        self._shown = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_decision(self, decision: Decision | None, known: bool = True) -> None:
        """`known` False leaves the place empty (nothing is selected)."""
        self._decision, self._shown = decision, known
        self.setAccessibleName(text(decision) if known else "")
        self.updateGeometry()
        self.update()

    @property
    def words(self) -> str:
        return text(self._decision) if self._shown else ""

    def _font(self) -> QFont:
        font = theme.font(bold=True)
        font.setPointSizeF(font.pointSizeF() * 1.2)
        return font

    def sizeHint(self) -> QSize:
        return QSize(width(self._font(), self._decision) + 8, QFontMetrics(self._font()).height() + 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._shown:
            painter = QPainter(self)
            paint(painter, QRectF(self.rect()), self._decision, self._font())
            painter.end()
