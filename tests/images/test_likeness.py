"""Copies of a picture are told from other parts, however alike."""

import io
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from inspector.images.demo import parts as demo_parts
from inspector.images.likeness import Look, look, same_picture
from inspector.images.read import decode


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[PIL.Image.Image]]:
    """Six good parts of each product of the demo, in one pose each."""
    folder = tmp_path_factory.mktemp("parts")
    demo_parts.write_demo(folder, shots=3, good=3, defective=1, size=256)
    return {
        product.name: [PIL.Image.open(path).convert("RGB") for path in sorted(product.glob("t*/good/*"))]
        for product in folder.iterdir()
    }


def saved(picture: PIL.Image.Image, kind: str, **options: Any) -> Look:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return look(decode(file.getvalue(), "it"), lossy=kind in ("JPEG", "WEBP"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 50}),
        ("WEBP", {"quality": 80}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_a_copy_in_another_format_is_the_same_picture(
    pictures: dict[str, list[PIL.Image.Image]], kind: str, options: dict[str, Any]
) -> None:
    for own in pictures.values():
        assert same_picture(saved(own[0], "PNG"), saved(own[0], kind, **options))
        assert same_picture(saved(own[0], "JPEG", quality=90), saved(own[0], kind, **options))


def test_a_smaller_copy_is_the_same_picture(pictures: dict[str, list[PIL.Image.Image]]) -> None:
    for own in pictures.values():
        assert same_picture(saved(own[0], "PNG"), saved(own[0].resize((128, 128)), "JPEG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_good_parts_in_one_pose_are_pictures_of_their_own(
    pictures: dict[str, list[PIL.Image.Image]], kind: str
) -> None:
    for own in pictures.values():
        assert len(own) == 6
        assert not any(same_picture(*pair) for pair in combinations([saved(one, kind) for one in own], 2))


def test_two_takes_of_a_part_that_differ_by_noise_alone_are_two_pictures_where_nothing_was_lost(
    pictures: dict[str, list[PIL.Image.Image]],
) -> None:
    pixels = np.asarray(pictures["washer"][0], np.float32)
    rng = np.random.default_rng(0)
    takes = [
        PIL.Image.fromarray(np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8))
        for _ in range(2)
    ]
    assert not same_picture(*(saved(take, "PNG") for take in takes))


def test_plain_surfaces_that_differ_in_their_grain_are_two_pictures() -> None:
    rng = np.random.default_rng(1)
    sheets = [
        PIL.Image.fromarray(
            np.clip(cv2.GaussianBlur(rng.normal(128, 60, (256, 256, 3)), (0, 0), 6), 0, 255).astype(np.uint8)
        )
        for _ in range(2)
    ]
    assert not same_picture(*(saved(sheet, "JPEG", quality=95) for sheet in sheets))


def test_a_picture_of_another_shape_is_another(tmp_path: Path) -> None:
    grey = PIL.Image.new("RGB", (64, 48), (90, 90, 90))
    assert not same_picture(saved(grey, "JPEG"), saved(grey.resize((48, 64)), "JPEG"))
