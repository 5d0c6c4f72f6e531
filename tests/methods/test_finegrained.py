"""FineGrainedAD on a small random CLIP: regions, losses, what learns, retrieval, and a detector that is its seed's."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.features.loading import from_model
from inspector.methods import detector as detectors
from inspector.methods.finegrained import regions as regions_of_text
from inspector.methods.finegrained.method import (
    FineGrainedAD,
    QueryFormer,
    ShotFeatures,
    first_vv_block,
    triplet,
)
from inspector.methods.prompts import training
from inspector.methods.prompts.description import Entity, PartDescription, prompt_levels, template
from inspector.methods.prompts.tokens import Splicer, need_text

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
    found = regions_of_text.dpc_knn(points, 5, 3, centres)
    for group in range(3):
        assert len(set(found[labels == group].tolist())) == 1
    assert len(set(found.tolist())) == 3
    if seeded:
        assert torch.equal(found, labels)


def test_density_peaks_take_few_and_equal_points() -> None:
    assert regions_of_text.dpc_knn(torch.zeros(1, 3), 8, 2).tolist() == [0]
    same = regions_of_text.dpc_knn(torch.ones(6, 3), 8, 2)
    assert torch.equal(same, regions_of_text.dpc_knn(torch.ones(6, 3), 8, 2))


@pytest.mark.parametrize("centres", ["language", "density"])
@pytest.mark.parametrize("count", [1, 2])
def test_every_phrase_gets_the_region_that_it_speaks_of(centres: str, count: int) -> None:
    generator = torch.Generator().manual_seed(1)
    phrases = torch.eye(1 + count, 16)  # the background, then parts
    labels = torch.arange(1 + count).repeat_interleave(60)
    noise = 0.03 * torch.randn(len(labels), 16, generator=generator)
    tokens = F.normalize(phrases[labels] + noise, dim=-1)
    found = regions_of_text.regions(tokens, phrases[1:], phrases[0], centres)
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
    weight = regions_of_text.weights(found.flatten(1), (2, 2), 1.5)
    assert weight.tolist() == [[2.5, 1.0, 1.0, 1.375]]


def test_tiles_are_laid_out_as_the_image_is(tiny_clip: Backbone) -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:64, 64:] = 200
    assert regions_of_text.tile_count(pixels, tiny_clip, 4) == 2
    assert regions_of_text.tile_count(pixels[:60], tiny_clip, 4) == 1
    tokens = regions_of_text.tile_tokens(pixels, tiny_clip, 2, {"vv_from": 1}, CancelToken())
    bright = tiny_clip.forward(tiny_clip.prepare([pixels[:64, 64:]]), vv_from=1).vv
    assert bright is not None
    quarter = tokens.reshape(8, 8, -1)[:4, 4:].reshape(16, -1)
    assert torch.allclose(quarter, F.normalize(bright[0], dim=-1), atol=1e-5)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        regions_of_text.tile_tokens(pixels, tiny_clip, 2, {}, cancel)


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


def _step(detector: FineGrainedAD, backbone: Backbone, parts: Mapping[str, list[Image]]) -> training.Losses:
    splicer = Splicer(need_text(backbone, ""))
    levels = [prompt_levels(detector.records[name], 2, 2, 0) for name in parts]
    quiet: Any = lambda done, *more: None  # noqa: E731
    lesson = detector._lesson(parts, levels, splicer, quiet, CancelToken())
    return detector.step(lesson, list(enumerate(levels)), splicer)


def test_every_learnable_part_gets_a_gradient_and_nothing_else(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(FineGrainedAD(**QUICK, descriptions={"disc": DISC.as_json()}), parts, tiny_clip)
    detector.learned.zero_grad(set_to_none=True)
    torch.stack(list(_step(detector, tiny_clip, parts).values())).sum().backward()
    for name, parameter in detector.learned.named_parameters():
        assert parameter.grad is not None, name
        assert (
            (parameter.grad.abs().flatten() > 0).all() if name == "gates" else parameter.grad.abs().sum() > 0
        )
    assert all(not p.requires_grad and p.grad is None for p in tiny_clip._visual.parameters())
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


class _Fixed(torch.nn.Module):
    """Prompts whose features are given: two levels and one part of one AHP and one ALP each."""

    def forward(self, levels: Any, splicer: Any) -> list[tuple[Tensor, Tensor, Tensor]]:
        e = torch.eye(4)
        return [
            (e[:1], e[1:2], e[2:3]),
            (e[3:4], e[1:2], e[2:3]),
            (e[:1], e[1:2], e[3:4]),
        ]


def test_the_losses_of_all_levels_are_those_worked_out_by_hand(tiny_clip: Backbone) -> None:
    detector = FineGrainedAD(tau="0.07")
    detector._backbone = tiny_clip
    detector.learned = _Fixed()  # type: ignore[assignment]
    lesson, e = ShotFeatures(), torch.eye(4)
    lesson.cls, lesson.patches = [e[:1]], [e[:1]]
    lesson.weights = [torch.tensor([[1.0], [1.0], [2.5]])]
    terms = detector.step(lesson, [(0, [None, None, None])], None)  # type: ignore[arg-type, list-item]
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
    detector = FineGrainedAD(tau="0.07")
    detector._backbone = tiny_clip
    e = torch.eye(4)
    detector._known = {
        "normal": torch.stack([e[0], e[2], 0 * e[0]])[None],
        "abnormal": torch.stack([e[1], e[3], 0 * e[0]])[None],
        "queries": torch.stack([F.normalize(e[0] + e[1], dim=0), F.normalize(e[2] + e[3], dim=0), 0 * e[0]])[
            None
        ],
        "absent": torch.tensor([[False, False, True]]),
    }
    tokens = torch.stack([e[0], e[3], 0.6 * e[2] + 0.8 * e[3], -e[0]])[None]
    level, abnormal = detector._levels_of(tokens, [0])
    assert level.tolist() == [[0, 1, 1, 1]]
    logit = 1 / 0.07
    by_hand = [1 / (1 + math.exp(logit)), 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(-0.2 * logit)), 0.5]
    assert abnormal[0].tolist() == pytest.approx(by_hand, rel=1e-4)


def test_the_loss_falls_and_progress_never_goes_back(
    tiny_clip: Backbone, parts: dict[str, list[Image]]
) -> None:
    seen: list[tuple[float, Mapping[str, float]]] = []
    FineGrainedAD(**QUICK | {"epochs": 8, "rate": 0.05}).fit(
        parts,
        tiny_clip,
        progress=lambda done, line, values: seen.append((done, values)),
        cancel=CancelToken(),
    )
    losses = [values["loss"] for _, values in seen if "loss" in values]
    assert len(losses) == 8
    assert losses[-1] < losses[0]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"queries": "former", "descriptions": {"disc": DISC.as_json()}},
        {"tau": "exp", "eam_axis": "token", "reweight": False},
        {"tau": "0.07", "centres": "density", "tiles": 1},
    ],
)
def test_every_variant_scores_the_same_after_saving_and_loading(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    detector = taught(FineGrainedAD(**QUICK, **settings), parts, tiny_clip)
    detectors.save(detector, tmp_path / "it")
    monkeypatch.setattr(Backbone, "text", property(lambda self: pytest.fail("the text tower was loaded")))
    read_back = detectors.load(tmp_path / "it", tiny_clip)
    for before, after in zip(
        detector.score(parts["disc"], ["disc", None]),
        read_back.score(parts["disc"], ["disc", None]),
        strict=True,
    ):
        assert np.array_equal(before.values, after.values)
        assert before.image_score == after.image_score
        assert before.values.shape == (16, 16)
        assert 0 <= before.values.min() <= before.values.max() <= 1
    detectors.save(read_back, tmp_path / "again")
    assert (tmp_path / "it/detector.safetensors").read_bytes() == (
        tmp_path / "again/detector.safetensors"
    ).read_bytes()


def test_the_same_seed_makes_the_same_detector_and_another_seed_another(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    one, two, other = (taught(FineGrainedAD(**QUICK, seed=seed), parts, tiny_clip) for seed in (0, 0, 1))
    for name, tensor in one.state()[0].items():
        assert torch.equal(tensor, two.state()[0][name]), name
    assert not torch.equal(one.state()[0]["learned.normal"], other.state()[0]["learned.normal"])


def test_a_description_changes_only_the_prompts_of_its_class(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(FineGrainedAD(**QUICK), parts, tiny_clip)
    assert detector.settings["descriptions"]["plate"] == template("plate").as_json()
    described = taught(FineGrainedAD(**QUICK, descriptions={"disc": DISC.as_json()}), parts, tiny_clip)
    assert described.settings["descriptions"]["disc"] == DISC.as_json()
    assert described.settings["descriptions"]["plate"] == template("plate").as_json()
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


def test_cancel_stops_teaching_at_once(tiny_clip: Backbone, parts: dict[str, list[Image]]) -> None:
    cancel, stopped = CancelToken(), 0.0

    def stop(done: float, line: str, values: Mapping[str, float]) -> None:
        nonlocal stopped
        if line.startswith("Epoch"):
            stopped = stopped or time.monotonic()
            cancel.cancel()

    detector = FineGrainedAD(**QUICK | {"epochs": 500})
    with pytest.raises(Cancelled):
        detector.fit(parts, tiny_clip, progress=stop, cancel=cancel)
    assert time.monotonic() - stopped < 2
    assert detector.classes == ()


def test_a_killed_teach_continues_to_the_very_same_detector(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, tmp_path: Path
) -> None:
    undisturbed = taught(FineGrainedAD(**QUICK), parts, tiny_clip)
    killed = FineGrainedAD(**QUICK)
    killed.checkpoints = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        killed.fit(parts, tiny_clip, progress=_kill_at("Epoch 2"), cancel=CancelToken())
    continued = FineGrainedAD(**QUICK)
    continued.checkpoints = tmp_path / "kept"
    lines: list[str] = []
    continued.fit(
        parts, tiny_clip, progress=lambda done, line, values: lines.append(line), cancel=CancelToken()
    )
    assert not any(line.startswith("Epoch 1") for line in lines)
    for name, tensor in undisturbed.state()[0].items():
        assert torch.equal(tensor, continued.state()[0][name]), name


def _kill_at(start: str) -> Any:
    def kill(done: float, line: str, values: Mapping[str, float]) -> None:
        if line.startswith(start):
            raise KeyboardInterrupt

    return kill


def test_held_out_shots_are_compared_with_the_others_only(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach
) -> None:
    detector = taught(FineGrainedAD(**QUICK), parts, tiny_clip)
    seen = detector.score(parts["disc"], ["disc", "disc"])
    held_out = detector.held_out(parts)
    assert max(found.image_score for found in seen) < min(found.image_score for found in held_out["disc"])


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


def test_what_the_memory_keeps_is_the_original_path(tiny_clip: Backbone, taught: Teach) -> None:
    detector = FineGrainedAD()
    detector._backbone = tiny_clip
    seen = detector._see(tiny_clip.prepare([np.zeros((64, 64, 3), np.uint8)]))
    assert isinstance(seen, Features)
    assert set(seen.taps) == set(tiny_clip.default_taps)
