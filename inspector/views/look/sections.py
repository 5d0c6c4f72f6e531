"""A page of several sections, one in sight at a time."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from inspector.views.look import icons, theme
from inspector.views.shared.page import Page

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext


class Section(QWidget):
    """Made with the context alone when it is first shown, and again asked to `refresh` whenever it comes in sight."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context

    def refresh(self) -> None:
        """It came in sight, or another project is open."""

    def export(self) -> bool:
        """Ctrl+E; True where the section takes it."""
        return False


@dataclass(frozen=True, slots=True)
class SectionInfo:
    """`factory`: "module:Class"; its code is loaded when it is first shown."""

    name: str
    title: str
    icon: str
    tip: str
    factory: str

    def kind(self) -> type[Section]:
        module, _, name = self.factory.partition(":")
        found: type[Section] = getattr(importlib.import_module(module), name)
        return found


class SectionsPage(Page):
    """Buttons on top choose the section below."""

    infos: ClassVar[Sequence[SectionInfo]] = ()

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.sections: dict[str, Section] = {}
        self.buttons: dict[str, QToolButton] = {}
        self._stack = QStackedWidget()
        row = QHBoxLayout()
        row.setContentsMargins(16, 12, 16, 4)
        row.setSpacing(4)
        group = QButtonGroup(self)
        for info in self.infos:
            button = QToolButton(self)
            button.setText(info.title)
            button.setToolTip(info.tip)
            button.setIcon(icons.icon(info.icon))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setCheckable(True)
            theme.set_role(button, "tab")
            button.clicked.connect(lambda _=False, name=info.name: self.show_section(name))
            group.addButton(button)
            row.addWidget(button)
            self.buttons[info.name] = button
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        context.project_changed.connect(lambda: self.refresh_in_sight(self._refresh))
        self._shown = self.infos[0].name

    @property
    def place(self) -> str:
        return self._shown

    @property
    def section(self) -> Section:
        """The one in sight; made the first time."""
        if self._shown not in self.sections:
            info = next(one for one in self.infos if one.name == self._shown)
            made = self.sections[self._shown] = info.kind()(self.context)
            self._stack.addWidget(made)
        return self.sections[self._shown]

    def show_section(self, name: str) -> None:
        self._shown = name
        self._refresh()

    def activated(self) -> None:
        self._refresh()

    def export(self) -> bool:
        return self.section.export()

    def _refresh(self) -> None:
        self.buttons[self._shown].setChecked(True)
        self._stack.setCurrentWidget(self.section)
        self.section.refresh()
