"""Small pictures for lists: made in the pool, kept in memory and on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtGui import QImage, QPixmap

from inspector import paths
from inspector.views.shared.job_runner import JobRunner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_Key = tuple[Path, int | None]


def to_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """A QImage with its own memory from uint8 RGB (height, width, 3). Any thread."""
    height, width = pixels.shape[:2]
    data = pixels.tobytes()
    return QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class Thumbnails(QObject):
    """Asks for each picture once; a picture that can't be made is None and not asked for again."""

    KEPT = 600

    def __init__(self, runner: JobRunner, size: int, parent: QObject) -> None:
        """`size`: the longer side in device pixels."""
        super().__init__(parent)
        self._runner, self._size = runner, size
        self._kept: OrderedDict[_Key, QPixmap | None] = OrderedDict()
        self._waiting: dict[_Key, list[Callable[[], None]]] = {}
        self._asked = 0

    def get(
        self,
        source: Path,
        arrived: Callable[[], None],
        sha256: str | None = None,
        white: int | None = None,
    ) -> QPixmap | None:
        """The picture if it is here; otherwise None, and `arrived()` is called once it can be fetched again.

        `sha256` of the file, where it is known, saves reading it. `white`: the end of its range, see `images.read`.
        """
        key = source, white
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        waiting = self._waiting.setdefault(key, [])
        if arrived not in waiting:
            waiting.append(arrived)
        if len(waiting) == 1:
            self._asked += 1
            size = self._size
            self._runner.read(
                self,
                lambda: _make(source, size, sha256, white),
                lambda image: self._arrive(key, image),
                lambda _error: self._arrive(key, None),
                priority=self._asked,  # what came into sight last is what is looked at
            )
        return None

    def failed(self, source: Path, white: int | None = None) -> bool:
        """Whether the picture was tried and can't be made."""
        return self._kept.get((source, white), self) is None

    def clear(self) -> None:
        self._kept.clear()

    def _arrive(self, key: _Key, image: QImage | None) -> None:
        self._kept[key] = None if image is None else QPixmap.fromImage(image)
        while len(self._kept) > self.KEPT:
            self._kept.popitem(last=False)
        for arrived in self._waiting.pop(key, []):
            owner = getattr(arrived, "__self__", None)
            if not isinstance(owner, QObject) or shiboken6.isValid(owner):  # a row may be gone by now
                arrived()


def _make(source: Path, size: int, sha256: str | None, white: int | None) -> QImage:
    from inspector.images.thumbnail import thumbnail

    return to_qimage(thumbnail(source, size, paths.cache_dir() / "thumbnails", sha256, white))
