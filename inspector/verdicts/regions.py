"""Anomaly map → regions: connected parts above a threshold, in pixels of the original image."""

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Region

ENLARGE = 8
"""Regions are cut on the map enlarged this much (bilinear, never beyond the image): smooth outlines in a millisecond,
whatever the size of the image."""
MOST = 64


def regions(values: NDArray[np.floating], threshold: float, size: tuple[int, int]) -> tuple[Region, ...]:
    """8-connected regions with map values >= `threshold`, strongest peak first, at most `MOST`.

    `values`: anomaly map (h, w) that covers the whole image; `size`: (width, height) of the original image.
    """
    import cv2

    width, height = size
    if not values.size or float(values.max()) < threshold:
        return ()
    rows, columns = values.shape
    fine = min(width, columns * ENLARGE), min(height, rows * ENLARGE)
    enlarged = cv2.resize(np.asarray(values, np.float32), fine, interpolation=cv2.INTER_LINEAR)
    above = enlarged >= threshold
    if not above.any():  # a peak narrower than a pixel of a tiny image
        peak = np.unravel_index(int(np.argmax(enlarged)), enlarged.shape)
        above[peak] = True
    mask = above.astype(np.uint8)
    start_x, start_y, w, h = cv2.boundingRect(mask)  # labelling is dear, and defects are small
    mask, enlarged = (a[start_y : start_y + h, start_x : start_x + w] for a in (mask, enlarged))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    across, down = width / fine[0], height / fine[1]
    found = []
    for label in range(1, count):
        x, y, w, h, area = (int(number) for number in stats[label])
        part = enlarged[y : y + h, x : x + w][labels[y : y + h, x : x + w] == label]
        x, y = x + start_x, y + start_y
        left, top = int(x * across), int(y * down)
        right, bottom = min(width, -int(-(x + w) * across // 1)), min(height, -int(-(y + h) * down // 1))
        box = (left, top, max(1, right - left), max(1, bottom - top))
        found.append(Region(box, max(1, round(area * across * down)), float(part.max())))
    found.sort(key=lambda region: -region.peak)
    return tuple(found[:MOST])
