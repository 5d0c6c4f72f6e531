"""Other thresholds, from parts that people judged or from the past: what they promise and which results they would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Decision
from inspector.verdicts.judge import decide
from inspector.verdicts.provenance import Basis, number, percent, rates, words
from inspector.views.inspect.scores.score_view import drift_words
from inspector.views.look import theme
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped
from inspector.views.review.verdict_edits import ThresholdChange

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.project import Project
    from inspector.records.thresholds import ThresholdMove, ThresholdProposal, ThresholdRow
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext

_BASES = {
    Basis.GOOD: "Good parts: as many false alarms as allowed",
    Basis.DEFECTS: "Never miss a part that was marked defective",
    Basis.BALANCE: "The best balance of both (F1 score)",
}
_ROWS, _WIDE = 8, 480
_TOLD = ("good", "picked", "promised", "marked")
"""What of the provenance makes equal numbers other thresholds."""


@dataclass(frozen=True)
class _Seen:
    proposal: ThresholdProposal | None = None
    flips: list[ResultRow] = field(default_factory=list)


def read(project: Project, of: tuple[int, int], basis: str | int) -> _Seen:
    """For a worker. `basis`: a `Basis`, or the row of earlier thresholds."""
    from inspector.records.classes import list_classes
    from inspector.records.inspected.results import list_results
    from inspector.records.thresholds import propose_thresholds

    detector_id, class_id = of
    if class_id not in {row.id for row in list_classes(project)}:
        return _Seen()
    proposal = propose_thresholds(
        project, detector_id, class_id, basis if isinstance(basis, int) else Basis(basis)
    )
    return _Seen(proposal, list_results(project, proposal.flips) if proposal else [])


class ThresholdsDialog(QDialog):
    """Stays beside the window, so that results that would change can be looked at, and follows what is judged there. `of`:
    detector and class."""

    def __init__(
        self, context: WindowContext, edits: VerdictEdits, of: tuple[int, int], name: str, parent: QWidget
    ) -> None:
        super().__init__(parent.window())
        self.context, self.edits, self.of = context, edits, of
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Thresholds")
        self.proposal: ThresholdProposal | None = None
        self.heading = wrapped("heading")
        self.heading.setText(f"Thresholds of “{name}” for detector #{of[0]}")
        self.basis = QComboBox()
        self.basis.setAccessibleName("What the thresholds are set by")
        self._items = QStandardItemModel(self)
        for basis, said in _BASES.items():
            item = QStandardItem(said)
            item.setData(basis, Qt.ItemDataRole.UserRole)
            self._items.appendRow(item)
        self.basis.setModel(self._items)
        self.known = wrapped("small")
        self.drift = wrapped("warning")
        self.numbers = {key: QLabel() for key in ("review now", "review then", "ng now", "ng then")}
        self.rates = {key: QLabel() for key in ("wanted", "expected", "certain")}
        self.said = wrapped()
        self.change = wrapped()
        self.alarm = wrapped("error")
        self.flips = QListWidget()
        self.flips.setAccessibleName("Results that would change")
        self.flips.setFrameShape(QFrame.Shape.NoFrame)
        self.flips.itemClicked.connect(self._open)
        self.flips.itemActivated.connect(self._open)
        self.use = QPushButton("Use these thresholds")
        self.use.setToolTip("Every result of the class by this detector is judged anew; can be undone")
        theme.set_role(self.use, "primary")
        self.leave = QPushButton("Leave them as they are")
        self._lay_out()
        self.basis.activated.connect(lambda _index: self.refresh())
        self.use.clicked.connect(self._use)
        self.leave.clicked.connect(self.reject)
        self._closed = False
        self.finished.connect(self._gone)
        context.results_changed.connect(self.refresh)
        context.classes_changed.connect(self.refresh)
        context.thresholds_moved.connect(self._moved)
        context.project_changed.connect(self.reject)
        self._show(_Seen())
        self.refresh()

    def _lay_out(self) -> None:
        figures = QGridLayout()
        figures.setHorizontalSpacing(24)
        figures.setVerticalSpacing(4)
        for column, head in enumerate(("", "Now", "Then")):
            figures.addWidget(_quiet(head), 0, column)
        for row, (word, key) in enumerate((("Review from", "review"), ("NG from", "ng")), 1):
            figures.addWidget(QLabel(word), row, 0)
            for column, when in enumerate(("now", "then"), 1):
                figures.addWidget(_bold(self.numbers[f"{key} {when}"]), row, column)
        figures.setColumnStretch(3, 1)
        shares = QHBoxLayout()
        shares.setSpacing(24)
        for key, word in (("wanted", "Wanted"), ("expected", "Expected"), ("certain", "Almost certainly")):
            share = QVBoxLayout()
            share.setSpacing(0)
            share.addWidget(_quiet(word))
            share.addWidget(_bold(self.rates[key]))
            shares.addLayout(share)
        shares.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.leave)
        buttons.addWidget(self.use)
        self._whole = layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        for above in (self.heading, self.basis, self.known, self.drift):
            layout.addWidget(above)
        layout.addLayout(figures)
        layout.addSpacing(4)
        layout.addWidget(_quiet("Good parts called NG"))
        layout.addLayout(shares)
        for below in (self.said, self.change, self.alarm, self.flips):
            layout.addWidget(below)
        layout.addStretch(1)
        layout.addLayout(buttons)
        self.setFixedWidth(_WIDE)

    def choose(self, basis: Basis) -> None:
        self.basis.setCurrentIndex(self.basis.findData(basis))
        self.refresh()

    def refresh(self) -> None:
        """Read what was judged anew; nothing can be used until the answer is here."""
        self.proposal = None
        switch(self.use, "Being worked out…")
        look = partial(read, of=self.of, basis=self.basis.currentData())
        self.context.query(self, look, self._show, latest="other thresholds")

    def _moved(self, move: ThresholdMove) -> None:
        if (move.detector_id, move.class_id) == self.of:
            self.refresh()

    def _show(self, seen: _Seen) -> None:
        self.proposal = one = seen.proposal
        then = one.proposed if one else None
        now = one.current if one else None
        for when, thresholds in (("now", now), ("then", then)):
            self.numbers[f"review {when}"].setText(f"{thresholds.review:.3f}" if thresholds else "–")
            self.numbers[f"ng {when}"].setText(number(thresholds.ng) if thresholds else "–")
        told = rates(then) if then else None
        self.rates["wanted"].setText(percent(told.wanted) if told else "–")
        self.rates["expected"].setText(percent(told.expected) if told else "–")
        self.rates["certain"].setText(f"at most {percent(told.certain)}" if told else "–")
        self.said.setText(words(then) if then else "")
        self.known.setText(_known(one) if one else "")
        self.drift.setText(drift_words(one.drift) if one and one.drift else "")
        self.drift.setVisible(bool(self.drift.text()))
        self._show_flips(seen)
        if one is not None:
            self._list_earlier(one.earlier)
        steers = bool(one and one.defective)
        for place, basis in enumerate(_BASES):
            usable = basis is Basis.GOOD or steers
            self._items.item(place).setEnabled(usable)
            self._items.item(place).setToolTip(
                "" if usable else "No part of this class was marked defective yet."
            )
        switch(self.use, self._why_not(one))
        self.setFixedHeight(self._whole.totalHeightForWidth(_WIDE))

    def _list_earlier(self, rows: Sequence[ThresholdRow]) -> None:
        """What they were before, below what they can be set by; the choice stays."""
        from inspector.records.names import moment

        chosen = self.basis.currentData()
        self._items.removeRows(len(_BASES), self._items.rowCount() - len(_BASES))
        for row in rows:
            by = f" by {row.who}" if row.who else ""
            item = QStandardItem(f"As before: {moment(row.created)}{by}, NG from {number(row.thresholds.ng)}")
            item.setData(row.id, Qt.ItemDataRole.UserRole)
            self._items.appendRow(item)
        place = self.basis.findData(chosen)
        if place < 0:  # these are in force now
            self.basis.setCurrentIndex(0)
            self.refresh()
        else:
            self.basis.setCurrentIndex(place)

    def _why_not(self, one: ThresholdProposal | None) -> str:
        """Why there is nothing to use, "" when there is."""
        if self.context.viewing_only:
            return self.context.viewing_only
        if one is None:
            return "The class has no thresholds, or was removed."
        if one.proposed is None:
            return "It isn't known well enough what these were set from: confirm more parts, or teach again."
        then, now = one.proposed, one.current
        told = [[dict(each.provenance).get(key) for key in _TOLD] for each in (then, now)]
        same = then.numbers == now.numbers and told[0] == told[1]
        return "These are the thresholds in force." if same else ""

    def _show_flips(self, seen: _Seen) -> None:
        one = seen.proposal
        changes = one.changes if one else {}
        parts = [
            f"{count:,} from {theme.WORDS[before]} to {theme.WORDS[after]}"
            for (before, after), count in sorted(changes.items(), key=lambda item: -item[1])
        ]
        self.change.setText(f"Would change {', '.join(parts)}." if parts else "No result would change.")
        self.change.setVisible(one is not None)
        passed = sum(count for (_, after), count in changes.items() if after is Decision.OK)
        self.alarm.setText(
            f"{passed:,} part{'' if passed == 1 else 's'} would pass that {'is' if passed == 1 else 'are'} held back now."
        )
        self.alarm.setVisible(passed > 0)
        self.flips.clear()
        for row in seen.flips:
            if one is None or one.proposed is None or row.image_score is None or row.decision is None:
                continue
            after = decide(row.image_score, one.proposed)
            item = QListWidgetItem(
                f"{row.name}: {theme.WORDS[row.decision]} → {theme.WORDS[after]}, score {row.image_score:.3f}"
            )
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            item.setToolTip("Show this result")
            self.flips.addItem(item)
        self.flips.setVisible(self.flips.count() > 0)
        high = max(1, self.flips.sizeHintForRow(0))
        self.flips.setFixedHeight(min(_ROWS, max(1, self.flips.count())) * high + 4)

    def _open(self, item: QListWidgetItem) -> None:
        self.context.show_result(item.data(Qt.ItemDataRole.UserRole))

    def _use(self) -> None:
        one, self.proposal = self.proposal, None
        if one is None or one.proposed is None:
            return
        switch(self.use, "Being stored…")
        change = ThresholdChange(*self.of, one.current, one.proposed, one.calibrated, proposed=True)
        self.edits.set_thresholds(change, self._used, self._left)

    def _used(self) -> None:
        if not self._closed:  # also while somebody signs
            self.accept()

    def _left(self) -> None:
        if not self._closed:
            self.refresh()

    def _gone(self, _result: int) -> None:
        self._closed = True


def _known(one: ThresholdProposal) -> str:
    """What there is to go by, and how to get more."""
    good = f"{one.good:,} part{'' if one.good == 1 else 's'} confirmed good"
    said = [f"{good}, {one.defective:,} marked defective."]
    if not one.good:
        said.append("Accept good parts, or confirm a whole run in the list on the left.")
    if one.unscored:
        said.append(
            f"{one.unscored:,} more {'was' if one.unscored == 1 else 'were'} judged by another detector and "
            f"{'does' if one.unscored == 1 else 'do'} not count here until this one inspects "
            f"{'it' if one.unscored == 1 else 'them'}."
        )
    return " ".join(said)


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    theme.set_role(label, "small")
    return label


def _bold(label: QLabel) -> QLabel:
    label.setFont(theme.font(bold=True, figures=True))
    return label
