"""Where the part lies on its background."""

import cv2
import numpy as np
import pytest

from inspector.errors import ImageError
from inspector.images.part import area_of


def part(x: int, y: int, noise: float = 2, ground: int = 70) -> np.ndarray:
    rng = np.random.default_rng(x)
    pixels = np.full((360, 480, 3), ground, np.uint8)
    cv2.rectangle(pixels, (x - 60, y - 40), (x + 60, y + 40), (180, 150, 90), -1)
    cv2.circle(pixels, (x, y), 20, (ground,) * 3, -1)  # a hole shows the background and belongs to the part
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def test_a_part_is_found_with_its_hole_and_a_margin_and_nothing_else() -> None:
    inside = area_of([part(240, 180)]).mask((360, 480))
    assert inside[140:221, 180:301].all()
    assert inside.mean() < 1.5 * (121 * 81) / (360 * 480)


def test_what_holds_the_part_on_every_shot_is_inspected() -> None:
    inside = area_of([part(140, 120), part(340, 240)]).mask((360, 480))
    assert inside[120, 140]
    assert inside[240, 340]
    assert not inside[300, 60]


def test_a_bright_background_does_too_and_noise_is_no_part() -> None:
    inside = area_of([part(240, 180, noise=6, ground=230)]).mask((360, 480))
    assert inside[140:221, 180:301].all()
    assert inside.mean() < 0.12


@pytest.mark.parametrize("kind", ["flat", "texture", "half", "speck"])
def test_where_no_part_stands_out_a_sentence_says_what_to_do(kind: str) -> None:
    pixels = np.full((360, 480, 3), 120, np.uint8)
    if kind == "texture":
        pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8).repeat(15, 0).repeat(15, 1)
    elif kind == "half":
        pixels[:, 240:] = 220
    elif kind == "speck":
        pixels[180:186, 240:246] = 250
    with pytest.raises(ImageError) as caught:
        area_of([pixels])
    assert caught.value.hint == "Draw the region."


def test_one_shot_without_an_even_background_is_enough_to_refuse() -> None:
    rough = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8).repeat(15, 0).repeat(15, 1)
    with pytest.raises(ImageError, match="even enough"):
        area_of([part(240, 180), rough])


def test_no_picture_is_an_error() -> None:
    with pytest.raises(ImageError, match="no picture"):
        area_of([])
