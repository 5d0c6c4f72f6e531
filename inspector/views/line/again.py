"""What ran when the project was closed, or its program killed, is offered to start again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from inspector.domain import Deed
from inspector.errors import ProjectError

if TYPE_CHECKING:
    from inspector.records.line.stations import StationRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext


class StartAgain(QObject):
    """`ask` once a project is open."""

    offered = Signal(object, str, object)  # what to say, and a button's words and deed

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context

    def ask(self) -> None:
        """Look whether there is anything to offer."""
        self.context.query(self, _were_on, self._offer, latest="on")

    def _offer(self, rows: list[StationRow]) -> None:
        rows = [row for row in rows if not self.context.stations.running(row.id)]
        if not rows or self.context.viewing_only:
            return
        names = ", ".join(f"“{row.name}”" for row in rows)
        was = "was running" if len(rows) == 1 else "were running"
        said = ProjectError(
            f"{names} {was} when this project was last open.",
            "Nothing is lost: what came to a folder meanwhile is judged once the station runs.",
        )
        self.offered.emit(said, "Start again", lambda: self._start(rows))

    def _start(self, rows: list[StationRow]) -> None:
        project = self.context.project
        if project is not None and self.context.may(Deed.RUN):
            for row in rows:
                self.context.stations.start(project, row.id, row.name)
            self.context.go("line")


def _were_on(project: Project) -> list[StationRow]:
    from inspector.records.line.stations import list_stations

    return [row for row in list_stations(project) if row.on and row.settings is not None]
