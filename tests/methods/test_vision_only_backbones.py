"""Methods on backbones without a text tower."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features import random_weights
from inspector.methods import catalogue, storage
from inspector.methods.memory.subspace import SubspaceAD

NAMES = ("vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3")


def _image(seed: int) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (120, 120, 3), np.uint8)
    return Image(pixels, str(seed), f"{seed}.png")


@pytest.mark.parametrize("name", NAMES)
def test_methods_that_need_text_refuse_them_by_name_and_all_others_teach(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=3))
    backbone = random_weights.build(name, "cpu", image_size=112, dtype=torch.float32)
    shots = {"washer": [_image(0)]}
    for variant in map(catalogue.parse, catalogue.SMALL):
        info = catalogue.find(variant.method)
        detector = catalogue.make(variant.method, **variant.settings)
        taught = {"progress": lambda *_: None, "cancel": CancelToken()}
        if why := info.unfit(name):
            assert why == f"{info.title} needs a text tower, and {name} has none."
            with pytest.raises(DetectorError, match=f"{detector.title} needs .* text tower") as refused:
                detector.fit(shots, backbone, **taught)
            assert "PatchCore" in refused.value.hint
        else:
            assert "text" not in info.needs
            detector.fit(shots, backbone, **taught)
            same, other = detector.score([_image(0), _image(1)], ["washer", "washer"])
            assert same.image_score < other.image_score


def test_subspaces_are_of_the_mean_over_the_middle_blocks_and_say_so_when_stored(tmp_path: Path) -> None:
    backbone = random_weights.build(NAMES[0], "cpu", image_size=112, dtype=torch.float32)
    detector = catalogue.make("subspace")
    detector.fit({"washer": [_image(0)]}, backbone, progress=lambda *_: None, cancel=CancelToken())
    pixels = backbone.prepare([_image(1).pixels])
    seen = backbone(pixels, taps=("block8", "block9"), joint=False).taps
    (kept,) = detector.taught.features(pixels).taps.items()
    assert kept[0] == "block8-9"
    assert torch.allclose(kept[1], (seen["block8"] + seen["block9"]) / 2, atol=1e-6)
    storage.save(detector, tmp_path / "it")
    again = storage.load(tmp_path / "it", backbone)
    assert again.state()[1]["taps"] == ["block8-9"]
    for one, other in zip(*(d.score([_image(1)], ["washer"]) for d in (detector, again)), strict=True):
        assert np.array_equal(one.values, other.values)


def test_detectors_of_single_blocks_that_were_stored_without_their_names_still_load() -> None:
    backbone = random_weights.build(NAMES[1], "cpu", image_size=64, dtype=torch.float32)
    before = catalogue.make("subspace", taps=list(backbone.default_taps))
    before.fit({"washer": [_image(0)]}, backbone, progress=lambda *_: None, cancel=CancelToken())
    tensors, settings = before.state()
    again = type(before).from_state(tensors, {**settings, "taps": None}, backbone)
    assert again.taught.taps == backbone.default_taps


@pytest.mark.parametrize(
    ("depth", "taps"),
    [(12, "block8-9"), (24, "block14-18"), (40, "block23-29"), (3, "block2-2"), (1, "block1-1")],
)
def test_the_middle_blocks_are_those_of_the_release(depth: int, taps: str) -> None:
    tower = SimpleNamespace(identity=SimpleNamespace(architecture=NAMES[0]), depth=depth)
    assert SubspaceAD.default_taps(tower) == (taps,)  # type: ignore[arg-type]


def test_a_range_of_blocks_that_no_tower_has_is_refused() -> None:
    with pytest.raises(DetectorError, match="ends before it begins"):
        catalogue.make("patchcore", taps=["block9-8"])
    backbone = random_weights.build(NAMES[1], "cpu", image_size=64, dtype=torch.float32)
    with pytest.raises(ValueError, match="no taps"):
        catalogue.make("patchcore", taps=["block11-13"]).fit(
            {"washer": [_image(0)]}, backbone, progress=lambda *_: None, cancel=CancelToken()
        )
