"""Whom a station tells: a card for each output, with its settings and a way to try them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from inspector.errors import InspectorError
from inspector.views.line.stations.setup.field_form import FieldForm
from inspector.views.look import icons, theme
from inspector.views.look.kit import tool
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.records.line.stations import Part
    from inspector.stations.outputs.link import OutputInfo

Try = Callable[["Part", Callable[[str, bool], None]], None]
"""Asks the receiver of an output whether it is there, and says so: (sentence, whether it is)."""


class OutputCard(QFrame):
    """One output."""

    remove_requested = Signal()

    def __init__(self, info: OutputInfo, part: Part, ask: Try) -> None:
        super().__init__()
        self.info, self.key = info, part.key
        self._ask = ask
        theme.set_role(self, "card")
        title = QLabel(info.title)
        theme.set_role(title, "heading")
        summary = wrapped("small")
        summary.setText(info.summary)
        self.form = FieldForm(info.fields, part.values)
        self.try_button = QPushButton("Try it")
        self.try_button.setToolTip("Ask the receiver with these settings; no result is sent")
        self.try_button.clicked.connect(self._try)
        remove = tool("trash", f"Remove: {info.title}")
        remove.clicked.connect(self.remove_requested)
        self.said = wrapped("small")
        self.said.setText(info.missing)
        if info.missing:
            theme.set_role(self.said, "warning")
        self.exposed = wrapped("warning")
        self.form.changed.connect(self._show_exposed)
        self._show_exposed()
        head = QHBoxLayout()
        head.addWidget(title)
        head.addStretch(1)
        head.addWidget(remove)
        foot = QHBoxLayout()
        foot.setSpacing(12)
        foot.addWidget(self.try_button)
        foot.addWidget(self.said, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(summary)
        column.addWidget(self.form)
        column.addWidget(self.exposed)
        column.addLayout(foot)

    def part(self) -> Part:
        """As it would be stored. Raises `SettingsError` for a setting that is wrong."""
        from inspector.records.line.stations import Part
        from inspector.stations.fields import checked

        return Part(self.info.kind, checked(self.info.fields, self.form.values()), self.key)

    def _show_exposed(self) -> None:
        try:
            words = self.info.exposed(self.part().values)
        except InspectorError:  # said when it is tried or kept
            words = ""
        self.exposed.setText(words)
        self.exposed.setVisible(bool(words))

    def say(self, words: str, good: bool) -> None:
        self.said.setText(words)
        theme.set_role(self.said, "good" if good else "error")
        self.try_button.setEnabled(True)

    def _try(self) -> None:
        try:
            part = self.part()
        except InspectorError as error:
            self.say(str(error), False)
            return
        self.try_button.setEnabled(False)
        self.said.setText("Asking…")
        theme.set_role(self.said, "small")
        self._ask(part, self.say)


class OutputsEditor(QWidget):
    """`cards`: those that there are, in order."""

    def __init__(self, offered: Sequence[OutputInfo], parts: Sequence[Part], ask: Try) -> None:
        super().__init__()
        self._ask = ask
        self.cards: list[OutputCard] = []
        self.none = wrapped("quiet")
        self.none.setText(
            "Nobody is told. Results are stored in the project all the same; add whom else they should reach."
        )
        self.add_button = QPushButton("Add")
        self.add_button.setIcon(icons.icon("add"))
        self.menu = QMenu(self.add_button)
        self.menu.setToolTipsVisible(True)
        for info in offered:
            action = self.menu.addAction(info.title)
            action.setToolTip(info.summary)
            action.triggered.connect(partial(self.add, info))
        self.add_button.setMenu(self.menu)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(12)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.none)
        column.addLayout(self._cards)
        column.addWidget(self.add_button, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        by_kind = {info.kind: info for info in offered}
        for part in parts:
            if part.kind in by_kind:
                self._put(by_kind[part.kind], part)

    def add(self, info: OutputInfo, _checked: bool = False) -> OutputCard:
        """Another one, with the usual settings and a key that no other has or had."""
        from uuid import uuid4

        from inspector.records.line.stations import Part

        card = self._put(info, Part(info.kind, {}, f"{info.kind}-{uuid4().hex[:8]}"))
        card.form.setFocus()
        return card

    def parts(self) -> tuple[Part, ...]:
        """Raises `SettingsError` for a setting that is wrong, with the output's name."""
        from inspector.errors import SettingsError

        found = []
        for card in self.cards:
            try:
                found.append(card.part())
            except InspectorError as error:
                raise SettingsError(f"{card.info.title}: {error.message}", error.hint) from error
        return tuple(found)

    def _put(self, info: OutputInfo, part: Part) -> OutputCard:
        card = OutputCard(info, part, self._ask)
        card.remove_requested.connect(partial(self._remove, card))
        self.cards.append(card)
        self._cards.addWidget(card)
        self.none.hide()
        return card

    def _remove(self, card: OutputCard) -> None:
        self.cards.remove(card)
        self._cards.removeWidget(card)
        card.hide()
        card.deleteLater()
        self.none.setVisible(not self.cards)
