"""A splitter that remembers what was dragged."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter
from superqt.utils import qdebounced

from inspector import paths


class KeptSplitter(QSplitter):
    """Three columns; the middle one takes what the sides leave. `sides(width)`: how wide the sides are until somebody
    drags them; from then on as they were dragged, in the next session too, under `name`."""

    def __init__(self, name: str, sides: Callable[[int], tuple[int, int]]) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._name, self._sides = f"splitter/{name}", sides
        kept = str(self._store().value(self._name, "")).split(",")
        self._dragged = (
            (int(kept[0]), int(kept[1])) if len(kept) == 2 and all(map(str.isdigit, kept)) else None
        )
        self._keep_soon = qdebounced(self._keep, timeout=300)
        self.splitterMoved.connect(self._moved)
        self.setChildrenCollapsible(False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        left, right = self._dragged or self._sides(self.width())
        if self.count() == 3:
            self.setSizes([left, max(1, self.width() - left - right), right])

    def _moved(self) -> None:
        sizes = self.sizes()
        if sizes[0] and sizes[-1]:  # the sides are in sight
            self._dragged = (sizes[0], sizes[-1])
            self._keep_soon()

    def _keep(self) -> None:
        if self._dragged is not None:
            self._store().setValue(self._name, f"{self._dragged[0]},{self._dragged[1]}")

    def _store(self) -> QSettings:
        return QSettings(str(paths.config_dir() / "window.ini"), QSettings.Format.IniFormat)
