"""Two or more evaluations side by side: one figure a class, the differences, and the curves over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from inspector.jobs.evaluation.plan import Series
from inspector.jobs.evaluation.stored import MEAN, Evaluation
from inspector.jobs.evaluation.tables import TITLES
from inspector.verdicts.metrics import FIGURES
from inspector.views.evaluate.curves import KINDS, CurvesView, Line
from inspector.views.evaluate.lines import curves_of, mean_curves
from inspector.views.evaluate.rows_table import table_of
from inspector.views.evaluate.scores import cell, class_words
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext

_Index = QModelIndex | QPersistentModelIndex
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LOOKS = ("main", "second")
Side = tuple[Evaluation, Series]


def letter(number: int) -> str:
    """A, B, …, Z, AA, …"""
    return letter(number // 26 - 1) + letter(number % 26) if number >= 26 else chr(ord("A") + number)


def difference(a: float | None, b: float | None) -> str:
    """How far `b` lies above `a`, in percentage points."""
    if a is None or b is None:
        return "–"
    points = round(100 * (b - a), 1)
    return f"{points:+.1f}".replace("-", "−") if points else "0.0"


class CompareModel(QAbstractTableModel):
    """A row a class, the mean first: A, then B and B − A, then C and C − A …"""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.sides: tuple[Side, ...] = ()
        self.figure = FIGURES[0]
        self.classes: list[str] = []
        self._cells: dict[tuple[str, int], tuple[float | None, float | None]] = {}

    def set_sides(self, sides: Sequence[Side], figure: str) -> None:
        self.beginResetModel()
        self.sides, self.figure = tuple(sides), figure
        names = [name for evaluation, _ in sides for name in evaluation.classes]
        self.classes = [MEAN, *dict.fromkeys(names)]
        place = FIGURES.index(figure)
        self._cells = {}
        for number, (evaluation, series) in enumerate(self.sides):
            for name in self.classes:
                row = evaluation.row(series, name)
                self._cells[name, number] = (row.means[place], row.stds[place]) if row else (None, None)
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.classes)

    def columnCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 2 * len(self.sides)

    def text(self, name: str, column: int) -> str:
        if column == 0:
            return class_words(name)
        number = column // 2
        mean, std = self._cells[name, number]
        if column == 1 or column % 2 == 0:
            return cell(mean, std) if column > 1 else cell(*self._cells[name, 0])
        return difference(self._cells[name, 0][0], mean)

    def heading(self, column: int) -> str:
        if column == 0:
            return "Class"
        if column == 1:
            return "A"
        return letter(column // 2) if column % 2 == 0 else f"{letter(column // 2)} − A"

    def data(self, index: _Index, role: int = 0) -> Any:
        name = self.classes[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(name, index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return _RIGHT
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(bold=name == MEAN, figures=True)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.heading(section)
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if section else _LEFT
        return None

    def as_text(self) -> str:
        columns = range(self.columnCount())
        lines = [[self.heading(c) for c in columns]]
        lines += [[self.text(name, c) for c in columns] for name in self.classes]
        return "\n".join("\t".join(line) for line in lines)


class EvaluationCompare(QWidget):
    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self._context = context
        self.evaluations: tuple[Evaluation, ...] = ()
        self.choices: list[QComboBox] = []
        title = QLabel("Comparison")
        theme.set_role(title, "heading")
        self.note = QLabel()
        self.note.setWordWrap(True)
        theme.set_role(self.note, "warning")
        self.figure = QComboBox()
        self.figure.setAccessibleName("Figure")
        for figure in FIGURES:
            self.figure.addItem(TITLES[figure], figure)
        self.copy = QPushButton(icons.icon("copy"), "Copy table")
        self.copy.setToolTip("For a spreadsheet (Ctrl+C)")
        self.model = CompareModel(self)
        self.table = table_of(self.model, "Comparison")
        self.kind = QComboBox()
        self.kind.setAccessibleName("Curve")
        for kind, (words, _, _) in KINDS.items():
            self.kind.addItem(words, kind)
        self.of = QLabel()
        self.of.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_role(self.of, "quiet")
        self.curves = CurvesView()
        self._sides = QGridLayout()
        self._sides.setHorizontalSpacing(12)
        self._sides.setVerticalSpacing(4)
        self._sides.setColumnStretch(1, 1)

        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(title, 1)
        head.addWidget(self.figure)
        head.addWidget(self.copy)
        pick = QHBoxLayout()
        pick.setSpacing(8)
        pick.addWidget(self.kind)
        pick.addWidget(self.of, 1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addLayout(pick)
        right.addWidget(self.curves, 1)
        both = QHBoxLayout()
        both.setSpacing(24)
        both.addWidget(self.table, 6)
        both.addLayout(right, 5)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 12, 16, 12)
        whole.setSpacing(8)
        whole.addLayout(head)
        whole.addLayout(self._sides)
        whole.addWidget(self.note)
        whole.addLayout(both, 1)

        self.figure.currentIndexChanged.connect(lambda _: self._show())
        self.kind.currentIndexChanged.connect(lambda _: self._show_curves())
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_curves())
        self.copy.clicked.connect(self.copy_table)
        shortcut = QShortcut(QKeySequence.StandardKey.Copy, self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.copy_table)

    def show_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        self.evaluations = tuple(evaluations)
        while (item := self._sides.takeAt(0)) is not None:
            if widget := item.widget():
                widget.deleteLater()
        self.choices = []
        first = self.evaluations[0].series
        for line, evaluation in enumerate(self.evaluations):
            mark = QLabel(letter(line))
            theme.set_role(mark, "heading")
            words = Elided()
            entry = evaluation.listed
            words.setText(f"{entry.data}, {entry.when} · {entry.methods} · {entry.counts}")
            choice = QComboBox()
            choice.setAccessibleName(f"Method of {letter(line)}")
            for series in evaluation.series:
                choice.addItem(series.words, series)
            # The same method and shots as A where there are; what differs is then the evaluation.
            choice.setCurrentIndex(max(0, choice.findText(first[0].words)))
            choice.currentIndexChanged.connect(lambda _: self._show())
            self._sides.addWidget(mark, line, 0)
            self._sides.addWidget(words, line, 1)
            self._sides.addWidget(choice, line, 2)
            self.choices.append(choice)
        sets = {(one.listed.data, one.classes) for one in self.evaluations}
        self.note.setText("These were measured on different images or classes." if len(sets) > 1 else "")
        self.note.setVisible(len(sets) > 1)
        self._show()
        self.table.setCurrentIndex(self.model.index(0, 0))

    def sides(self) -> list[Side]:
        return [
            (evaluation, choice.currentData())
            for evaluation, choice in zip(self.evaluations, self.choices, strict=True)
        ]

    def _show(self) -> None:
        row = max(self.table.currentIndex().row(), 0)
        self.model.set_sides(self.sides(), self.figure.currentData())
        self.table.setCurrentIndex(self.model.index(min(row, len(self.model.classes) - 1), 0))
        self._show_curves()

    def _show_curves(self) -> None:
        row = self.table.currentIndex().row()
        if not 0 <= row < len(self.model.classes):
            return
        name = self.model.classes[row]
        kind = self.kind.currentData()
        lines: list[Line] = []
        for number, (evaluation, series) in enumerate(self.sides()):
            look = _LOOKS[number] if number < len(_LOOKS) else "quiet"
            words = f"{letter(number)}: {series.words}"
            lines += (
                curves_of(evaluation.find(series, name), kind, words, look)
                if name
                else mean_curves(evaluation, series, kind, words, look)
            )
        self.curves.set_lines(kind, lines)
        more = ", the others faint" if len(self.evaluations) > 2 else ""
        of = name or f"Mean over {len(self.model.classes) - 1} classes"
        self.of.setText(f"{of}: A solid, B dashed{more}, a line a draw")

    def copy_table(self) -> None:
        QGuiApplication.clipboard().setText(self.model.as_text())
        self._context.toast("The table is copied.")
