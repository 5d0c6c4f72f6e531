"""The last parts side by side, the newest at the left; a click shows one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.domain import Decision
from inspector.views.line.operator.reads import STRIP
from inspector.views.look import theme
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.look.verdict_chip import text

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.line.arrivals import ArrivalRow

_FOOT = 24
_GAP = 6
_NONE = "#737983"


class Strip(QWidget):
    """`calm`: whether there is time for small pictures; else tiles show signs only, and pictures follow once it is calm."""

    chosen = Signal(int)  # a result's id

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self.arrivals: Sequence[ArrivalRow] = ()
        self._rows: Mapping[int, ResultRow] = {}
        self.current = 0
        self.calm = True
        self.setFixedHeight(96)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("The last parts")

    def show_arrivals(
        self, arrivals: Sequence[ArrivalRow], rows: Mapping[int, ResultRow], current: int
    ) -> None:
        self.arrivals, self._rows, self.current = arrivals, rows, current
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(STRIP * 60, 96)

    def place(self, number: int) -> QRect:
        """Where the tile of the so-manieth part lies."""
        wide = (self.width() + _GAP) / STRIP
        left = round(number * wide)
        return QRect(left, 0, round((number + 1) * wide) - left - _GAP, self.height())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self._at(event)
        self.setCursor(Qt.CursorShape.PointingHandCursor if found else Qt.CursorShape.ArrowCursor)
        self.setToolTip(
            f"{found.name}\n{found.arrived.astimezone():%H:%M:%S}".replace("<", "‹") if found else ""
        )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        found = self._at(event)
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(found.result_id)

    def _at(self, event: QMouseEvent) -> ArrivalRow | None:
        for number, arrival in enumerate(self.arrivals):
            if self.place(number).contains(event.position().toPoint()):
                return arrival
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme.tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setFont(theme.font(bold=True))
        for number in range(STRIP):
            box = self.place(number)
            if number >= len(self.arrivals):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(tokens.base))
                painter.drawRoundedRect(box, 4, 4)
                continue
            self._tile(painter, box, self.arrivals[number])
        painter.end()

    def _tile(self, painter: QPainter, box: QRect, arrival: ArrivalRow) -> None:
        said = arrival.word or arrival.said
        painter.fillRect(box, QColor(theme.tokens().surround))
        picture = self._picture(arrival.result_id)
        room = box.adjusted(0, 0, 0, -_FOOT)
        if picture is not None:
            scaled = picture.size().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
            source = QRect(
                0,
                0,
                room.width() * picture.width() // scaled.width(),
                room.height() * picture.height() // scaled.height(),
            )
            source.moveCenter(picture.rect().center())
            painter.drawPixmap(room, picture, source)
        foot = QRect(box.left(), box.bottom() - _FOOT + 1, box.width(), _FOOT)
        painter.fillRect(foot, QColor(theme.VERDICTS[said] if said else _NONE))
        painter.setPen(QColor(theme.ON_VERDICTS[said] if said else "#ffffff"))
        words = text(said)
        if painter.fontMetrics().horizontalAdvance(words) > foot.width() - 4:
            words = words.partition(" ")[0]
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, words)
        if arrival.result_id == self.current:
            painter.setPen(QPen(QColor(theme.ACCENT), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box.adjusted(1, 1, -2, -2))

    def _picture(self, result_id: int) -> QPixmap | None:
        row = self._rows.get(result_id)
        if row is None or not self.calm or row.path is None or row.missing:
            return None
        return self._thumbnails.get(row.path, self.update, row.sha256, row.white)


def said_of(arrival: ArrivalRow) -> Decision | None:
    """What counts of a part: a person's word, or else what was said when it was judged."""
    return arrival.word or arrival.said
