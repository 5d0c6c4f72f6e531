"""Small pictures for lists and grids, kept on disk by the hash of the file they show."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.images.read import MAX_PIXELS, read
from inspector.paths import write_atomic

REMAINS = 320
"""Longer side of what is left of an image that was let go."""


def thumbnail(
    source: Path, size: int, cache: Path, sha256: str | None = None, white: int | None = None
) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3), the longer side at most `size` pixels, proportions kept, never enlarged.

    `sha256`: hex digest of the file when the caller knows it; a kept thumbnail then costs no look at the source. `white`:
    see `read`.
    A cache that can't be written only costs time. Raises `ImageError` as `read` does.
    """
    if sha256 is None:
        try:
            sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        except (OSError, ValueError):
            sha256 = read(source, at_least=size).sha256  # says why
    kept = cache / sha256[:2] / f"{sha256}-{size}{f'-{white}' if white else ''}.png"
    try:
        found = cv2.imdecode(np.frombuffer(kept.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
        if found is not None and max(found.shape) <= size:
            return np.asarray(found, np.uint8)
    except (OSError, cv2.error):
        pass
    image = read(source, at_least=size, white=white)
    if image.sha256 != sha256:
        raise ImageError(f"“{image.name}” was changed while it was read.", "Add it again.")
    small = shrink(image.pixels, size)
    try:
        encoded = cv2.imencode(
            ".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3]
        )[1]
        write_atomic(kept, encoded.tobytes())
    except OSError:
        pass
    return small


def remains(source: Path, target: Path, size: int = REMAINS, white: int | None = None) -> None:
    """Write what is to be left of an image file that goes: JPEG, the longer side at most `size` pixels. `white`: see `read`. Who
    lets files go makes it last. Raises `ImageError` as `read` does, and OSError."""
    small = shrink(read(source, at_least=size, white=white).pixels, size)
    encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, encoded.tobytes(), parents=False, lasting=False)


def enlarged(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A thumbnail (h, w, 3) as large as the image was, `size` (width, height); as it is where that is no size of an image."""
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def shrink(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """`pixels` (h, w, 3) area-averaged so that the longer side is at most `size`; returned as they are when it fits."""
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return pixels
    target = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), np.uint8)
