"""Small pictures of results with their heat drawn over, as in the viewer and in exports."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QImage, QPixmap

from inspector import paths
from inspector.views.look.thumbnails import Pictures, to_qimage

if TYPE_CHECKING:
    from pathlib import Path

    from inspector.exports.heat import Heat
    from inspector.records.inspected.results import ResultRow
    from inspector.views.review.heats import Heats
    from inspector.views.shared.context import WindowContext

STEPS = (160, 320, 640)
"""Longer sides in device pixels: few, so that each is found again in the cache on the disk."""
_BUDGET = 96 << 20  # bytes of pictures kept
_NO_HEAT = "no heat"


class HeatThumbnails(Pictures):
    """`get` asks for what is in sight only: what was scrolled past before its turn came is not made."""

    def __init__(self, context: WindowContext, heats: Heats, parent: QObject) -> None:
        super().__init__(context.runner, 1, parent)
        self.heats = heats
        self._wanted: frozenset[int] = frozenset()
        self._size = 0
        self._without: set[Hashable] = set()
        self.set_side(STEPS[0])

    def set_side(self, pixels: int) -> None:
        """The longer side of a picture on screen, in device pixels."""
        self._size = next((step for step in STEPS if step >= pixels), STEPS[-1])
        self.kept = _BUDGET // (4 * self._size * self._size)

    def want(self, result_ids: frozenset[int]) -> None:
        """These results are in sight, and no others."""
        self._wanted = result_ids

    def get(self, row: ResultRow, arrived: Callable[[], None]) -> QPixmap | None:
        """The picture if it is here; otherwise None, and `arrived()` is called once it can be fetched again."""
        if _source(row) is None or not self.heats.ready(row):
            return None
        return self.fetch(self._key(row), partial(self._make, row, self._size, self.heats.get(row)), arrived)

    def failed(self, row: ResultRow) -> bool:
        """Whether there is no picture of this result."""
        return _source(row) is None or self.is_lost(self._key(row))

    def without_heat(self, row: ResultRow) -> bool:
        """Whether the picture that is here lacks the map it should have."""
        return self._key(row) in self._without

    def _key(self, row: ResultRow) -> Hashable:
        return row.id, _source(row), row.white, row.map_path, row.image_score, self.heats.get(row), self._size

    def _make(self, row: ResultRow, size: int, heat: Heat | None) -> QImage | None:
        if row.id not in self._wanted:
            return None
        return make(row, size, heat)

    def _arrive(self, key: Hashable, image: QImage | None) -> None:
        if image is not None and image.text(_NO_HEAT):
            self._without.add(key)
        super()._arrive(key, image)
        if len(self._without) > self.kept:
            self._without.intersection_update(self._made)


def _source(row: ResultRow) -> Path | None:
    return row.path or row.files.thumbnail


def make(row: ResultRow, size: int, heat: Heat | None) -> QImage:
    """The longer side at most `size` pixels. For a worker; raises `ImageError` where there is no picture."""
    from inspector.exports.overlay import render_overlay
    from inspector.images.thumbnail import thumbnail
    from inspector.records.files import read_map
    from inspector.verdicts.regions import on_score_scale

    cache = paths.cache_dir() / "thumbnails"
    if row.path is not None:
        pixels = thumbnail(row.path, size, cache, row.sha256, row.white)
    else:
        assert row.files.thumbnail is not None
        pixels = thumbnail(row.files.thumbnail, size, cache)
    if row.image_score is None or heat is None:
        return to_qimage(pixels)
    try:
        values = read_map(row.map_path) if row.map_path is not None else None
    except (OSError, ValueError):
        values = None
    if values is None or not values.size or not np.isfinite(values).all():
        plain = to_qimage(pixels)
        plain.setText(_NO_HEAT, "yes")
        return plain
    return to_qimage(render_overlay(pixels, on_score_scale(values, row.image_score), heat))
