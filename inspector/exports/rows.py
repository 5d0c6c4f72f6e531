"""What every export is made of: one frozen row a result, with the files that its pixels and its map lie in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Region, Thresholds
from inspector.errors import ExportError, ImageError


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One result, or an item that failed (then `error` says why and `decision` is None).

    `decision`: by `thresholds`. `override`: a person's verdict, with `reason`, `reviewer` and `reviewed`.
    `regions`: cut with `thresholds`, boxes in pixels of the original, whose `size` is (width, height).
    `scale`: (low, high) of the detector's colours in map values. `path`: the image; `map_path`: its anomaly map as NPY.
    """

    result_id: int
    name: str
    time: datetime
    run: str
    detector: str
    sha256: str = ""
    size: tuple[int, int] = (0, 0)
    class_name: str = ""
    class_confidence: float | None = None
    image_score: float | None = None
    decision: Decision | None = None
    thresholds: Thresholds | None = None
    regions: tuple[Region, ...] = ()
    override: Decision | None = None
    reason: str = ""
    defect_type: str = ""
    reviewer: str = ""
    reviewed: datetime | None = None
    is_shot: bool = False
    scale: tuple[float, float] | None = None
    path: Path | None = None
    map_path: Path | None = None
    error: str = ""

    @property
    def verdict(self) -> Decision | None:
        """What counts: the person's word where there is one."""
        return self.override or self.decision


def load_pixels(row: ExportRow, at_least: int | None = None) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3); see `images.read`. Raises `ImageError`."""
    from inspector.images.read import read
    from inspector.text import printable

    if row.path is None:
        raise ImageError(f"“{printable(row.name)}” was not kept in the project.", row.error)
    return read(row.path, at_least).pixels


def load_map(row: ExportRow) -> NDArray[np.float32]:
    """The anomaly map as float32 (map_h, map_w). Raises `ExportError` when it is missing or damaged."""
    from inspector.text import printable

    try:
        if row.map_path is None:
            raise FileNotFoundError
        values = np.load(row.map_path, allow_pickle=False)
        if values.ndim != 2 or not values.size or values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError
    except FileNotFoundError:
        raise ExportError(
            f"“{printable(row.name)}” has no stored anomaly map.", "Inspect it again."
        ) from None
    except (OSError, ValueError, EOFError):
        raise ExportError(
            f"The anomaly map of “{printable(row.name)}” is damaged.", "Inspect the image again."
        ) from None
    return np.asarray(values, np.float32)


def each(
    rows: Sequence[ExportRow], progress: Progress | None, cancel: CancelToken | None, verb: str
) -> Iterator[ExportRow]:
    """The rows, with progress after each per cent and cancel checked before each row."""
    stride = max(1, len(rows) // 100)
    for number, row in enumerate(rows):
        if cancel:
            cancel.check()
        yield row
        if progress and ((number + 1) % stride == 0 or number + 1 == len(rows)):
            progress((number + 1) / len(rows), f"{verb} {number + 1} of {len(rows)}", {})
