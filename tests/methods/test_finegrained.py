"""FineGrainedAD on a small random CLIP: regions, losses, what learns, retrieval, and a detector that is its seed's."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone
from inspector.features.loading import from_model
from inspector.methods.finegrained.method import FineGrainedAD, ShotFeatures, triplet
from inspector.methods.finegrained.prompts import MultiLevelPrompts, QueryFormer
from inspector.methods.finegrained.regions import (
    dpc_knn,
    region_weights,
    regions,
    tile_count,
    tile_tokens,
)
from inspector.methods.finegrained.taught import LevelFeatures, TaughtFineGrained, read
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.prompts import training
from inspector.methods.prompts.description import Entity, PartDescription, prompt_levels, template
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import first_vv_block, need_text

Teach = Callable[..., Any]
QUICK = {"epochs": 2, "ahps": 2, "alps": 2}
DISC = PartDescription(
    "disc",
    "grey table",
    (Entity("rim", "one", "center", colour="red", texture="smooth", shape="round"), Entity("hole")),
    "the rim encloses the hole",
)


def planted(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three tight groups of 30 points, shuffled, with the number of each one's group."""
    middles = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    labels = torch.arange(3).repeat_interleave(30)[torch.randperm(90, generator=generator)]
    return middles[labels] + 0.2 * torch.randn(90, 2, generator=generator), labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("seeded", [False, True])
def test_density_peaks_find_planted_clusters(seed: int, seeded: bool) -> None:
    points, labels = planted(torch.Generator().manual_seed(seed))
    centres = torch.stack([(labels == group).nonzero()[3, 0] for group in range(3)]) if seeded else None
    found = dpc_knn(points, 5, 3, centres)
    for group in range(3):
        assert len(set(found[labels == group].tolist())) == 1
    assert len(set(found.tolist())) == 3
    if seeded:
        assert torch.equal(found, labels)


def test_density_peaks_take_few_and_equal_points() -> None:
    assert dpc_knn(torch.zeros(1, 3), 8, 2).tolist() == [0]
    same = dpc_knn(torch.ones(6, 3), 8, 2)
    assert torch.equal(same, dpc_knn(torch.ones(6, 3), 8, 2))


@pytest.mark.parametrize("centres", ["language", "density"])
@pytest.mark.parametrize("count", [1, 2])
def test_every_phrase_gets_the_region_that_it_speaks_of(centres: str, count: int) -> None:
    generator = torch.Generator().manual_seed(1)
    phrases = torch.eye(1 + count, 16)  # the background, then parts
    labels = torch.arange(1 + count).repeat_interleave(60)
    noise = 0.03 * torch.randn(len(labels), 16, generator=generator)
    tokens = F.normalize(phrases[labels] + noise, dim=-1)
    found = regions(tokens, phrases[1:], phrases[0], centres)
    truth = labels == torch.arange(1 + count)[:, None]
    if centres == "language":
        assert torch.equal(found, truth)
    elif count == 1:  # one cluster more than phrases: a region may be a part of what its phrase speaks of
        assert torch.equal(found[0], truth[0])
        assert found.any(1).all()
        assert not (found & ~truth).any()
    else:  # two clusters can't part three groups, which is why the paper starts from language
        assert (found & truth)[0].sum() == 60


def test_learning_weights_are_one_and_more_inside_a_region() -> None:
    found = torch.zeros(1, 4, 4, dtype=torch.bool)
    found[0, :2, :2] = True
    found[0, 2, 2] = True
    weight = region_weights(found.flatten(1), (2, 2), 1.5)
    assert weight.tolist() == [[2.5, 1.0, 1.0, 1.375]]


def test_tiles_are_laid_out_as_the_image_is(tiny_clip: Backbone) -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:64, 64:] = 200
    assert tile_count(pixels, tiny_clip, 4) == 2
    assert tile_count(pixels[:60], tiny_clip, 4) == 1
    tokens = tile_tokens(pixels, tiny_clip, 2, {"vv_from": 1}, CancelToken())
    bright = tiny_clip.forward(tiny_clip.prepare([pixels[:64, 64:]]), vv_from=1).vv
    assert bright is not None
    quarter = tokens.reshape(8, 8, -1)[:4, 4:].reshape(16, -1)
    assert torch.allclose(quarter, F.normalize(bright[0], dim=-1), atol=1e-5)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        tile_tokens(pixels, tiny_clip, 2, {}, cancel)


