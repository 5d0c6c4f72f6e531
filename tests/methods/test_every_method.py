"""What every method keeps, whatever it is: one table, one behaviour a test, on a small random CLIP."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from methods.every_method import killed_teaching

from inspector.domain import CancelToken, Decision, Image, ScoreMap, Thresholds
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone
from inspector.methods import catalogue, storage
from inspector.methods.detector import Detector
from inspector.methods.prompts import training
from inspector.verdicts.judge import judge

Teach = Callable[..., Any]
Draw = Callable[[str, int], Image]


@dataclass(frozen=True)
class Row:
    """How a method is tried: `quick` settings, further `variants`, and by which setting its `epochs` are counted."""

    quick: Mapping[str, Any] = field(default_factory=dict)
    variants: Sequence[Mapping[str, Any]] = ()
    stages: Sequence[str] = ("epochs",)


DESCRIBED = {"disc": {"foreground": "disc", "background": "table", "entities": [{"noun": "rim"}]}}
TABLE: Mapping[str, Row] = {
    "anople": Row(
        {"epochs": 2, "variants": 2, "length": 2},
        (
            {"prompts": "text"},
            {"prompts": "vision"},
            {"scales": "one", "alignment": False},
            {"coupling": "per_layer"},
            {"instance_conditioned": True},
            {"fusion": "none", "relative": False, "image_score": "token"},
            {"bank": "prompted", "fusion": "mean"},
        ),
    ),
    "iipad": Row({"epochs": 2, "contexts": 6, "objects": 2}, ({"loss": "linear"}, {"image_score": "code"})),
    "finegrained": Row(
        {"epochs": 2, "ahps": 2, "alps": 2},
        (
            {"queries": "former", "descriptions": DESCRIBED},
            {"tau": "exp", "eam_axis": "token", "reweight": False},
            {"tau": "0.07", "centres": "density", "tiles": 1},
        ),
    ),
    "mpama": Row(
        {"epochs": 2, "adaptation_epochs": 2, "variants": 2, "length": 3, "deep": 2},
        (
            {"adaptation": False},
            {"class_token": True, "relative": False},
            {"levels": [3], "routes": 1, "bottlenecks": 1},
        ),
        ("epochs", "adaptation_epochs"),
    ),
    "winclip": Row({}, ({"sigma": 0.0},), ()),
    "promptad": Row({"epochs": 2}, ({"temperature": "exp", "eam_axis": "tokens"}, {"temperature": 0.07})),
    "patchcore": Row({}, ({"taps": ["block1", "block4"], "neighbourhood": 1, "sigma": 2.0},), ()),
    "subspace": Row({}, ({"taps": ["block2"]}, {"taps": ["block1-3", "block4"]}), ()),
    "anomalydino": Row({}, ({"rotated": ["plate"]}, {"rotated": [], "masked": None, "sigma": 1.0}), ()),
}
CASES = [
    pytest.param(method, {**row.quick, **more}, id=f"{method}{json.dumps(more) if more else ''}")
    for method, row in TABLE.items()
    for more in ({}, *row.variants)
]
EVERY = pytest.mark.parametrize("method", TABLE)
LEARNING = pytest.mark.parametrize("method", [name for name, row in TABLE.items() if row.stages])
WRITES_PROMPTS = "iipad", {"instance_conditioned": True}
"""Who writes prompts for the image at hand, and so reads the text tower when scoring."""


def make(method: str, **more: Any) -> Detector:
    return catalogue.make(method, **{**TABLE[method].quick, **more})


def assert_same(before: Sequence[ScoreMap], after: Sequence[ScoreMap]) -> None:
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a.values, b.values)
        assert (a.image_score, a.class_name, a.class_confidence) == (
            b.image_score,
            b.class_name,
            b.class_confidence,
        )


def test_the_table_holds_every_method() -> None:
    assert set(TABLE) == set(catalogue.METHODS)
    assert {name for name, row in TABLE.items() if row.stages} == {
        name for name, info in catalogue.METHODS.items() if info.learns
    }


@pytest.mark.parametrize(("method", "settings"), CASES)
def test_a_stored_detector_scores_bit_for_bit_the_same_and_stores_itself_the_same(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    settings: dict[str, Any],
) -> None:
    detector = taught(catalogue.make(method, **settings), parts, tiny_clip)
    storage.save(detector, tmp_path / "it")
    if method != WRITES_PROMPTS[0] and not settings.items() >= WRITES_PROMPTS[1].items():
        monkeypatch.setattr(Backbone, "text", property(lambda self: pytest.fail("the text tower was loaded")))
    again = storage.load(tmp_path / "it", tiny_clip)
    images, names = [*parts["disc"], *parts["plate"]], ["disc", None, "plate", None]
    found = again.score(images, names)
    assert_same(detector.score(images, names), found)
    assert [one.class_name for one in found] == ["disc", "disc", "plate", "plate"]
    for one in found:
        assert one.values.shape == (16, 16)
        assert one.values.dtype == np.float32
        assert np.isfinite(one.values).all()
        assert one.values.min() >= 0
    storage.save(again, tmp_path / "again")
    for name in (storage.TENSORS_FILE, storage.MANIFEST_FILE):
        assert (tmp_path / "it" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@LEARNING
def test_the_same_seed_makes_the_same_detector_and_another_seed_another(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, method: str
) -> None:
    one, two, other = (taught(make(method, seed=seed), parts, tiny_clip).state()[0] for seed in (0, 0, 1))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


@EVERY
def test_a_teaching_that_is_cancelled_or_fails_leaves_the_detector_as_it_was(
    tiny_clip: Backbone,
    wordless_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    tmp_path: Path,
    method: str,
) -> None:
    detector = taught(make(method), {"disc": parts["disc"]}, tiny_clip)
    detector.checkpoints = tmp_path / "kept"
    before, cancel, told = detector.score(parts["disc"], ["disc", None]), CancelToken(), []

    def stop(done: float, line: str, values: Mapping[str, float]) -> None:
        told.append(done)
        cancel.cancel()

    with pytest.raises(Cancelled):
        detector.fit(parts, tiny_clip, progress=stop, cancel=cancel)
    assert len(told) == 1  # nothing more was done
    assert not (tmp_path / "kept").exists()
    with pytest.raises(DetectorError):
        detector.fit({}, tiny_clip, progress=lambda *_: None, cancel=CancelToken())
    if "text" in catalogue.find(method).needs:
        with pytest.raises(DetectorError, match="needs a backbone with a text tower"):
            detector.fit(parts, wordless_clip, progress=lambda *_: None, cancel=CancelToken())

    def fail(done: float, line: str, values: Mapping[str, float]) -> None:
        if done > 0.98:  # when the memory is filled
            raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        detector.fit(parts, tiny_clip, progress=fail, cancel=CancelToken())
    assert detector.classes == ("disc",)
    assert_same(detector.score(parts["disc"], ["disc", None]), before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("method", "stage"), [(name, stage) for name, row in TABLE.items() for stage in range(len(row.stages))]
)
def test_a_teaching_that_is_killed_continues_to_the_very_same_detector(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    method: str,
    stage: int,
) -> None:
    settings = {**TABLE[method].quick, **dict.fromkeys(TABLE[method].stages, 3)}
    kept = tmp_path / "kept"
    threads = torch.get_num_threads()
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    torch.set_num_threads(1)  # sums are rounded by how many threads share them
    killed_teaching.of(method, settings, kept, stage)
    assert any(kept.rglob(training.CHECKPOINT))
    continued, lines = catalogue.make(method, **settings), []
    continued.checkpoints = kept
    continued.fit(parts, tiny_clip, progress=lambda _, line, __: lines.append(line), cancel=CancelToken())
    learned = [line for line in lines if line.startswith(("Epoch 1", "Epoch 2"))]
    assert len(learned) == 2 * (len(TABLE[method].stages) - 1 - stage)  # only those of stages that follow
    undisturbed = taught(catalogue.make(method, **settings), parts, tiny_clip).state()[0]
    for name, tensor in continued.state()[0].items():
        assert torch.equal(tensor, undisturbed[name]), name
    assert not kept.exists()


@EVERY
def test_a_new_shot_counts_at_once_and_what_was_taught_before_stays(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, new_part: Draw, method: str
) -> None:
    detector = taught(make(method), parts, tiny_clip)
    known, fresh = detector.taught, new_part("disc", 9)
    before = detector.score([fresh], ["disc"])
    detector.add_shots("disc", [fresh])
    assert detector.score([fresh], ["disc"])[0].image_score < before[0].image_score
    assert_same(known.score([fresh], ["disc"]), before)
    assert len(detector.held_out({"disc": [*parts["disc"], fresh]})["disc"]) == 3
    now = detector.score([fresh], ["disc"])
    with pytest.raises(DetectorError):
        detector.add_shots("disc", [])
    if "text" in catalogue.find(method).needs:
        assert detector.outdated
        with pytest.raises(DetectorError, match="“bolt” was not taught"):
            detector.add_shots("bolt", [fresh])
        with pytest.raises(DetectorError, match="“bolt” was not taught"):
            detector.score([fresh], ["bolt"])
    assert_same(detector.score([fresh], ["disc"]), now)


@EVERY
def test_a_detector_with_added_shots_is_stored_with_them(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    new_part: Draw,
    tmp_path: Path,
    method: str,
) -> None:
    detector = taught(make(method), parts, tiny_clip)
    detector.add_shots("disc", [new_part("disc", 9)])
    storage.save(detector, tmp_path / "it")
    again = storage.load(tmp_path / "it", tiny_clip)
    assert_same(again.score(parts["disc"], ["disc", None]), detector.score(parts["disc"], ["disc", None]))


@EVERY
def test_held_out_shots_are_compared_with_the_others_and_a_single_one_with_altered_views(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, method: str
) -> None:
    shots = {"disc": parts["disc"], "plate": parts["plate"][:1]}
    detector = taught(make(method), shots, tiny_clip)
    held_out = detector.held_out(shots)
    seen = detector.score(parts["disc"], ["disc", "disc"])
    assert len(held_out["disc"]) == 2
    assert len({one.image_score for one in held_out["plate"]}) == len(held_out["plate"]) > 1
    assert all(one.class_name == name for name, rows in held_out.items() for one in rows)
    for known, alone in zip(
        seen, held_out["disc"], strict=True
    ):  # text may say more of one shot than of another
        assert known.image_score < alone.image_score
    with pytest.raises(DetectorError, match="was taught on 2 shots, not on 1"):
        detector.held_out({"disc": parts["disc"][:1]})


@EVERY
def test_progress_never_goes_back_and_ends_at_one(
    tiny_clip: Backbone, parts: dict[str, list[Image]], method: str
) -> None:
    fractions: list[float] = []
    make(method).fit(parts, tiny_clip, progress=lambda done, *_: fractions.append(done), cancel=CancelToken())
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


@LEARNING
def test_the_loss_falls(tiny_clip: Backbone, parts: dict[str, list[Image]], method: str) -> None:
    losses: list[float] = []
    stages = TABLE[method].stages
    make(method, rate=0.01, **dict.fromkeys(stages, 12)).fit(
        parts,
        tiny_clip,
        progress=lambda done, line, values: losses.append(values["loss"]) if "loss" in values else None,
        cancel=CancelToken(),
    )
    assert len(losses) == 12 * len(stages)
    for number in range(len(stages)):
        own = losses[12 * number : 12 * (number + 1)]
        assert np.mean(own[-3:]) < np.mean(own[:2])


@EVERY
def test_what_was_not_taught_can_do_nothing(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, tmp_path: Path, method: str
) -> None:
    detector = make(method)
    assert detector.method == method
    assert detector.classes == ()
    for use in (
        lambda: detector.score(parts["disc"], ["disc", None]),
        lambda: detector.add_shots("disc", parts["disc"]),
        lambda: detector.backbone,
        lambda: storage.save(detector, tmp_path / "it"),
    ):
        with pytest.raises(DetectorError, match="not taught yet"):
            use()
    if catalogue.find(method).min_shots:
        with pytest.raises(DetectorError, match="“plate” has no normal shots"):
            taught(detector, {**parts, "plate": []}, tiny_clip)


@EVERY
def test_settings_that_make_no_sense_are_refused_in_a_sentence(method: str) -> None:
    for wrong in (
        {"colour": "red"},
        {"sigma": "wide"},
        {"sigma": -1.0},
        {"sigma": 10**400},
        {"sigma": float("nan")},
        {"sigma": float("inf")},
        {"sigma": True},
    ):
        with pytest.raises(DetectorError, match="can't be made with"):
            catalogue.make(method, **wrong)


@pytest.mark.parametrize(("method", "settings"), CASES)
def test_every_ng_is_explained_by_a_region_that_reaches_ng_and_an_ok_shows_none(
    tiny_clip: Backbone,
    parts: dict[str, list[Image]],
    taught: Teach,
    method: str,
    settings: dict[str, Any],
) -> None:
    detector = taught(catalogue.make(method, **settings), parts, tiny_clip)
    images = [*parts["disc"], *parts["plate"]]
    maps = detector.score(images, ["disc"] * len(images))
    scores = sorted(score_map.image_score for score_map in maps)
    band = Thresholds(scores[len(scores) // 3], scores[2 * len(scores) // 3], 0)
    seen = set()
    for image, score_map in zip(images, maps, strict=True):
        verdict = judge(score_map, band, image.size)
        peaks = [region.peak for region in verdict.regions]
        seen.add(verdict.decision)
        assert max(peaks, default=None) == (
            None if verdict.decision is Decision.OK else score_map.image_score
        )
        assert any(peak >= band.ng for peak in peaks) == (verdict.decision is Decision.NG)
        assert all(peak >= band.review for peak in peaks)
    assert Decision.NG in seen
