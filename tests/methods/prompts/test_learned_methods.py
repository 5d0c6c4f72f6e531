"""What every learned prompt method keeps, on a small random CLIP."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inspector.domain import CancelToken, Image
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone
from inspector.methods import catalogue
from inspector.methods import detector as detectors

Teach = Callable[..., Any]
QUICK: dict[str, dict[str, Any]] = {
    "anople": {"epochs": 2, "variants": 1},
    "promptad": {"epochs": 2},
    "iipad": {"epochs": 2},
}


@pytest.fixture(params=sorted(QUICK))
def method(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_loaded_detector_scores_bit_for_bit_the_same(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, tmp_path: Path, method: str
) -> None:
    detector = taught(catalogue.make(method, **QUICK[method]), parts, tiny_clip)
    detectors.save(detector, tmp_path / "it")
    again = detectors.load(tmp_path / "it", tiny_clip)
    images, names = [*parts["disc"], *parts["plate"]], ["disc", None, "plate", None]
    for before, after in zip(detector.score(images, names), again.score(images, names), strict=True):
        assert np.array_equal(before.values, after.values)
        assert before.image_score == after.image_score
        assert before.class_name == after.class_name
        assert before.values.shape == (16, 16)
        assert np.isfinite(before.values).all()


def test_the_same_seed_makes_the_same_detector_and_another_seed_another(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, method: str
) -> None:
    one, two, other = (
        taught(catalogue.make(method, **QUICK[method], seed=seed), parts, tiny_clip).state()[0]
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_loss_falls(tiny_clip: Backbone, parts: dict[str, list[Image]], method: str) -> None:
    losses: list[float] = []
    catalogue.make(method, **QUICK[method] | {"epochs": 8, "rate": 0.01}).fit(
        parts,
        tiny_clip,
        progress=lambda done, line, values: losses.append(values["loss"]) if "loss" in values else None,
        cancel=CancelToken(),
    )
    assert np.mean(losses[-3:]) < np.mean(losses[:2])


def test_a_killed_teach_continues_to_the_very_same_detector(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, tmp_path: Path, method: str
) -> None:
    settings = QUICK[method] | {"epochs": 3}
    undisturbed = taught(catalogue.make(method, **settings), parts, tiny_clip).state()[0]
    killed: Any = catalogue.make(method, **settings)
    killed.checkpoints = tmp_path / "kept"

    def kill(done: float, line: str, values: Mapping[str, float]) -> None:
        if line.startswith("Epoch 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.fit(parts, tiny_clip, progress=kill, cancel=CancelToken())
    assert killed.classes == ()
    continued: Any = catalogue.make(method, **settings)
    continued.checkpoints = tmp_path / "kept"
    seen: list[str] = []
    continued.fit(
        parts, tiny_clip, progress=lambda done, line, values: seen.append(line), cancel=CancelToken()
    )
    assert not any(line.startswith(("Epoch 1", "Epoch 2")) for line in seen)
    for name, tensor in continued.state()[0].items():
        assert torch.equal(tensor, undisturbed[name]), name
    assert not (tmp_path / "kept").exists()


def test_cancel_stops_teaching_at_once_and_leaves_nothing_behind(
    tiny_clip: Backbone, parts: dict[str, list[Image]], tmp_path: Path, method: str
) -> None:
    cancel, stopped = CancelToken(), 0.0

    def stop(done: float, line: str, values: Mapping[str, float]) -> None:
        nonlocal stopped
        if line.startswith("Epoch"):
            stopped = stopped or time.monotonic()
            cancel.cancel()

    detector = catalogue.make(method, **QUICK[method] | {"epochs": 500})
    detector.checkpoints = tmp_path / "kept"
    with pytest.raises(Cancelled):
        detector.fit(parts, tiny_clip, progress=stop, cancel=cancel)
    assert time.monotonic() - stopped < 2
    assert detector.classes == ()
    assert not (tmp_path / "kept").exists()


def test_a_backbone_without_text_is_refused_in_a_sentence(
    wordless_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, method: str
) -> None:
    with pytest.raises(DetectorError, match="needs a backbone with a text tower"):
        taught(catalogue.make(method, **QUICK[method]), parts, wordless_clip)


def test_progress_never_goes_back_and_ends_at_one(
    tiny_clip: Backbone, parts: dict[str, list[Image]], method: str
) -> None:
    fractions: list[float] = []
    catalogue.make(method, **QUICK[method]).fit(
        parts, tiny_clip, progress=lambda done, line, values: fractions.append(done), cancel=CancelToken()
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_held_out_scores_come_for_every_shot_and_for_a_single_one(
    tiny_clip: Backbone, parts: dict[str, list[Image]], taught: Teach, method: str
) -> None:
    shots = {"disc": parts["disc"], "plate": parts["plate"][:1]}
    detector = taught(catalogue.make(method, **QUICK[method]), shots, tiny_clip)
    held_out = detector.held_out(shots)
    assert len(held_out["disc"]) == 2
    assert len(held_out["plate"]) > 1
    assert all(found.class_name == name for name, rows in held_out.items() for found in rows)


def test_unknown_settings_are_refused(method: str) -> None:
    with pytest.raises(DetectorError, match="no setting colour"):
        catalogue.make(method, colour="red")
