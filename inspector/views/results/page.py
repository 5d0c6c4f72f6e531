"""The Results page: every result of every run in one table, to find, to judge anew, to export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QRectF, Qt
from PySide6.QtGui import QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision, JobEvent, JobItem
from inspector.views.look import icons, theme, verdict_chip
from inspector.views.look.empty import EmptyState
from inspector.views.results.export_panel import ExportPanel
from inspector.views.results.filter_bar import FilterBar
from inspector.views.review.result_model import HEADINGS, SORTS, VERDICT, ResultModel
from inspector.views.review.review_popup import ReviewPopup
from inspector.views.review.verdict_edits import Changes
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.results import Counts
    from inspector.records.runs import RunRow
    from inspector.views.shared.context import WindowContext

_WIDTHS = (260, 100, 72, 150, 130, 110, 72, 140, 150)
_MANY = 5000  # more selected rows than that are reviewed in one go only by filter and export


class _ChipDelegate(QStyledItemDelegate):
    """The verdict as a chip; "by hand" beside it where a person decided otherwise."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        text = index.data()
        area = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, option.palette.highlight())
        if text is None:
            return
        font = theme.font("small")
        chip = QRectF(area.left() + 8, area.top() + 4, verdict_chip.width(font), area.height() - 8)
        verdict_chip.paint(painter, chip, index.data(VERDICT), font)
        if text.endswith(")"):
            painter.setFont(font)
            painter.setPen(theme.colour("text"))
            rest = area.adjusted(round(chip.width()) + 14, 0, 0, 0)
            painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "by hand")


