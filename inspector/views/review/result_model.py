"""Results as a Qt model over queries: the skin of `ResultRows`."""

from __future__ import annotations

import time
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
    Signal,
)
from superqt.utils import QSignalThrottler

from inspector.domain import Decision, Thresholds
from inspector.views.look import icons, theme, verdict_chip
from inspector.views.look.labels import plain
from inspector.views.review.result_rows import ResultRows
from inspector.views.shared.context import ResultQuery

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.shared.context import WindowContext

Index = QModelIndex | QPersistentModelIndex
ROW = Qt.ItemDataRole.UserRole + 1  # the whole ResultRow, None until it has arrived
SHOT = "It taught the detector: its verdict shows nothing."
VERDICT = Qt.ItemDataRole.UserRole + 2  # Decision in force, None for a failed item

COLUMNS = (  # heading, how it is sorted by
    ("Name", "name"),
    ("Class", "class"),
    ("Score", "score"),
    ("Verdict", "verdict"),
    ("Reviewed", "reviewed"),
    ("Reviewer", None),
    ("Reason", None),
    ("Defect type", "defect type"),
    ("Regions", None),
    ("Run", "run"),
    ("Detector", None),
    ("Inspected", "time"),
)
HEADINGS = tuple(heading for heading, _ in COLUMNS)
SORTS = tuple(sort for _, sort in COLUMNS)
_FIGURES = (HEADINGS.index("Score"), HEADINGS.index("Regions"))
_MARKED = ("Name", "Verdict")  # where it is said that a result taught the detector
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_OFTEN = 250  # ms between two looks at results that stream in, at least


