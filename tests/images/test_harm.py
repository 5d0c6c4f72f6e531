"""Defects of a known size and contrast."""

import numpy as np
import pytest

from inspector.images.harm import KINDS, harmed


def flat(value: int = 100) -> np.ndarray:
    pixels = np.full((120, 160, 3), value, np.uint8)
    pixels[:6] = pixels[-6:] = 30
    pixels[:, :6] = pixels[:, -6:] = 30
    return pixels


def changed(kind: str, size: float, contrast: float = 0.4, at: tuple[int, int] = (80, 60)) -> np.ndarray:
    return harmed(flat(), kind, size, contrast, at, np.random.default_rng(0)).astype(int) - flat()


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("size", [5, 12, 40])
def test_a_defect_is_as_large_as_asked_and_the_rest_stays(kind: str, size: int) -> None:
    where = np.argwhere(np.abs(changed(kind, size)).max(-1) > 3)
    span = (where.max(0) - where.min(0) + 1).max()
    assert size / 2 < span <= size * (2 if kind == "dent" else 1.2) + 2
    assert np.abs(where.mean(0) - (60, 80)).max() < 2


def test_contrast_is_a_share_of_the_whole_range_away_from_what_lies_there() -> None:
    assert changed("spot", 20, 0.4).max() == round(0.4 * 255)
    bright = flat(220)
    found = harmed(bright, "spot", 20, 0.4, (80, 60), np.random.default_rng(0)).astype(int) - bright
    assert found.min() == -round(0.4 * 255)
    assert found.max() == 0


def test_a_spot_of_half_a_pixel_shows_less_than_one_of_a_pixel() -> None:
    half, one = (np.abs(changed("spot", size)).sum() for size in (0.5, 1))
    assert 0 < half < one


def test_a_missing_piece_shows_the_background() -> None:
    found = harmed(flat(), "missing", 20, 0, (80, 60), np.random.default_rng(0))
    assert (found[60, 80] == 30).all()


@pytest.mark.parametrize("at", [(0, 0), (159, 119), (80, 0), (0, 60)])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_defect_at_the_border_is_cut_off_there(kind: str, at: tuple[int, int]) -> None:
    assert np.abs(changed(kind, 30, 0.4, at)).any() or kind == "missing"
