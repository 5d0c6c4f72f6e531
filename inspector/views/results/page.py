"""The Results page: every result of every run, as a table or as pictures, to find, to judge anew, to export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QModelIndex,
    QPoint,
    QSignalBlocker,
    Qt,
)
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import JobEvent, JobItem
from inspector.views.look import icons, theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.labels import plain
from inspector.views.results.export_panel import ExportPanel
from inspector.views.results.filter_bar import FilterBar
from inspector.views.results.gallery import ResultGallery
from inspector.views.results.heat_thumbnails import HeatThumbnails
from inspector.views.results.kept import keep, number
from inspector.views.results.preview import Preview
from inspector.views.results.table import ResultSelection, ResultTable
from inspector.views.results.view_bar import ViewBar, counts_words
from inspector.views.review.heats import Heats
from inspector.views.review.result_model import ROW, SORTS
from inspector.views.review.review_page import ReviewPage
from inspector.views.shared.context import ResultQuery

if TYPE_CHECKING:
    from inspector.records.classes import ClassRow
    from inspector.records.inspected.results import Counts, ResultRow
    from inspector.records.inspected.runs import RunRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

_MANY = 5000  # as many as can be judged in one go


class ResultsPage(ReviewPage):
    shortcuts = (
        ("G", "Table or gallery"),
        ("P", "Preview beside them"),
        ("Enter", "Open in Inspect"),
        ("A", "Accept the selected verdicts"),
        ("X", "Override the selected verdicts"),
        ("D", "Defect type of the selected results"),
        ("U", "Undo"),
        ("Ctrl+F", "Search"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context, "results", "Open a project to see its results.")
        self.filters = FilterBar()
        self.table = ResultTable(self.model)
        self.heats = Heats(context, self)
        self.pictures = HeatThumbnails(context, self.heats, self)
        self.gallery = ResultGallery(self.model, self.table.selectionModel(), self.pictures)
        self.selection = ResultSelection(self.table, self.model, (self.gallery,))
        self.preview = Preview(context, self.model, self.heats)
        self.bar = ViewBar()
        self.counts = QLabel()
        self.counts.setFont(theme.font(figures=True))
        self.accept_button = QPushButton(icons.icon("accept"), "Accept")
        self.override_button = QPushButton(icons.icon("override"), "Override")
        self.export_button = QPushButton(icons.icon("export"), "Export")
        self.export_button.setCheckable(True)
        self.exporter = ExportPanel(context)
        self.exporter.hide()
        self.none_yet = EmptyState(
            "results", "No results yet. Inspect images and they are kept here.", "Go to Inspect"
        )
        self.none_match = EmptyState("filter", "No result matches these filters.", "Show all results")
        self._build()
        self._connect()
        self.gallery.set_side(self.bar.slider.value())
        header = self.table.horizontalHeader()
        self.bar.show_order(header.sortIndicatorSection(), header.sortIndicatorOrder())
        self._project_changed()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(16, 12, 16, 12)
        top.setSpacing(8)
        top.addWidget(self.filters, 1)
        top.addWidget(self.export_button)
        bar = QHBoxLayout()
        bar.setContentsMargins(16, 0, 16, 8)
        bar.addWidget(self.bar)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 8)
        foot.setSpacing(8)
        foot.addWidget(self.counts, 1)
        foot.addWidget(self.accept_button)
        foot.addWidget(self.override_button)
        self.middle = QStackedWidget()
        for widget in (self.table, self.gallery, self.none_match, self.none_yet):
            self.middle.addWidget(widget)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.middle)
        self.split.addWidget(self.preview)
        self.split.setStretchFactor(0, 1)
        self.split.setChildrenCollapsible(False)
        self._preview_width = number("preview width", 240, 2000, 0)
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addLayout(top)
        left.addLayout(bar)
        left.addWidget(self.split, 1)
        left.addLayout(foot)
        inside = QWidget()
        whole = QHBoxLayout(inside)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(left, 1)
        whole.addWidget(self.exporter)
        self.pages.addWidget(inside)
        self._inside = inside

    def _connect(self) -> None:
        self.filters.changed.connect(self._ask)
        self.table.horizontalHeader().sortIndicatorChanged.connect(self._sorted)
        for view in (self.table, self.gallery):
            view.doubleClicked.connect(self._open)
            view.customContextMenuRequested.connect(partial(self._menu, view))
        self.bar.gallery_chosen.connect(self._show_view)
        self.bar.side_chosen.connect(self.gallery.set_side)
        self.bar.order_chosen.connect(self._sort)
        self.bar.shots.toggled.connect(self._count)
        self.bar.preview_chosen.connect(self._place_preview)
        self.split.splitterMoved.connect(self._preview_dragged)
        self.preview.opened.connect(self._open_result)
        self.table.selectionModel().currentChanged.connect(self.preview.current)
        self.selection.changed.connect(self._selection_changed)
        self.model.arrived.connect(self._arrived)
        self.accept_button.clicked.connect(lambda: self.accept())
        self.override_button.clicked.connect(lambda: self.override())
        self.export_button.toggled.connect(self._show_exporter)
        self.exporter.close_button.clicked.connect(lambda: self.export_button.setChecked(False))
        self.none_match.button.clicked.connect(self.filters.reset)
        self.none_yet.button.clicked.connect(partial(self.context.go, "inspect"))
        self.context.project_changed.connect(self._project_changed)
        again = partial(self.refresh_in_sight, self._something_changed)
        self.context.results_changed.connect(again)
        self.context.thresholds_moved.connect(lambda _move: again())
        self.context.classes_changed.connect(self._read_choices)
        self.context.job_event.connect(self._job_event)
        opening = dict.fromkeys(("Return", "Enter"), self._open_current)
        for view in (self.table, self.gallery):
            self.bind_keys(opening, view, Qt.ShortcutContext.WidgetShortcut)
        self.bind_keys({"G": self.bar.toggle, "P": self.bar.preview.click})

    # what is shown

    @property
    def view(self) -> ResultTable | ResultGallery:
        """The table or the gallery, whichever is chosen."""
        return self.gallery if self.bar.as_gallery else self.table

    def _show_view(self) -> None:
        """What was in sight stays in sight."""
        before = self.middle.currentWidget()
        if before not in (self.table, self.gallery):
            return
        current = self.table.currentIndex()
        if before is self.gallery:
            first, seen = self.gallery.first, current.row() in self.gallery.places(self.gallery.rect())
        else:
            first, seen = max(0, self.table.rowAt(0)), self.table.visualRect(current).isValid()
        self.middle.setCurrentWidget(self.view)
        if self.view is self.gallery:
            self.gallery.updateGeometries()
            self.gallery.show_first(first)
        else:
            self.table.scrollTo(self.model.index(first, 0), QAbstractItemView.ScrollHint.PositionAtTop)
        if seen and current.isValid():
            self.view.scrollTo(current)
        self.view.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_preview()

    def _place_preview(self) -> None:
        """Beside the results where it is wanted, or nobody said and there is room."""
        taken = 0 if self.exporter.isHidden() else self.exporter.width()
        self.preview.set_shown(self.bar.wants_preview(self.width() - taken))
        self.preview.current(self.table.currentIndex())
        room = self.width() - taken
        wide = min(self._preview_width or round(room * 0.3), room - 320)
        self.split.setSizes([max(1, room - wide), wide])

    def _preview_dragged(self) -> None:
        self._preview_width = self.preview.width()
        keep("preview width", self._preview_width)

    def activated(self) -> None:
        self._read_choices()
        wanted, self.context.wanted_result = self.context.wanted_result, None
        self.context.wanted_among = None
        self._wanted = wanted
        self.model.refresh()
        self.view.setFocus()

    def export(self) -> bool:
        """Open the export panel."""
        self.export_button.setChecked(True)
        self.exporter.folder.setFocus()
        return True

    def _project_changed(self) -> None:
        self.model.clear()
        self.pictures.clear()
        self._wanted = None
        if self.context.project is None:
            self.pages.setCurrentWidget(self.closed)
            return
        self.pages.setCurrentWidget(self._inside)
        self.middle.setCurrentWidget(self.view)
        with QSignalBlocker(self.filters):
            self.filters.show_choices([], [])
            self.filters.reset()
        self._read_choices()
        self._ask()

    def _read_choices(self) -> None:
        def read(project: Project) -> tuple[list[RunRow], list[ClassRow]]:
            from inspector.records.classes import list_classes
            from inspector.records.inspected.runs import list_runs

            return list_runs(project), list_classes(project)

        def done(found: tuple[list[RunRow], list[ClassRow]]) -> None:
            runs = found[0]
            self.filters.show_choices(*found)
            self.model.set_labels(
                {row.id: row.label for row in runs}, {row.detector_id: row.detector_label for row in runs}
            )

        self.context.query(self, read, done, latest="choices")

    @property
    def question(self) -> ResultQuery:
        """What is shown, in which order."""
        from inspector.records.result_filter import ResultSort

        header = self.table.horizontalHeader()
        sort = SORTS[header.sortIndicatorSection()] or "time"
        descending = header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
        return ResultQuery(self.filters.filter(), ResultSort(sort), descending, self.filters.words())

    def _ask(self) -> None:
        if self.context.project is not None:
            self.model.ask(self.question)
            self._count()

    def _sorted(self, column: int, order: Qt.SortOrder) -> None:
        if SORTS[column] is None:  # what is not kept in order
            self.table.horizontalHeader().setSortIndicator(SORTS.index("time"), Qt.SortOrder.DescendingOrder)
        else:
            self.bar.show_order(column, order)
            self._ask()

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        self.table.horizontalHeader().setSortIndicator(column, order)

    def _count(self) -> None:
        self.read_counts(self.filters.filter(), self._show_counts, self.bar.shots.isChecked())

    def _show_counts(self, counts: Counts, shots: int) -> None:
        self.counts.setText(counts_words(counts))
        self.bar.show_shots(shots)

    def _arrived(self) -> None:
        if len(self.model.ids):
            self.middle.setCurrentWidget(self.view)
        else:
            self.middle.setCurrentWidget(self.none_yet if self.filters.empty else self.none_match)
        wanted = self._wanted
        if wanted is not None:
            if self.model.place(wanted) < 0 and not self.filters.empty:
                self.filters.reset()  # it is among others; they are asked for now
                return
            self._wanted = None
            self.selection.choose([wanted], in_sight=True)
        self.preview.current(self.table.currentIndex())
        self._selection_changed()

    def _something_changed(self) -> None:
        self.model.refresh(rows_too=True)
        self._count()
        self._read_choices()

    def _job_event(self, event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None and self.isVisible():
            self.model.refresh_soon()

    # what is selected

    def _selection_changed(self) -> None:
        project, count, every = self.context.project, self.selection.count, len(self.model.ids)
        why = self._why_not(count)
        for button, words in (
            (self.accept_button, "The selected verdicts are right (A)"),
            (self.override_button, "Give the selected results another verdict, with a reason (X)"),
        ):
            button.setEnabled(not why)
            button.setToolTip(plain(why) or words)
        if project is not None:
            ids = () if count == every > 1 else tuple(self.selection.ids().tolist())
            self.exporter.set_scope(self.filters.filter(), every, ids)

    def _why_not(self, count: int) -> str:
        """Why the selected results can't be judged; "" when they can."""
        if self.context.viewing_only:
            return self.context.viewing_only
        if not count:
            return "Select results first."
        if count > _MANY:
            return f"{count:,} results are selected; at most {_MANY:,} can be judged in one go. Filter or select fewer."
        return ""

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self._open_result(int(self.model.ids[index.row()]))

    def _open_result(self, result_id: int) -> None:
        self.context.show_result(result_id, among=None if self.filters.empty else self.question)

    def _open_current(self) -> None:
        self._open(self.table.currentIndex())

    def _menu(self, view: QAbstractItemView, at: QPoint) -> None:
        index = view.indexAt(at)
        row: ResultRow | None = index.data(ROW) if index.isValid() else None
        if row is None:
            return
        self._selection_changed()
        place = view.viewport().mapToGlobal(at)
        self.show_menu(
            place,
            row,
            self.accept_button,
            self.override_button,
            partial(self._open, index),
            chosen=self.selection.ids().tolist(),
        )

    # a person's word

    def accept(self) -> None:
        """The selected verdicts are right as they are."""
        self._with_rows(self.judging.accept)

    def override(self, type_first: bool = False) -> None:
        """Ask for another verdict, a reason and a type of defect for what is selected."""
        place = self.override_button.mapToGlobal(QPoint(self.override_button.width(), -8))
        self._with_rows(partial(self.judging.override, place=place, type_first=type_first))

    def _with_rows(self, act: Callable[[list[ResultRow]], None]) -> None:
        """Read the selected results, then `act` on them."""
        why = self._why_not(self.selection.count)
        if why:
            self.context.toast(why)
            return
        ids = self.selection.ids().tolist()

        def read(project: Project) -> list[ResultRow]:
            from inspector.records.inspected.results import list_results

            return list_results(project, ids)

        self.context.query(self, read, act)

    def _show_exporter(self, on: bool) -> None:
        self.exporter.setVisible(on)
        self._place_preview()
