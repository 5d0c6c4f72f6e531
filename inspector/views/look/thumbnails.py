"""Small pictures for lists: made in the pool, kept in memory and on disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
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


def to_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """A QImage with its own memory from uint8 RGB (height, width, 3). Any thread."""
    height, width = pixels.shape[:2]
    data = pixels.tobytes()
    return QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class Pictures(QObject):
    """Asks for each small picture once; one that can't be made is None and not asked for again. At most `kept` stay."""

    def __init__(self, runner: JobRunner, kept: int, parent: QObject) -> None:
        super().__init__(parent)
        self.kept = kept
        self._runner = runner
        self._made: OrderedDict[Hashable, QPixmap | None] = OrderedDict()
        self._waiting: dict[Hashable, list[Callable[[], None]]] = {}
        self._asked = 0

    def fetch(
        self,
        key: Hashable,
        make: Callable[[], QImage | None],
        arrived: Callable[[], None],
    ) -> QPixmap | None:
        """The picture if it is here; otherwise None, and `arrived()` is called once it can be fetched again. `make` runs in
        the pool; its None means that nobody wants the picture any more, and it may be asked for again."""
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        waiting = self._waiting.setdefault(key, [])
        if arrived not in waiting:
            waiting.append(arrived)
        if len(waiting) == 1:
            self._asked += 1
            self._runner.read(
                self,
                make,
                lambda image: self._arrive(key, image),
                lambda _error: self._fail(key),
                priority=self._asked,  # what came into sight last is what is looked at
            )
        return None

    def is_lost(self, key: Hashable) -> bool:
        """Whether the picture was tried and can't be made."""
        return self._made.get(key, self) is None

    def clear(self) -> None:
        self._made.clear()

    def _arrive(self, key: Hashable, image: QImage | None) -> None:
        if image is not None:
            self._keep(key, QPixmap.fromImage(image))
        self._tell(key)

    def _fail(self, key: Hashable) -> None:
        self._keep(key, None)
        self._tell(key)

    def _keep(self, key: Hashable, picture: QPixmap | None) -> None:
        self._made[key] = picture
        while len(self._made) > self.kept:
            self._made.popitem(last=False)

    def _tell(self, key: Hashable) -> None:
        for arrived in self._waiting.pop(key, []):
            owner = getattr(arrived, "__self__", None)
            if not isinstance(owner, QObject) or shiboken6.isValid(owner):  # a row may be gone by now
                arrived()


class Thumbnails(Pictures):
    """Small pictures of files."""

    KEPT = 600

    def __init__(self, runner: JobRunner, size: int, parent: QObject) -> None:
        """`size`: the longer side in device pixels."""
        super().__init__(runner, self.KEPT, parent)
        self._size = size

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
        return self.fetch((source, white), partial(_make, source, self._size, sha256, white), arrived)

    def failed(self, source: Path, white: int | None = None) -> bool:
        """Whether the picture was tried and can't be made."""
        return self.is_lost((source, white))


def _make(source: Path, size: int, sha256: str | None, white: int | None) -> QImage:
    from inspector.images.thumbnail import thumbnail

    return to_qimage(thumbnail(source, size, paths.cache_dir() / "thumbnails", sha256, white))
