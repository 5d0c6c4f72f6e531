"""The table of golden parts: picture, what each must be, and what it is judged now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QIcon, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from inspector.domain import Decision
from inspector.views.look import theme, verdict_chip
from inspector.views.look.kit import quiet_table
from inspector.views.look.labels import plain
from inspector.views.look.thumbnails import Thumbnails

if TYPE_CHECKING:
    from inspector.records.qualification.golden import GoldenWord

_HEADINGS = ("Part", "Class", "Must be", "Is judged", "Score", "Detector", "Added", "Note")
_DECISION = Qt.ItemDataRole.UserRole


class _Chips(QStyledItemDelegate):
    """A verdict as a chip; words where there is none."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        decision: Decision | None = index.data(_DECISION)
        if decision is None:
            super().paint(painter, option, index)
            return
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, option.palette.highlight())
        font, area = theme.font("small"), option.rect
        chip = QRectF(area.left() + 6, area.center().y() - 10, verdict_chip.width(font, decision), 21)
        verdict_chip.paint(painter, chip, decision, font)


class GoldenTable(QTableWidget):
    PICTURE = 40  # px

    opened = Signal(object)  # the GoldenWord of a row that was double-clicked
    remove_requested = Signal()

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__(0, len(_HEADINGS))
        self._thumbnails = thumbnails
        self._words: list[GoldenWord] = []
        self.setHorizontalHeaderLabels(_HEADINGS)
        quiet_table(self, "Golden parts", self.PICTURE + 8)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(self.PICTURE, self.PICTURE))
        for heading in ("Must be", "Is judged"):
            self.setItemDelegateForColumn(_HEADINGS.index(heading), _Chips(self))
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        for column, wide in enumerate((230, 110, 96, 140, 66, 86, 170)):
            header.resizeSection(column, wide)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.itemActivated.connect(lambda item: self.opened.emit(self._words[item.row()]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Delete):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def show_words(self, words: Sequence[GoldenWord]) -> None:
        chosen = {word.part.id for word in self.chosen()}
        self._words = [*words]
        self.setRowCount(len(words))
        for number, word in enumerate(words):
            part = word.part
            said = "" if word.scored else "not scored"
            texts = (
                part.name,
                part.class_name,
                "",
                said if word.decision is None else "",
                "" if word.score is None else f"{word.score:.3f}",
                "" if word.detector_id is None else f"#{word.detector_id}",
                f"{part.created.astimezone():%d %b %Y} by {part.who}",
                _note(word),
            )
            verdicts = {2: part.expected, 3: word.decision}
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(plain(text))
                decision = verdicts.get(column)
                item.setData(_DECISION, decision)
                if decision is not None:
                    item.setData(Qt.ItemDataRole.AccessibleTextRole, verdict_chip.text(decision))
                self.setItem(number, column, item)
        again = QItemSelection()
        for number, word in enumerate(words):
            if word.part.id in chosen:
                again.select(self.model().index(number, 0), self.model().index(number, len(_HEADINGS) - 1))
        self.selectionModel().select(again, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._draw()

    def chosen(self) -> list[GoldenWord]:
        numbers = sorted({index.row() for index in self.selectedIndexes()})
        return [self._words[number] for number in numbers if number < len(self._words)]

    def _draw(self) -> None:
        for number, word in enumerate(self._words):
            picture = self._thumbnails.get(word.part.path, self._draw, word.part.sha256)
            item = self.item(number, 0)
            if picture is not None and item is not None:
                item.setIcon(QIcon(picture))


def _note(word: GoldenWord) -> str:
    if word.part.missing:
        return "Its image is missing from the project folder."
    if word.error:
        return word.error
    if word.detector_id is None:
        return "No detector judges its class."
    if word.part.is_shot:
        return "It is a shot now, so that its verdict shows nothing."
    return "" if word.kept or not word.scored else "Not as it must be."
