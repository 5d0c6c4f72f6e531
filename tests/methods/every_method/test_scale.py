"""Image scores don't depend on how many pixels a camera gives the same part, as long as they are as many as the backbone
sees. Below that, what a shot shows is gone from the part, and its score rises."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from inspector.domain import Image, Thresholds
from inspector.features.backbone import Backbone
from inspector.methods import catalogue
from inspector.verdicts.judge import judge

TOLERANCE = 0.05
"""What other resolutions may move a score by: of the distance between a good and a defective part's, or, for held-out
shots, of the highest score (altered views of a single one may lie beyond a defect, and alike shots near 0)."""
SIDES = {"square": (256, 256), "long": (192, 320)}
QUICK: Mapping[str, Mapping[str, Any]] = {
    catalogue.parse(name).method: catalogue.parse(name).settings for name in catalogue.SMALL
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of so small a model wait for each other longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def part(number: int, shape: tuple[int, int], defect: bool = False) -> np.ndarray:
    """A striped plate with a disc, its grain coarse enough to be seen at half the size."""
    rng = np.random.default_rng(number)
    height, width = shape
    y, x = np.mgrid[:height, :width]
    grain = cv2.resize(rng.normal(0, 4, (16, 16)).astype(np.float32), (width, height))
    pixels = np.repeat((110 + 40 * ((x // 32) % 2) + grain)[..., None], 3, axis=2)
    pixels[(y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 4) ** 2] += np.array([60, -30, 0])
    if defect:
        pixels[height // 4 : height // 2, width // 8 : width // 3] = (250, 240, 20)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def image(pixels: np.ndarray, factor: float = 1.0) -> Image:
    """The same picture at another resolution."""
    if factor != 1:
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=method)
    name = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Image(pixels, name, f"{name[:8]}.png")


def shots(shape: tuple[int, int], factor: float = 1.0, count: int = 2) -> dict[str, list[Image]]:
    return {"plate": [image(part(number, shape), factor) for number in range(count)]}


@pytest.mark.parametrize("shape", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("method", catalogue.METHODS)
def test_the_same_part_at_twice_and_half_the_resolution_has_the_same_score_and_verdict(
    tiny_clip: Backbone, taught: Callable[..., Any], method: str, shape: tuple[int, int]
) -> None:
    detector = taught(catalogue.make(method, **QUICK[method]), shots(shape), tiny_clip)
    pictures = [part(7, shape), part(8, shape, defect=True)]
    good, bad = (one.image_score for one in detector.score([image(p) for p in pictures], ["plate"] * 2))
    assert bad > good
    band = Thresholds((2 * good + bad) / 3, (good + 2 * bad) / 3, 0)
    for factor in (2, 0.5):
        images = [image(picture, factor) for picture in pictures]
        for one, picture, before in zip(
            detector.score(images, ["plate"] * 2), images, (good, bad), strict=True
        ):
            assert abs(one.image_score - before) <= TOLERANCE * (bad - good), factor
            expected = "OK" if before == good else "NG"
            assert judge(one, band, picture.size).decision.name == expected


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("method", catalogue.METHODS)
def test_shots_at_twice_and_half_the_resolution_are_held_out_with_the_same_scores(
    tiny_clip: Backbone, taught: Callable[..., Any], method: str, count: int
) -> None:
    held_out, defective = [], []
    for factor in (1, 2, 0.5):
        own = shots(SIDES["square"], factor, count)
        detector = taught(catalogue.make(method, **QUICK[method]), own, tiny_clip)
        held_out.append(max(one.image_score for one in detector.held_out(own)["plate"]))
        bad = image(part(8, SIDES["square"], defect=True), factor)
        defective.append(detector.score([bad], ["plate"])[0].image_score)
    for scores in held_out, defective:
        assert np.ptp(scores) <= TOLERANCE * max(*held_out, *defective)
