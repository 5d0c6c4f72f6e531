"""The table of results, and what is selected in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)
from superqt.utils import QSignalDebouncer

from inspector.views.look import theme, verdict_chip
from inspector.views.look.kit import quiet_table
from inspector.views.review.result_model import HEADINGS, ROW, SORTS, VERDICT, ResultModel, by_person

_WIDTHS = (220, 90, 66, 150, 124, 90, 150, 100, 70, 200, 220, 150)
_PIECES = 2000  # a selection in more pieces is not found again after sorting
_FOUND_AGAIN = 50_000  # nor one of more results, unless it is all of them


class _ChipDelegate(QStyledItemDelegate):
    """The verdict as a chip; beside it what a person said to it."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        area, row = option.rect, index.data(ROW)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(area, option.palette.highlight())
        if row is None:
            return
        font = theme.font("small")
        chip = QRectF(
            area.left() + 8, area.top() + 4, verdict_chip.width(font, index.data(VERDICT)), area.height() - 8
        )
        verdict_chip.paint(painter, chip, index.data(VERDICT), font)
        painter.setFont(font)
        painter.setPen(option.palette.highlightedText().color() if chosen else theme.colour("text"))
        rest = area.adjusted(round(chip.width()) + 14, 0, 0, 0)
        painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, by_person(row))


class ResultTable(QTableView):
    def __init__(self, model: ResultModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setItemDelegateForColumn(HEADINGS.index("Verdict"), _ChipDelegate(self))
        quiet_table(self, "Results", 28)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setStyleSheet("QTableView::item { padding: 0 5px; border: none; }")
        header = self.horizontalHeader()
        # the header marks selected columns: it would ask every one of a million rows, so it gets no selection to look at
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(SORTS.index("time"), Qt.SortOrder.DescendingOrder)
        header.setStretchLastSection(True)
        for column, wide in enumerate(_WIDTHS):
            header.resizeSection(column, wide)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: it would ask every row for its name. Ctrl+F searches."""


class ResultSelection(QObject):
    """The selected results as pieces of the table, for there may be a million; found again after sorting.

    `changed` soon after the selection is another, once for many changes.
    """

    changed = Signal()

    def __init__(
        self, table: ResultTable, model: ResultModel, others: Sequence[QAbstractItemView] = ()
    ) -> None:
        """`others`: views that show the selection of the table too."""
        super().__init__(table)
        self._table, self._model, self._views = table, model, (table, *others)
        self._kept: NDArray[np.int64] | None = np.empty(0, np.int64)  # to be selected again; None: all
        self._soon = QSignalDebouncer(parent=self)
        self._soon.triggered.connect(self.changed)
        table.selectionModel().selectionChanged.connect(self._soon.throttle)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._select_again)

    @property
    def count(self) -> int:
        return sum(last - first + 1 for first, last in self._pieces())

    def ids(self) -> NDArray[np.int64]:
        """Ids of the selected results, in the order of the table."""
        parts = [self._model.ids[first : last + 1] for first, last in self._pieces()]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def choose(self, result_ids: Sequence[int], *, in_sight: bool = False) -> None:
        """Select these and no others; `in_sight`: scroll to the first."""
        places = np.sort([place for i in result_ids if (place := self._model.place(i)) >= 0])
        pieces = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
        if not 0 < len(pieces) <= _PIECES:
            return
        chosen, last = QItemSelection(), len(HEADINGS) - 1
        for piece in pieces:
            chosen.select(self._model.index(int(piece[0]), 0), self._model.index(int(piece[-1]), last))
        first = self._model.index(int(places[0]), 0)
        chooser = self._table.selectionModel()
        chooser.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        chooser.setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
        if in_sight:
            for view in self._views:
                view.scrollTo(first)

    def _pieces(self) -> list[tuple[int, int]]:
        chosen = self._table.selectionModel().selection()
        spans = (chosen.at(number) for number in range(chosen.count()))
        return sorted((span.top(), span.bottom()) for span in spans)

    def _remember(self) -> None:
        ids = self.ids()
        whole = len(ids) == len(self._model.ids) > 1
        self._kept = None if whole else ids if len(ids) <= _FOUND_AGAIN else ids[:0]

    def _select_again(self) -> None:
        if self._kept is None:
            self._table.selectAll()
        else:
            self.choose(self._kept.tolist())
        self._soon.throttle()
