"""The studies of the project: who has judged how far, and what can be done with each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.text import printable
from inspector.views.look import icons, theme
from inspector.views.look.kit import centred_column, switch, tool
from inspector.views.look.labels import wrapped
from inspector.views.qualify.study.judge import TRIALS

if TYPE_CHECKING:
    from inspector.records.qualification.studies import StudyRow
    from inspector.views.shared.context import WindowContext


class StudyCard(QFrame):
    """One study."""

    judge = Signal(object, str)  # StudyRow, the person
    report = Signal(object)
    ended = Signal(object)
    removed = Signal(object)

    def __init__(self, row: StudyRow, viewing_only: str) -> None:
        super().__init__()
        from inspector.records.names import moment

        self.row = row
        theme.set_role(self, "card")
        self.title = wrapped("heading")
        self.title.setText(row.title)
        self.facts = wrapped("small")
        self.facts.setText(
            f"{row.parts} parts, {row.trials} trials each · begun {moment(row.created)} by {row.who or 'somebody'}"
        )
        self.state = wrapped()
        self.state.setText(f"Trials done: {row.progress}{' · ✓ finished' if row.closed else ''}")
        self.menu_button = tool("more", "More of this study")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self.menu_button)
        self.end = menu.addAction(icons.icon("stop"), "End it now", partial(self.ended.emit, row))
        self.end.setEnabled(row.closed is None and not viewing_only)
        self.remove = menu.addAction(icons.icon("trash"), "Remove", partial(self.removed.emit, row))
        self.remove.setEnabled(not viewing_only)
        self.menu_button.setMenu(menu)
        self.people: dict[str, QPushButton] = {}
        self.report_button = QPushButton("Show the report")
        self.report_button.setToolTip("Figures of each person and of the detector")
        switch(
            self.report_button,
            ""
            if row.closed
            else "It comes when everybody is done: until then nobody may know what is right.",
        )
        self.report_button.clicked.connect(partial(self.report.emit, row))
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.menu_button)
        self._actions = QHBoxLayout()
        self._actions.setSpacing(8)
        self._add_people(viewing_only)
        if row.closed:
            theme.set_role(self.report_button, "primary")
        self._actions.addWidget(self.report_button)
        self._actions.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(6)
        column.addLayout(head)
        for widget in (self.facts, self.state):
            column.addWidget(widget)
        column.addSpacing(4)
        column.addLayout(self._actions)

    def _add_people(self, viewing_only: str) -> None:
        """A button for each who has something to judge; whoever has judged least comes to mind first."""
        row = self.row
        for name in row.appraisers:
            trial = row.turn(name)
            if trial is None:
                continue
            said = row.said.get((name, trial), 0)
            begun = said or trial > 1
            short = printable(name, 24).replace("&", "&&")
            button = QPushButton(f"{'Go on as' if begun else 'Judge as'} {short}")
            button.setToolTip(f"{TRIALS[trial].capitalize()} trial: {said} of {row.parts} parts are judged")
            switch(button, viewing_only)
            button.clicked.connect(partial(self.judge.emit, row, name))
            self.people[name] = button
            self._actions.addWidget(button)
        if self.people:
            theme.set_role(self.people[min(self.people, key=row.done)], "primary")


class StudyList(QWidget):
    """A card for each study, newest first."""

    judge = Signal(object, str)
    report = Signal(object)
    ended = Signal(object)
    removed = Signal(object)

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self.cards: list[StudyCard] = []
        title = QLabel("Studies")
        theme.set_role(title, "title")
        words = wrapped("quiet")
        words.setText(
            "People judge the same parts several times without knowing what is right. The report compares them with each other, "
            "with what the parts are known to be, and with the detector."
        )
        self.new = QPushButton(icons.icon("add"), "New study…")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.new)
        column = centred_column(self, "Studies", 860, 16)
        column.addLayout(head)
        column.addWidget(words)
        column.addSpacing(8)
        self._room = QVBoxLayout()
        self._room.setSpacing(12)
        column.addLayout(self._room)
        column.addStretch(1)

    def show_rows(self, rows: Sequence[StudyRow]) -> None:
        for card in self.cards:
            self._room.removeWidget(card)
            card.deleteLater()
        self.cards = []
        why_not = self.context.viewing_only
        switch(self.new, why_not)
        for row in rows:
            card = StudyCard(row, why_not)
            card.judge.connect(self.judge)
            card.report.connect(self.report)
            card.ended.connect(self.ended)
            card.removed.connect(self.removed)
            self._room.addWidget(card)
            self.cards.append(card)
