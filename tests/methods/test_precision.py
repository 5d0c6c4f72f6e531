"""The same detector on another device or in another precision: scores may differ by rounding, and by no more."""

from functools import cache

import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.images.demo import parts as demo_parts
from inspector.methods import catalogue

QUICK = {"epochs": 1, "adaptation_epochs": 1, "variants": 1}
PLACES = (
    ("cpu", torch.bfloat16, 0.05),
    ("cuda", torch.float32, 0.002),
    ("cuda", torch.bfloat16, 0.05),
    ("cuda", torch.float16, 0.02),
    ("mps", torch.float32, 0.002),
)
"""Device, precision, and how far any value of a map may lie from that on a processor in fp32, on the scale 0–1; an image
score half as far."""


@cache
def _backbone(device: str, dtype: torch.dtype) -> Backbone:
    return loading.load(device=device, dtype=dtype)


def _missing(device: str) -> bool:
    return (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    )


@pytest.mark.parametrize(("device", "dtype", "tolerance"), PLACES)
@pytest.mark.parametrize("method", catalogue.METHODS)
def test_scores_are_the_same_within_rounding(
    method: str, device: str, dtype: torch.dtype, tolerance: float
) -> None:
    if _missing(device):
        pytest.skip(f"this machine has no {device}")
    drawn = [demo_parts.draw("washer", seed, size=256)[0] for seed in range(2)]
    defective = demo_parts.draw("washer", 7, demo_parts.DEFECTS["washer"][0], size=256)[0]
    shots = {"washer": [Image(pixels, str(number), "shot") for number, pixels in enumerate(drawn)]}
    quick = {key: value for key, value in QUICK.items() if key in catalogue.defaults(method)}
    taught = catalogue.make(method, **quick)
    taught.fit(shots, _backbone("cpu", torch.float32), progress=lambda *_: None, cancel=CancelToken())
    there = _backbone(device, dtype)
    tensors, settings = taught.state()
    moved = type(taught).from_state({k: v.to(there.device) for k, v in tensors.items()}, settings, there)
    good = demo_parts.draw("washer", 9, size=256)[
        0
    ]  # not a shot: of a distance of 0, the root shows every rounding
    images = [Image(defective, "", "defective"), Image(good, "", "good")]
    for here, elsewhere in zip(
        taught.score(images, ["washer"] * 2), moved.score(images, ["washer"] * 2), strict=True
    ):
        assert elsewhere.image_score == pytest.approx(here.image_score, abs=tolerance / 2)
        assert np.abs(elsewhere.values - here.values).max() <= tolerance
