"""Methods on backbones without a text tower."""

from functools import partial

import numpy as np
import pytest
import timm
import torch

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features import random_weights
from inspector.methods import catalogue

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
