"""The queue: one row an image with thumbnail, name, class, score and verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from inspector.views.look import icons, theme, verdict_chip
from inspector.views.look.kit import quiet_table
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.review.result_model import ROW, VERDICT, ResultModel, score_text

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.views.shared.context import WindowContext

_THUMB = 40
_HEIGHT = 52


class _RowDelegate(QStyledItemDelegate):
    def __init__(self, thumbnails: Thumbnails, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._thumbnails = thumbnails
        self._view = view

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: ResultRow | None = index.data(ROW)
        area = QRect(option.rect)
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("chosen"))
            painter.fillRect(QRect(area.left(), area.top(), 3, area.height()), QColor(theme.ACCENT))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.ACCENT), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))
        if row is None:
            return
        picture = QRect(area.left() + 8, area.top() + (_HEIGHT - _THUMB) // 2, _THUMB, _THUMB)
        self._picture(painter, picture, row)
        left, right = picture.right() + 8, area.right() - 6
        small = theme.font("small", figures=True)
        chip_width = verdict_chip.width(small, index.data(VERDICT))
        top = QRect(left, area.top() + 6, right - left, 18)
        painter.setFont(small)
        painter.setPen(theme.colour("text"))
        name = painter.fontMetrics().elidedText(
            " ".join(row.name.split()), Qt.TextElideMode.ElideMiddle, top.width()
        )
        painter.drawText(top, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        foot = QRect(left, area.top() + 27, right - left, 19)
        chip = QRectF(foot.left(), foot.top(), chip_width, foot.height())
        verdict_chip.paint(painter, chip, index.data(VERDICT), small)
        painter.setFont(small)
        score = score_text(row)
        if chip_width + painter.fontMetrics().horizontalAdvance(score) + 6 > foot.width():
            score = ""  # beside a long word
        painter.setPen(theme.colour("text"))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, score)
        painter.setPen(theme.colour("quiet"))
        between = QRect(
            foot.left() + chip_width + 6,
            foot.top(),
            foot.width() - chip_width - 12 - painter.fontMetrics().horizontalAdvance(score),
            foot.height(),
        )
        words = row.class_name or row.error.removeprefix(f"“{row.name}” ")  # the name stands above
        if row.error:
            words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, between.width())
        if painter.fontMetrics().horizontalAdvance(words) <= between.width():  # a stump tells nothing
            painter.drawText(between, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
        if row.reviewed is not None:
            mark = icons.pixmap("accept", theme.colour("text"), 12, painter.device().devicePixelRatio())
            corner = QRect(picture.right() - 13, picture.bottom() - 13, 14, 14)
            painter.fillRect(corner, self._view.palette().base())  # readable over any picture
            painter.drawPixmap(corner.topLeft() + QPoint(1, 1), mark)
        if row.is_shot:
            mark = icons.pixmap("teach", theme.colour("text"), 14, painter.device().devicePixelRatio())
            corner = QRect(picture.left(), picture.bottom() - 15, 16, 16)
            painter.fillRect(corner, self._view.palette().base())
            painter.drawPixmap(corner.topLeft() + QPoint(1, 1), mark)

    def _picture(self, painter: QPainter, box: QRect, row: ResultRow) -> None:
        path, update = row.path, self._view.viewport().update
        sha256, white = row.sha256 or None, row.white
        if path is None and row.files.thumbnail is not None:  # all that is left of it, in its own range
            path, sha256, white = row.files.thumbnail, None, None
        painter.fillRect(box, theme.colour("surround"))
        made = self._thumbnails.get(path, update, sha256, white) if path else None
        if made is not None:
            size = made.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(box.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, made)
        elif path is None or self._thumbnails.failed(path, white):
            ratio = painter.device().devicePixelRatio()
            painter.drawPixmap(
                box.adjusted(10, 10, 0, 0).topLeft(), icons.pixmap("image", theme.colour("faint"), 20, ratio)
            )


class ResultList(QTableView):
    """Keeps its selection by result, not by place. `chosen(result_id)` when another result is selected.

    A table of one column, for a list lays out every row, and there may be a million.
    """

    chosen = Signal(int)
    touched = Signal()  # by mouse or keyboard

    def __init__(self, context: WindowContext, model: ResultModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        quiet_table(self, "Queue", _HEIGHT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setCornerButtonEnabled(False)
        self.horizontalHeader().hide()
        self.thumbnails = Thumbnails(context.runner, 2 * _THUMB, self)
        self.setItemDelegate(_RowDelegate(self.thumbnails, self))
        self.setModel(model)
        for column in range(1, model.columnCount()):
            self.setColumnHidden(column, True)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._results = model
        self.result_id = -1
        self.selectionModel().currentChanged.connect(self._current_changed)
        model.modelReset.connect(self._find_again)

    def choose(self, result_id: int) -> bool:
        """Select a result; False if it is not in the list."""
        place = self._results.place(result_id)
        if place < 0:
            return False
        self.choose_place(place)
        return True

    def choose_place(self, place: int) -> None:
        if 0 <= place < self._results.rowCount():
            index = self._results.index(place, 0)
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def step(self, by: int) -> None:
        """To the next (1) or the previous (-1) result."""
        place = self._results.place(self.result_id)
        self.choose_place(max(0, min(place + by, self._results.rowCount() - 1)))

    def neighbours(self) -> list[int]:
        """Results beside the selected one, the likelier first."""
        place = self._results.place(self.result_id)
        around = [place + 1, place - 1, place + 2] if place >= 0 else []
        return [int(self._results.ids[p]) for p in around if 0 <= p < len(self._results.ids)]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.touched.emit()
        super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.touched.emit()
        super().mousePressEvent(event)

    def _current_changed(self, current: QModelIndex) -> None:
        if current.isValid():
            result_id = int(self._results.ids[current.row()])
            if result_id != self.result_id:
                self.result_id = result_id
                self.chosen.emit(result_id)

    def _find_again(self) -> None:
        if self.result_id >= 0 and not self.choose(self.result_id):
            self.result_id = -1
