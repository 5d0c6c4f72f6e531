"""What learning does for the prompts, on held-out parts of which some were harmed; on the embedded model."""

import importlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.images.demo import parts as demo_parts
from inspector.methods.iipad.method import IIPAD
from inspector.methods.promptad import PromptAD, scale_of
from inspector.methods.prompts import fusion
from inspector.methods.prompts.tokens import normalised
from inspector.verdicts import metrics

sys.path.insert(0, str(Path(__file__).parents[3] / "packaging"))
harmed_parts = importlib.import_module("harmed_parts")
sys.path.pop(0)


@pytest.fixture(scope="module")
def embedded() -> Backbone:
    return loading.load(device="cpu", dtype=torch.float32)


def part(seed: int) -> Image:
    return Image(demo_parts.draw("washer", seed, size=240)[0], f"{seed:064}", "")


def readings(
    backbone: Backbone, epochs: int, parts: list[Image], harmed: torch.Tensor
) -> tuple[float, float, float]:
    """Abnormal probability after `epochs` of patches: mean on what is good, how much more harm gets, and the last loss."""
    losses = [float("inf")]
    detector = PromptAD(epochs=epochs)
    detector.fit(
        {"washer": [part(0), part(1)]},
        backbone,
        progress=lambda done, line, values: losses.append(values.get("loss", losses[-1])),
        cancel=CancelToken(),
    )
    taught = detector.taught
    tokens = normalised(taught.features_of(parts).vv)
    normal, abnormal = taught.text_features[0, 0]
    temperature = 1 / scale_of(taught.settings["temperature"], backbone)
    state = fusion.abnormal_probability(tokens, normal, abnormal, temperature)
    good = state[~harmed].mean()
    return float(good), float(state[harmed].mean() - good), losses[-1]


@pytest.fixture(scope="module")
def held_out(embedded: Backbone) -> tuple[list[Image], torch.Tensor]:
    """Parts that taught nothing, all harmed, and which of their patches [B, N] are."""
    parts, masks = [], []
    for seed in range(5):
        for copy in range(2):
            harm = harmed_parts.HARMS[(2 * seed + copy) % len(harmed_parts.HARMS)]
            made = harmed_parts.harmed(part(100 + seed).pixels, harm, np.random.default_rng([seed, copy]))
            parts.append(Image(made[0], "", ""))
            masks.append(cv2.resize(made[1], embedded.grid[::-1], interpolation=cv2.INTER_AREA).ravel() > 76)
    return parts, torch.from_numpy(np.stack(masks))


def test_promptads_learned_prompts_part_harm_from_good_further_than_untrained_ones(
    embedded: Backbone, held_out: tuple[list[Image], torch.Tensor]
) -> None:
    good, gap, first = readings(embedded, 1, *held_out)
    learned_good, learned_gap, last = readings(embedded, 30, *held_out)
    assert last < 0.98 * first
    assert learned_good < good - 0.01
    assert learned_gap > gap + 0.01


def test_iipads_learned_prompts_tell_harm_from_good_where_untrained_ones_do_not(
    embedded: Backbone, held_out: tuple[list[Image], torch.Tensor]
) -> None:
    parts, harmed = held_out
    found = []
    for epochs in (0, 20):
        detector, steps = IIPAD(epochs=epochs), [0.0]
        detector.fit(
            {"washer": [part(0)]},
            embedded,
            progress=lambda done, *more, steps=steps: steps.append(done),
            cancel=CancelToken(),
        )
        seen = detector.taught.features_of(parts)
        with torch.no_grad():
            states = detector.taught._prompts(seen)
        towards = (states[:, 1] - states[:, 0])[:, None]
        state = sum((layer * towards).sum(-1) for layer in seen.layers)
        found.append(metrics.image_auroc(state.flatten().tolist(), harmed.flatten().int().tolist()))
        assert epochs == 0 or len(steps) > 80  # also with a single shot
    assert found[0] < 0.7
    assert found[1] > 0.85
