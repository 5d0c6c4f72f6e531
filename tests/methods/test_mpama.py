"""MPA and MPAMA on a small random CLIP: neighbourhoods, bridge, routing, what learns in which stage, and persistence."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods import catalogue
from inspector.methods.mpama.method import MPAMA, DamagedShots
from inspector.methods.mpama.prompts import Experts, Perceptions, bridged, perceived
from inspector.methods.prompts import training
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Splicer, need_text

Teach = Callable[..., Any]
QUICK = {"epochs": 2, "adaptation_epochs": 2, "variants": 2, "length": 3, "deep": 2}


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_a_perception_level_averages_neighbours_and_mirrors_the_border() -> None:
    tokens = torch.zeros(1, 9, 2)
    tokens[..., 0] = 1.0
    tokens[0, 4] = torch.tensor([0.0, 1.0])  # the middle of 3 × 3
    seen = perceived(tokens, 3, (3, 3))
    assert torch.allclose(seen[0, 4], F.normalize(torch.tensor([8.0, 1.0]), dim=0))
    assert torch.allclose(
        seen[0, 0], F.normalize(torch.tensor([5.0, 4.0]), dim=0)
    )  # the corner sees it four times
    assert torch.equal(perceived(tokens, 1, (3, 3)), tokens)
    assert perceived(unit(2, 3, 9, 8), 5, (3, 3)).shape == (2, 3, 9, 8)


def test_the_bridge_is_closed_at_first_and_then_exchanges_shares() -> None:
    local = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    whole = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    same = bridged(local, whole, torch.zeros(2))
    assert torch.equal(same[0], local)
    assert torch.equal(same[1], whole)
    levels, joined = bridged(local, whole, torch.tensor([1.0, 2.0]))
    assert torch.allclose(
        joined[0], F.normalize(torch.tensor([1.0, 2.0]), dim=0)
    )  # (0, 1) + max of the levels (1, 1)
    assert torch.allclose(levels[0, 1], F.normalize(torch.tensor([2.0, 1.0]), dim=0))


@pytest.mark.parametrize("chosen", [1, 2, 4])
def test_routing_sums_to_one_over_the_chosen_experts(chosen: int) -> None:
    with training.seeded(3):
        experts = Experts(16, 2, 4, chosen)
    gates = experts.routed(unit(3, 2, 9, 16))
    assert gates.shape == (3, 2, 9, 6)
    assert torch.allclose(gates.sum(-1), torch.ones(3, 2, 9), atol=1e-6)
    assert ((gates > 0).sum(-1) == chosen).all()


def test_identity_and_zero_experts_leave_a_token_as_it_is() -> None:
    experts = Experts(8, 1, 2, 2)
    for fixed in (0, 3):  # identity first, zero last
        torch.nn.init.zeros_(experts.routers[0].weight)  # type: ignore[arg-type]
        bias = torch.full((4,), -50.0)
        bias[[0, 3]] = 0.0
        bias[fixed] = 50.0
        experts.routers[0].bias.data = bias  # type: ignore[union-attr]
        tokens = unit(2, 1, 5, 8)
        adapted, gates = experts(tokens)
        assert torch.allclose(adapted, tokens, atol=1e-6)
        assert gates[..., fixed].min() > 0.99


def test_an_expert_adds_its_share_by_hand() -> None:
    experts = Experts(2, 1, 1, 1)
    experts.routers[0].bias.data = torch.tensor([0.0, 99.0, 0.0])  # type: ignore[union-attr]
    last = experts.bottlenecks[0][2]  # type: ignore[index]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.0, 3.0])
    adapted, _ = experts(torch.tensor([[[[1.0, 0.0]]]]))
    assert adapted.flatten().tolist() == pytest.approx([1 / math.sqrt(10), 3 / math.sqrt(10)], rel=1e-4)


def _lesson(detector: MPAMA, parts: Mapping[str, list[Image]]) -> DamagedShots:
    text = need_text(detector.backbone, "")
    teaching = Teaching(parts, detector.backbone, text, lambda done, line, values: None, CancelToken())
    return detector.damaged_shots(teaching, teaching.progress)


def _graded(module: torch.nn.Module) -> None:
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_first_stage_reaches_every_prompt_and_the_second_every_expert_and_nothing_else(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(MPAMA(**QUICK), parts, tiny_clip)
    lesson, text = _lesson(detector, parts), need_text(tiny_clip, "")
    drawn = lesson.draw(range(4), training.generator(0))
    with training.seeded(0):
        prompts, experts = Perceptions(3, 3, 2, text), Experts(32, 4, 2, 2)
    torch.stack(
        list(detector.loss_terms(drawn, prompts(Splicer(text)), None, (4, 4)).values())
    ).sum().backward()
    _graded(prompts)
    frozen = prompts(Splicer(text))[0].detach(), prompts(Splicer(text))[1].detach()
    prompts.zero_grad(set_to_none=True)
    terms = detector.loss_terms(drawn, frozen, experts, (4, 4))
    assert {"balance", "focal", "dice"} == set(terms)
    torch.stack(list(terms.values())).sum().backward()
    _graded(experts)
    assert all(p.grad is None for p in prompts.parameters())
    assert all(not p.requires_grad and p.grad is None for p in tiny_clip.visual.parameters())
    assert all(p.grad is None for p in text._parameters())


def test_the_loss_is_that_worked_out_by_hand() -> None:
    detector = MPAMA(levels=[1])
    e = torch.eye(2)
    pair = torch.stack([e[0], e[1]])
    gap = 0.07 * math.log(3)  # p = 3/4
    token = torch.tensor([0.0, gap])
    drawn = token[None], token.expand(1, 1, 1, 2), torch.ones(1, 1, 1)
    terms = detector.loss_terms(drawn, (pair[None], pair), None, (1, 1))
    assert terms["focal"].item() == pytest.approx(0.25**2 * -math.log(0.75), rel=1e-4)
    over, under = 1 - (2 * 0.75 + 1) / (0.75 + 1 + 1), 1 - 1 / (0.25 + 0 + 1)
    assert terms["dice"].item() == pytest.approx(over + under, rel=1e-4)
    assert terms["image"].item() == pytest.approx(-math.log(0.75), rel=1e-4)


def test_a_lesson_pairs_every_shot_with_a_damaged_copy(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(MPAMA(**QUICK), parts, tiny_clip)
    lesson = _lesson(detector, parts)
    assert [tokens.shape for tokens in lesson.tokens] == [(3, 4, 16, 32)] * 4
    cls, tokens, masks = lesson.draw([2, 0], training.generator(1))
    assert len(cls) == len(tokens) == 4
    assert (masks.flatten(1).amax(1) > 0).tolist() == [False, False, True, True]
    assert torch.equal(cls[0], lesson.cls[2, 0])


def test_both_stages_lower_their_loss(tiny_clip: Backbone, parts: dict[str, list[Image]]) -> None:
    seen: list[tuple[float, str, Mapping[str, float]]] = []
    MPAMA(**QUICK | {"epochs": 15, "adaptation_epochs": 15, "rate": 0.01}).fit(
        parts, tiny_clip, progress=lambda *event: seen.append(event), cancel=CancelToken()
    )
    losses = [values["loss"] for _, _, values in seen if "loss" in values]
    assert len(losses) == 30
    assert np.mean(losses[10:15]) < np.mean(losses[:3])
    assert np.mean(losses[25:]) < np.mean(losses[15:18])
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert any(line.startswith("Tokens go to: identity") for _, line, _ in seen)


def test_settings_that_make_no_sense_are_refused_in_a_sentence() -> None:
    with pytest.raises(DetectorError, match="odd neighbourhood sizes"):
        catalogue.make("mpama", levels=[2])
    with pytest.raises(DetectorError, match="routes lie between"):
        catalogue.make("mpama", routes=9)
    assert catalogue.find("mpama").reconstruction
