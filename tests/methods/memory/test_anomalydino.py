"""AnomalyDINO's own parts: its mask, its turned shots, its image score, what it refuses."""

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features import loading, random_weights
from inspector.features.backbone import Backbone
from inspector.features.loading import from_model
from inspector.images.demo import parts as demo_parts
from inspector.images.turning import turned
from inspector.methods import catalogue, storage
from inspector.methods.memory.anomalydino import ANGLES, foreground
from inspector.verdicts import metrics

sys.path.insert(0, str(Path(__file__).parents[3] / "packaging" / "golden"))
reference = importlib.import_module("reference")
sys.path.pop(0)


def taught(backbone: Backbone, shots: Mapping[str, list[Image]], **settings: Any) -> Any:
    made = catalogue.make("anomalydino", **settings)
    made.fit(shots, backbone, progress=lambda *_: None, cancel=CancelToken())
    return made


def tokens_of(part: np.ndarray, strength: float = 30.0) -> Tensor:
    """Patch tokens [N, 8] whose main difference is whether they show the part."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (part.size, 8)))
    return noise + strength * torch.from_numpy(part.astype(float)).flatten()[:, None] * torch.eye(8)[3]


@pytest.mark.parametrize("seen", [np.ndarray.copy, np.logical_not], ids=["as it is", "the other way round"])
def test_the_mask_is_the_part_one_patch_wider_with_its_holes_filled(seen: Callable[..., Any]) -> None:
    part = np.zeros((12, 10), bool)
    part[3:9, 3:7] = True
    part[5, 4] = False
    wider = np.zeros((12, 10), bool)
    wider[2:10, 2:8] = True
    assert np.array_equal(foreground(tokens_of(seen(part)), (12, 10)).numpy(), wider)


@pytest.mark.parametrize(
    ("rows", "strength"), [(slice(0, 3), 30.0), (slice(3, 9), 1.0)], ids=["off the centre", "too alike"]
)
def test_an_image_whose_centre_shows_no_part_is_not_masked(rows: slice, strength: float) -> None:
    part = np.zeros((12, 10), bool)
    part[rows, 2:8] = True
    tokens = tokens_of(part, strength)
    tokens[::7] *= -1  # else the rest of the image were the part, seen the other way round
    assert foreground(tokens / 4, (12, 10)).all()


def fine(size: int, factor: float = 1.0) -> Backbone:
    """A random ViT with a patch every 16 pixels, its tokens `factor` times as long."""
    torch.manual_seed(0)
    vision = {"layers": 2, "width": 48, "head_width": 16, "patch_size": 16, "image_size": size}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 1}
    model = open_clip.CLIP(32, vision, text).eval()
    with torch.no_grad():
        model.visual.proj *= factor
    return from_model(model, "fine")


def test_a_masked_background_counts_nothing_as_the_reference_says(
    parts: dict[str, list[Image]], new_part: Callable[[str, int], Image], tmp_path: Path
) -> None:
    backbone = fine(192, factor=40.0)
    detector = taught(backbone, parts, masked=["disc"], sigma=0.0)
    storage.save(detector, tmp_path / "it")
    images = [new_part("disc", 7), new_part("disc", 8), new_part("plate", 8)]
    names = ["disc", "disc", "plate"]
    zero = []
    for image, name, found in zip(images, names, detector.score(images, names), strict=True):
        values, score = reference.score(tmp_path / "it", backbone, image.pixels, name)
        assert np.abs(found.values - values).max() < 1e-3
        assert found.image_score == pytest.approx(score, abs=1e-3)
        zero.append(float((found.values < 1e-6).mean()))
    assert min(zero[:2]) > 0.05
    assert zero[2] == 0


def test_turned_shots_are_known_and_left_out_together(
    tiny_clip: Backbone, parts: dict[str, list[Image]]
) -> None:
    informed = taught(tiny_clip, parts, rotated=["plate"])
    for name in ("plate", "disc"):
        shot = parts[name][0]
        slanted = Image(turned(shot.pixels, 135), "turned", "turned.png")
        (found,) = informed.score([slanted], [name])
        assert (found.image_score < 1e-3) == (name == "plate")
    assert informed.held_out(parts)["plate"][0].image_score > 0.01
    agnostic = taught(tiny_clip, parts)
    kept = agnostic.state()[0]["0.0.patches"]
    assert kept.shape == (len(ANGLES) * 16, tiny_clip.embed_dim)
    assert kept.dtype == torch.float16


def test_an_image_is_turned_about_its_centre_on_a_canvas_of_its_size() -> None:
    pixels = np.zeros((31, 41, 3), np.uint8)
    pixels[15, 20] = 255
    pixels[15, 26] = 200
    upright = turned(pixels, 90)
    assert upright.shape == pixels.shape
    rows, columns = np.nonzero(upright.max(2) > 90)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(15, 20), (9, 20)}


def test_the_image_score_is_the_mean_of_the_highest_hundredth_of_the_distances() -> None:
    backbone = fine(320)
    shot, other = (
        Image(np.random.default_rng(n).integers(0, 255, (320, 320, 3), np.uint8), f"{n}", f"{n}")
        for n in (0, 1)
    )
    detector = taught(backbone, {"disc": [shot]}, rotated=[])
    (found,) = detector.score([other], ["disc"])
    seen = [
        torch.nn.functional.normalize(backbone(backbone.prepare([one.pixels])).patches[0], dim=-1)
        for one in (shot, other)
    ]
    lies = 1 - (seen[1] @ seen[0].T).amax(1)
    assert len(lies) == 400
    assert found.image_score == pytest.approx(float(lies.sort().values[-4:].mean()), abs=1e-3)


def test_defects_of_drawn_parts_score_higher() -> None:
    backbone = loading.load(device="cpu", dtype=torch.float32)

    def part(seed: int, defect: str | None = None) -> Image:
        return Image(
            demo_parts.draw("washer", seed, defect, size=240)[0], f"{seed}{defect}", f"{seed}{defect}"
        )

    detector = taught(backbone, {"washer": [part(seed) for seed in range(2)]})
    images = [part(100 + n) for n in range(3)]
    images += [part(200 + n, defect) for n, defect in enumerate(demo_parts.DEFECTS["washer"])]
    found = detector.score(images, ["washer"] * len(images))
    assert metrics.image_auroc([one.image_score for one in found], [0] * 3 + [1] * (len(images) - 3)) > 0.7


@pytest.mark.parametrize(
    "wrong",
    [{"rotated": "disc"}, {"masked": "all"}, {"masked": [1]}, {"rotated": True}, {"taps": ["block1"]}],
)
def test_settings_that_name_no_classes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DetectorError, match="AnomalyDINO can't be made with"):
        catalogue.make("anomalydino", **wrong)


def test_what_has_no_blocks_is_greyed_by_name_and_refused(parts: dict[str, list[Image]]) -> None:
    info = catalogue.find("anomalydino")
    for name in ("MobileCLIP2-S0", "MobileCLIP-S1:datacompdr"):
        assert info.unfit(name) == f"AnomalyDINO needs transformer blocks, and {name} has none."
        assert catalogue.find("patchcore").unfit(name) == ""
    for name in ("inspector-tiny", "MobileCLIP-B", "vit_small_patch14_reg4_dinov2", "ViT-B-16-SigLIP2"):
        assert info.unfit(name) == ""
    convolutional = random_weights.build("MobileCLIP2-S0", "cpu", dtype=torch.float32)
    with pytest.raises(DetectorError, match="AnomalyDINO needs a backbone with transformer blocks"):
        taught(convolutional, parts)


def test_a_stored_detector_that_sees_squares_is_none_of_ours(
    tiny_clip: Backbone, parts: dict[str, list[Image]]
) -> None:
    detector = taught(tiny_clip, parts, rotated=[])
    tensors, settings = detector.state()
    with pytest.raises(DetectorError, match="unknown way"):
        type(detector).from_state(tensors, {**settings, "proportions": False}, tiny_clip)
