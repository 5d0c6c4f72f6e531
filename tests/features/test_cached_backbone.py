"""Frozen passes that are kept on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.features.cache import FeatureCache
from inspector.features.cached_backbone import CachedBackbone

Pixels = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def plain() -> Backbone:
    return loading.load(device="cpu", dtype=torch.float32)


@pytest.fixture
def pixels() -> Pixels:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (200, 260, 3), np.uint8) for _ in range(3)]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images every pass that was really computed had."""
    seen: list[int] = []
    computed: Callable[..., Any] = Backbone.run

    def watched(self: Backbone, x: torch.Tensor, *rest: Any) -> Any:
        seen.append(len(x))
        return computed(self, x, *rest)

    monkeypatch.setattr(Backbone, "run", watched)
    return seen


def test_what_was_seen_once_is_not_computed_again(
    plain: Backbone, pixels: Pixels, passes: list[int], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"taps": ("stem8", "block2", "vv3"), "vv_from": 2}
    expected = plain(plain.prepare(pixels), **options)
    found = []
    for _ in range(2):
        backbone = CachedBackbone(plain, FeatureCache(tmp_path))  # as after another start
        found.append(backbone(backbone.prepare(pixels), **options))
    assert passes == [3, 3]
    first, second = found
    assert first.grids == second.grids == expected.grids
    for name in ("cls", "patches", "vv"):
        mine, wanted = getattr(second, name), getattr(expected, name)
        assert torch.equal(mine, getattr(first, name))
        assert mine.dtype == wanted.dtype
        assert torch.allclose(mine, wanted, rtol=1e-3, atol=1e-3)
    for name, wanted in expected.taps.items():
        assert torch.equal(first.taps[name], second.taps[name])
        assert second.taps[name].dtype == wanted.dtype
        assert torch.allclose(second.taps[name], wanted, rtol=1e-3, atol=1e-3)


def test_other_options_other_pixels_and_prompts_are_computed(
    plain: Backbone, pixels: Pixels, passes: list[int], tmp_path: Path
) -> None:
    backbone = CachedBackbone(plain, FeatureCache(tmp_path))
    x = backbone.prepare(pixels)
    for options in ({"joint": False, "taps": ("stem8",)}, {"joint": False, "taps": ("stem16",)}, {}):
        backbone(x, **options)
    assert passes == [3, 3, 3]
    pixels[0] = pixels[0] // 2
    backbone(backbone.prepare(pixels))
    assert passes == [3, 3, 3, 3]
    for _ in range(2):
        backbone(x, prefix=torch.zeros(plain.width))
    assert passes == [3, 3, 3, 3, 3, 3]


def test_plain_images_of_the_same_bytes_but_other_shapes_are_two(plain: Backbone, tmp_path: Path) -> None:
    lying, standing = np.full((208, 272, 3), 90, np.uint8), np.full((272, 208, 3), 90, np.uint8)
    backbone = CachedBackbone(plain, FeatureCache(tmp_path))
    seen = [
        backbone(backbone.prepare([image], proportions=True), taps=("stem8",), joint=False)
        for image in (lying, standing)
    ]
    assert [one.grids["stem8"] for one in seen] == [(26, 34), (34, 26)]


def test_features_beyond_half_precision_are_computed_every_time(
    plain: Backbone, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: Callable[..., Any] = Backbone.run

    def huge(self: Backbone, *rest: Any) -> Any:
        features = computed(self, *rest)
        features.taps["stem8"] = features.taps["stem8"] * 1e6
        return features

    monkeypatch.setattr(Backbone, "run", huge)
    backbone = CachedBackbone(plain, FeatureCache(tmp_path))
    found = [backbone(backbone.prepare(pixels), taps=("stem8",), joint=False).taps["stem8"] for _ in range(2)]
    assert bool(found[0].isfinite().all())
    assert torch.equal(*found)
