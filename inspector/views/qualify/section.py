"""What every section of the Qualify page is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

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