class ResultsPage(Page):
    drop_text = "Drop images to inspect them"
    shortcuts = (
        ("Enter", "Open in Inspect"),
        ("A", "Accept the selected verdicts"),
        ("X", "Override the selected verdicts"),
        ("D", "Defect type"),
        ("U", "Undo"),
        ("Ctrl+F", "Search"),
        ("Ctrl+E", "Export"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.model = ResultModel(context, self)
        self.changes = Changes(context, self)
        self._selected_ids: list[int] = []
        self._asked_ids: list[int] = []
        self.filters = FilterBar()
        self.table = QTableView()
        self.counts = QLabel()
        self.counts.setFont(theme.font(figures=True))
        self.accept_button = QPushButton(icons.icon("accept"), "Accept")
        self.accept_button.setToolTip("The selected verdicts are right (A)")
        self.override_button = QPushButton(icons.icon("override"), "Override")
        self.override_button.setToolTip("Give the selected results another verdict (X)")
        self.export_button = QPushButton(icons.icon("export"), "Export")
        self.export_button.setCheckable(True)
        self.popup = ReviewPopup(self)
        self.exporter = ExportPanel(context)
        self.exporter.hide()
        self.none_yet = EmptyState(
            "results", "No results yet. Inspect images and they are kept here.", "Go to Inspect"
        )
        self.none_match = EmptyState("filter", "No result matches these filters.", "Show all results")
        self.closed = EmptyState("home", "Open a project to see its results.", "Go to Start")
        self._build_table()
        self._build()
        self._connect()
        self._project_changed()

    def _build_table(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setItemDelegateForColumn(HEADINGS.index("Verdict"), _ChipDelegate(table))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setFrameShape(QTableView.Shape.NoFrame)
        table.setStyleSheet("QTableView::item { padding: 0 5px; border: none; }")
        table.setAccessibleName("Results")
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(28)
        header = table.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(SORTS.index("time"), Qt.SortOrder.DescendingOrder)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        for column, wide in enumerate(_WIDTHS):
            header.resizeSection(column, wide)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(16, 12, 16, 12)
        top.setSpacing(8)
        top.addWidget(self.filters, 1)
        top.addWidget(self.export_button)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 8)
        foot.setSpacing(8)
        foot.addWidget(self.counts, 1)
        foot.addWidget(self.accept_button)
        foot.addWidget(self.override_button)
        self.middle = QStackedWidget()
        for widget in (self.table, self.none_match, self.none_yet):
            self.middle.addWidget(widget)
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addLayout(top)
        left.addWidget(self.middle, 1)
        left.addLayout(foot)
        inside = QWidget()
        whole = QHBoxLayout(inside)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(left, 1)
        whole.addWidget(self.exporter)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.closed)
        self.pages.addWidget(inside)
        self._inside = inside
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)

    def _connect(self) -> None:
        self.filters.changed.connect(self._ask)
        self.table.horizontalHeader().sortIndicatorChanged.connect(self._sorted)
        self.table.doubleClicked.connect(self._open)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._selection_changed())
        self.model.arrived.connect(self._arrived)
        self.model.trouble.connect(self.context.show_error)
        self.model.modelAboutToBeReset.connect(self._remember)
        self.accept_button.clicked.connect(self.accept)
        self.override_button.clicked.connect(lambda: self.override())
        self.export_button.toggled.connect(self._show_exporter)
        self.exporter.close_button.clicked.connect(lambda: self.export_button.setChecked(False))
        self.popup.decided.connect(self._decided)
        self.none_match.button.clicked.connect(self.filters.reset)
        self.none_yet.button.clicked.connect(partial(self.context.go, "inspect"))
        self.closed.button.clicked.connect(partial(self.context.go, "start"))
        self.context.project_changed.connect(self._project_changed)
        self.context.results_changed.connect(self._something_changed)
        self.context.classes_changed.connect(self._read_choices)
        self.context.job_event.connect(self._job_event)
        for keys, action in (
            ("A", self.accept),
            ("X", self.override),
            ("D", partial(self.override, True)),
            ("U", self.changes.undo),
            ("Return", self._open_current),
            ("Enter", self._open_current),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    # what is shown

    def activated(self) -> None:
        self._read_choices()
        self.model.refresh()
        self.table.setFocus()

    def export(self) -> bool:
        """Open the export panel."""
        self.export_button.setChecked(True)
        self.exporter.folder.setFocus()
        return True

    def _project_changed(self) -> None:
        self.model.clear()
        self._selected_ids = []
        if self.context.project is None:
            self.pages.setCurrentWidget(self.closed)
            return
        self.pages.setCurrentWidget(self._inside)
        self.middle.setCurrentWidget(self.table)
        was = self.filters.blockSignals(True)
        self.filters.show_choices([], [])
        self.filters.reset()
        self.filters.blockSignals(was)
        self._read_choices()
        self._ask()

    def _read_choices(self) -> None:
        project = self.context.project

        def look() -> tuple[list[RunRow], list[ClassRow]]:
            from inspector.records.classes import list_classes
            from inspector.records.runs import list_runs

            assert project is not None
            return list_runs(project), list_classes(project)

        def done(found: tuple[list[RunRow], list[ClassRow]]) -> None:
            self.filters.show_choices(*found)
            self.model.set_run_titles({row.id: row.title for row in found[0]})

        if project is not None:
            self.context.runner.read(self, look, done, self.context.show_error, latest="choices")

    def _ask(self) -> None:
        if self.context.project is None:
            return
        from inspector.records.result_filter import ResultSort

        header = self.table.horizontalHeader()
        sort = SORTS[header.sortIndicatorSection()] or "time"
        descending = header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
        self.model.ask(self.filters.filter(), ResultSort(sort), descending)
        self._read_counts()

    def _sorted(self, column: int, _order: Qt.SortOrder) -> None:
        if SORTS[column] is None:  # the number of regions is not kept in order
            self.table.horizontalHeader().setSortIndicator(SORTS.index("time"), Qt.SortOrder.DescendingOrder)
        else:
            self._ask()

    def _read_counts(self) -> None:
        project, where = self.context.project, self.filters.filter()

        def look() -> Counts:
            from inspector.records.results import count_results

            assert project is not None
            return count_results(project, where)

        if project is not None:
            self.context.runner.read(self, look, self._show_counts, self.context.show_error, latest="counts")

    def _show_counts(self, counts: Counts) -> None:
        parts = [f"{counts.total:,} results"] if counts.total != 1 else ["1 result"]
        parts += [f"✓ {counts.ok:,} OK", f"? {counts.review:,} review", f"✕ {counts.ng:,} NG"]
        if counts.failed:
            parts.append(f"! {counts.failed:,} failed")
        parts.append(f"{counts.reviewed:,} reviewed")
        self.counts.setText("     ".join(parts) if counts.total else "")

    def _arrived(self) -> None:
        if len(self.model.ids):
            self.middle.setCurrentWidget(self.table)
        else:
            self.middle.setCurrentWidget(self.none_yet if self.filters.empty else self.none_match)
        places = [place for i in self._selected_ids if (place := self.model.place(i)) >= 0]
        if places and not self.table.selectionModel().hasSelection():
            rows = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
            for place in places[:1000]:
                self.table.selectionModel().select(self.model.index(place, 0), rows)
            self.table.selectionModel().setCurrentIndex(
                self.model.index(places[0], 0), QItemSelectionModel.SelectionFlag.NoUpdate
            )
        self._selection_changed()

    def _something_changed(self) -> None:
        self.model.refresh(rows_too=True)
        self._read_counts()
        self._read_choices()

    def _job_event(self, event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None and self.isVisible():
            self.model.refresh_soon()

    # what is selected

    def selected(self) -> list[int]:
        """Ids of the selected results, in the order of the table."""
        chosen: list[int] = []
        spans = self.table.selectionModel().selection()
        for number in range(spans.count()):
            span = spans.at(number)
            chosen += self.model.ids[span.top() : span.bottom() + 1].tolist()
        return chosen

    def _remember(self) -> None:
        if self.table.selectionModel().hasSelection():
            self._selected_ids = self.selected()

    def _selection_changed(self) -> None:
        ids = self.selected()
        for button in (self.accept_button, self.override_button):
            button.setEnabled(0 < len(ids) <= _MANY)
        if self.context.project is not None:
            self.exporter.set_scope(self.filters.filter(), len(self.model.ids), tuple(ids))

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.context.show_result(int(self.model.ids[index.row()]))

    def _open_current(self) -> None:
        self._open(self.table.currentIndex())

    def accept(self) -> None:
        """The selected verdicts are right as they are."""
        self._with_rows(self._accept_rows)

    def _accept_rows(self, by_verdict: dict[Decision, list[int]], _types: list[str]) -> None:
        for decision, ids in by_verdict.items():
            self.changes.review(ids, decision)

    def override(self, type_first: bool = False) -> None:
        """Ask for another verdict, a reason and a type of defect for what is selected."""

        def ask(by_verdict: dict[Decision, list[int]], types: list[str]) -> None:
            self._asked_ids = [i for ids in by_verdict.values() for i in ids]
            if not self._asked_ids:
                return
            count = len(self._asked_ids)
            now = max(by_verdict, key=lambda decision: len(by_verdict[decision]))
            other = Decision.OK if now is Decision.NG else Decision.NG
            title = f"{count:,} results" if count > 1 else "This result"
            place = self.override_button.mapToGlobal(QPoint(self.override_button.width(), -8))
            self.popup.ask(title, now if type_first else other, "", types, place, type_first=type_first)

        self._with_rows(ask)

    def _with_rows(self, act: Callable[[dict[Decision, list[int]], list[str]], None]) -> None:
        """Read the selected results, then `act(ids by verdict, defect types)`; failed items have no verdict."""
        project, ids = self.context.project, self.selected()
        if project is None or not 0 < len(ids) <= _MANY:
            return

        def look() -> tuple[dict[Decision, list[int]], list[str]]:
            from inspector.records.results import list_defect_types, list_results

            found: dict[Decision, list[int]] = {}
            for row in list_results(project, ids):
                if row.verdict is not None:
                    found.setdefault(row.verdict, []).append(row.id)
            return found, list_defect_types(project)

        self.context.runner.read(self, look, lambda found: act(*found), self.context.show_error)

    def _decided(self, decision: object, reason: str, defect_type: str) -> None:
        if isinstance(decision, Decision):
            self.changes.review(self._asked_ids, decision, reason, defect_type)

    def _show_exporter(self, on: bool) -> None:
        self.exporter.setVisible(on)
