"""Anomaly map → regions: connected parts above a threshold, in pixels of the original image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Region
from inspector.images.area import Polygon

ENLARGE = 8
"""Regions are cut on the map enlarged this much (bilinear, never beyond the image): smooth outlines in a millisecond,
whatever the size of the image."""
MOST = 64


def enlarge(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map at another size (width, height), bilinear, its highest value kept: float32 (height, width)."""
    import cv2

    enlarged = cv2.resize(np.asarray(values, np.float32), size, interpolation=cv2.INTER_LINEAR)
    return on_score_scale(np.asarray(enlarged, np.float32), float(values.max()))


def on_score_scale(values: NDArray[np.floating], image_score: float) -> NDArray[np.float32]:
    """An image's anomaly map on the scale of its score: the highest place is the score, float32.

    Methods join readings of the whole image with the map's, so their maps peak above or below the score. People see one
    scale: what is NG has a place that reaches NG, and no place passes a threshold that the image doesn't. All is multiplied
    alike (moved, where a sign forbids that), so the shape of the map and the verdicts stay; a map that is on that scale
    already stays as it is. Nothing is stored so: maps that earlier versions stored are read alike.
    """
    peak = float(values.max()) if values.size else image_score
    if peak == image_score:
        return np.asarray(values, np.float32)
    if peak > 0 and image_score > 0:
        return np.asarray(np.float64(image_score / peak) * values, np.float32)
    return np.asarray(values + np.float64(image_score - peak), np.float32)


def outline(values: NDArray[np.floating], threshold: float, size: tuple[int, int], region: Region) -> Polygon:
    """The outline of one of the `regions` that were cut at this threshold: corners (x, y) in shares of the image's sides, holes
    filled; of its box where it isn't found."""
    import cv2

    width, height = size
    x, y, w, h = region.box
    box = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    fallback = tuple((min(a / width, 1.0), min(b / height, 1.0)) for a, b in box)
    if not values.size:
        return fallback
    rows, columns = values.shape
    fine = min(width, columns * ENLARGE), min(height, rows * ENLARGE)
    mask = (enlarge(values, fine) >= threshold).astype(np.uint8)
    across, down = fine[0] / width, fine[1] / height
    best, found = 0.9, None  # how alike the boxes must be
    for one in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        left, top, wide, high = cv2.boundingRect(one)
        common = max(0.0, min(left + wide, (x + w) * across) - max(left, x * across)) * max(
            0.0, min(top + high, (y + h) * down) - max(top, y * down)
        )
        alike = common / (wide * high + w * h * across * down - common)
        if alike > best:
            best, found = alike, cv2.approxPolyDP(one, 1.0, True)[:, 0]
    if found is None or len(found) < 3:
        return fallback
    return tuple(((float(a) + 0.5) / fine[0], (float(b) + 0.5) / fine[1]) for a, b in found)


def drawn(rings: Sequence[Polygon], size: tuple[int, int]) -> NDArray[np.uint8]:
    """255 within an odd number of rings, else 0: uint8 (height, width) for `size` (width, height)."""
    import cv2

    width, height = size
    mask = np.zeros((height, width), np.uint8)
    if rings:
        scale = np.array([width, height], np.float64)
        corners = [np.round((np.array(ring) * scale - 0.5) * 16).astype(np.int32) for ring in rings]
        cv2.fillPoly(mask, corners, 255, shift=4)
    return mask


def rings_of(mask: NDArray[np.uint8]) -> tuple[Polygon, ...]:
    """The outlines of what isn't 0 in a mask, uint8 (h, w), and of the holes in it, such that `drawn` gives the mask again but for
    its finest corners."""
    import cv2

    # Contours go through the middles of pixels: in the doubled mask these lie nearer to the edge.
    inside = cv2.resize((mask > 0).astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    height, width = inside.shape
    lines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for line in lines:
        corners = cv2.approxPolyDP(line, 1.2, True)[:, 0]
        found.append(tuple(((float(x) + 0.5) / width, (float(y) + 0.5) / height) for x, y in corners))
    return tuple(found)


def regions_of(mask: NDArray[np.uint8], peak: float) -> tuple[Region, ...]:
    """The 8-connected parts of a mask, uint8 (h, w), in its pixels, the largest first; each with this `peak`."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    found = [Region((int(x), int(y), int(w), int(h)), int(area), peak) for x, y, w, h, area in stats[1:count]]
    return tuple(sorted(found, key=lambda one: -one.area))


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
    enlarged = enlarge(values, fine)
    above = enlarged >= threshold
    if not above.any():  # a peak narrower than a pixel of a tiny image
        peak = np.unravel_index(int(np.argmax(enlarged)), enlarged.shape)
        above[peak] = True
    mask = above.astype(np.uint8)
    start_x, start_y, w, h = cv2.boundingRect(mask)  # labelling is dear, and defects are small
    there = slice(start_y, start_y + h), slice(start_x, start_x + w)
    mask, enlarged = mask[there], enlarged[there]
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
