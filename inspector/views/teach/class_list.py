"""The classes of a project: picture, name, number of shots, state; renamed in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow

ROW = Qt.ItemDataRole.UserRole
_HEIGHT, _PICTURE = 64, 48
_Index = QModelIndex | QPersistentModelIndex

# state → icon, token of its colour
_STATES = {
    "needs shots": ("add", "quiet"),
    "ready to teach": ("play", "text"),
    "taught": ("ok", "good"),
    "out of date": ("warning", "warning"),
}


def shots_text(count: int) -> str:
    return f"{count} shot{'s' if count != 1 else ''}"


class ClassModel(QAbstractListModel):
    renamed = Signal(int, str)  # class id, the name that was typed

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[ClassRow] = []

    def set_rows(self, rows: Sequence[ClassRow]) -> None:
        if [row.id for row in rows] == [row.id for row in self.rows]:
            self.rows = list(rows)  # keeps the selection and an open editor
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def find(self, class_id: int) -> QModelIndex:
        for number, row in enumerate(self.rows):
            if row.id == class_id:
                return self.index(number)
        return QModelIndex()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return row.name
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            facts = f"{row.name}: {shots_text(row.shots)}, {row.state}"
            return plain(f"{facts}\n{row.note}" if row.note else facts)
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row = self.rows[index.row()]
        name = " ".join(str(value).split())
        if name and name != row.name:
            self.renamed.emit(row.id, name)
        return False  # the new name shows once it is stored

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.isValid() else flags


class _Delegate(QStyledItemDelegate):
    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails, self._view = thumbnails, view

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(160, _HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: ClassRow = index.data(ROW)
        t = theme.tokens()
        box: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, QColor(t.chosen))
            painter.fillRect(QRect(box.left(), box.top(), 3, box.height()), QColor(theme.ACCENT))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(box, QColor(t.hover))
        picture = QRect(box.left() + 12, box.top() + (_HEIGHT - _PICTURE) // 2, _PICTURE, _PICTURE)
        self._picture(painter, picture, row)
        left = picture.right() + 12
        width = box.right() - left - 12
        painter.setFont(theme.font(bold=True))
        painter.setPen(QColor(t.text))
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(left, box.top() + 10, width, 22), Qt.AlignmentFlag.AlignVCenter, name)
        icon, colour = _STATES[row.state]
        ink = QColor(getattr(t, colour))
        ratio = self._view.devicePixelRatioF()
        painter.setFont(theme.font("small"))
        painter.setPen(QColor(t.quiet))
        count = shots_text(row.shots)
        taken = painter.fontMetrics().horizontalAdvance(count) + 10
        line = QRect(left, box.top() + 33, width, 20)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, count)
        painter.drawPixmap(line.left() + taken, line.top() + 3, icons.pixmap(icon, ink, 14, ratio))
        painter.setPen(ink)
        rest = line.adjusted(taken + 18, 0, 0, 0)
        words = painter.fontMetrics().elidedText(row.state, Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, words)
        painter.restore()

    def _picture(self, painter: QPainter, box: QRect, row: ClassRow) -> None:
        t = theme.tokens()
        painter.fillRect(box, QColor(t.surround))
        small = None
        if row.thumbnail is not None:
            small = self._thumbnails.get(
                row.thumbnail, self._view.viewport().update, row.thumbnail.stem, row.white
            )
        if small is None:
            drawn = icons.pixmap("image", t.faint, 20, self._view.devicePixelRatioF())
            painter.drawPixmap(box.left() + 14, box.top() + 14, drawn)
            return
        size = small.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
        inner = QRect(box.topLeft(), size)
        inner.moveCenter(box.center())
        painter.drawPixmap(inner, small)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setMaxLength(80)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        box: QRect = option.rect
        left = box.left() + 12 + _PICTURE + 6
        editor.setGeometry(left, box.top() + 4, box.right() - left - 4, 32)


class ClassView(QListView):
    remove_requested = Signal()

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setItemDelegate(_Delegate(thumbnails, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setAccessibleName("Classes")
        theme.set_role(self, "panel")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)
