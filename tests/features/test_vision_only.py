"""DINOv2 and DINOv3: files under both kinds of names, and the tower that they make."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from inspector import paths
from inspector.errors import WeightsError
from inspector.features import loading, vision_names
from inspector.features.weights import catalogue, intake

DINOV2, DINOV3 = "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"


def test_the_catalogue_agrees_with_timm() -> None:
    offered = [entry for entry in catalogue.entries() if entry.vision_only]
    assert len(offered) == 6
    for entry in offered:
        known = timm.get_pretrained_cfg(f"{entry.architecture}.{entry.tag}")
        assert f"{known.hf_hub_id}/resolve/main/model.safetensors" in entry.url
        own = "Apache-2.0" if known.license == "apache-2.0" else "DINOv3 License"
        assert entry.licence.startswith(own)
        assert "accept it at" in entry.licence or own == "Apache-2.0"
        with pytest.raises(WeightsError, match="not on this computer"):
            loading.load(entry.name)


DEPTH = 3


@pytest.fixture(autouse=True)
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm builds every architecture with few blocks: the same in a fraction of the time."""
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=DEPTH))


@cache
def _model(architecture: str) -> nn.Module:
    """timm's own with random weights, at the size of the published positions."""
    torch.manual_seed(0)
    model = timm.create_model(architecture, pretrained=False, num_classes=0, global_pool="token")
    for name, value in model.named_parameters():
        if "gamma" in name or "token" in name or "pos_embed" in name:
            nn.init.normal_(value, std=0.5)
    return model.eval()


def _state(architecture: str, original: bool) -> dict[str, Tensor]:
    state = {name: value.clone() for name, value in _model(architecture).state_dict().items()}
    if not original:
        return state
    width = state["cls_token"].shape[-1]
    state["mask_token"] = torch.zeros(1, width)
    if architecture == DINOV2:
        place = torch.ones(1, 1, width)  # of the class token, which timm adds to it
        state["register_tokens"] = state.pop("reg_token")
        state["pos_embed"] = torch.cat([place, state["pos_embed"]], dim=1)
        state["cls_token"] = state["cls_token"] - place
        return state
    state["storage_tokens"] = state.pop("reg_token")
    state["rope_embed.periods"] = torch.zeros(16)
    for number in range(DEPTH):
        state[f"blocks.{number}.attn.qkv.bias"] = torch.zeros(3 * width)
        state[f"blocks.{number}.attn.qkv.bias_mask"] = torch.full((3 * width,), torch.nan)
        for which in "12":
            state[f"blocks.{number}.ls{which}.gamma"] = state.pop(f"blocks.{number}.gamma_{which}")
    return state


@pytest.mark.parametrize("original", [False, True], ids=["timm's names", "original names"])
@pytest.mark.parametrize("architecture", [DINOV2, DINOV3])
def test_a_file_of_no_telling_name_is_known_and_sees_exactly_what_timm_sees(
    tmp_path: Path, architecture: str, original: bool
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(_state(architecture, original), file)
    entry = intake.add(file)
    assert entry.name == architecture
    backbone = loading.load(architecture, "cpu", dtype=torch.float32)
    size = vision_names.WORKING_SIZE
    theirs = timm.create_model(
        architecture,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(file)},
        img_size=size,
        num_classes=0,
        global_pool="token",
    ).eval()
    x = torch.randn(1, 3, size, size)
    seen = backbone(x, taps=("block2",))
    with torch.no_grad():
        tokens, middle = theirs.forward_features(x), theirs.forward_intermediates(x, [1], output_fmt="NLC")
        assert torch.equal(seen.patches, tokens[:, 5:])
        assert torch.equal(seen.cls, theirs(x))
        assert torch.equal(seen.taps["block2"], middle[1][0])
    assert backbone.text is None
    assert backbone.identity.image_size == size
    assert backbone.identity.mean == (0.485, 0.456, 0.406)
    assert backbone.default_taps == ("block2", "block3")


