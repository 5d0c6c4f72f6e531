"""A part's picture with its heat, made as large as it will be shown, by a worker: the window only copies it to the screen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from inspector.exports.heat import Heat, lookup, quantise
from inspector.views.viewer import map_overlay

if TYPE_CHECKING:
    from inspector.domain import Region
    from inspector.records.inspected.results import ResultDetail, ResultRow
    from inspector.records.project import Project
    from inspector.views.viewer.picture import Picture

_LARGEST = 8.0
"""Screen pixels of a picture's pixel, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """`image`: as it is shown, None where there is none, as `trouble` says. `scale`: device pixels of a pixel of the picture. `hot`: where
    the heat was painted, in device pixels of the image (x, y, width, height), None where nothing is hot. `heat`: how it was painted, None
    where that wasn't known or there is no map. `note`: what people should know of the picture."""

    detail: ResultDetail
    image: QImage | None
    scale: float = 1.0
    hot: tuple[int, int, int, int] | None = None
    heat: Heat | None = None
    trouble: str = ""
    note: str = ""
    pixels: NDArray[np.uint8] | None = None  # QImage does not own its bytes

    @property
    def regions(self) -> tuple[Region, ...]:
        return tuple(self.detail.regions) if self.heat is not None else ()


def compose(
    project: Project, result_id: int, room: tuple[int, int], heat_of: Callable[[ResultRow], Heat | None]
) -> Composed:
    """A result's picture in `room` (width, height) device pixels. Never raises for a bad file: the sentence is in the answer."""
    from inspector.records.inspected.results import find_result
    from inspector.views.review.result_loader import read_pixels

    detail = find_result(project, result_id)
    detail.row.files.look_up()
    found = read_pixels(detail.row)
    if found.picture is None:
        return Composed(detail, None, trouble=found.trouble)
    drawn, scale = scaled(found.picture, room)
    heat, hot, note = heat_of(detail.row), None, found.note
    if found.values is None or not np.isfinite(found.values).all():
        heat = None
    elif heat is not None:
        hot = warm(drawn, np.ascontiguousarray(found.values, np.float32), heat)
    height, width = drawn.shape[:2]
    image = QImage(drawn.data, width, height, width * 4, QImage.Format.Format_RGB32)
    return Composed(detail, image, scale, hot, heat, note=note, pixels=drawn)


def scaled(picture: Picture, room: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
    """(BGRA [h, w, 4] that fits into `room`, device pixels of a pixel of the picture)."""
    import cv2

    scale = min(room[0] / picture.width, room[1] / picture.height, _LARGEST)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST  # past 1 : 1 every pixel is a square
    return np.ascontiguousarray(cv2.resize(picture.above(scale), size, interpolation=way)), scale


def warm(
    drawn: NDArray[np.uint8], values: NDArray[np.float32], heat: Heat
) -> tuple[int, int, int, int] | None:
    """Paint the heat of a map (h, w) over a picture, BGRA [H, W, 4], in place; where, as `Composed.hot`. Only where the map
    reaches the threshold is anything reckoned."""
    hot = values >= heat.threshold
    if not hot.any():
        return None
    high, wide = drawn.shape[:2]
    rows, columns = (np.flatnonzero(hot.any(axis)) for axis in (1, 0))
    # A cell reaches into its neighbours, as the map is enlarged smoothly.
    top, bottom = _span(rows, values.shape[0], high)
    left, right = _span(columns, values.shape[1], wide)
    x = (np.arange(left, right) + 0.5) / wide
    y = (np.arange(top, bottom) + 0.5) / high
    lowest, highest = float(values.min()), float(values.max())
    field = quantise(map_overlay.enlarge(values, x, y), lowest, highest)
    argb = np.take(lookup(heat, lowest, highest), field, mode="clip").view(np.uint8).reshape(*field.shape, 4)
    part = drawn[top:bottom, left:right]
    rest = 255 - argb[..., 3:].astype(np.uint16)
    part[..., :3] = argb[..., :3] + ((part[..., :3] * rest + 127) // 255).astype(np.uint8)
    return left, top, right - left, bottom - top


def _span(cells: NDArray[np.intp], count: int, size: int) -> tuple[int, int]:
    return (
        max(0, math.floor((cells[0] - 1) * size / count)),
        min(size, math.ceil((cells[-1] + 2) * size / count)),
    )
