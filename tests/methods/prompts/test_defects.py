"""Simulated defects are where their mask says, and follow from the seed."""

import numpy as np
import pytest
import torch

from inspector.methods.prompts import defects


def part(grey: bool = False) -> np.ndarray:
    rng = np.random.default_rng(5)
    pixels = rng.integers(60, 190, (96, 80, 3), dtype=np.uint8)
    return np.repeat(pixels[..., :1], 3, axis=-1) if grey else pixels


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_is_never_empty_and_never_most_of_the_image(seed: int) -> None:
    mask = defects.mask(96, 80, np.random.default_rng(seed))
    assert mask.shape == (96, 80)
    assert 0 < mask.mean() <= 0.5


@pytest.mark.parametrize("seed", range(8))
def test_a_defect_changes_its_mask_and_leaves_the_rest_almost_alone(seed: int) -> None:
    pixels = part()
    made, mask = defects.damaged(pixels, pixels, np.random.default_rng(seed))
    change = np.abs(made.astype(int) - pixels).max(-1)
    assert change[mask].min() >= defects.VISIBLE
    assert mask.any()
    assert change[~mask].max() < defects.VISIBLE


def test_a_grey_part_gets_a_grey_defect() -> None:
    made, _ = defects.damaged(part(grey=True), part(grey=True), np.random.default_rng(1))
    assert (made[..., :1] == made).all()


def test_the_same_seed_makes_the_same_defect() -> None:
    one = defects.damaged(part(), part(), np.random.default_rng(3))
    two = defects.damaged(part(), part(), np.random.default_rng(3))
    other = defects.damaged(part(), part(), np.random.default_rng(4))
    assert np.array_equal(one[0], two[0])
    assert not np.array_equal(one[0], other[0])


def test_perlin_noise_is_smooth_centred_and_bounded() -> None:
    field = defects.perlin(128, 128, (4, 2), np.random.default_rng(0))
    assert np.abs(field).max() <= 1.0
    assert abs(field.mean()) < 0.2
    assert np.abs(np.diff(field, axis=0)).max() < 0.2


def test_a_mask_on_a_grid_holds_the_covered_share_of_each_cell() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[:4, :2] = True
    assert defects.to_grid(mask, (2, 2)).tolist() == [[0.5, 0.0], [0.0, 0.0]]


def test_latent_noise_moves_only_tokens_inside_the_mask_and_keeps_unit_length() -> None:
    tokens = torch.nn.functional.normalize(
        torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    where = defects.grid_masks(2, (3, 3), np.random.default_rng(0)).flatten(1)
    moved = defects.latent(tokens, where, torch.Generator().manual_seed(1))
    assert torch.allclose(moved.norm(dim=-1), torch.ones(2, 9), atol=1e-5)
    change = (moved - tokens).norm(dim=-1)
    assert (change[where == 1] > 0.1).all()
    assert torch.allclose(change[where == 0], torch.zeros(()), atol=1e-6)
