"""Altered views of a single normal shot: the stand-in for held-out shots where there is only one."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain import Image

SIDE = 640
"""Larger images are altered at this size: backbones look at fewer pixels anyway."""


def altered_views(image: Image, count: int = 8) -> list[Image]:
    """`count` slightly moved, turned, lit and noisy copies, the same every time for the same image.

    They vary as a camera and a fixture do (±4°, ±2 % of the side, ±7 % light, noise of 2 grey levels), not as parts
    do, so thresholds from them are lower bounds.
    """
    height, width = image.pixels.shape[:2]
    shrink = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    pixels = image.pixels if shrink == 1 else cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    return [replace(image, pixels=_altered(pixels, seed), original_size=image.size) for seed in range(count)]


def _altered(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-4, 4), 1.0)
    turn[:, 2] += rng.uniform(-0.02, 0.02, 2) * (width, height)
    moved = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    lit = moved * rng.uniform(0.93, 1.07) + rng.normal(0, 2, moved.shape)
    return np.asarray(np.clip(np.rint(lit), 0, 255), np.uint8)
