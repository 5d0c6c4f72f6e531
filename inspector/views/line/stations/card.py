"""A station in the list: how it is, what came today, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
)

from inspector.domain import Decision
from inspector.views.line.words import counted, seconds_text
from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.kit import switch
from inspector.views.look.labels import wrapped

if TYPE_CHECKING:
    from inspector.views.line.stations.reads import StationView

STATES = {
    "running": ("▶ Running", "good"),
    "starting": ("… Starting", "quiet"),
    "stopping": ("… Stopping", "quiet"),
    "trouble": ("! Needs help", "warning"),
    "failed": ("✕ Stopped by an error", "error"),
    "stopped": ("■ Stopped", "quiet"),
}
"""A station's state: sign and word, and the look."""


class StationCard(QFrame):
    """`show_view` what is stored, `show_state` what goes on."""

    start_requested = Signal()
    stop_requested = Signal()
    operate_requested = Signal()
    edit_requested = Signal()
    duplicate_requested = Signal()
    remove_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.view: StationView | None = None
        self._viewing_only = ""
        theme.set_role(self, "card")
        self.state = QLabel()
        self.state.setMinimumWidth(self.fontMetrics().horizontalAdvance("✕ Stopped by an error") + 8)
        self.name = Elided("heading")
        self.about = Elided("small")
        self.counts = QLabel()
        self.counts.setFont(theme.font(figures=True))
        usual = counted({Decision.OK: 10_000, Decision.REVIEW: 100, Decision.NG: 1_000})
        self.counts.setMinimumWidth(self.counts.fontMetrics().horizontalAdvance(usual))
        self.latency = QLabel()
        theme.set_role(self.latency, "small")
        self.said = wrapped("warning")
        self.said.hide()
        self.start = QPushButton("Start")
        self.start.setIcon(icons.icon("play"))
        self.start.setToolTip("Inspect what comes, beside everything else")
        self.start.clicked.connect(self._pressed)
        wide = max(self.start.fontMetrics().horizontalAdvance(word) for word in ("Start", "Stopping…"))
        self.start.setMinimumWidth(wide + 56)
        self.operate = QPushButton("Operator view")
        self.operate.setIcon(icons.icon("screen"))
        self.operate.setToolTip("One large answer, full screen")
        self.operate.clicked.connect(self.operate_requested)
        self.edit = QPushButton("Set up…")
        self.edit.clicked.connect(self.edit_requested)
        self.more = QToolButton()
        self.more.setIcon(icons.icon("more"))
        self.more.setToolTip("Duplicate or remove it")
        self.more.setAccessibleName("More")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self.more)
        self.duplicate = menu.addAction(icons.icon("copy"), "Duplicate")
        self.duplicate.triggered.connect(self.duplicate_requested)
        self.remove = menu.addAction(icons.icon("trash"), "Remove")
        self.remove.triggered.connect(self.remove_requested)
        self.more.setMenu(menu)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.start, self.operate, self.edit, self.more):
            buttons.addWidget(button)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.name)
        words.addWidget(self.about)
        figures = QVBoxLayout()
        figures.setSpacing(2)
        figures.addWidget(self.counts)
        figures.addWidget(self.latency)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 12, 16, 12)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        grid.addWidget(self.state, 0, 0)
        grid.addLayout(words, 0, 1)
        grid.addLayout(figures, 0, 2)
        grid.addLayout(buttons, 0, 3)
        grid.addWidget(self.said, 1, 1, 1, 3)
        grid.setColumnStretch(1, 1)

    def show_view(self, view: StationView, viewing_only: str = "") -> None:
        """`viewing_only`: why nothing can be changed, or ""."""
        row = view.row
        self._viewing_only = viewing_only
        switch(self.edit, viewing_only)
        self.view = view
        self.name.setText(row.name)
        about = (row.class_name or "class found by itself", view.judge, view.source)
        self.about.setText(" · ".join(part for part in about if part))
        self.counts.setText(counted(view.today.counts))
        self.setAccessibleName(row.name)

    def show_state(self, state: str, troubles: Sequence[str], p95: float | None) -> None:
        """`state`: of `STATES`."""
        assert self.view is not None
        words, role = STATES[state]
        self.state.setText(words)
        theme.set_role(self.state, role)
        self.said.setText("\n".join(troubles))
        self.said.setVisible(bool(troubles))
        self.latency.setText("today" if p95 is None else f"today · 95 % within {seconds_text(p95)}")
        runs = state in ("running", "trouble", "starting", "stopping")
        self.start.setText("Stopping…" if state == "stopping" else "Stop" if runs else "Start")
        self.start.setIcon(icons.icon("stop") if runs else icons.icon("play", "#ffffff"))
        theme.set_role(self.start, "" if runs else "primary")
        why_not = "" if runs else self._viewing_only or self.view.why_not
        switch(self.start, "It is stopping." if state == "stopping" else why_not)
        self.remove.setEnabled(not runs and not self._viewing_only)
        self.duplicate.setEnabled(self.view.row.settings is not None and not self._viewing_only)

    @property
    def runs(self) -> bool:
        return self.start.text() != "Start"

    def _pressed(self) -> None:
        if self.runs:
            self.stop_requested.emit()
        else:
            self.start_requested.emit()
