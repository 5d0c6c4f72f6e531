"""Whether two image files show one picture: compared after
decoding, so that format and compression don't count."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain import Image

SIDE = 32
"""Cells along both sides that a picture is averaged over: lossy compression hardly changes their means."""
FAR = 1.2
"""Root mean square difference of cells, in grey levels. Copies as JPEG of quality 30 and more, in half the
size too, lie within 1.2 on seven real products; the two good parts that are most alike are 4.0 apart."""
UNLIKE = 0.5
"""The same of the fine structure, as a share of the structure:
plain surfaces differ by few levels, yet in all of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a picture shows. `digest`: of all its pixels; `cells`: grey, [SIDE, SIDE] float32, 0–255; `shape`:
    width by height; `lossy`: whether compression may have changed its pixels."""

    digest: bytes
    cells: NDArray[np.float32]
    shape: float
    lossy: bool


def look(image: Image, lossy: bool) -> Look:
    """What a decoded image shows; `lossy`: whether its file was compressed with loss."""
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    digest = hashlib.sha256(f"{image.pixels.shape}".encode() + image.pixels.data).digest()
    return Look(digest, np.asarray(cells, np.float32), image.size[0] / image.size[1], lossy)


def same_picture(one: Look, other: Look) -> bool:
    """Whether one is a copy of the other: pixel by pixel, or
    within what lossy compression changes where that was used.

    Another part in the same pose is no copy, however alike; so
    files without loss are one picture only when they are equal.
    """
    if one.digest == other.digest:
        return True
    if not (one.lossy or other.lossy) or abs(one.shape / other.shape - 1) > 0.01:
        return False
    if _rms(one.cells - other.cells) > FAR:
        return False
    fine = [_fine(part.cells) for part in (one, other)]
    return _rms(fine[0] - fine[1]) <= UNLIKE * min(map(_rms, fine))


def _fine(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cells - cv2.blur(cells, (3, 3)), np.float32)


def _rms(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(values).mean()))