def test_the_triplet_sums_over_channels_or_over_tokens() -> None:
    tokens = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    normal, abnormal = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert triplet(tokens, normal, abnormal, 1.0).item() == pytest.approx((0 + 3) / 2)
    assert triplet(tokens, normal, abnormal, 0.5, "token").item() == pytest.approx((0.5 + 0.5) / 2)


def test_the_query_loss_is_one_less_the_mean_cosine_to_normal_and_abnormal() -> None:
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    normal, abnormal = torch.tensor([[[1.0, 0.0], [9.0, 9.0]]]), torch.tensor([[[0.6, 0.8], [9.0, 9.0]]])
    absent = torch.tensor([[False, True]])
    assert QueryFormer.loss(query, normal, abnormal, absent).item() == pytest.approx(1 - (1 + 0.6) / 2)


def test_the_query_former_ignores_levels_that_a_class_lacks() -> None:
    with training.seeded(0):
        former = QueryFormer(4, 16)
        normal, abnormal = torch.randn(1, 4, 16), torch.randn(1, 4, 16)
    absent = torch.tensor([[False, False, False, True]])
    one = former(normal, abnormal, absent)[:, :3]
    normal[0, 3], abnormal[0, 3] = 7.0, -7.0
    assert torch.allclose(one, former(normal, abnormal, absent)[:, :3], atol=1e-6)
    assert torch.allclose(one.norm(dim=-1), torch.ones(1, 3), atol=1e-5)


def _terms(detector: FineGrainedAD, learned: Any, parts: Mapping[str, list[Image]]) -> training.Losses:
    text = need_text(detector.backbone, "")
    teaching = Teaching(parts, detector.backbone, text, lambda done, line, values: None, CancelToken())
    described = detector.taught.settings["descriptions"]
    levels = [prompt_levels(PartDescription.from_json(described[name]), 2, 2, 0) for name in parts]
    features = detector.shot_features(teaching, levels, teaching.progress)
    return detector.loss_terms(learned, features, list(enumerate(levels)), teaching.splicer, 4.6)


def test_every_learnable_part_gets_a_gradient_and_nothing_else(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(FineGrainedAD(**QUICK, descriptions={"disc": DISC.as_json()}), parts, tiny_clip)
    learned = MultiLevelPrompts(4, 2, need_text(tiny_clip, "").width)
    torch.stack(list(_terms(detector, learned, parts).values())).sum().backward()
    for name, parameter in learned.named_parameters():
        assert parameter.grad is not None, name
        assert (
            (parameter.grad.abs().flatten() > 0).all() if name == "gates" else parameter.grad.abs().sum() > 0
        )
    assert all(not p.requires_grad and p.grad is None for p in tiny_clip.visual.parameters())
    assert all(p.grad is None for p in need_text(tiny_clip, "")._parameters())


def test_gradient_reaches_the_whole_query_former() -> None:
    with training.seeded(0):
        former = QueryFormer(3, 16)
        normal, abnormal = (F.normalize(torch.randn(2, 3, 16), dim=-1) for _ in range(2))
    absent = torch.zeros(2, 3, dtype=torch.bool)
    former.loss(former(normal, abnormal, absent), normal, abnormal, absent).backward()  # type: ignore[no-untyped-call]
    for name, parameter in former.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_losses_of_all_levels_are_those_worked_out_by_hand() -> None:
    e = torch.eye(4)
    given = [(e[:1], e[1:2], e[2:3]), (e[3:4], e[1:2], e[2:3]), (e[:1], e[1:2], e[3:4])]  # NHP, AHP, ALP
    features = ShotFeatures([e[:1]], [e[:1]], [torch.tensor([[1.0], [1.0], [2.5]])])
    learned: Any = lambda levels, splicer: given  # noqa: E731
    nothing: Any = None
    terms = FineGrainedAD().loss_terms(learned, features, [(0, [nothing] * 3)], nothing, 1 / 0.07)
    hit = 1 / 0.07
    right = math.log(1 + 2 * math.exp(-hit))  # image level, patch and class token
    background = math.log(3)  # the patch is none of the three
    part = math.log(1 + 2 * math.exp(-2.5 * hit))
    assert terms["clip"].item() == pytest.approx(2 * right + background + part, rel=1e-4)
    # |v - n|² - |v - ā|² + 1: image 0 - 2 + 1, nothing, twice; background 2 - 2 + 1; part 1.5² - (2.5² + 1) + 1, nothing
    assert terms["triplet"].item() == pytest.approx(1.0)
    # image: AHP e1 against ALP e2, part: e1 against e3, both 2 apart
    assert terms["mean"].item() == pytest.approx(1e-3 * (2 + 2), rel=1e-4)
    # e2 - e3 - e3
    assert terms["levels"].item() == pytest.approx(math.sqrt(5), rel=1e-4)


def test_a_patch_is_read_against_the_level_that_it_resembles(tiny_clip: Backbone) -> None:
    e = torch.eye(4)
    levels = LevelFeatures(
        torch.stack([e[0], e[2], 0 * e[0]])[None],
        torch.stack([e[1], e[3], 0 * e[0]])[None],
        torch.stack([F.normalize(e[0] + e[1], dim=0), F.normalize(e[2] + e[3], dim=0), 0 * e[0]])[None],
        torch.tensor([[False, False, True]]),
    )
    taught = TaughtFineGrained(
        backbone=tiny_clip,
        memory=MemoryBank(),
        settings={"tau": "0.07"},
        names=("disc",),
        levels=levels,
        usual=torch.ones(1),
        parts={},
    )
    tokens = torch.stack([e[0], e[3], 0.6 * e[2] + 0.8 * e[3], -e[0]])[None]
    level, abnormal = taught.level_reading(tokens, [0])
    assert level.tolist() == [[0, 1, 1, 1]]
    logit = 1 / 0.07
    by_hand = [1 / (1 + math.exp(logit)), 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(-0.2 * logit)), 0.5]
    assert abnormal[0].tolist() == pytest.approx(by_hand, rel=1e-4)


