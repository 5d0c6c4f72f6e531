"""Every architecture on its way through a file: exported with random weights, added by the real command, loaded, and seen to
give exactly what open_clip's or timm's own model of the file gives. Few blocks of each: more would only repeat them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

from inspector.bench import backbone as speed
from inspector.cli.main import app
from inspector.errors import WeightsError
from inspector.features import loading
from inspector.features.vision_names import WORKING_SIZE, is_vision_only
from inspector.features.weights import catalogue, intake
from inspector.records import project as project_files
from inspector.records.detectors import list_detectors

DEPTH, WORDS = 2, 500
CASES = {
    "ViT-B-16-plus-240:mine": ("ViT-B-16-plus-240-mine", "ViT-B-16-plus-240:mine@304"),
    "ViT-L-14-336-quickgelu:openai": ("ViT-L-14-336-quickgelu", "ViT-L-14-336@518"),
    "ViT-B-16-SigLIP2:webli": ("ViT-B-16-SigLIP2", "ViT-B-16-SigLIP2@256"),
    "vit_small_patch14_reg4_dinov2:lvd142m": (
        "vit_small_patch14_reg4_dinov2",
        "vit_small_patch14_reg4_dinov2@224",
    ),
    "vit_small_patch16_dinov3:lvd1689m": ("vit_small_patch16_dinov3", "vit_small_patch16_dinov3@256"),
    "MobileCLIP2-S0:dfndr2b": ("MobileCLIP2-S0",),
    "inspector-tiny:mine": ("inspector-tiny-mine",),
}
"""What a file is added as, and the names under which it is then loaded."""


@pytest.fixture(autouse=True)
def shallow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every library builds few blocks and few words."""
    known = copy.deepcopy(open_clip.factory._MODEL_CONFIGS)
    for name in CASES:
        if config := known.get(name.partition(":")[0]):
            config["text_cfg"] |= {"layers": 1, "vocab_size": WORDS}
            config["vision_cfg"] |= {"layers": DEPTH} if "layers" in config["vision_cfg"] else {}
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", known)
    create = timm.create_model

    def few(name: str, *given: Any, **options: Any) -> nn.Module:
        return create(name, *given, **options | ({"depth": DEPTH} if name.startswith("vit_") else {}))

    monkeypatch.setattr(timm, "create_model", few)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def exported(architecture: str, file: Path) -> None:
    """A file of random weights, none of which hides another."""
    torch.manual_seed(0)
    if is_vision_only(architecture):
        model = timm.create_model(architecture, pretrained=False, num_classes=0)
    else:
        model = open_clip.create_model(architecture, load_weights=False)
    for name, value in model.named_parameters():
        if value.ndim == 1 or "pos_embed" in name or "token" in name or "gamma" in name:
            nn.init.normal_(value, 0.5 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
    save_file({name: value.clone().contiguous() for name, value in model.state_dict().items()}, file)


def theirs(architecture: str, file: Path, size: int | None, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """What the library's own model of the file says of images, and their patches where it gives them in one piece."""
    with torch.no_grad():
        if is_vision_only(architecture):
            options: dict[str, Any] = {
                "img_size": size or WORKING_SIZE,
                "num_classes": 0,
                "global_pool": "token",
            }
            overlay = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
            model = timm.create_model(architecture, **options, **overlay).eval()
            return model(x), model.forward_features(x)[:, 5:]
        model = open_clip.create_model(architecture, pretrained=str(file), force_image_size=size).eval()
        return model.encode_image(x), None


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_was_added_gives_what_the_librarys_own_model_gives(tmp_path: Path, name: str) -> None:
    architecture, _, tag = name.partition(":")
    file = tmp_path / f"{architecture}-{tag}.safetensors"
    exported(architecture, file)
    done = CliRunner().invoke(app, ["weights", "add", str(file), "--name", name])
    assert done.exit_code == 0, done.output
    keys = set()
    for asked in CASES[name]:
        backbone = loading.load(asked, "cpu", dtype=torch.float32)
        size = int(asked.partition("@")[2] or catalogue.image_size_of(architecture) or 0)
        assert backbone.identity.image_size == size
        x = torch.randn(1, 3, size, size)
        expected, patches = theirs(architecture, file, size if "@" in asked else None, x)
        seen = backbone(x)
        assert torch.equal(seen.cls, expected)
        assert patches is None or torch.equal(seen.patches, patches)
        keys.add(backbone.identity.key)
    assert len(keys) == len(CASES[name])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("inspector-tiny@480", "works at 240 pixels only"),
        ("vit_small_patch14_reg4_dinov2@450", "no multiple of the patch's 14"),
        ("vit_small_patch16_dinov3@450", "no multiple of the patch's 16"),
        ("inspector-tiny@9", "can't look at images of 9 pixels"),
        ("inspector-tiny@99999", "can't look at images of 99999 pixels"),
    ],
)
def test_a_size_that_a_tower_does_not_take_is_refused_with_one_that_it_does(
    tmp_path: Path, asked: str, said: str
) -> None:
    architecture = asked.partition("@")[0]
    if is_vision_only(architecture):
        exported(architecture, tmp_path / "model.safetensors")
        intake.add(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=said) as refused:
        loading.load(asked, "cpu")
    assert refused.value.hint


def test_a_detector_keeps_the_size_that_it_was_taught_at(tmp_path: Path) -> None:
    exported("vit_small_patch16_dinov3", tmp_path / "model.safetensors")
    intake.add(tmp_path / "model.safetensors")
    for number in range(3):
        file = tmp_path / "shots" / "plate" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(90, 120, (200, 200, 3), np.uint8)).save(file)
    project, asked = tmp_path / "project", "vit_small_patch16_dinov3@160"

    def run(*words: object) -> None:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code in (0, 2, 4), done.output

    run("teach", project, "--shots", tmp_path / "shots", "--weights", asked, "--method", "patchcore")
    run("inspect", project, file)
    (manifest,) = project.rglob("detector.json")
    said = json.loads(manifest.read_text("utf-8"))["backbone"]
    assert (said["architecture"], said["image_size"]) == ("vit_small_patch16_dinov3", 160)
    with project_files.open(project) as opened:
        (row,) = list_detectors(opened)
    assert row.backbone["weights"] == asked
    assert row.backbone["image_size"] == 160


def test_speed_is_measured_at_another_size_on_random_weights_too() -> None:
    backbone = speed.load("vit_small_patch16_dinov3@160@random", "cpu", "fp32")
    assert backbone.identity.image_size == 160
    assert backbone.grid == (10, 10)
