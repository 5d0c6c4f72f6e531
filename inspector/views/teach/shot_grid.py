"""The normal shots of one class as a grid of pictures, each with what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from inspector.views.look import icons, theme
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.viewer import layers

if TYPE_CHECKING:
    from inspector.records.shots import ShotRow

ROW = Qt.ItemDataRole.UserRole
PICTURE = 160  # px, longer side
_CELL = QSize(PICTURE + 16, PICTURE + 56)
_Index = QModelIndex | QPersistentModelIndex


def complaint(row: ShotRow) -> str:
    """What is wrong with a shot, in few words; "" when nothing is."""
    if row.missing:
        return "File is missing"
    if row.duplicate_of:
        return f"Also in {row.duplicate_of}"
    return f"Other size {row.size[0]}×{row.size[1]}" if row.odd_size else ""


def complaints(rows: Sequence[ShotRow]) -> list[str]:
    """Sentences on the shots of one class: what is wrong, why it matters, what to do."""
    said = []
    lost = [row for row in rows if row.missing]
    if lost:
        said.append(
            f"{_count(lost)} no longer in the project folder; put {_them(lost)} back or remove {_them(lost)}."
        )
    shared = [row for row in rows if row.duplicate_of and not row.missing]
    if shared:
        others = ", ".join(sorted({row.duplicate_of for row in shared}))
        said.append(
            f"{_count(shared)} also in {others}; a part belongs to one class, so remove {_them(shared)} from the other."
        )
    odd = [row for row in rows if row.odd_size and not row.missing]
    if odd:
        said.append(
            f"{_count(odd)} of another size than the rest; check that {_they(odd)} the same view of the part."
        )
    return said


def _count(rows: Sequence[ShotRow]) -> str:
    return f"“{rows[0].name}” is" if len(rows) == 1 else f"{len(rows)} shots are"


def _them(rows: Sequence[ShotRow]) -> str:
    return "it" if len(rows) == 1 else "them"


def _they(rows: Sequence[ShotRow]) -> str:
    return "it shows" if len(rows) == 1 else "they show"


class ShotModel(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[ShotRow] = []

    def set_rows(self, rows: Sequence[ShotRow]) -> None:
        if list(rows) == self.rows:
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            facts = f"{row.name}\n{row.size[0]}×{row.size[1]}, {row.mode}"
            if row.place is not None:
                who = row.who or "Somebody"
                facts = (
                    f"{row.name}\n{who} said that what is marked is no defect. Remove it to take that back."
                )
            return plain(f"{facts}\n{complaint(row)}" if complaint(row) else facts)
        return None


class _Delegate(QStyledItemDelegate):
    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails, self._view = thumbnails, view

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return _CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: ShotRow = index.data(ROW)
        t = theme.tokens()
        cell: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRect(cell.left() + 8, cell.top() + 8, PICTURE, PICTURE)
        small = (
            None
            if row.missing
            else self._thumbnails.get(row.path, self._view.viewport().update, row.sha256, row.white)
        )
        if small is not None:
            ratio = self._view.devicePixelRatioF()
            size = small.size().scaled(box.size() * ratio, Qt.AspectRatioMode.KeepAspectRatio)
            box_of_picture = QRect(box.topLeft(), size / ratio)
            box_of_picture.moveCenter(box.center())
            painter.drawPixmap(box_of_picture, small)
            if row.box is not None:
                layers.mark(painter, row.box, QRectF(box_of_picture), 1.0)
        else:
            painter.fillRect(box, QColor(t.base))
            lost = row.missing or self._thumbnails.failed(row.path, row.white)
            drawn = icons.pixmap(
                "error" if lost else "image",
                t.danger if lost else t.faint,
                24,
                self._view.devicePixelRatioF(),
            )
            painter.drawPixmap(box.center().x() - 12, box.center().y() - 12, drawn)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(theme.ACCENT), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(-3, -3, 3, 3), 5, 5)
        painter.setFont(theme.font("small"))
        painter.setPen(QColor(t.text))
        line = QRect(box.left(), box.bottom() + 6, box.width(), 18)
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, name)
        wrong = complaint(row)
        line.translate(0, 18)
        if wrong:
            ink = t.danger if row.missing else t.warning
            painter.drawPixmap(
                line.left(), line.top() + 2, icons.pixmap("warning", ink, 14, self._view.devicePixelRatioF())
            )
            painter.setPen(QColor(ink))
            line.adjust(18, 0, 0, 0)
            words = painter.fontMetrics().elidedText(wrong, Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
        else:
            painter.setPen(QColor(t.quiet))
            said = "Not a defect" if row.place is not None else f"{row.size[0]}×{row.size[1]}"
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, said)
        painter.restore()


class ShotGrid(QListView):
    remove_requested = Signal()

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSpacing(4)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setItemDelegate(_Delegate(thumbnails, self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragDropMode(QAbstractItemView.DragDropMode.NoDragDrop)
        self.setAccessibleName("Shots")
        theme.set_role(self, "shots")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def chosen(self) -> list[ShotRow]:
        return [index.data(ROW) for index in self.selectedIndexes()]
