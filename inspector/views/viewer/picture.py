"""A decoded image made ready to be painted at any zoom; made by a worker, painted by the window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_LEVEL = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded image ready to be painted: full resolution, then halves of it until it fits a screen."""

    name: str
    width: int
    height: int
    levels: tuple[QImage, ...]
    _buffers: tuple[NDArray[np.uint8], ...]  # QImage does not own its bytes

    @property
    def small(self) -> NDArray[np.uint8]:
        """The smallest level, BGRA (h, w, 4)."""
        return self._buffers[-1]

    def above(self, scale: float) -> NDArray[np.uint8]:
        """The smallest level that `scale` (screen pixels of a pixel) doesn't enlarge, BGRA (h, w, 4)."""
        level = 0 if scale >= 1 else math.floor(math.log2(1 / scale) + 1e-6)
        return self._buffers[min(level, len(self._buffers) - 1)]

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self._buffers)


Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, width and height. All in shares of a picture's sides, 0–1."""


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """A picture that is shown in place of another one, as wide: its point `there` lies over the other's point `here`."""

    picture: Picture
    here: Point
    there: Point
    note: str

    def place(self, covered: Picture, origin: Point, scale: float) -> tuple[Picture, Point, float]:
        """It, where its corner lies and its scale, where the `covered` picture lies at `origin`, at `scale`."""
        own = scale * covered.width / self.picture.width
        x = origin[0] + self.here[0] * covered.width * scale - self.there[0] * self.picture.width * own
        y = origin[1] + self.here[1] * covered.height * scale - self.there[1] * self.picture.height * own
        return self.picture, (x, y), own


def picture(pixels: NDArray[np.uint8], name: str = "") -> Picture:
    """Prepare uint8 RGB `pixels` (height, width, 3) for painting. Takes some 50 ms for 24 megapixels: for a worker."""
    import cv2

    buffers = [cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGRA)]
    while max(buffers[-1].shape[:2]) > _SMALLEST_LEVEL and min(buffers[-1].shape[:2]) > 1:
        height, width = buffers[-1].shape[:2]
        half = (max(1, width // 2), max(1, height // 2))
        buffers.append(cv2.resize(buffers[-1], half, interpolation=cv2.INTER_AREA))
    levels = tuple(
        QImage(b.data, b.shape[1], b.shape[0], b.shape[1] * 4, QImage.Format.Format_RGB32) for b in buffers
    )
    return Picture(name, pixels.shape[1], pixels.shape[0], levels, tuple(buffers))
