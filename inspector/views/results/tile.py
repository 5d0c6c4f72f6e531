"""One result of the gallery: its picture with heat, its name, verdict and score."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from inspector.views.look import icons, theme, verdict_chip
from inspector.views.results.heat_thumbnails import HeatThumbnails
from inspector.views.review.result_model import ROW, VERDICT, by_person, score_text

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow

LEAST, MOST, USUAL = 96, 320, 176
"""Sides of the pictures, in px."""
_ROOM = 8  # around everything
_NARROWEST = 116  # chip and score side by side
_LINE = 20
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def cell(side: int) -> QSize:
    """How much room a result with a picture of this side takes."""
    return QSize(max(side, _NARROWEST) + 2 * _ROOM, side + 2 * _LINE + 3 * _ROOM)


class Tile(QStyledItemDelegate):
    """Paints it; `side` is that of the picture, `arrived` is called when one came."""

    def __init__(self, pictures: HeatThumbnails, arrived: Callable[[], None], parent: QWidget) -> None:
        super().__init__(parent)
        self.side = USUAL
        self._pictures = pictures
        self._arrived = arrived

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: ResultRow | None = index.data(ROW)
        area, state = QRect(option.rect).adjusted(2, 2, -2, -2), option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("chosen"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.ACCENT), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))
        box = QRect(area.left() + (area.width() - self.side) // 2, area.top() + 6, self.side, self.side)
        painter.fillRect(box, theme.colour("surround"))
        if row is None:
            return
        self._picture(painter, box, row)
        small = theme.font("small", figures=True)
        painter.setFont(small)
        painter.setPen(theme.colour("text"))
        wide = max(self.side, _NARROWEST)
        name = QRect(area.center().x() - wide // 2, box.bottom() + 4, wide, _LINE)
        told = painter.fontMetrics().elidedText(
            " ".join(row.name.split()), Qt.TextElideMode.ElideMiddle, wide
        )
        painter.drawText(name, _LEFT, told)
        foot = name.translated(0, _LINE + 2)
        wide = verdict_chip.width(small, index.data(VERDICT))
        chip = QRectF(foot.left(), foot.top(), min(wide, foot.width()), 19)
        verdict_chip.paint(painter, chip, index.data(VERDICT), small)
        painter.setFont(small)
        painter.setPen(theme.colour("text"))
        score = score_text(row)
        if wide + painter.fontMetrics().horizontalAdvance(score) + 6 > foot.width():
            score = ""  # a long word in a small tile
        painter.drawText(foot, _RIGHT, score)
        between = foot.adjusted(
            round(chip.width()) + 6, 0, -painter.fontMetrics().horizontalAdvance(score) - 6, 0
        )
        words = by_person(row)
        if painter.fontMetrics().horizontalAdvance(words) <= between.width():  # a stump tells nothing
            painter.setPen(theme.colour("quiet"))
            painter.drawText(between, _LEFT, words)

    def _picture(self, painter: QPainter, box: QRect, row: ResultRow) -> None:
        made = self._pictures.get(row, self._arrived)
        ratio = painter.device().devicePixelRatio()
        inside = QRect(box)
        if made is not None:
            size = made.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            inside = QRect(0, 0, size.width(), size.height())
            inside.moveCenter(box.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(inside, made)
            if self._pictures.without_heat(row):
                self._say(painter, inside, "heatmap unavailable")
        elif self._pictures.failed(row):
            mark = icons.pixmap("image", theme.colour("faint"), 24, ratio)
            painter.drawPixmap(box.center() - QPoint(12, 12), mark)
        if row.reviewed is not None:
            self._mark(painter, inside.bottomRight() - QPoint(21, 21), "accept", ratio)

        if row.is_shot:
            self._mark(painter, inside.bottomLeft() + QPoint(4, -21), "teach", ratio)

    def _say(self, painter: QPainter, box: QRect, words: str) -> None:
        painter.setFont(theme.font("small"))
        line = QRect(box.left(), box.top(), box.width(), 18)
        painter.fillRect(line, theme.colour("base"))
        painter.setPen(theme.colour("warning"))
        told = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, line.width() - 8)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, told)

    def _mark(self, painter: QPainter, corner: QPoint, name: str, ratio: float) -> None:
        painter.fillRect(QRect(corner, QSize(18, 18)), theme.colour("base"))  # readable over any picture
        painter.drawPixmap(corner + QPoint(2, 2), icons.pixmap(name, theme.colour("text"), 14, ratio))
