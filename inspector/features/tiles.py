"""How pictures of a class are looked at: what of them, and as a whole or as overlapping squares, each as large as what the tower
looks at, whose maps are made one again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.images.area import Area

LEAST, LARGEST = 64, 8192
"""Pixels of the short side at which images can be looked at."""
MOST = 1 << 27
"""Pixels of an image that is cut."""
OVERLAP = 6
"""Neighbours share at least a sixth of a tile's side: a defect of that size lies whole within one of them."""
NEEDED = 12
"""Pixels that the smallest defect must reach across where it is looked at."""


def resolution(smallest: int | None, sizes: Iterable[tuple[int, int]], side: int) -> int:
    """With how many pixels of the short side pictures of these sizes (width, height) must be looked at so that a defect of
    `smallest` of their pixels is found by a tower that looks at `side`; 0 where looking at them as a whole does."""
    short = min(map(min, sizes), default=0)
    if not smallest or not short:
        return 0
    wanted = min(round(NEEDED * short / smallest), LARGEST)
    return wanted if wanted > side else 0


@dataclass(frozen=True, slots=True)
class View:
    """`resolution`: pixels of the short side at which a picture is looked at, tile by tile; 0: as a whole. `area`: what of it is
    inspected, None: all."""

    resolution: int = 0
    area: Area | None = None

    @property
    def key(self) -> str:
        """The same for equal views only."""
        return f"{self.resolution} {self.area.key if self.area else ''}".strip()


@dataclass(frozen=True, slots=True)
class Tiles:
    """Where the squares of one image lie: those that touch `area`. `side`: pixels of a tile's side, which has `cells` cells in
    its map. `map_shape`: (rows, columns) of the whole image's map in cells."""

    side: int
    cells: int
    map_shape: tuple[int, int]
    area: Area | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the image in pixels."""
        rows, columns = (self._pixel(one) for one in self.map_shape)
        return rows, columns

    @property
    def starts(self) -> list[tuple[int, int]]:
        """(row, column) of every tile's first cell."""
        rows, columns = (_starts(length, self.cells) for length in self.map_shape)
        everywhere = [(row, column) for row in rows for column in columns]
        if self.area is None:
            return everywhere
        inside = self.area.mask(self.map_shape)
        return [(r, c) for r, c in everywhere if inside[r : r + self.cells, c : c + self.cells].any()]

    def cut(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """An image of `shape` → its tiles, uint8 (side, side, 3), views of it."""
        places = [(self._pixel(row), self._pixel(column)) for row, column in self.starts]
        return [pixels[y : y + self.side, x : x + self.side] for y, x in places]

    def joined(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps of the tiles, float32 [T, cells, cells] → one of `map_shape`. Where tiles overlap, each counts by how far inside
        it a cell lies, so that there is no seam; 0 where no tile lies."""
        inner = np.minimum(np.arange(self.cells) + 1, np.arange(self.cells)[::-1] + 1).astype(np.float32)
        ramp = np.minimum(inner / (self.cells // OVERLAP), 1)
        weight = np.outer(ramp, ramp)
        total, weights = (np.zeros(self.map_shape, np.float32) for _ in range(2))
        for (row, column), one in zip(self.starts, maps, strict=True):
            place = np.s_[row : row + self.cells, column : column + self.cells]
            total[place] += weight * one
            weights[place] += weight
        return np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)

    def _pixel(self, cell: int) -> int:
        return round(cell * self.side / self.cells)


def tiles(shape: tuple[int, ...], view: View, side: int, cells: int) -> Tiles | None:
    """How an image (h, w, …) is cut in a view; None where it is looked at as a whole, as its resolution is no more than
    `side`. Raises ImageError for one so elongated that it would take too much memory."""
    if view.resolution <= side:
        return None
    scale = round(view.resolution * cells / side) / min(shape[:2])
    rows, columns = (max(cells, round(length * scale)) for length in shape[:2])
    found = Tiles(side, cells, (rows, columns), view.area)
    if math.prod(found.shape) > MOST:
        raise ImageError(
            f"An image of {shape[1]:,} × {shape[0]:,} pixels is too elongated to be looked at in tiles.",
            "Choose a larger smallest defect for its class.",
        )
    return found


def _starts(length: int, cells: int) -> list[int]:
    """Evenly spaced, the first at 0 and the last so that it ends where the image does."""
    count = 1 + -(-(length - cells) // (cells - cells // OVERLAP))
    return [round(start) for start in np.linspace(0, length - cells, count)]
