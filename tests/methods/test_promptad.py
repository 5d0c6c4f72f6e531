"""PromptAD on a small random CLIP."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from inspector.domain import Image
from inspector.features.backbone import Backbone
from inspector.methods.promptad import HEADS, Contexts, PromptAD, scale_of
from inspector.methods.prompts.phrases import GENERIC_DEFECTS
from inspector.methods.prompts.tokens import Splicer

Teach = Callable[..., Any]


def test_prompts_are_the_context_before_class_states_and_learned_suffixes(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    contexts = Contexts(2, {"pixel": 1, "image": 2}, 4, 3, tiny_clip.text.width)
    rows = contexts.rows("image", 1, "steel_nut")
    assert len(rows) == 2 * (1 + len(GENERIC_DEFECTS) + 3)
    assert rows[0][1] == "steel nut."
    assert rows[1][1] == "damaged steel nut."
    assert torch.equal(rows[-1][1], contexts.abnormal["image1"][-1:])  # type: ignore[arg-type]
    for normal, handcrafted, own in contexts.read(Splicer(tiny_clip.text), "image", [0, 1], ["a", "b"]):
        assert normal.shape == (32,)
        assert handcrafted.shape == (2 * len(GENERIC_DEFECTS), 32)
        assert own.shape == (2 * 3, 32)


def test_every_learnable_part_gets_a_gradient_and_nothing_else(tiny_clip: Backbone) -> None:
    assert tiny_clip.text is not None
    detector = PromptAD()
    contexts = Contexts(1, {"pixel": 1, "image": 1}, 2, 2, tiny_clip.text.width)
    seen = torch.nn.functional.normalize(torch.randn(2, 5, 32), dim=-1)
    total = torch.zeros(())
    for head in HEADS:
        ((normal, handcrafted, own),) = contexts.read(Splicer(tiny_clip.text), head, [0], ["a"])
        total = (
            total + torch.stack(list(detector.loss_terms(4.6, seen, normal, handcrafted, own).values())).sum()
        )
    total.backward()
    for name, parameter in contexts.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert all(p.grad is None for p in tiny_clip.text._parameters())


def test_a_class_learns_alone_what_it_learns_among_others(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    more = {**parts, "third": parts["plate"][:1], "fourth": parts["disc"][:1]}
    among = taught(PromptAD(epochs=5), more, tiny_clip).taught
    for name in parts:
        alone = taught(PromptAD(epochs=5), {name: parts[name]}, tiny_clip).taught
        mine = among.text_features[among.numbers([name])[0]]
        assert torch.allclose(mine, alone.text_features[0], atol=1e-4), name
    begun = taught(PromptAD(epochs=0), more, tiny_clip).taught
    assert (among.text_features - begun.text_features).abs().max() > 1e-2


def test_the_temperature_switch_is_the_scale_its_logarithm_or_a_number(tiny_clip: Backbone) -> None:
    scales = {}
    for wanted in ("raw", "exp", 0.07):
        PromptAD(temperature=wanted)
        scales[wanted] = scale_of(wanted, tiny_clip)
    assert scales["exp"] == pytest.approx(np.exp(scales["raw"]))
    assert scales[0.07] == pytest.approx(1 / 0.07)


def test_the_released_triplet_sums_over_tokens(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    one = taught(PromptAD(epochs=2), parts, tiny_clip).state()[0]["learned.text_features"]
    other = taught(PromptAD(epochs=2, eam_axis="tokens"), parts, tiny_clip).state()[0][
        "learned.text_features"
    ]
    assert not torch.equal(one, other)
