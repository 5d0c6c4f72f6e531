"""How a picture itself looks, whatever is on it: light, focus, colour."""

import numpy as np
from numpy.typing import NDArray

from inspector.records.line.arrivals import Looks

SIDE = 256
"""Pixels of the short side on which a picture is measured: focus shows there, and it takes less than a millisecond."""


def looks_of(pixels: NDArray[np.uint8]) -> Looks:
    """Of a picture, uint8 RGB (h, w, 3), of any size."""
    import cv2

    while min(pixels.shape[:2]) >= 2 * SIDE:  # halves are quick
        height, width = pixels.shape[:2]
        pixels = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.mean(pixels)[:3]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return Looks(
        brightness=float(cv2.mean(grey)[0]),
        sharpness=float(spread[0, 0]) ** 2,
        red_green=red - green,
        blue_yellow=blue - (red + green) / 2,
    )
