"""Results as pictures in rows and columns, over the model and the selection of the table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QHoverEvent, QPainter, QPaintEvent, QRegion, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QStyle, QStyleOptionViewItem

from inspector.views.results import tile
from inspector.views.results.heat_thumbnails import HeatThumbnails
from inspector.views.review.result_model import HEADINGS, ResultModel

_Index = QModelIndex | QPersistentModelIndex
_Action = QAbstractItemView.CursorAction


class ResultGallery(QAbstractItemView):
    """Where each result stands is reckoned, never kept: a list view lays out every row, and there may be a million."""

    def __init__(self, model: ResultModel, chooser: QItemSelectionModel, pictures: HeatThumbnails) -> None:
        super().__init__()
        self._results, self._pictures = model, pictures
        self._hovered = -1
        self.delegate = tile.Tile(pictures, self.viewport().update, self)
        self.setItemDelegate(self.delegate)
        self.setModel(model)
        own = self.selectionModel()
        self.setSelectionModel(chooser)
        own.deleteLater()
        self.setAccessibleName("Results as pictures")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setTabKeyNavigation(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.viewport().setMouseTracking(True)
        pictures.heats.changed.connect(self.viewport().update)

    @property
    def side(self) -> int:
        """Of a picture, in px."""
        return self.delegate.side

    def set_side(self, side: int) -> None:
        """What stands first stays in sight."""
        first = self.first
        self.delegate.side = side
        self.updateGeometries()
        self.show_first(first)
        self.viewport().update()

    @property
    def first(self) -> int:
        """The place of the result in the upper left corner."""
        return (self.verticalOffset() + self._cell.height() // 2) // self._cell.height() * self.columns

    def show_first(self, place: int) -> None:
        """Scroll so that this place is in the uppermost row."""
        self.verticalScrollBar().setValue(place // self.columns * self._cell.height())

    @property
    def columns(self) -> int:
        """How many results stand side by side."""
        return max(1, self.viewport().width() // self._cell.width())

    def places(self, area: QRect) -> range:
        """The places of the rows of results that an area of the viewport touches."""
        high = self._cell.height()
        first = max(0, (area.top() + self.verticalOffset()) // high) * self.columns
        after = max(0, (area.bottom() + self.verticalOffset()) // high + 1) * self.columns
        return range(min(first, len(self._results.ids)), min(after, len(self._results.ids)))

    # what Qt asks of a view

    def visualRect(self, index: _Index) -> QRect:
        return self._box(index.row()) if index.isValid() else QRect()

    def indexAt(self, point: QPoint) -> QModelIndex:
        line = (point.y() + self.verticalOffset()) // self._cell.height()
        column = point.x() * self.columns // max(1, self.viewport().width())
        place = line * self.columns + column
        inside = 0 <= column < self.columns and 0 <= place < len(self._results.ids)
        if inside and self._box(place).contains(point):
            return self._results.index(place, 0)
        return QModelIndex()

    def scrollTo(
        self, index: _Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        if not index.isValid():
            return
        box, bar = self._box(index.row()), self.verticalScrollBar()
        below = box.bottom() + 1 - self.viewport().height()
        hints = QAbstractItemView.ScrollHint
        if hint == hints.PositionAtCenter:
            bar.setValue(bar.value() + (box.top() + below) // 2)
        elif box.top() < 0 or hint == hints.PositionAtTop:
            bar.setValue(bar.value() + box.top())
        elif below > 0 or hint == hints.PositionAtBottom:
            bar.setValue(bar.value() + below)

    def moveCursor(self, action: _Action, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        count, place = len(self._results.ids), self.currentIndex().row()
        if not count:
            return QModelIndex()
        page = max(1, self.viewport().height() // self._cell.height()) * self.columns
        step = {
            _Action.MoveLeft: -1,
            _Action.MovePrevious: -1,
            _Action.MoveRight: 1,
            _Action.MoveNext: 1,
            _Action.MoveUp: -self.columns,
            _Action.MoveDown: self.columns,
            _Action.MovePageUp: -page,
            _Action.MovePageDown: page,
            _Action.MoveHome: -count,
            _Action.MoveEnd: count,
        }[action]
        if place < 0:
            place = 0
        elif 0 <= place + step < count or abs(step) in (1, count, page):
            place = min(max(place + step, 0), count - 1)
        return self._results.index(place, 0)

    def horizontalOffset(self) -> int:
        return 0

    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: _Index) -> bool:
        return False

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        chosen = QItemSelection()
        last = len(HEADINGS) - 1
        for one in self._chosen_places(rect):
            if len(one):
                chosen.select(self._results.index(one[0], 0), self._results.index(one[-1], last))
        self.selectionModel().select(chosen, command)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        return QRegion(self.viewport().rect())  # of a million pieces, none is looked at

    def keyboardSearch(self, search: str) -> None:
        """Nothing: it would ask every row for its name. Ctrl+F searches."""

    def updateGeometries(self) -> None:
        super().updateGeometries()
        bar, high = self.verticalScrollBar(), self.viewport().height()
        lines = -(-len(self._results.ids) // self.columns)
        bar.setRange(0, max(0, lines * self._cell.height() - high))
        bar.setPageStep(max(1, high))
        bar.setSingleStep(max(20, self._cell.height() // 4))

    def rowsInserted(self, parent: _Index, start: int, end: int) -> None:
        super().rowsInserted(parent, start, end)
        self.scheduleDelayedItemsLayout()

    def reset(self) -> None:
        super().reset()
        self.updateGeometries()

    def resizeEvent(self, event: QResizeEvent) -> None:
        before = max(1, event.oldSize().width() // self._cell.width())
        line = (self.verticalOffset() + self._cell.height() // 2) // self._cell.height()
        super().resizeEvent(event)
        self.updateGeometries()
        if event.oldSize().width() > 0 and before != self.columns:
            self.show_first(line * before)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHoverEvent):
            leaves = event.type() == QEvent.Type.HoverLeave
            hovered = -1 if leaves else self.indexAt(event.position().toPoint()).row()
            if hovered != self._hovered:
                self._hovered = hovered
                self.viewport().update()
        return bool(super().viewportEvent(event))

    def paintEvent(self, event: QPaintEvent) -> None:
        places = self.places(self.viewport().rect())
        self._pictures.want(frozenset(self._results.ids[places.start : places.stop].tolist()))
        self._pictures.set_side(round(self.side * self.devicePixelRatioF()))
        painter = QPainter(self.viewport())
        chooser, current = self.selectionModel(), self.currentIndex().row()
        flags = QStyle.StateFlag
        for place in self.places(event.rect()):
            index = self._results.index(place, 0)
            option: Any = QStyleOptionViewItem()
            self.initViewItemOption(option)
            option.rect = self._box(place)
            state = flags.State_Enabled
            if chooser.isSelected(index):
                state |= flags.State_Selected
            if place == self._hovered:
                state |= flags.State_MouseOver
            if place == current and self.hasFocus():
                state |= flags.State_HasFocus
            option.state = state
            self.delegate.paint(painter, option, index)
        painter.end()

    # inside

    @property
    def _cell(self) -> QSize:
        return tile.cell(self.delegate.side)

    def _box(self, place: int) -> QRect:
        line, column = divmod(place, self.columns)
        room = self.viewport().width() / self.columns
        left = round(column * room + (room - self._cell.width()) / 2)
        return QRect(QPoint(left, line * self._cell.height() - self.verticalOffset()), self._cell)

    def _chosen_places(self, rect: QRect) -> list[range]:
        """Those under a rubber band; else all from one corner to the other, as people read."""
        wide = max(1, self.viewport().width())
        if self.state() == QAbstractItemView.State.DragSelectingState:
            band = rect.normalized()
            first, last = (
                min(max(x * self.columns // wide, 0), self.columns - 1) for x in (band.left(), band.right())
            )
            under = self.places(band)
            starts = range(under.start, under.stop, self.columns)
            return [range(at + first, min(at + last + 1, under.stop)) for at in starts]
        ends = [self.indexAt(corner).row() for corner in (rect.topLeft(), rect.bottomRight())]
        if rect.width() == rect.height() == 1:
            ends = ends[:1]
        ends = sorted(end for end in ends if end >= 0)
        return [range(ends[0], ends[-1] + 1)] if ends else []
