"""What every export is made of: one frozen row a result, with the files that its pixels and its map lie in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Region, Thresholds
from inspector.errors import ExportError, ImageError
from inspector.exports.overlay import mask
from inspector.images.read import MAX_PIXELS
from inspector.records.files import read_map
from inspector.records.inspected.results import ResultRow
from inspector.records.outlines import Outline
from inspector.text import printable
from inspector.verdicts.regions import drawn, on_score_scale, regions_of


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One result, or an item that failed (then `result.error` says why and `decision` is None).

    `thresholds`: the newest of its detector and class. `regions`: cut with them, boxes in pixels of the original.
    `run`, `detector`: their labels, which no other has; `taught`: when the detector was. `scale`: (low, high) of the
    detector's colours in scores. `source`: the file that was inspected, "" when that isn't known.
    `outline`: where somebody drew its defects, and then `regions` are those of it; None where the map says it.
    """

    result: ResultRow
    thresholds: Thresholds | None = None
    regions: tuple[Region, ...] = ()
    run: str = ""
    detector: str = ""
    taught: datetime | None = None
    scale: tuple[float, float] | None = None
    source: str = ""
    outline: Outline | None = None

    @property
    def verdict(self) -> Decision | None:
        """What counts: the person's word where there is one; None when the item failed."""
        return self.result.verdict

    @property
    def error(self) -> str:
        """What went wrong with the image, and what to do; "" when nothing did."""
        return f"{self.result.error} {self.result.hint}".strip()


def outlined(row: ExportRow, outline: Outline | None) -> ExportRow:
    """The row with the defects as somebody drew them, if anybody did. Their peak is the image score: nobody drew how strong
    they are."""
    if outline is None:
        return row
    try:
        regions = regions_of(drawn(outline.rings, drawable_size(row)), row.result.image_score or 0.0)
    except ExportError:  # every picture of it will say so
        regions = ()
    return replace(row, outline=outline, regions=tuple(regions))


class Rows(Protocol):
    """Rows that are counted and can be gone through more than once: a list, or read from a project in pieces."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[ExportRow]: ...


def load_bytes(row: ExportRow) -> bytes:
    """The image file, which is still the one that was inspected. Raises `ImageError`."""
    result = row.result
    name = printable(result.name)
    if result.path is None:
        if gone := result.files.trouble:
            raise ImageError(f"“{name}”: {gone}", "Its verdict, score and map are as they were.")
        raise ImageError(f"“{name}” was not kept in the project.", row.error)
    try:
        if result.missing:
            raise FileNotFoundError
        data = result.path.read_bytes()
    except OSError:
        raise ImageError(
            f"“{name}” is no longer there, or a link is in its place.",
            f"Put the image back as {result.path.name} into the project's folder images.",
        ) from None
    if hashlib.sha256(data).hexdigest() != result.sha256:
        raise ImageError(f"“{name}” is no longer the image that was inspected.", "Inspect the image again.")
    return data


def load_pixels(row: ExportRow, at_least: int | None = None) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) as the detector saw it; see `images.read`. Raises `ImageError`."""
    from inspector.images.read import decode

    own = row.result
    return decode(load_bytes(row), own.name, own.path, at_least=at_least, white=own.white).pixels


def load_small(row: ExportRow, side: int) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) with the longer side at most `side` pixels, of the thumbnail where the image was let go. Raises `ImageError`."""
    from inspector.images.read import read
    from inspector.images.thumbnail import shrink

    left = row.result.files.thumbnail
    return shrink(load_pixels(row, side) if left is None else read(left, at_least=side).pixels, side)


def load_map(row: ExportRow) -> NDArray[np.float32]:
    """The anomaly map on the scale of the image score, float32 (map_h, map_w). Raises `ExportError` when it is missing or damaged."""
    path, name = row.result.map_path, printable(row.result.name)
    try:
        if path is None:
            raise FileNotFoundError
        values = read_map(path)
    except FileNotFoundError:
        raise ExportError(f"“{name}” has no stored anomaly map.", "Inspect it again.") from None
    except (OSError, ValueError):
        raise ExportError(f"The anomaly map of “{name}” is damaged.", "Inspect the image again.") from None
    score = row.result.image_score
    return values if score is None else on_score_scale(values, score)


def load_mask(row: ExportRow, size: tuple[int, int]) -> NDArray[np.uint8]:
    """255 where the part is defective, else 0, uint8 (height, width) for `size` (width, height): as somebody drew it, else where
    the map reaches the review threshold. Raises `ExportError` as `load_map`."""
    if row.outline is not None:
        return drawn(row.outline.rings, size)
    assert row.thresholds is not None
    return mask(load_map(row), row.thresholds.review, size)


def drawable_size(row: ExportRow) -> tuple[int, int]:
    """(width, height) for pictures of the whole part. Raises `ExportError` for a stored size that no image has."""
    width, height = row.result.size
    if not (0 < width < 2**15 and 0 < height < 2**15 and width * height <= MAX_PIXELS):
        raise ExportError(
            f"“{printable(row.result.name)}” can't be drawn: it is stored as {width:,} × {height:,} pixels.",
            "Inspect the image again.",
        )
    return width, height


def each(rows: Rows, progress: Progress | None, cancel: CancelToken | None, verb: str) -> Iterator[ExportRow]:
    """The rows, with progress after each per cent and cancel checked before each row."""
    stride = max(1, len(rows) // 100)
    for number, row in enumerate(rows):
        if cancel:
            cancel.check()
        yield row
        if progress and ((number + 1) % stride == 0 or number + 1 == len(rows)):
            progress((number + 1) / len(rows), f"{verb} {number + 1} of {len(rows)}", {})
