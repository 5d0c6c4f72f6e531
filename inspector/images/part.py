"""Where the part lies on a picture with an even background, so that nobody has to draw around it."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.images.area import Area

GRID = 256
"""Pictures are looked at as squares of so many pixels a side; an area is in shares anyway."""
RING, EVEN = 0.03, 0.75
"""The background is what lies within this share of the sides from the border, if this share of it looks alike."""
LEAST_DISTANCE = 8.0
"""Lab units by which a part stands out from its background at least."""
LEAST, MOST = 0.02, 0.95
"""Shares of a picture that a part covers."""
MARGIN = 0.02
"""Share of the sides that is added around it."""
DETAIL = 0.004
"""Share of the sides by which the outline may be off."""


def area_of(pictures: Iterable[NDArray[np.uint8]]) -> Area:
    """The area that holds the part on all of these pictures, uint8 RGB (h, w, 3), with a margin.

    Raises ImageError where a picture has no even background, or nothing stands out from it.
    """
    found = np.zeros((GRID, GRID), bool)
    for pixels in pictures:
        found |= mask_of(pixels)
    if not found.any():
        raise ImageError("There is no picture to find the part on.", "Add a good shot.")
    reach = 2 * round(MARGIN * GRID) + 1
    grown = cv2.dilate(found.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    outlines, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = []
    for outline in outlines:
        corners = cv2.approxPolyDP(outline, DETAIL * GRID, closed=True)[:, 0].astype(float)
        if len(corners) > 2:
            shares = np.clip((corners + 0.5) / GRID, 0, 1).round(4)
            polygons.append(tuple((float(x), float(y)) for x, y in shares))
    return Area.from_json(Area(tuple(polygons)).as_json())


def mask_of(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the part is on a picture, bool [GRID, GRID]; its holes are filled, and specks dropped. Raises as `area_of`."""
    small = cv2.resize(pixels, (GRID, GRID), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.5)
    ring = np.ones((GRID, GRID), bool)
    width = max(2, round(RING * GRID))
    ring[width:-width, width:-width] = False
    distance = np.linalg.norm(lab - np.median(lab[ring], axis=0), axis=2)
    scaled = np.clip(distance * 2, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)
    part = (distance > max(threshold / 2, LEAST_DISTANCE)).astype(np.uint8)
    if 1 - part[ring].mean() < EVEN:
        raise ImageError("The background isn't even enough to tell the part from it.", "Draw the region.")
    part = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    large = [one for one in outlines if cv2.contourArea(one) >= LEAST / 4 * GRID**2]
    filled = np.zeros_like(part)
    cv2.drawContours(filled, large, -1, 1, cv2.FILLED)
    if not LEAST <= filled.mean() <= MOST:
        raise ImageError("Nothing stands out from the background.", "Draw the region.")
    return np.asarray(filled, bool)
