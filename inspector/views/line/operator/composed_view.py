"""Shows a picture that a worker made as large as it is shown. Drawing it costs a copy."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.views.line.operator.composing import Composed
from inspector.views.look import theme
from inspector.views.viewer import layers


class ComposedView(QWidget):
    """`took`: seconds that it was last drawn for. `resized`: what is shown was made for another size. `closer`: somebody wants to
    look closer."""

    resized = Signal()
    closer = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Image")
        self.setToolTip("Double-click to look closer")
        self.shown: Composed | None = None
        self.message = ""
        self.took = 0.0

    def show_composed(self, shown: Composed) -> None:
        self.shown, self.message = shown, ""
        self.update()

    def show_message(self, words: str) -> None:
        self.shown, self.message = None, words
        self.update()

    def room(self) -> tuple[int, int]:
        """Device pixels that there are."""
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def paintEvent(self, event: QPaintEvent) -> None:
        begun = perf_counter()
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.colour("surround"))
        shown = self.shown
        if shown is not None and shown.image is not None:
            ratio = self.devicePixelRatioF()
            wide, high = self.room()
            at = QPointF((wide - shown.image.width()) // 2, (high - shown.image.height()) // 2)
            painter.scale(1 / ratio, 1 / ratio)
            painter.drawImage(at, shown.image)
            layers.regions(painter, shown.regions, -1, (at.x(), at.y()), shown.scale, ratio, self.font())
            painter.resetTransform()
            if shown.note:
                layers.note(painter, shown.note, self.rect(), self.font())
        elif self.message:
            painter.setPen(self.palette().windowText().color())
            box = self.rect().adjusted(24, 24, -24, -24)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.message)
        painter.end()
        self.took = perf_counter() - begun

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.resized.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._ask()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y() > 0:
            self._ask()
        event.accept()

    def _ask(self) -> None:
        if self.shown is not None and self.shown.image is not None:
            self.closer.emit()
