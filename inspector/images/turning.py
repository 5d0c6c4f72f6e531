"""Pictures turned about their centre, and where a point of a turned picture came from."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def turned(pixels: NDArray[np.uint8], angle: int) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) turned by `angle` degrees about its centre on a canvas of its size, mirrored beyond the border."""
    if angle == 0:
        return pixels
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    moved = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def before_turning(x: float, y: float, shape: tuple[int, ...], angle: int) -> tuple[float, float]:
    """Where in a picture of `shape` (h, w, …) lay what `turned` by `angle` shows at (x, y); both in shares of its sides, 0–1.
    Beyond the border it is what was mirrored."""
    height, width = shape[:2]
    across, down = (x - 0.5) * width, (y - 0.5) * height
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    found = (cos * across - sin * down) / width + 0.5, (sin * across + cos * down) / height + 0.5
    return _mirrored(found[0]), _mirrored(found[1])


def _mirrored(share: float) -> float:
    share = abs(share) % 2
    return 2 - share if share > 1 else share