class ResultModel(QAbstractTableModel):
    """`ask` for results; rows appear as they are read. The ids stay in order, so a selection can be found again."""

    arrived = Signal()  # the ids of the last question are here

    def __init__(self, context: WindowContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._known = ResultRows()
        self._question: ResultQuery | None = None
        self._number = 0
        self._asking = self._again = False
        self._runs: Mapping[int, str] = {}
        self._detectors: Mapping[int, str] = {}
        trailing = QSignalThrottler.EmissionPolicy.Trailing
        self._stream = QSignalThrottler(trailing, self)
        self._stream.setTimeout(_OFTEN)
        self._stream.triggered.connect(self.refresh)
        self._soon = QSignalThrottler(trailing, self)
        self._soon.triggered.connect(self._read_blocks)

    # what is asked

    def ask(self, question: ResultQuery) -> None:
        """Show these results in this order."""
        self._question = question
        self._asking = self._again = False  # an answer to an older question is not taken
        self.refresh()

    def clear(self) -> None:
        """Show nothing (no project is open)."""
        self._question = None
        self._number += 1
        self._asking = self._again = False
        self._known.clear()
        self._take(np.empty(0, np.int64), np.empty(0, np.intp))

    def refresh(self, *, rows_too: bool = False) -> None:
        """Ask again; what is new is appended without touching the rest where possible.

        `rows_too`: what rows say may have changed as well (a review, a threshold); the old ones are shown until the
        new ones are read. Asking while an answer is under way asks once more afterwards, so that a stream of results
        costs one query at a time.
        """
        if rows_too:
            self._known.grow_old()
            self._say_changed()
        question = self._question
        if question is None:
            return
        if self._asking:
            self._again = True
            return
        self._number += 1
        number, began = self._number, time.perf_counter()

        def read(project: Project) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
            from inspector.records.inspected.results import result_ids

            ids = result_ids(project, question.where, sort=question.sort, descending=question.descending)
            return ids, np.argsort(ids)

        def done(found: tuple[NDArray[np.int64], NDArray[np.intp]]) -> None:
            if number == self._number:
                self._asking = False
                self._stream.setTimeout(max(_OFTEN, int((time.perf_counter() - began) * 10_000)))
                self._take(*found)
                if self._again:
                    self.refresh()

        def failed(error: BaseException) -> None:
            if number == self._number:
                self._asking = False
                self._context.show_error(error)

        self._again = False
        self._asking = self._context.query(self, read, done, failed=failed, priority=1)

    def refresh_soon(self) -> None:
        """For results that stream in: asks at most four times a second, and a tenth of the time at most."""
        self._stream.throttle()

    def set_labels(self, runs: Mapping[int, str], detectors: Mapping[int, str]) -> None:
        """What runs and detectors are called, by id."""
        self._runs, self._detectors = runs, detectors
        self._say_changed()

    def set_live(self, detector_id: int, class_id: int, thresholds: Thresholds | None) -> None:
        """Judge the results of a class by thresholds that are still moving; None ends that."""
        self._known.set_live(detector_id, class_id, thresholds)
        self._say_changed()

    def judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good. Which results are shown is asked again only where that hangs on verdicts."""
        self._known.judge_anew(move)
        self._say_changed()
        question = self._question
        if question is not None and ((move.flipped and question.by_verdict) or question.by_thresholds):
            self.refresh()

    # what is known

    @property
    def ids(self) -> NDArray[np.int64]:
        return self._known.ids

    def row(self, place: int) -> ResultRow | None:
        """The row at a place, if it is here; otherwise it is asked for."""
        found = self._known.row(place)
        if self._known.missing:
            self._soon.throttle()
        return found

    def place(self, result_id: int) -> int:
        """Where a result is, -1 if it is not among them."""
        return self._known.place(result_id)

    def verdict(self, row: ResultRow) -> Decision | None:
        return self._known.verdict(row)

    # Qt's side

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._known)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in _FIGURES else _LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        column = index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in _FIGURES else _LEFT
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(figures=True) if column in _FIGURES else None
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            known = self.row(index.row())
            return icons.icon("teach") if known is not None and known.is_shot else None
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
            told = f"{row.error} {row.hint}".strip() or self._cell(row, column)
            return plain(f"{told}\n{SHOT}" if row.is_shot and HEADINGS[column] in _MARKED else told) or None
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            said = (row.name, row.class_name, score_text(row), verdict_chip.text(self.verdict(row)))
            return ", ".join((*said, SHOT) if row.is_shot else said)
        return self._cell(row, column)

    def _cell(self, row: ResultRow, column: int) -> str:
        match HEADINGS[column]:
            case "Name":
                return " ".join(row.name.split())
            case "Class":
                return row.class_name
            case "Score":
                return score_text(row)
            case "Verdict":
                return f"{verdict_chip.text(self.verdict(row))} {by_person(row)}".strip()
            case "Reviewed":
                return f"{row.reviewed.astimezone():%Y-%m-%d %H:%M}" if row.reviewed else ""
            case "Reviewer":
                return row.reviewer
            case "Reason":
                return " ".join(row.reason.split())
            case "Defect type":
                return row.defect_type
            case "Regions":
                return str(row.regions) if row.image_score is not None else ""
            case "Run":
                return self._runs.get(row.run_id, f"#{row.run_id}")
            case "Detector":
                return self._detectors.get(row.detector_id, f"#{row.detector_id}")
            case _:
                return f"{row.created.astimezone():%Y-%m-%d %H:%M:%S}"

    # inside

    def _take(self, ids: NDArray[np.int64], order: NDArray[np.intp]) -> None:
        old = len(self._known)
        if not self._known.grows_to(ids):
            self.beginResetModel()
            self._known.take(ids, order)
            self.endResetModel()
        elif len(ids) > old:
            self.beginInsertRows(QModelIndex(), old, len(ids) - 1)
            self._known.take(ids, order)
            self.endInsertRows()
        self.arrived.emit()

    def _read_blocks(self) -> None:
        for block, ids in self._known.blocks_to_read():
            self._read_rows(block, ids)

    def _read_rows(self, block: int, ids: list[int]) -> None:
        age = self._known.age

        def read(project: Project) -> list[ResultRow]:
            from inspector.records.inspected.results import list_results

            return list_results(project, ids)

        def done(rows: list[ResultRow]) -> None:
            changed = self._known.put(block, age, rows)
            if changed is not None:
                last = self.index(changed[1], len(HEADINGS) - 1)
                self.dataChanged.emit(self.index(changed[0], 0), last)

        self._context.query(self, read, done, priority=2)  # after an error, asking again would not help

    def _say_changed(self) -> None:
        if len(self._known):
            last = self.index(len(self._known) - 1, len(HEADINGS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)


def score_text(row: ResultRow) -> str:
    return "" if row.image_score is None else f"{row.image_score:.3f}"


def by_person(row: ResultRow) -> str:
    """Whether a person agreed with the machine, and "shot" where it taught the detector; "" for neither."""
    said = "" if row.override is None else "accepted" if row.override is row.decision else "overridden"
    return f"{said} shot".strip() if row.is_shot else said
