"""Results as a Qt model over queries: all ids at once (one array), rows only for what is in sight."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from inspector.domain import Decision, Thresholds
from inspector.verdicts.judge import decide
from inspector.views.look import theme, verdict_chip

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.result_filter import ResultFilter, ResultSort
    from inspector.records.results import ResultRow
    from inspector.views.shared.context import WindowContext

Index = QModelIndex | QPersistentModelIndex
ROW = Qt.ItemDataRole.UserRole + 1  # the whole ResultRow, None until it has arrived
VERDICT = Qt.ItemDataRole.UserRole + 2  # Decision in force, None for a failed item

HEADINGS = ("Name", "Class", "Score", "Verdict", "Reviewed", "Defect type", "Regions", "Run", "Inspected")
SORTS = ("name", "class", "score", "verdict", "reviewed", "defect type", None, "run", "time")
_BLOCK = 100
_KEPT = 4000
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ResultModel(QAbstractTableModel):
    """`ask` for results; rows appear as they are read. The ids stay in order, so a selection can be found again."""

    arrived = Signal()  # the ids of the last question are here
    trouble = Signal(object)  # a question failed

    def __init__(self, context: WindowContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._places: dict[int, int] = {}
        self._rows: OrderedDict[int, tuple[int, ResultRow]] = (
            OrderedDict()
        )  # id → (state it was read in, row)
        self._state = 0  # grows when what rows say may have changed
        self._wanted: set[int] = set()  # blocks that are being read
        self._blocks: set[int] = set()  # blocks to read next
        self._question: tuple[ResultFilter, ResultSort, bool] | None = None
        self._number = 0
        self._asking = self._again = False
        self._live: dict[tuple[int, int], Thresholds] = {}
        self._titles: Mapping[int, str] = {}
        self._seconds = 0.0  # what the last question took
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._read_blocks)

    # what is asked

    def ask(self, where: ResultFilter, sort: ResultSort, descending: bool = False) -> None:
        """Show these results in this order."""
        self._question = (where, sort, descending)
        self._asking = self._again = False  # an answer to an older question is not taken
        self.refresh()

    def clear(self) -> None:
        """Show nothing (no project is open)."""
        self._question = None
        self._number += 1
        self._asking = self._again = False
        self._rows.clear()
        self._live.clear()
        self._take(np.empty(0, np.int64), {})

    def refresh(self, *, rows_too: bool = False) -> None:
        """Ask again; what is new is appended without touching the rest where possible.

        `rows_too`: what rows say may have changed as well (a review, a threshold); the old ones are shown until the
        new ones are read. Asking while an answer is under way asks once more afterwards, so that a stream of results
        costs one query at a time.
        """
        if rows_too:
            self._state += 1
            self._wanted.clear()
            self._say_changed()
        if self._context.project is None or self._question is None:
            return
        if self._asking:
            self._again = True
            return
        project, (where, sort, descending) = self._context.project, self._question
        self._number += 1
        number = self._number
        self._asking, self._again = True, False
        began = time.perf_counter()

        def look() -> tuple[NDArray[np.int64], dict[int, int]]:
            from inspector.records.results import result_ids

            ids = result_ids(project, where, sort=sort, descending=descending)
            return ids, dict(zip(ids.tolist(), range(len(ids)), strict=True))

        def done(found: tuple[NDArray[np.int64], dict[int, int]]) -> None:
            if number == self._number:
                self._asking = False
                self._seconds = time.perf_counter() - began
                self._take(*found)
                if self._again:
                    self.refresh()

        def failed(error: BaseException) -> None:
            if number == self._number:
                self._asking = False
                self.trouble.emit(error)

        self._context.runner.read(self, look, done, failed, priority=1)

    def refresh_soon(self) -> None:
        """For results that stream in: asks at most four times a second, and a tenth of the time at most."""
        if not self._later.isActive():
            self._later.start(max(250, int(self._seconds * 10_000)))

    def set_run_titles(self, titles: Mapping[int, str]) -> None:
        self._titles = titles
        self._say_changed()

    def set_live(self, detector_id: int, class_id: int, thresholds: Thresholds | None) -> None:
        """Judge the results of a class by thresholds that are still moving; None ends that."""
        if thresholds is None:
            self._live.pop((detector_id, class_id), None)
        else:
            self._live[detector_id, class_id] = thresholds
        self._say_changed()

    # what is known

    def row(self, place: int) -> ResultRow | None:
        """The row at a place, if it is here; otherwise it is asked for."""
        if not 0 <= place < len(self.ids):
            return None
        result_id = int(self.ids[place])
        state, found = self._rows.get(result_id, (-1, None))
        if state != self._state:
            self._blocks.add(place // _BLOCK)
            self._soon.start()
        else:
            self._rows.move_to_end(result_id)
        return found

    def place(self, result_id: int) -> int:
        """Where a result is, -1 if it is not among them."""
        return self._places.get(result_id, -1)

    def verdict(self, row: ResultRow) -> Decision | None:
        if row.override is not None or row.image_score is None or row.class_id is None:
            return row.verdict
        live = self._live.get((row.detector_id, row.class_id))
        return decide(row.image_score, live) if live else row.verdict

    # Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.ids)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in (2, 6) else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        column = index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (2, 6) else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(figures=True) if column in (2, 6) else None
        if role not in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.ToolTipRole,
            Qt.ItemDataRole.AccessibleTextRole,
            ROW,
            VERDICT,
        ):
            return None
        row = self.row(index.row())
        if role == ROW:
            return row
        if row is None:
            return "…" if column == 0 and role == Qt.ItemDataRole.DisplayRole else None
        if role == VERDICT:
            return self.verdict(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.error} {row.hint}".strip() or (row.name if column == 0 else None)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            return ", ".join(
                (row.name, row.class_name, score_text(row), verdict_chip.text(self.verdict(row)))
            )
        return self._cell(row, column)

    def _cell(self, row: ResultRow, column: int) -> str:
        match column:
            case 0:
                return " ".join(row.name.split())
            case 1:
                return row.class_name
            case 2:
                return score_text(row)
            case 3:
                return verdict_chip.text(self.verdict(row)) + (" (override)" if row.override else "")
            case 4:
                return f"{row.reviewed.astimezone():%Y-%m-%d %H:%M}" if row.reviewed else ""
            case 5:
                return row.defect_type
            case 6:
                return str(row.regions) if row.image_score is not None else ""
            case 7:
                return self._titles.get(row.run_id, f"Run {row.run_id}")
            case _:
                return f"{row.created.astimezone():%Y-%m-%d %H:%M:%S}"

    # inside

    def _take(self, ids: NDArray[np.int64], places: dict[int, int]) -> None:
        old = len(self.ids)
        if len(ids) >= old and np.array_equal(ids[:old], self.ids):
            if len(ids) > old:
                self.beginInsertRows(QModelIndex(), old, len(ids) - 1)
                self.ids, self._places = ids, places
                self._wanted.discard(old // _BLOCK)  # that block has grown
                self.endInsertRows()
        else:
            self.beginResetModel()
            self.ids, self._places = ids, places
            self._wanted.clear()
            self._blocks.clear()
            self.endResetModel()
        self.arrived.emit()

    def _read_blocks(self) -> None:
        project = self._context.project
        blocks, self._blocks = self._blocks - self._wanted, set()
        for block in blocks:
            if project is None:
                return
            self._wanted.add(block)
            ids = self.ids[block * _BLOCK : (block + 1) * _BLOCK].tolist()
            old = [i for i in ids if self._rows.get(i, (-1, None))[0] != self._state]
            self._read_rows(project, block, old)

    def _read_rows(self, project: Project, block: int, ids: list[int]) -> None:
        state = self._state

        def look() -> list[ResultRow]:
            from inspector.records.results import list_results

            return list_results(project, ids)

        def done(rows: list[ResultRow]) -> None:
            if state == self._state:
                self._wanted.discard(block)
            if project is not self._context.project:
                return
            for row in rows:
                self._rows[row.id] = (state, row)
            while len(self._rows) > _KEPT:
                self._rows.popitem(last=False)
            first, last = block * _BLOCK, min((block + 1) * _BLOCK, len(self.ids)) - 1
            if last >= first:
                self.dataChanged.emit(self.index(first, 0), self.index(last, len(HEADINGS) - 1))

        def failed(error: BaseException) -> None:
            self.trouble.emit(error)  # the block stays marked: asking again and again would not help

        self._context.runner.read(self, look, done, failed, priority=2)

    def _say_changed(self) -> None:
        if len(self.ids):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.ids) - 1, len(HEADINGS) - 1))


def score_text(row: ResultRow) -> str:
    return "" if row.image_score is None else f"{row.image_score:.3f}"
