"""AnoPLe on a small random CLIP: what learns, what doesn't, and that a detector is a function of its seed."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods.anople.lesson import Lesson, views
from inspector.methods.anople.method import AnoPLe
from inspector.methods.anople.prompts import NEUTRAL, Prompts
from inspector.methods.prompts import training
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Splicer, need_text

Teach = Callable[..., Any]
QUICK = {"epochs": 2, "variants": 2, "length": 2}


def test_every_learnable_part_gets_a_gradient_and_nothing_else(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(AnoPLe(**QUICK, tiles=4), parts, tiny_clip)
    text = need_text(tiny_clip, "AnoPLe")
    prompts = detector.taught.prompts
    prompts.zero_grad(set_to_none=True)
    losses = detector.loss_terms(
        prompts, _lesson(tiny_clip, parts), Splicer(text), range(4), training.generator(0)
    )
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in prompts.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert all(not p.requires_grad and p.grad is None for p in tiny_clip.visual.parameters())
    assert all(not p.requires_grad and p.grad is None for p in text._parameters())


def _lesson(backbone: Backbone, shots: Mapping[str, list[Image]], scales: str = "multi") -> Lesson:
    text = need_text(backbone, "")
    teaching = Teaching(shots, backbone, text, lambda done, line, values: None, CancelToken())
    return Lesson(
        teaching,
        cells=(16, 16),
        scales=scales,
        variants=2,
        seed=0,
        progress=teaching.progress,
    )


def test_prompts_start_from_what_the_towers_know(tiny_clip: Backbone, parts: dict[str, list[Image]]) -> None:
    text = need_text(tiny_clip, "AnoPLe")
    depth = min(tiny_clip.depth, text.depth)
    with training.seeded(0):
        learned = Prompts(
            depth,
            2,
            text_width=text.width,
            vision_width=tiny_clip.width,
            joint_width=tiny_clip.embed_dim,
            coupling="shared",
            prompts="both",
        )
    splicer, names = Splicer(text), list(parts)
    tokens = _lesson(tiny_clip, parts).clean()
    with torch.no_grad():
        for drawn in (learned.coupled.text, learned.coupled.vision):
            assert drawn is not None
            drawn.zero_()  # without the noise that makes one prompt differ from another
        learned.begin(tiny_clip, splicer, tokens, seed=0)
        known = splicer.words(NEUTRAL)[1][:4]
        plain = splicer.encode([[known, f"{name}."] for name in names])
        assert (learned.states(splicer, names)[:, 0] * plain).sum(-1).min() > 0.98
        deep = learned.coupled.deep_vision()
        (shots,) = tokens.values()
        patches = shots[:, -tiny_clip.grid[0] * tiny_clip.grid[1] :].flatten(0, 1).float()
        assert deep is not None
        assert torch.cdist(deep[0], patches).amin(1).max() < patches.std(0).norm()


def test_a_lesson_holds_clean_and_damaged_views_with_their_masks(
    tiny_clip: Backbone, parts: dict[str, list[Image]]
) -> None:
    lesson = _lesson(tiny_clip, parts)
    assert [tokens.shape for tokens in lesson.tokens] == [(5 * 3, 17, 48)] * 4
    assert lesson.masks[:, :5].sum() == 0
    assert (lesson.masks[:, 5:].flatten(2).amax(2) > 0).all()
    assert lesson.labels.tolist() == [0, 0, 1, 1]
    tokens, masks, view, label = lesson.draw([3, 0], 2, training.generator(4))
    assert len(tokens) == len(masks) == 6
    assert view.tolist()[::3] == [0, 0]
    assert sorted(view.tolist())[2:] == sorted(v for v in view.tolist() if v)
    assert label.tolist() == [1] * 3 + [0] * 3


def test_the_views_are_the_whole_image_and_the_quarters_of_twice_its_size() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:64, 64:] = 200
    whole, *quarters = views(pixels, (64, 64), "multi")
    assert whole.shape == (64, 64, 3)
    assert [int(quarter.mean()) for quarter in quarters] == [0, 200, 0, 0]
    assert len(views(pixels, (64, 64), "one")) == 1


def test_what_cannot_be_taught_is_said_in_a_sentence(
    tiny_clip: Backbone, wordless_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    with pytest.raises(DetectorError, match="text tower"):
        taught(AnoPLe(**QUICK), parts, wordless_clip)
    with pytest.raises(DetectorError, match="no normal shots"):
        taught(AnoPLe(**QUICK), {"disc": []}, tiny_clip)
    with pytest.raises(ValueError, match="no setting"):
        AnoPLe(colour="red")
    with pytest.raises(ValueError, match="coupling is one of"):
        AnoPLe(coupling="loose")


def test_the_decoder_is_the_identity_before_teaching() -> None:
    learned = Prompts(2, 2, text_width=8, vision_width=12, joint_width=16, coupling="shared", prompts="both")
    tokens = torch.nn.functional.normalize(torch.randn(2, 9, 16), dim=-1)
    assert torch.allclose(learned.decoder(tokens, (3, 3)), tokens, atol=1e-6)


def test_readings_of_other_patches_than_the_memory_holds_are_refused(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    tensors, settings = taught(AnoPLe(**QUICK), parts, tiny_clip).state()
    AnoPLe.from_state(tensors, settings, tiny_clip)
    short = {
        name: value[1:] if name.startswith("learned.shots.0.1.") else value for name, value in tensors.items()
    }
    with pytest.raises(DetectorError, match=r"shots\.0\.1\.likes"):
        AnoPLe.from_state(short, settings, tiny_clip)
