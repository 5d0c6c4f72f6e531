"""Altered views of a single normal shot: the stand-in for held-out shots where there is only one."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain import Image

SIDE = 640
"""Larger images are altered at this size: backbones look at fewer pixels anyway."""
COUNT = 8
VARIATIONS = 3
"""Altered views of every shot that tell how much a reading varies over one product."""


def altered_views(image: Image, count: int = COUNT) -> list[Image]:
    """`count` mirrored or turned copies, slightly moved, turned, lit and noisy too (±4°, ±2 % of the side, ±7
    % light, noise of 2 grey levels); the same every time.

    Without the mirroring every patch would find itself in the memory, and the next good part would look
    defective: a mirrored part is about as far from the shot as another part is.
    """
    height, width = image.pixels.shape[:2]
    shrink = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    pixels = image.pixels if shrink == 1 else cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    return [replace(image, pixels=_altered(pixels, seed), original_size=image.size) for seed in range(count)]


def _altered(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    mirrored = (pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1], np.rot90(pixels))[seed % 4]
    rng = np.random.default_rng(seed)
    height, width = mirrored.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-4, 4), 1.0)
    turn[:, 2] += rng.uniform(-0.02, 0.02, 2) * (width, height)
    moved = cv2.warpAffine(
        np.ascontiguousarray(mirrored), turn, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    lit = moved * rng.uniform(0.93, 1.07) + rng.normal(0, 2, moved.shape)
    return np.asarray(np.clip(np.rint(lit), 0, 255), np.uint8)