@pytest.mark.parametrize("shape", [(150, 400), (400, 150)], ids=["wide", "tall"])
def test_dinov3_sees_images_in_their_proportions_as_timm_does(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Its positions need no resampling, so timm's own model takes other shapes too."""
    file = tmp_path / "model.safetensors"
    save_file(_state(DINOV3, False), file)
    intake.add(file)
    backbone = loading.load(f"{DINOV3}@224", "cpu", dtype=torch.float32)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    x = backbone.prepare([pixels], proportions=True)
    assert x.shape[2] != x.shape[3]
    overlay = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    options = {"img_size": 224, "num_classes": 0, "global_pool": "token", "dynamic_img_size": True}
    theirs = timm.create_model(DINOV3, **overlay, **options).eval()
    seen = backbone(x, taps=("block2",))
    grid = (x.shape[2] // 16, x.shape[3] // 16)
    assert seen.grids == {"block2": grid, "patches": grid}
    with torch.no_grad():
        assert torch.equal(seen.patches, theirs.forward_features(x)[:, 5:])
        middle = theirs.forward_intermediates(x, [1], output_fmt="NLC", intermediates_only=True)
        assert torch.equal(seen.taps["block2"], middle[0])


def test_half_precision_leaves_rotations_as_they_are(tmp_path: Path) -> None:
    save_file(_state(DINOV3, False), tmp_path / "model.safetensors")
    intake.add(tmp_path / "model.safetensors")
    full, half = (
        loading.load(f"{DINOV3}@224", "cpu", dtype=dtype) for dtype in (torch.float32, torch.bfloat16)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (150, 400, 3), np.uint8)
    tokens = [one(one.prepare([pixels], proportions=True)).patches[0] for one in (full, half)]
    alike = torch.nn.functional.cosine_similarity(*tokens, dim=-1)
    assert alike.min() > 0.999


def _lacking(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith("blocks.1.")}


def _more(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"blocks.3.norm1.weight": torch.ones(384)}


def _biased(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"blocks.1.attn.qkv.bias": torch.ones(3 * 384)}


def _no_number(state: dict[str, Tensor]) -> dict[str, Tensor]:
    state["cls_token"][0, 0, 0] = torch.nan
    return state


@pytest.mark.parametrize("wrong", [_lacking, _more, _biased, _no_number])
def test_a_file_that_does_not_fit_exactly_is_not_accepted(
    tmp_path: Path, wrong: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(wrong(_state(DINOV3, False)), file)
    with pytest.raises(WeightsError, match=f"doesn't fit {DINOV3}"):
        intake.add(file)
    assert not paths.weights_dir().exists()


@pytest.mark.parametrize("name", ["dinov2_vits14_reg4_pretrain.pth", "weights.pt"])
def test_a_pickle_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    torch.save({"cls_token": torch.zeros(1)}, file)
    with pytest.raises(WeightsError, match="not a safetensors file") as refused:
        intake.add(file, None if "dino" in name else f"{DINOV2}:mine")
    assert "Hugging Face" in refused.value.hint


def test_a_large_dinov3_must_say_by_its_name_which_of_two_it_is(tmp_path: Path) -> None:
    shapes = {
        "cls_token": (1, 1, 1024),
        "reg_token": (1, 4, 1024),
        "patch_embed.proj.weight": (1024, 3, 16, 16),
    }
    for name, known in (("model", False), ("large-lvd1689m", True)):
        file = tmp_path / f"{name}.safetensors"
        save_file({key: torch.zeros(shape) for key, shape in shapes.items()}, file)
        if known:
            assert catalogue.recognise(file, "0" * 64).architecture == "vit_large_patch16_dinov3"
        else:
            with pytest.raises(WeightsError, match="either of two"):
                catalogue.recognise(file, "0" * 64)


def test_weights_of_ones_own_are_added_under_a_tag(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_file(_state(DINOV2, False), file)
    entry = intake.add(file, f"{DINOV2}:mine")
    assert entry.name == f"{DINOV2}-mine"
    assert catalogue.find(entry.name).vision_only
    assert loading.load(entry.name, "cpu", image_size=112, dtype=torch.float32).grid == (8, 8)
    with pytest.raises(WeightsError, match="no multiple of the patch"):
        loading.load(entry.name, "cpu", image_size=100)
