"""The top of the operator view: which station it is, how it is, and what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from inspector.views.look import icons, theme
from inspector.views.look.elided import Elided
from inspector.views.look.labels import wrapped


class Head(QWidget):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = Elided("title")
        self.name.setText(name)
        self.about = Elided("quiet")
        self.state = QLabel()
        theme.set_role(self.state, "heading")
        self.start = QPushButton("Start")
        self.start.setMinimumWidth(120)
        self.trigger = QPushButton("Take a picture")
        self.trigger.setIcon(icons.icon("image"))
        self.trigger.setToolTip("Let the source take one now (space bar)")
        self.trigger.hide()
        self.leave = QPushButton("Leave")
        self.leave.setIcon(icons.icon("close"))
        self.leave.setToolTip("Back to the window (Esc); the station runs on")
        self.troubles = wrapped("warning")
        self.troubles.hide()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.name)
        names.addWidget(self.about)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(names, 1)
        for widget in (self.state, self.trigger, self.start, self.leave):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.troubles)

    def show_state(self, said: str, *, runs: bool, stopping: bool) -> None:
        self.state.setText(said)
        self.start.setText("Stop" if runs else "Start")
        self.start.setIcon(icons.icon("stop") if runs else icons.icon("play", "#ffffff"))
        theme.set_role(self.start, "" if runs else "primary")
        self.start.setEnabled(not stopping)

    def show_words(self, about: str, troubles: Sequence[str]) -> None:
        self.about.setText(about)
        self.troubles.setText("\n".join(f"! {one}" for one in troubles))
        self.troubles.setVisible(bool(troubles))
