"""A mask and its outlines say the same, at other sizes too."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inspector.verdicts.regions import drawn, regions_of, rings_of


def _blobs(seed: int) -> np.ndarray:
    mask = np.zeros((120, 160), np.uint8)
    rng = np.random.default_rng(seed)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(20, 140)), int(rng.integers(20, 100))
        axes = int(rng.integers(6, 20)), int(rng.integers(6, 20))
        cv2.ellipse(mask, at, axes, int(rng.integers(0, 180)), 0, 360, 255, -1)
    return mask


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one > 0) & (other > 0)).sum() / ((one > 0) | (other > 0)).sum())


@given(st.integers(0, 10_000))
def test_outlines_of_a_mask_give_the_mask_again(seed: int) -> None:
    mask = _blobs(seed)
    rings = rings_of(mask)
    assert _alike(drawn(rings, (160, 120)), mask) > 0.93
    larger = cv2.resize(mask, (640, 480), interpolation=cv2.INTER_NEAREST)
    assert _alike(drawn(rings, (640, 480)), larger) > 0.9
    assert all(0 <= value <= 1 for ring in rings for corner in ring for value in corner)


def test_a_hole_stays_a_hole_and_each_part_is_a_region() -> None:
    mask = np.zeros((100, 100), np.uint8)
    cv2.circle(mask, (40, 50), 30, 255, -1)
    cv2.circle(mask, (40, 50), 12, 0, -1)
    cv2.rectangle(mask, (85, 5), (94, 14), 255, -1)
    again = drawn(rings_of(mask), (100, 100))
    assert (again[50, 40], again[50, 15], again[10, 90]) == (0, 255, 255)
    first, second = regions_of(mask, 0.7)
    assert (second.box, second.area, second.peak) == ((85, 5, 10, 10), 100, 0.7)
    assert first.box == (10, 20, 61, 61)
    assert drawn((), (10, 10)).sum() == 0
    assert rings_of(np.zeros((5, 5), np.uint8)) == ()
