"""Small random-weight backbones and drawn parts for every method."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.features.backbone import Backbone
from inspector.features.loading import from_model

VISION = {"layers": 4, "width": 48, "head_width": 16, "patch_size": 16, "image_size": 64}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3}


def small_model() -> open_clip.CLIP:
    """open_clip's own ViT and text tower: 64 px, 4×4 patches, 4 blocks, joint width 32; the same weights every time."""
    torch.manual_seed(0)
    return open_clip.CLIP(32, VISION, TEXT).eval()


def small_clip() -> Backbone:
    return from_model(small_model(), "tiny")


@pytest.fixture(scope="session")
def tiny_clip() -> Backbone:
    return small_clip()


@pytest.fixture(scope="session")
def wordless_clip() -> Backbone:
    """The same without a text tower."""
    return from_model(small_model(), "wordless", load_text=lambda: None)


@pytest.fixture
def make_model() -> Callable[[], open_clip.CLIP]:
    """Makes the model of `tiny_clip` again."""
    return small_model


def draw_part(kind: str, number: int, size: tuple[int, int] = (90, 70)) -> Image:
    """A drawn part: "disc" is red on grey, "plate" is striped."""
    rng = np.random.default_rng([number, len(kind)])
    height, width = size
    y, x = np.mgrid[:height, :width]
    pixels = rng.integers(90, 110, (height, width, 3))
    if kind == "disc":
        pixels[(y - height / 2) ** 2 + (x - width / 2) ** 2 < (0.3 * width) ** 2] += np.array([90, 0, 0])
    else:
        pixels[(x // 6) % 2 == 0] += 60
    return Image(pixels.astype(np.uint8), f"{number:04x}{len(kind):04x}" * 8, f"{kind}-{number}.png")


def two_parts() -> dict[str, list[Image]]:
    """Two shots of each of two classes."""
    return {kind: [draw_part(kind, number) for number in range(2)] for kind in ("disc", "plate")}


@pytest.fixture
def parts() -> dict[str, list[Image]]:
    return two_parts()


@pytest.fixture
def new_part() -> Callable[[str, int], Image]:
    return draw_part


@pytest.fixture
def taught() -> Callable[..., Any]:
    """Teach a detector and give it back."""

    def teach(detector: Any, shots: Mapping[str, Sequence[Image]], backbone: Backbone) -> Any:
        detector.fit(shots, backbone, progress=lambda done, line, values: None, cancel=CancelToken())
        return detector

    return teach
