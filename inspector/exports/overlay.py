"""An anomaly map laid on its image, and the mask it gives, in pixels of the original."""

import numpy as np
from numpy.typing import NDArray

from inspector.exports.heat import MASK_COLOUR, Heat, Mode, lookup, quantise
from inspector.verdicts.regions import enlarge

_BAND = 512  # rows blended at once: 24 megapixels need little memory


def mask(values: NDArray[np.float32], threshold: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """255 where the enlarged map reaches `threshold`, else 0: uint8 (height, width) for `size` (width, height)."""
    return np.where(enlarge(values, size) >= threshold, np.uint8(255), np.uint8(0))


def render_overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32], heat: Heat) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3): an image (h, w, 3) with its map, of any size, as heat, contour or mask.

    Below `heat.threshold` the image is untouched, pixel for pixel; the colours depend on the map value alone.
    """
    height, width = pixels.shape[:2]
    field = enlarge(values, (width, height))
    if heat.mode is Mode.CONTOUR:
        return _contour(pixels, field >= heat.threshold)
    lowest, highest = min(heat.low, heat.threshold), max(heat.high, heat.threshold)
    table = lookup(heat, lowest, highest)
    colours = np.stack([table >> shift & 255 for shift in (16, 8, 0)], -1).astype(np.uint16)
    rest = (255 - (table >> 24)).astype(np.uint16)
    painted = pixels.copy()
    for top in range(0, height, _BAND):
        band = field[top : top + _BAND]
        hot = band >= heat.threshold
        if not hot.any():
            continue
        index = quantise(band[hot], lowest, highest)
        below = painted[top : top + _BAND][hot].astype(np.uint16)
        painted[top : top + _BAND][hot] = colours[index] + (below * rest[index][:, None] + 127) // 255
    return painted


def _contour(pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    import cv2

    lines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thick = max(1, round(min(pixels.shape[:2]) / 300))
    painted = cv2.drawContours(pixels.copy(), lines, -1, (0, 0, 0), thick + 2 * max(1, thick // 2))
    return np.asarray(cv2.drawContours(painted, lines, -1, MASK_COLOUR, thick), np.uint8)
