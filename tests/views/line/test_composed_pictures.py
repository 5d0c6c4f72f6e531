"""What a worker makes of a part's picture for the operator: as the viewer would draw it, only as large as it is shown."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.exports.heat import Heat, lookup
from inspector.views.line.operator.composing import scaled, warm
from inspector.views.viewer.picture import picture


def test_a_picture_fits_its_room_and_small_ones_grow_eightfold_at_most() -> None:
    large = picture(np.full((1500, 3000, 3), 90, np.uint8))
    drawn, scale = scaled(large, (800, 600))
    assert drawn.shape == (400, 800, 4)
    assert scale == pytest.approx(800 / 3000)
    small = picture(np.full((10, 10, 3), 90, np.uint8))
    drawn, scale = scaled(small, (800, 600))
    assert (drawn.shape, scale) == ((80, 80, 4), 8.0)


def test_heat_is_painted_where_the_map_is_hot_and_nowhere_else() -> None:
    drawn = np.full((240, 360, 4), 100, np.uint8)
    values = np.full((16, 24), 0.1, np.float32)
    values[4:8, 6:12] = 0.9
    heat = Heat(0.5, 1.0, 0.5, "inferno", 0.6)
    box = warm(drawn, values, heat)
    assert box is not None
    left, top, wide, _ = box
    assert (drawn[:top] == 100).all()
    assert (drawn[:, left + wide :] == 100).all()
    assert (drawn[100:110, 120:150, :3] != 100).any(-1).all()  # the middle of what is hot
    argb = int(lookup(heat, 0.1, 0.9)[-1])
    alpha = (argb >> 24) & 255
    expected = [((argb >> shift) & 255) + round(100 * (255 - alpha) / 255) for shift in (0, 8, 16)]
    assert np.abs(drawn[90, 135, :3].astype(int) - expected).max() <= 1


def test_a_map_that_is_nowhere_hot_costs_and_changes_nothing() -> None:
    drawn = np.full((24, 36, 4), 100, np.uint8)
    assert warm(drawn, np.full((16, 24), 0.1, np.float32), Heat(0.5, 1.0, 0.5)) is None
    assert (drawn == 100).all()
