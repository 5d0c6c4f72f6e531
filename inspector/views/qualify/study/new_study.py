"""A new study: of which parts, judged by whom and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from inspector.domain import Decision
from inspector.exports.study import TIMES
from inspector.views.look import theme
from inspector.views.look.kit import centred_column, narrow_combo, switch
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.qualification.candidates import Candidate
    from inspector.records.qualification.studies import NewPart
    from inspector.views.shared.context import WindowContext

_PEOPLE = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for."""

    title: str
    parts: tuple[NewPart, ...]
    appraisers: tuple[str, ...]
    trials: int


class NewStudy(QWidget):
    """`wanted` with the plan when somebody begins it."""

    wanted = Signal(object)  # Plan
    left = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self.candidates: list[Candidate] = []
        self.chosen: list[Candidate] = []
        self.title = QLineEdit()
        self.title.setMaxLength(100)
        self.title.setPlaceholderText("For instance: final inspection, washer")
        self.of_class = narrow_combo("Parts of which class")
        self.run = narrow_combo("Parts of which run")
        self.count = QSpinBox()
        self.count.setRange(2, 300)
        self.count.setValue(50)
        self.trials = QComboBox()
        for number in (2, 3):
            self.trials.addItem(TIMES[number], number)
        self.people = [QLineEdit() for _ in range(_PEOPLE)]
        for number, field in enumerate(self.people, 1):
            field.setMaxLength(100)
            field.setPlaceholderText(
                f"Name of person {number}{'' if number < _PEOPLE else ', if there is one'}"
            )
            field.setAccessibleName(f"Person {number}")
            field.textChanged.connect(self._switch)
        self.said = wrapped()
        self.warned = wrapped("warning")
        self.begin = QPushButton("Begin the study")
        self.begin.setToolTip("Its parts stay as they are from then on")
        theme.set_role(self.begin, "primary")
        self.cancel = QPushButton("Cancel")
        for label in (self.said, self.warned):
            policy = label.sizePolicy()
            policy.setHorizontalPolicy(QSizePolicy.Policy.Expanding)
            label.setSizePolicy(policy)
        self._build()
        self.title.textChanged.connect(self._switch)
        self.of_class.currentIndexChanged.connect(self._ask)
        self.run.currentIndexChanged.connect(self._ask)
        self.count.valueChanged.connect(self._propose)
        self.begin.clicked.connect(self._begin)
        self.cancel.clicked.connect(self.left)
        context.results_changed.connect(self._changed)

    def _build(self) -> None:
        title = QLabel("New study")
        theme.set_role(title, "title")
        words = wrapped("quiet")
        words.setText(
            "Two or three people who judge such parts every day see the same parts several times, each time in another order. "
            "Parts that were reviewed on Inspect or Results are taken; their newest review is what is right."
        )
        form = QFormLayout()
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(16)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.addRow("Title", self.title)
        form.addRow("Class", self.of_class)
        form.addRow("Run", self.run)
        form.addRow("Parts, at most", self.count)
        form.addRow("", self.said)
        form.addRow("", self.warned)
        for field in self.people:
            form.addRow("People" if field is self.people[0] else "", field)
        form.addRow("Everybody judges", self.trials)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.cancel)
        foot.addWidget(self.begin)
        column = centred_column(self, "New study", 720, 16)
        column.addWidget(title)
        column.addWidget(words)
        column.addSpacing(12)
        column.addLayout(form)
        column.addSpacing(12)
        column.addLayout(foot)
        column.addStretch(1)

    def open(self) -> None:
        """Empty, with what the project has to choose from."""
        self.title.clear()
        for number, field in enumerate(self.people):
            field.setText(self.context.who if not number else "")
        self.candidates, self.chosen = [], []
        self.title.setFocus()

        def read(project: Project) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
            from inspector.records.classes import list_classes
            from inspector.records.inspected.runs import list_runs

            runs = [(row.label, row.id) for row in list_runs(project) if row.counts.reviewed]
            return [(row.name, row.id) for row in list_classes(project)], runs

        self.context.query(self, read, self._fill, latest="choices")

    def _fill(self, found: tuple[list[tuple[str, int]], list[tuple[str, int]]]) -> None:
        for combo, every, rows in (
            (self.of_class, "All classes", found[0]),
            (self.run, "All runs with reviewed parts", found[1]),
        ):
            combo.blockSignals(True)
            combo.clear()
            combo.addItem(every, None)
            for words, key in rows:
                combo.addItem(words, key)
            combo.blockSignals(False)
        self._ask()

    def _changed(self) -> None:
        if self.isVisible():
            self._ask()

    def _ask(self) -> None:
        read = partial(_candidates, self.of_class.currentData(), self.run.currentData())
        self.context.query(self, read, self._arrived, latest="candidates")

    def _arrived(self, candidates: list[Candidate]) -> None:
        self.candidates = candidates
        self._propose()

    def _propose(self) -> None:
        from inspector.records.qualification.candidates import propose, warnings

        self.chosen = propose(self.candidates, self.count.value())
        bad = sum(1 for one in self.chosen if one.part.expected is Decision.NG)
        near = sum(1 for one in self.chosen if one.near)
        self.said.setText(
            f"{len(self.chosen)} of {len(self.candidates)} reviewed parts: {len(self.chosen) - bad} OK, {bad} NG; "
            f"{near} of them near the limit (25–30 % are recommended)."
            if self.candidates
            else "No part was reviewed here. Call some OK and NG on Inspect or Results first."
        )
        warned = warnings(self.chosen) if self.chosen else []
        self.warned.setText("\n".join(f"! {words}" for words in warned))
        self.warned.setVisible(bool(warned))
        self._switch()

    @property
    def names(self) -> tuple[str, ...]:
        """Those that were typed."""
        return tuple(name for field in self.people if (name := " ".join(field.text().split())))

    def _switch(self) -> None:
        why_not = self.context.viewing_only
        if not self.chosen:
            why_not = why_not or "There are no reviewed parts."
        elif not self.title.text().strip():
            why_not = why_not or "Type a title."
        elif not self.names:
            why_not = why_not or "Name who judges."
        elif len({name.casefold() for name in self.names}) < len(self.names):
            why_not = why_not or "Two people have the same name."
        switch(self.begin, why_not)

    def _begin(self) -> None:
        parts = tuple(one.part for one in self.chosen)
        self.wanted.emit(Plan(self.title.text(), parts, self.names, self.trials.currentData()))


def _candidates(class_id: int | None, run_id: int | None, project: Project) -> list[Candidate]:
    from inspector.records.qualification.candidates import list_candidates

    return list_candidates(project, class_id=class_id, run_id=run_id)
