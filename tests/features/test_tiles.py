"""A picture cut into squares and its maps made one again: nothing is left out, and there is no seam."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.errors import ImageError
from inspector.features.tiles import LARGEST, NEEDED, Tiles, View, resolution, tiles

SIDES = st.tuples(st.integers(60, 250), st.integers(60, 250))
FEW = settings(max_examples=25, deadline=None)


def cut(shape: tuple[int, int], wanted: int = 600) -> Tiles:
    found = tiles((*shape, 3), View(wanted), 240, 60)
    assert found is not None
    return found


@FEW
@given(SIDES)
def test_every_cell_lies_in_a_tile_and_neighbours_share_a_sixth_of_their_side(shape: tuple[int, int]) -> None:
    found = Tiles(240, 60, shape)
    seen = np.zeros(shape, int)
    for row, column in found.starts:
        seen[row : row + 60, column : column + 60] += 1
    assert seen.min() >= 1
    assert seen.shape == shape  # no tile reaches beyond the picture
    for axis in (0, 1):
        starts = sorted({start[axis] for start in found.starts})
        assert all(after - before <= 50 for before, after in pairwise(starts))


@FEW
@given(SIDES, st.sampled_from([(240, 60), (518, 129), (224, 56)]))
def test_tiles_of_any_tower_show_the_pixels_of_their_cells(
    shape: tuple[int, int], tower: tuple[int, int]
) -> None:
    side, cells = tower
    shape = (max(shape[0], cells), max(shape[1], cells))
    found = Tiles(side, cells, shape)
    rows, columns = found.shape
    y, x = np.mgrid[:rows, :columns]
    pixels = np.stack([y % 256, x % 256, (y // 256 + 16 * (x // 256))], -1).astype(np.uint8)
    for (row, column), tile in zip(found.starts, found.cut(pixels), strict=True):
        assert tile.shape == (side, side, 3)
        assert abs(int(tile[0, 0, 0]) + 256 * int(tile[0, 0, 2] % 16) - row * side / cells) <= 0.5
        assert abs(int(tile[0, 0, 1]) + 256 * int(tile[0, 0, 2] // 16) - column * side / cells) <= 0.5


@FEW
@given(SIDES)
def test_maps_that_agree_where_they_overlap_are_joined_without_a_trace(shape: tuple[int, int]) -> None:
    found = Tiles(240, 60, shape)
    whole = np.random.default_rng(0).random(shape).astype(np.float32)
    parts = np.stack([whole[row : row + 60, column : column + 60] for row, column in found.starts])
    assert np.abs(found.joined(parts) - whole).max() < 1e-5


def test_maps_that_differ_pass_into_one_another_step_by_step() -> None:
    found = Tiles(240, 60, (60, 110))
    joined = found.joined(np.stack([np.zeros((60, 60)), np.ones((60, 60))]).astype(np.float32))
    assert joined[:, 0].max() == 0
    assert joined[:, -1].min() == 1
    assert np.abs(np.diff(joined, axis=1)).max() < 0.25


def test_a_picture_that_the_tower_sees_whole_is_not_cut() -> None:
    assert tiles((3000, 4000, 3), View(240), 240, 60) is None
    assert tiles((3000, 4000, 3), View(241), 240, 60) is not None


@given(st.integers(2, 4000), st.integers(300, 6000), st.integers(300, 6000))
def test_the_smallest_defect_reaches_across_enough_pixels(smallest: int, width: int, height: int) -> None:
    found = resolution(smallest, [(width, height)], 240)
    seen = smallest * (found or 240) / min(width, height)
    assert seen >= NEEDED * 0.95 or found == LARGEST
    assert found == 0 or found > 240


def test_where_nobody_chose_or_there_is_no_picture_all_is_seen_whole() -> None:
    assert resolution(None, [(4000, 3000)], 240) == 0
    assert resolution(20, [], 240) == 0


def test_a_picture_seen_again_as_small_as_it_was_cut_is_cut_alike() -> None:
    once = cut((3000, 4000), 1500)
    assert cut(once.shape, 1500) == once


def test_a_picture_so_elongated_that_it_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ImageError, match="too elongated"):
        tiles((10, 60_000, 3), View(8192), 240, 60)
