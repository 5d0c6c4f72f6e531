"""Every detector of a project, what changed from one to the next, and the way back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from inspector.views.look.kit import fill, switch, word_table
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.detectors import DetectorRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext
    from inspector.views.teach.edits import DetectorEdits

_HEADINGS = ("Detector", "Knows", "What changed", "Results", "State")


@dataclass(frozen=True)
class Past:
    """`changed`: against the one before of the same classes, in words. `results`: how many it judged."""

    row: DetectorRow
    changed: str
    results: int


def read_history(project: Project) -> list[Past]:
    """Newest first. For a worker."""
    from inspector.records.detectors import list_detectors, list_memory, list_proposed
    from inspector.records.inspected.results import count_results
    from inspector.records.result_filter import ResultFilter

    rows = sorted([*list_detectors(project), *list_proposed(project)], key=lambda row: -row.id)
    known: dict[int, dict[int, set[int]]] = {}
    for row in rows:
        memory = known[row.id] = {key: set(own) for key, own in list_memory(project, row.id).items()}
        for class_id, places in list_memory(project, row.id, places=True).items():
            memory.setdefault(class_id, set()).update(places)
    found = []
    for place, row in enumerate(rows):
        before = next((one for one in rows[place + 1 :] if row.classes.keys() & one.classes.keys()), None)
        total = count_results(project, ResultFilter(detector_id=row.id)).total
        said = (
            _difference(row, before, known[row.id], known[before.id])
            if before
            else "The first of its classes"
        )
        found.append(Past(row, said, total))
    return found


def _difference(
    row: DetectorRow, before: DetectorRow, now: dict[int, set[int]], then: dict[int, set[int]]
) -> str:
    """Against an earlier detector, by what each remembers of every class."""
    from inspector.methods import catalogue

    said = []
    if row.method != before.method:
        said.append(f"{catalogue.title(row.method)} instead of {catalogue.title(before.method)}")
    if row.backbone.get("weights") != before.backbone.get("weights"):
        said.append("other weights")
    if row.false_alarm_rate != before.false_alarm_rate:
        said.append("another false-alarm rate")
    classes = [row.classes[key] for key in row.classes if key not in before.classes]
    gone = [before.classes[key] for key in before.classes if key not in row.classes]
    said += [f"with {name}" for name in classes] + [f"without {name}" for name in gone]
    both = row.classes.keys() & before.classes.keys()
    places = row.places | before.places
    for sign, one, other in (("+", now, then), ("−", then, now)):
        news = {key for class_id in both for key in one.get(class_id, set()) - other.get(class_id, set())}
        said += [
            f"{sign}{count} {what}{'' if count == 1 else 's'}"
            for what, count in (("shot", len(news - places)), ("place", len(news & places)))
            if count
        ]
    if row.method == before.method and dict(row.settings) != dict(before.settings):
        said.append("other settings")
    return ", ".join(said) or "Taught again on the same"


class DetectorHistory(QDialog):
    """Opens at once and is filled when it is read; follows what changes meanwhile."""

    def __init__(self, context: WindowContext, edits: DetectorEdits, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._edits = context, edits
        self.past: list[Past] = []
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Detectors of this project")
        self.resize(min(900, parent.window().width() - 40), min(480, parent.window().height() - 80))
        self.said = wrapped("small")
        self.said.setText(
            "Detectors never change: each new one stands beside those before it. Results stay as the detector judged them "
            "that was in charge then."
        )
        self.table = word_table(_HEADINGS, "Detectors", 2)
        self.button = QPushButton("Put in charge")
        self.button.setToolTip("The chosen detector judges from now on (can be undone)")
        close = QPushButton("Close")
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.button)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.said)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        self.table.itemSelectionChanged.connect(self._chosen)
        self.button.clicked.connect(self._put_in_charge)
        close.clicked.connect(self.close)
        context.detectors_changed.connect(self._read)
        context.project_changed.connect(self.close)
        self._chosen()
        self._read()

    def _read(self) -> None:
        self._context.query(self, read_history, self._show, latest="history")

    def _show(self, past: list[Past]) -> None:
        chosen = self._row()
        self.past = past
        fill(
            self.table,
            [
                (one.row.label, _knows(one.row), one.changed, f"{one.results:,}", _state(one.row))
                for one in past
            ],
        )
        for number, one in enumerate(past):
            if chosen is not None and one.row.id == chosen.id:
                self.table.selectRow(number)
        self._chosen()

    def _row(self) -> DetectorRow | None:
        number = self.table.currentRow() if self.table.selectedItems() else -1
        return self.past[number].row if 0 <= number < len(self.past) else None

    def _chosen(self) -> None:
        row = self._row()
        why = self._context.viewing_only
        if not why and row is None:
            why = "Choose a detector."
        elif not why and row is not None:
            why = row.problem and f"It can't be used: {row.problem}"
            if not why and row.proposed:
                why = "It waits for your decision on the Teach page."
            elif not why and row.in_charge >= row.classes.keys():
                why = "It is in charge."
        switch(self.button, why)

    def _put_in_charge(self) -> None:
        row = self._row()
        if row is not None:
            self._edits.put_in_charge(row)


def _knows(row: DetectorRow) -> str:
    places = len(row.places)
    shots = f"{row.shots} shot{'' if row.shots == 1 else 's'}"
    return f"{shots}, {places} place{'' if places == 1 else 's'}" if places else shots


def _state(row: DetectorRow) -> str:
    if row.problem:
        return "Can't be used"
    if row.proposed:
        return "Waits for your decision"
    if not row.in_charge:
        return "Earlier"
    names = [name for key, name in row.classes.items() if key in row.in_charge]
    return "In charge" if len(names) == len(row.classes) else f"In charge of {', '.join(names)}"
