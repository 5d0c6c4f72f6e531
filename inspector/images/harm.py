"""Defects of a known size and contrast, painted into pictures of good parts."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.images import part

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
FINER = 8
"""A defect's pixels are drawn in so many parts a side, so that one of half a pixel shows half as much."""
THIN = 12
"""A scratch is so many times longer than wide, and at least a pixel wide."""


def harmed(
    pixels: Pixels, kind: str, size: float, contrast: float, at: tuple[int, int], rng: np.random.Generator
) -> Pixels:
    """uint8 RGB (h, w, 3) with one defect of `kind` (of KINDS) about `size` pixels across, its middle at (x, y).

    `contrast`: by how much of the whole range, 0–1, it is brighter or darker than what it lies on, whichever has more
    room; a missing piece shows the background instead. Raises KeyError for another kind.
    """
    reach = math.ceil(size / 2) + 2
    height, width = pixels.shape[:2]
    (x, y), out = at, pixels.copy()
    left, top, right, bottom = (
        max(x - reach, 0),
        max(y - reach, 0),
        min(x + reach + 1, width),
        min(y + reach + 1, height),
    )
    under = pixels[top:bottom, left:right].astype(np.float32)
    whole = KINDS[kind](2 * reach + 1, size, rng)
    shape = whole[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach, None]
    if kind == "missing":
        painted = under + shape * (_background(pixels) - under)
    else:
        sign = 1 if under.mean() < 128 else -1
        painted = under + shape * (sign * contrast * 255)
    out[top:bottom, left:right] = np.clip(np.round(painted), 0, 255).astype(np.uint8)
    return out


def _spot(side: int, size: float, _rng: np.random.Generator) -> Floats:
    """A round spot: how much of every pixel it covers, [side, side]."""
    return _drawn(
        side, lambda grid: cv2.circle(grid, _middle(side), max(round(size * FINER / 2), 1), 1.0, -1)
    )


def _scratch(side: int, size: float, rng: np.random.Generator) -> Floats:
    """A straight scratch in any direction."""
    turn, (middle, _) = rng.uniform(0, math.pi), _middle(side)
    across, down = (round(size * FINER / 2 * one) for one in (math.cos(turn), math.sin(turn)))
    width = max(round(max(size / THIN, 1) * FINER), 1)
    ends = (middle - across, middle - down), (middle + across, middle + down)
    return _drawn(side, lambda grid: cv2.line(grid, *ends, 1.0, width))


def _dent(side: int, size: float, rng: np.random.Generator) -> Floats:
    """Light from one side: one half brighter, the other darker, fading outwards; from -1 to 1."""
    turn, deep = rng.uniform(0, 2 * math.pi), size / 4
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - side // 2
    along = (columns * math.cos(turn) + rows * math.sin(turn)) / deep
    return np.asarray(along * np.exp(0.5 - (rows**2 + columns**2) / (2 * deep**2)), np.float32)


KINDS: dict[str, Callable[[int, float, np.random.Generator], Floats]] = {
    "spot": _spot,
    "scratch": _scratch,
    "dent": _dent,
    "missing": _spot,
}
"""What is painted, by name."""
TITLES = {"spot": "spots", "scratch": "scratches", "dent": "dents", "missing": "missing pieces"}
"""What people call them."""


def _middle(side: int) -> tuple[int, int]:
    return (FINER * side // 2,) * 2


def _drawn(side: int, draw: Callable[[Floats], object]) -> Floats:
    grid = np.zeros((FINER * side, FINER * side), np.float32)
    draw(grid)
    return np.asarray(cv2.resize(grid, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _background(pixels: Pixels) -> Floats:
    """The usual colour along the border."""
    edge = max(1, round(part.RING * min(pixels.shape[:2])))
    ring = [pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:]]
    return np.asarray(np.median(np.concatenate([one.reshape(-1, 3) for one in ring]), axis=0), np.float32)
