"""A detector that waits to be put in charge: what it would change, and which shots it was taught on stand out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.look.labels import plain, wrapped
from inspector.views.look.thumbnails import Thumbnails

if TYPE_CHECKING:
    from inspector.domain import Flip
    from inspector.records.detectors import DetectorRow
    from inspector.records.project import Project
    from inspector.records.shots import ShotRow

_PICTURE = 72
_NAMED = 12
"""How many results that would change are named, those that would pass first."""


@dataclass(frozen=True)
class Waiting:
    """The newest proposed detector. `doubtful`: shots that stand out and that nobody called good, with their scores.
    `golden`: what it says of the golden set, in words. `flips`: by name, for the first few. `older`: ids of proposed detectors that it makes pointless. `places`: how many it knows, that were called no
    defect and that no detector in charge knows."""

    row: DetectorRow
    golden: str = ""
    doubtful: list[tuple[ShotRow, float]] = field(default_factory=list)
    flips: list[tuple[Flip, str]] = field(default_factory=list)
    older: list[int] = field(default_factory=list)
    places: int = 0


def read_waiting(project: Project) -> Waiting | None:
    """What waits in this project, or None."""
    from inspector.records.detectors import list_detectors, list_proposed
    from inspector.records.inspected.results import list_results
    from inspector.records.shots import list_shots

    rows = list_proposed(project)
    if not rows or rows[0].proposal is None:
        return None
    proposal = rows[0].proposal
    doubtful = [
        (shot, proposal.outliers[shot.id])
        for shot in list_shots(project)
        if shot.id in proposal.outliers and not shot.confirmed_good
    ]
    flips = sorted(proposal.flips, key=lambda one: (one.after is not Decision.OK, -one.score))[:_NAMED]
    names = {row.id: row.name for row in list_results(project, [one.result_id for one in flips])}
    return Waiting(
        rows[0],
        read_golden(project, rows[0]),
        doubtful,
        [(one, names.get(one.result_id, "")) for one in flips],
        [row.id for row in rows[1:] if row.takes <= rows[0].takes],
        len(rows[0].places.difference(*(row.places for row in list_detectors(project) if row.in_charge))),
    )


def read_golden(project: Project, row: DetectorRow) -> str:
    """What a detector says of the golden set, in a sentence; "" where there is none for its classes. For a worker."""
    from inspector.jobs.golden import said
    from inspector.records.qualification.golden import judge_golden

    words = judge_golden(project, row.id, row.takes)
    unscored = sum(not word.scored for word in words)
    if not words:
        return ""
    if unscored:
        parts = "1 part" if unscored == 1 else f"{unscored} parts"
        return f"Golden set: {parts} of {len(words)} will be scored before it is put in charge."
    return said(words)


def words(compared: int, flips: Counter[tuple[Decision, Decision]]) -> str:
    """What a detector would change, in one or two sentences."""
    if not compared:
        return "There are no stored results yet to compare it on."
    if not flips:
        return f"It judges all {compared} results that were looked at again as the one in charge does."
    parts = [
        f"{count} from {theme.WORDS[before]} to {theme.WORDS[after]}"
        for (before, after), count in sorted(flips.items(), key=lambda item: (item[0][1], -item[1]))
    ]
    return f"Of {compared} results looked at again it would change {', '.join(parts)}."


class ProposalCard(QFrame):
    """Hidden while nothing waits. `show_waiting` takes what `read_waiting` found."""

    accepted = Signal(object)  # Waiting
    discarded = Signal(object)
    called_good = Signal(object)  # ids of shots
    removed = Signal(object)  # ShotRows
    result_wanted = Signal(int)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        theme.set_role(self, "card")
        self._thumbnails = thumbnails
        self._waiting: Waiting | None = None
        self.heading = wrapped("heading")
        self.line = wrapped()
        self.alarm = wrapped("error")
        self.golden = wrapped()
        self.flips = QListWidget()
        self.flips.setAccessibleName("Results that would change")
        self.flips.setFrameShape(QFrame.Shape.NoFrame)
        self.flips.itemActivated.connect(self._open)
        self.flips.itemClicked.connect(self._open)
        self.doubt = wrapped("warning")
        self.doubtful = QListWidget()
        self.doubtful.setAccessibleName("Shots that stand out")
        self.doubtful.setFrameShape(QFrame.Shape.NoFrame)
        self.doubtful.setViewMode(QListWidget.ViewMode.IconMode)
        self.doubtful.setMovement(QListWidget.Movement.Static)
        self.doubtful.setIconSize(QSize(_PICTURE, _PICTURE))
        self.doubtful.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.doubtful.setFixedHeight(_PICTURE + 44)
        self.good_button = QPushButton("They are good")
        self.good_button.clicked.connect(lambda: self.called_good.emit([row.id for row in self._meant()]))
        self.remove_button = QPushButton("Remove them")
        self.remove_button.clicked.connect(lambda: self.removed.emit(self._meant()))
        self.accept_button = QPushButton("Put it in charge")
        theme.set_role(self.accept_button, "primary")
        self.accept_button.clicked.connect(lambda: self.accepted.emit(self._waiting))
        self.discard_button = QPushButton("Discard it")
        self.discard_button.setToolTip("Keep the detector that is in charge (can be undone)")
        self.discard_button.clicked.connect(lambda: self.discarded.emit(self._waiting))
        self.why = wrapped("small")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        for widget in (
            self.heading,
            self.line,
            self.alarm,
            self.golden,
            self.flips,
            self.doubt,
            self.doubtful,
        ):
            column.addWidget(widget)
        column.addLayout(_row(self.good_button, self.remove_button))
        column.addLayout(_row(self.accept_button, self.discard_button))
        column.addWidget(self.why)
        self.hide()

    def show_waiting(self, waiting: Waiting | None, read_only: bool) -> None:
        if waiting == self._waiting and waiting is not None and self.isVisible():
            return
        self._waiting = waiting
        self.setVisible(waiting is not None)
        if waiting is None or waiting.row.proposal is None:
            return
        proposal = waiting.row.proposal
        counts = Counter((one.before, one.after) for one in proposal.flips)
        passed = sum(count for (_, after), count in counts.items() if after is Decision.OK)
        self.heading.setText(f"A new detector waits: {waiting.row.label}")
        learned = ""
        if waiting.places:
            learned = f"It has learned {waiting.places} place{'s' if waiting.places != 1 else ''} called no defect. "
        self.line.setText(
            f"{learned}{words(proposal.compared, counts)} The one in charge goes on judging until you decide."
        )
        self.golden.setText(waiting.golden)
        self.golden.setVisible(bool(waiting.golden))
        self.alarm.setText(
            f"{passed} part{'s' if passed != 1 else ''} that {'were' if passed != 1 else 'was'} held back would pass."
        )
        self.alarm.setVisible(passed > 0)
        self.flips.clear()
        for flip, name in waiting.flips:
            item = QListWidgetItem(
                f"{name}: {theme.WORDS[flip.before]} → {theme.WORDS[flip.after]}, score {flip.score:.3f}"
            )
            item.setData(Qt.ItemDataRole.UserRole, flip.result_id)
            item.setToolTip("Show this result")
            self.flips.addItem(item)
        self.flips.setVisible(bool(waiting.flips))
        self.flips.setFixedHeight(min(4, len(waiting.flips)) * max(1, self.flips.sizeHintForRow(0)) + 4)
        self._show_doubtful({row.id: (row, score) for row, score in waiting.doubtful})
        several = len(waiting.doubtful) != 1
        self.good_button.setText("They are good" if several else "It is good")
        self.remove_button.setText("Remove them" if several else "Remove it")
        for button in (self.good_button, self.remove_button, self.discard_button):
            button.setEnabled(not read_only)
        self.accept_button.setEnabled(not read_only and not waiting.doubtful)
        self.why.setText("Say first whether the shots above are good." if waiting.doubtful else "")
        self.why.setVisible(bool(waiting.doubtful))

    def _show_doubtful(self, found: Mapping[int, tuple[ShotRow, float]]) -> None:
        self.doubtful.clear()
        for row, score in found.values():
            item = QListWidgetItem(row.name)
            item.setData(Qt.ItemDataRole.UserRole, row)
            item.setToolTip(plain(f"{row.class_name}: {row.name}\nScore without itself {score:.3f}"))
            self.doubtful.addItem(item)
        self._draw()
        count = len(found)
        self.doubt.setText(
            "This shot looks unlike the other shots of its class. Is it a good part, and the same view?"
            if count == 1
            else f"These {count} shots look unlike the other shots of their class. Are they good parts?"
        )
        for widget in (self.doubt, self.doubtful, self.good_button, self.remove_button):
            widget.setVisible(bool(found))

    def _draw(self) -> None:
        for number in range(self.doubtful.count()):
            item = self.doubtful.item(number)
            row: ShotRow = item.data(Qt.ItemDataRole.UserRole)
            picture = self._thumbnails.get(row.path, self._draw, row.sha256, row.white)
            if picture is not None:
                item.setIcon(QIcon(picture))

    def _meant(self) -> list[ShotRow]:
        """The chosen ones of the shots in doubt, or all."""
        items = self.doubtful.selectedItems() or [
            self.doubtful.item(number) for number in range(self.doubtful.count())
        ]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items]

    def _open(self, item: QListWidgetItem) -> None:
        self.result_wanted.emit(item.data(Qt.ItemDataRole.UserRole))


def _row(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(8)
    for button in buttons:
        row.addWidget(button)
    row.addStretch(1)
    return row
