"""Every detector of a project, what changed from one to the next, and the way back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Deed, JobKind, JobStatus
from inspector.views.look import theme
from inspector.views.look.kit import fill, switch, word_table
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit, JobEnded
    from inspector.jobs.engine import Engine
    from inspector.records.detectors import DetectorRow
    from inspector.records.project import Project
    from inspector.records.qualification.golden import GoldenWord
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import Job
    from inspector.views.teach.edits import DetectorEdits

_HEADINGS = ("Detector", "Knows", "What changed", "Results", "Golden set", "State")


@dataclass(frozen=True)
class Past:
    """`changed`: against the one before of the same classes, in words. `results`: how many it judged.
    `golden`: what it says of the golden set."""

    row: DetectorRow
    changed: str
    results: int
    golden: list[GoldenWord]


def read_history(project: Project) -> list[Past]:
    """Newest first. For a worker."""
    from inspector.records.detectors import list_detectors, list_memory, list_proposed
    from inspector.records.inspected.results import count_results
    from inspector.records.qualification.golden import judge_golden
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
        found.append(Past(row, said, total, judge_golden(project, row.id)))
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


_SAID = (
    "Detectors never change: each new one stands beside those before it. Results stay as the detector judged them that was in "
    "charge then. Choose two (Ctrl+click) to compare them on the golden set."
)


class DetectorHistory(QDialog):
    """Opens at once and is filled when it is read; follows what changes meanwhile."""

    def __init__(self, context: WindowContext, edits: DetectorEdits, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._edits = context, edits
        self._handing: Job | None = None
        self.past: list[Past] = []
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Detectors of this project")
        self.resize(min(900, parent.window().width() - 40), min(480, parent.window().height() - 80))
        self.said = wrapped("small")
        self.said.setText(_SAID)
        self.table = word_table(_HEADINGS, "Detectors", 2)
        self.table.setSelectionMode(QTableWidget.SelectionMode.ExtendedSelection)
        self.button = QPushButton("Put in charge")
        self.button.setToolTip("The chosen detector judges from now on (can be undone)")
        self.hand_over_button = QPushButton("Hand over…")
        self.hand_over_button.setToolTip(
            "Write the chosen detector as a file that another computer takes over"
        )
        close = QPushButton("Close")
        foot = QHBoxLayout()
        foot.addWidget(self.hand_over_button)
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
        self.hand_over_button.clicked.connect(self._ask_where)
        context.runner.ended.connect(self._ended)
        close.clicked.connect(self.close)
        context.detectors_changed.connect(self._read)
        context.golden_changed.connect(self._read)
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
                (
                    one.row.label,
                    _knows(one.row),
                    one.changed,
                    f"{one.results:,}",
                    _golden(one),
                    _state(one.row),
                )
                for one in past
            ],
        )
        for number, one in enumerate(past):
            if chosen is not None and one.row.id == chosen.id:
                self.table.selectRow(number)
        self._chosen()

    def _row(self) -> DetectorRow | None:
        chosen = self._all_chosen()
        return chosen[0].row if len(chosen) == 1 else None

    def _all_chosen(self) -> list[Past]:
        numbers = sorted({index.row() for index in self.table.selectedIndexes()})
        return [self.past[number] for number in numbers if number < len(self.past)]

    def _chosen(self) -> None:
        row, both = self._row(), self._all_chosen()
        self.said.setText(compared(*both) if len(both) == 2 else _SAID)
        why = self._context.viewing_only
        if not why and row is None:
            why = "Choose one detector."
        elif not why and row is not None:
            why = row.problem and f"It can't be used: {row.problem}"
            if not why and {one for own in row.added_shots.values() for one in own} & set(row.gone_shots):
                why = "It remembers a shot that was removed, so the one before it would judge."
            if not why and row.proposed:
                why = "It waits for your decision on the Teach page."
            elif not why and row.in_charge >= row.classes.keys():
                why = "It is in charge."
        switch(self.button, why)
        problem = (
            "Choose one detector." if row is None else row.problem and f"It can't be used: {row.problem}"
        )
        switch(self.hand_over_button, problem)

    def _put_in_charge(self) -> None:
        row = self._row()
        if row is not None:
            self._edits.put_in_charge(row)

    def _ask_where(self) -> None:
        row, project = self._row(), self._context.project
        if row is None or project is None:
            return
        from inspector.exports.files import safe_name

        start = Path.home() if project.read_only else project.folder.parent
        offered = str(start / f"{safe_name(', '.join(row.classes.values()))} {row.id}.inspector")
        name, _ = QFileDialog.getSaveFileName(
            self, f"Hand over #{row.id}", offered, "Detectors (*.inspector)"
        )
        if name:
            self.hand_over(row, Path(name))

    def hand_over(self, row: DetectorRow, target: Path) -> None:
        """Write a detector as a file, in the background."""
        project, who = self._context.project, self._context.who
        if project is None or not self._context.may(Deed.EXPORT):
            return
        file = target if target.suffix else target.with_suffix(".inspector")

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.handover.give import hand_over

            hand_over(project, engine, file, detector_id=row.id, who=who, emit=emit, cancel=cancel)

        self._handing = self._context.runner.start(JobKind.EXPORT, f"Hand over #{row.id}", work)

    def _ended(self, job: Job, event: JobEnded) -> None:
        if job is self._handing:
            self._handing = None
            if event.status is JobStatus.DONE:
                self.said.setText(event.message)


def _golden(past: Past) -> str:
    """ "11 of 12", "3 to score", or a dash where there is no golden set of its classes."""
    unscored = sum(not word.scored for word in past.golden)
    if not past.golden:
        return "–"
    if unscored:
        return f"{unscored} not scored"
    return f"{sum(word.kept for word in past.golden)} of {len(past.golden)}"


def compared(one: Past, other: Past) -> str:
    """How two detectors differ on the parts of the golden set that both have scored."""
    then = {word.part.id: word for word in other.golden if word.scored}
    both = [(word, then[word.part.id]) for word in one.golden if word.scored and word.part.id in then]
    names = f"#{one.row.id} and #{other.row.id}"
    if not both:
        return f"{names} have no golden part in common that both have scored."
    differ = [(now, before) for now, before in both if now.decision is not before.decision]
    if not differ:
        return f"{names} judge all {len(both)} golden parts that both have scored alike."
    few = ", ".join(
        f"{now.part.name} ({_verdict(now)} with #{one.row.id}, {_verdict(before)} with #{other.row.id}, must be "
        f"{theme.WORDS[now.part.expected]})"
        for now, before in differ[:5]
    )
    more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
    return f"{names} differ on {len(differ)} of {len(both)} golden parts: {few}{more}."


def _verdict(word: GoldenWord) -> str:
    return theme.WORDS[word.decision] if word.decision else "no verdict"


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
