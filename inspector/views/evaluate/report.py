"""One evaluation: its table, and for the row that is chosen the curves, the scores and the confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontMetrics, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.jobs.evaluation.plan import Series, draw_words, method_title
from inspector.jobs.evaluation.stored import MEAN, Evaluation
from inspector.views.evaluate.confirmed import ConfirmedView
from inspector.views.evaluate.confusion import CELLS, ConfusionView
from inspector.views.evaluate.curves import KINDS, CurvesView, Line
from inspector.views.evaluate.images import EvaluationImages, Item
from inspector.views.evaluate.lines import curves_of
from inspector.views.evaluate.rows_table import HEADINGS, RowModel, table_of
from inspector.views.evaluate.scores import scores_of
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext


class EvaluationReport(QWidget):
    """`show_evaluation` fills it; a click on a cell of the matrix shows its images in place of the figures."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.evaluation: Evaluation | None = None
        self._source = Path()
        self._chosen: tuple[Series, str] | None = None
        self._cell: tuple[bool, bool] = (True, False)
        self.title = QLabel()
        theme.set_role(self.title, "heading")
        self.about = Elided()
        theme.set_role(self.about, "small")
        self.about.setContentsMargins(16, 0, 16, 8)
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        self.note.setContentsMargins(16, 0, 16, 8)
        theme.set_role(self.note, "warning")
        self.shown = QComboBox()
        self.shown.setAccessibleName("Rows of the table")
        self.copy = QPushButton(icons.icon("copy"), "Copy table")
        self.copy.setToolTip("For a spreadsheet (Ctrl+C)")
        self.folder = QPushButton(icons.icon("folder"), "Open the folder")
        self.folder.setToolTip("results.md, results.csv, results.json, details.json, split.json")
        self.model = RowModel(self)
        self.table = table_of(self.model, "Figures")
        self.confirmed = ConfirmedView()
        self.tables = QStackedWidget()
        for one in (self.table, self.confirmed):
            self.tables.addWidget(one)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Curve")
        for kind, (title, _, _) in KINDS.items():
            self.kind.addItem(title, kind)
        self.draw = QComboBox()
        self.draw.setAccessibleName("Draw")
        self.draw.setToolTip("Which draw of the shots")
        self.curves_title = QLabel()
        self.curves_title.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.curves_title, "quiet")
        self.curves = CurvesView()
        self.confusion = ConfusionView()
        self.images = EvaluationImages(context)
        self._build()
        self._connect()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 16, 4)
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        head.addWidget(self.shown)
        head.addWidget(self.copy)
        head.addWidget(self.folder)
        header = self.table.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        for section, wide in ((0, 116), (1, 52), (2, 136), (len(HEADINGS) - 1, 60)):
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(section, wide)

        pick = QHBoxLayout()
        pick.setSpacing(8)
        pick.addWidget(self.kind)
        pick.addWidget(self.draw)
        pick.addWidget(self.curves_title, 1)
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addLayout(pick)
        left.addWidget(self.curves, 1)
        below = QWidget()
        both = QHBoxLayout(below)
        both.setContentsMargins(16, 12, 16, 12)
        both.setSpacing(24)
        both.addLayout(left, 5)
        both.addWidget(self.confusion, 4)
        self.parts = QSplitter(Qt.Orientation.Vertical)
        self.parts.setChildrenCollapsible(False)
        self.parts.addWidget(self.tables)
        self.parts.addWidget(below)
        self.parts.setStretchFactor(0, 2)
        self.parts.setStretchFactor(1, 3)
        self.parts.setSizes([200, 420])
        figures = QWidget()
        column = QVBoxLayout(figures)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.note)
        column.addWidget(self.parts, 1)
        self.pages = QStackedWidget()
        self.pages.addWidget(figures)
        self.pages.addWidget(self.images)
        self._figures = figures
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.pages)

    def _connect(self) -> None:
        self.shown.activated.connect(lambda _: self._show_rows())
        self.table.horizontalHeader().sortIndicatorChanged.connect(self._sort)
        self.table.selectionModel().currentRowChanged.connect(lambda now, _before: self._choose(now.row()))
        self.kind.currentIndexChanged.connect(lambda _: self._show_curves())
        self.draw.currentIndexChanged.connect(lambda _: self._show_chosen())
        self.curves.picked.connect(self._picked)
        self.confusion.opened.connect(self.open_cell)
        self.images.closed.connect(self._close_images)
        self.images.moved.connect(self._look_elsewhere)
        self.copy.clicked.connect(self.copy_table)
        self.folder.clicked.connect(self.open_folder)
        for table in (self.table, self.confirmed.table):
            shortcut = QShortcut(QKeySequence.StandardKey.Copy, table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(self.copy_table)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluation, self._source = evaluation, evaluation.source
        self.title.setText(f"{evaluation.listed.data}   {evaluation.listed.when}")
        self.about.setText(evaluation.about)
        self.note.setText(evaluation.note)
        self.note.setVisible(bool(evaluation.note))
        self.shown.clear()
        if len(evaluation.series) > 1:
            self.shown.addItem("Means of all methods", "means")
            self.shown.addItem("Everything", "all")
        for series in evaluation.series:
            self.shown.addItem(series.words, series)
        self.confirmed.show_table(evaluation.confirmed)
        if evaluation.confirmed is not None:
            self.shown.addItem("Parts confirmed good", "confirmed")
        measure = QFontMetrics(theme.font(bold=True))
        widest = max(measure.horizontalAdvance(method_title(one.method)) for one in evaluation.series)
        self.table.horizontalHeader().resizeSection(0, min(max(widest + 20, 116), 232))
        with QSignalBlocker(self.draw):
            self.draw.clear()
            for seed in evaluation.seeds:
                self.draw.addItem(draw_words(seed).capitalize(), seed)
            self.draw.setVisible(len(evaluation.seeds) > 1)
        self._chosen = (evaluation.series[0], MEAN)
        self.pages.setCurrentWidget(self._figures)
        self._show_rows()

    def _show_rows(self) -> None:
        assert self.evaluation is not None
        wanted = self.shown.currentData()
        self.tables.setCurrentWidget(self.confirmed if wanted == "confirmed" else self.table)
        if wanted == "confirmed":
            return
        rows = [
            row
            for row in self.evaluation.rows
            if wanted == "all" or (row.class_name == MEAN if wanted == "means" else row.series == wanted)
        ]
        self.model.set_rows(rows, dict(self.evaluation.speed))
        self._find_chosen()

    def _sort(self, column: int, order: Qt.SortOrder) -> None:
        self.model.sort(column, order)
        self._find_chosen()

    def _find_chosen(self) -> None:
        """The chosen row is chosen again after the rows were changed, or the first."""
        places = [(row.series, row.class_name) for row in self.model.rows]
        place = places.index(self._chosen) if self._chosen in places else 0
        self.table.setCurrentIndex(self.model.index(place, 0))

    def _choose(self, place: int) -> None:
        if 0 <= place < len(self.model.rows):
            row = self.model.rows[place]
            self._chosen = (row.series, row.class_name)
            self._show_chosen()

    def _picked(self, name: str) -> None:
        """A curve was clicked: its class, where the table has a row of it."""
        for place, row in enumerate(self.model.rows):
            if self._chosen and row.series == self._chosen[0] and row.class_name == name:
                self.table.setCurrentIndex(self.model.index(place, 0))

    def _show_chosen(self) -> None:
        if self.evaluation is None or self._chosen is None or self.draw.currentIndex() < 0:
            return
        self._show_curves()
        self.confusion.set_scores(scores_of(self.evaluation.find(*self._chosen, self.draw.currentData())))

    def _show_curves(self) -> None:
        if self.evaluation is None or self._chosen is None:
            return
        series, class_name = self._chosen
        kind, seed = self.kind.currentData(), self.draw.currentData()
        lines: list[Line] = []
        for name in self.evaluation.classes:
            look = "main" if name == class_name else "quiet"
            lines += curves_of(self.evaluation.find(series, name, seed), kind, name, look)
        self.curves.set_lines(kind, lines)
        words = class_name or f"a line for each of {len(self.evaluation.classes)} classes"
        self.curves_title.setText(f"{series.words}: {words}")

    # the images behind a cell

    def open_cell(self, defective: bool, ng: bool) -> None:
        self._cell = (defective, ng)
        self._show_images()
        self.pages.setCurrentWidget(self.images)

    def _show_images(self) -> None:
        scores = self.confusion.scores
        if scores is None or self._chosen is None or self.evaluation is None:
            return
        items = [
            Item(self.evaluation.listed.folder, self._source, reading, number, self.evaluation.white)
            for reading, number in (
                scores.places[i] for i in scores.cell(*self._cell, self.confusion.threshold)
            )
        ]
        kind = "Defective" if self._cell[0] else "Good"
        verdict = "NG" if self._cell[1] else "OK"
        self.images.show_items(
            f"{kind} parts called {verdict} ({CELLS[self._cell]}): {len(items):,}  ·  "
            f"{self._chosen[0].words}, {self._chosen[1] or 'all classes'}",
            items,
        )

    def _close_images(self) -> None:
        self.pages.setCurrentWidget(self._figures)
        if self.isVisible():
            self.confusion.cells[self._cell].setFocus()

    def _look_elsewhere(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Where the images are now")
        if name:
            self.look_in(Path(name))

    def look_in(self, folder: Path) -> None:
        """Take the images from another folder than the evaluation says."""
        self._source = folder
        self._show_images()

    # taking the figures elsewhere

    def copy_table(self) -> None:
        shown = self.confirmed if self.tables.currentWidget() is self.confirmed else self.model
        QGuiApplication.clipboard().setText(shown.as_text())
        self._context.toast("The table is copied.")

    def open_folder(self) -> None:
        if self.evaluation is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.evaluation.listed.folder)))