def test_a_description_changes_only_the_prompts_of_its_class(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(FineGrainedAD(**QUICK), parts, tiny_clip)
    assert detector.taught.settings["descriptions"]["plate"] == template("plate").as_json()
    described = taught(FineGrainedAD(**QUICK, descriptions={"disc": DISC.as_json()}), parts, tiny_clip)
    assert described.taught.settings["descriptions"]["disc"] == DISC.as_json()
    assert described.taught.settings["descriptions"]["plate"] == template("plate").as_json()
    a, b = (d.state()[0]["learned.normal"] for d in (detector, described))
    assert (a[0] - b[0]).abs().max() > 0.01
    with pytest.raises(DetectorError, match="lacks"):
        FineGrainedAD(descriptions={"disc": {}})


def test_a_long_description_is_cut_to_what_the_text_tower_reads(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    long = PartDescription(
        "disc", "table", (Entity("rim", caption="very " * 70 + "old rim"),), caption="so " * 130
    )
    assert taught(
        FineGrainedAD(**QUICK | {"epochs": 1}, descriptions={"disc": long.as_json()}), parts, tiny_clip
    )


@pytest.mark.parametrize("depth", [4, 12, 24])
def test_the_value_path_starts_where_the_papers_start_it(depth: int) -> None:
    assert first_vv_block(depth) == {4: 1, 12: 1, 24: 6}[depth]


def test_it_teaches_on_a_text_tower_of_sixteen_tokens_that_sees_both_ways(
    parts: dict[str, list[Image]], taught: Teach
) -> None:
    torch.manual_seed(0)
    vision = {"timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": "none", "image_size": 160}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2}
    text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
    backbone = from_model(open_clip.CustomTextCLIP(96, vision, text).eval(), "small")
    detector = taught(FineGrainedAD(**QUICK | {"epochs": 1}), parts, backbone)
    assert np.isfinite(detector.score(parts["disc"], [None, "disc"])[0].values).all()


def test_what_the_memory_keeps_is_the_original_path(tiny_clip: Backbone) -> None:
    seen = read(tiny_clip, tiny_clip.prepare([np.zeros((64, 64, 3), np.uint8)]))
    assert set(seen.taps) == set(tiny_clip.default_taps)
