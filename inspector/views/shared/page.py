"""What every page of the window is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from inspector.views.shared.context import WindowContext


class Page(QWidget):
    """One page, made with the context alone when it is first shown.

    What the window offers everywhere (a drop, Paste, Export) goes to the page in sight first. A page that takes it
    returns True; after False the window looks further or says where it belongs.
    """

    drop_text: ClassVar[str] = ""
    """What a drop does here, while files hang over the window; "" for what it does in general."""
    shortcuts: ClassVar[Sequence[tuple[str, str]]] = ()
    """(keys, words) for the sheet of all keys."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self._due: Callable[[], None] | None = None

    @property
    def place(self) -> str:
        """What of it is in sight, where it has several parts; for the help."""
        return ""

    def refresh_in_sight(self, refresh: Callable[[], None]) -> None:
        """`refresh` now, or, while another page is in sight, once when this one is shown."""
        if self.isVisible():
            refresh()
        else:
            self._due = refresh

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        due, self._due = self._due, None
        if due is not None:
            due()

    def activated(self) -> None:
        """It came to the front."""

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        """Files and folders were dropped anywhere on the window, or chosen by Import."""
        return False

    def paste(self) -> bool:
        """Ctrl+V, unless the focus is in a text."""
        return False

    def export(self) -> bool:
        """Ctrl+E."""
        return False
