"""The image tower in one pass."""

import math
from collections.abc import Callable

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.errors import WeightsError
from inspector.features.backbone import CPU_IMAGES, Backbone
from inspector.features.image_towers import speed_up
from inspector.features.loading import from_model

Build = Callable[[str], nn.Module]
KINDS = ("clip", "quick", "custom", "avg", "siglip", "fastvit", "hybrid")


def pixels(backbone: Backbone, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, backbone.image_size, backbone.image_size, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_the_class_token_is_that_of_encode_image(build: Build, kind: str) -> None:
    model = build(kind)
    backbone = from_model(model, kind)
    x = pixels(backbone)
    with torch.no_grad():
        expected = model.encode_image(x)
    found = backbone(x, taps=backbone.default_taps)
    assert torch.allclose(found.cls, expected, atol=1e-5)
    assert found.cls.shape == (2, backbone.embed_dim)
    assert found.patches.shape == (2, math.prod(backbone.grid), backbone.embed_dim)
    for name, tokens in found.taps.items():
        assert tokens.shape[2] == backbone.tap_width(name)
        assert tokens.shape[1] == math.prod(found.grids[name])


@pytest.mark.parametrize("kind", ["clip", "custom", "siglip", "hybrid"])
def test_asking_for_more_leaves_the_class_token_as_it_is(build: Build, kind: str) -> None:
    backbone = from_model(build(kind), kind)
    x = pixels(backbone, 1)
    plain = backbone(x)
    rich = backbone(x, taps=(*backbone.default_taps, "block1", f"vv{backbone.depth}"), vv_from=1)
    assert torch.equal(plain.cls, rich.cls)
    assert torch.equal(plain.patches, rich.patches)
    assert torch.equal(rich.vv, rich.taps[f"vv{backbone.depth}"])


def test_taps_are_the_patches_after_their_block(build: Build) -> None:
    model = build("clip")
    backbone = from_model(model, "clip")
    x = pixels(backbone)
    with torch.no_grad():
        after = model.visual.forward_intermediates(x, indices=[0, 2], output_fmt="NLC")["image_intermediates"]
        expected = model.visual.ln_post(model.visual.transformer(model.visual._embeds(x))) @ model.visual.proj
    found = backbone(x, taps=("block1", "block3"))
    assert torch.allclose(found.taps["block1"], after[0], atol=1e-6)
    assert torch.allclose(found.taps["block3"], after[1], atol=1e-6)
    assert torch.allclose(found.patches, expected[:, 1:], atol=1e-5)


def test_the_v_v_path_gathers_attention_of_values_among_values_without_mlp(build: Build) -> None:
    model = build("clip")
    backbone = from_model(model, "clip")
    x = pixels(backbone)
    visual = model.visual
    with torch.no_grad():  # written out token by token, head by head
        original = visual._embeds(x)
        y = None
        for number, block in enumerate(visual.transformer.resblocks, start=1):
            if number >= 3:
                y = original if y is None else y
                h = block.ln_1(original)
                v = h @ block.attn.in_proj_weight[96:].T + block.attn.in_proj_bias[96:]
                heads = [v[..., i : i + 16] for i in range(0, 48, 16)]
                mixed = [torch.softmax(v @ v.transpose(1, 2) / 4, dim=-1) @ v for v in heads]
                y = y + block.attn.out_proj(torch.cat(mixed, dim=-1))
            original = block(original)
        expected = (visual.ln_post(y) @ visual.proj)[:, 1:]
    assert torch.allclose(backbone(x, vv_from=3).vv, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["custom", "siglip", "hybrid"])
def test_values_of_the_v_v_path_are_those_of_the_models_own_attention(
    build: Build, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the attention weights put aside, V-V attention and the model's own attention must agree exactly."""
    backbone = from_model(build(kind), kind)
    tower = backbone.tower
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, **_: v)
    x = torch.randn(1, 7, backbone.width)
    block = tower.blocks[0]
    if kind == "custom":
        own = block.ls_1(block.ln_attn(block.attn(block.ln_1(x))))
    else:
        own = block.ls1(block.attn(block.norm1(x)))
    assert torch.allclose(tower.vv(0, x), own, atol=1e-6)


@pytest.mark.parametrize("kind", ["clip", "hybrid", "siglip"])
def test_prompts_change_the_patches_but_never_appear_among_them(build: Build, kind: str) -> None:
    backbone = from_model(build(kind), kind)
    x = pixels(backbone, 2)
    prompts = [torch.randn(3, backbone.width) for _ in range(2)]
    plain, prompted = (
        backbone(x, taps=("block1",)),
        backbone(x, taps=("block1",), visual_prompts=prompts, vv_from=2),
    )
    assert prompted.patches.shape == plain.patches.shape == prompted.vv.shape
    assert not torch.allclose(plain.patches, prompted.patches, atol=1e-4)
    assert not torch.allclose(plain.cls, prompted.cls, atol=1e-4)


def test_deep_prompts_and_prefix_enter_where_they_should(build: Build) -> None:
    model = build("clip")
    backbone = from_model(model, "clip")
    x = pixels(backbone)
    prefix = torch.randn(1, 48)
    first, second = torch.randn(2, 3, 48), torch.randn(3, 48)
    with torch.no_grad():
        s = model.visual._embeds(x)
        s = torch.cat([s[:, :1], prefix.expand(2, 1, 48), first, s[:, 1:]], dim=1)
        blocks = model.visual.transformer.resblocks
        s = blocks[0](s)
        s = torch.cat([s[:, :2], second.expand(2, 3, 48), s[:, 5:]], dim=1)
        for block in blocks[1:]:
            s = block(s)
        expected = model.visual.ln_post(s) @ model.visual.proj
    found = backbone(x, prefix=prefix, visual_prompts=[first, second])
    assert torch.allclose(found.cls, expected[:, 0], atol=1e-5)
    assert torch.allclose(found.patches, expected[:, 5:], atol=1e-5)
    assert torch.allclose(backbone(x, prefix=prefix[0], visual_prompts=[first, second]).cls, found.cls)


def test_embedded_tokens_go_on_as_the_pixels_would(build: Build) -> None:
    backbone = from_model(build("hybrid"), "hybrid")
    x = pixels(backbone)
    prompts = [torch.randn(2, backbone.width), torch.randn(2, backbone.width)]
    whole = backbone(x, taps=("block2",), visual_prompts=prompts, vv_from=1)
    resumed = backbone(
        backbone.embed(x), grid=backbone.grid, taps=("block2",), visual_prompts=prompts, vv_from=1
    )
    assert torch.equal(whole.cls, resumed.cls)
    assert torch.equal(whole.vv, resumed.vv)
    assert torch.equal(whole.taps["block2"], resumed.taps["block2"])
    with pytest.raises(ValueError, match="pixels"):
        backbone(backbone.embed(x), grid=backbone.grid, taps=("stem8",))


@pytest.mark.parametrize("own_prompts", [True, False])
def test_an_image_is_seen_alike_alone_and_among_many(build: Build, own_prompts: bool) -> None:
    backbone = from_model(build("clip"), "clip")
    x = pixels(backbone, 2 * CPU_IMAGES + 1)
    rows = len(x) if own_prompts else 1
    prompts = torch.randn(rows, 2, backbone.width, generator=torch.Generator().manual_seed(2))
    prefix = prompts[:, :1] * 0.5
    options = {"taps": ("block1", "vv2"), "vv_from": 2}
    many = backbone(x, **options, visual_prompts=[prompts, prompts], prefix=prefix)
    for number in range(len(x)):
        own = slice(number, number + 1) if own_prompts else slice(None)
        alone = backbone(
            x[number : number + 1], **options, visual_prompts=[prompts[own]] * 2, prefix=prefix[own]
        )
        assert torch.allclose(many.cls[number], alone.cls[0], atol=1e-5)
        assert torch.allclose(many.patches[number], alone.patches[0], atol=1e-5)
        assert torch.allclose(many.vv[number], alone.vv[0], atol=1e-5)
        assert torch.allclose(many.taps["block1"][number], alone.taps["block1"][0], atol=1e-5)
        assert torch.allclose(many.prompts[1][number], alone.prompts[1][0], atol=1e-5)


def test_what_the_prompts_became_is_told_block_by_block(build: Build) -> None:
    model = build("clip")
    backbone = from_model(model, "clip")
    x = pixels(backbone)
    prompt = torch.randn(2, 48)
    with torch.no_grad():
        s = model.visual._embeds(x)
        s = torch.cat([s[:, :1], prompt.expand(2, 2, 48), s[:, 1:]], dim=1)
        expected = []
        for block in model.visual.transformer.resblocks:
            s = block(s)
            expected.append(s[:, 1:3])
    found = backbone(x, visual_prompts=[prompt]).prompts
    assert len(found) == 4
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert backbone(x).prompts == ()


def test_prompts_of_an_average_pooled_tower_are_not_averaged_in(build: Build) -> None:
    model = build("avg")
    backbone = from_model(model, "avg")
    x = pixels(backbone)
    prompt = torch.randn(3, 48)
    with torch.no_grad():
        s = model.visual._embeds(x)
        s = model.visual.transformer(torch.cat([s[:, :1], prompt.expand(2, 3, 48), s[:, 1:]], dim=1))
        expected = model.visual.ln_post(s[:, 4:].mean(dim=1)) @ model.visual.proj
    assert torch.allclose(backbone(x, visual_prompts=[prompt]).cls, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["clip", "hybrid"])
def test_gradients_reach_prompts_and_prefix_and_nothing_else(build: Build, kind: str) -> None:
    model = build(kind)
    backbone = from_model(model, kind)
    prompts = [torch.randn(2, backbone.width, requires_grad=True) for _ in range(3)]
    prefix = torch.randn(backbone.width, requires_grad=True)
    found = backbone(pixels(backbone), visual_prompts=prompts, prefix=prefix, vv_from=2)
    (found.cls.square().sum() + found.patches.square().sum() + found.vv.square().sum()).backward()
    for learned in (*prompts, prefix):
        assert learned.grad is not None
        assert learned.grad.abs().sum() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in model.visual.parameters())
    assert not backbone(pixels(backbone)).cls.requires_grad


def test_shallow_taps_run_no_deeper_block(build: Build) -> None:
    model = build("hybrid")
    backbone = from_model(model, "hybrid")
    ran: list[str] = []
    trunk = model.visual.trunk
    hooks = [
        block.register_forward_hook(lambda *_, n=n: ran.append(f"block{n + 1}"))
        for n, block in enumerate(trunk.blocks)
    ]
    hooks.append(trunk.patch_embed.stem.blocks[5].register_forward_hook(lambda *_: ran.append("stride 32")))
    x = pixels(backbone, 1)
    full = backbone(x, taps=("stem8", "stem16", "block2"))
    assert ran == ["stride 32", "block1", "block2", "block3", "block4"]
    ran.clear()
    shallow = backbone(x, taps=("stem8", "stem16"), joint=False)
    assert ran == []
    assert shallow.cls is None
    assert torch.equal(shallow.taps["stem8"], full.taps["stem8"])
    middle = backbone(x, taps=("block2",), joint=False)
    assert ran == ["stride 32", "block1", "block2"]
    assert torch.equal(middle.taps["block2"], full.taps["block2"])
    for hook in hooks:
        hook.remove()


def test_folding_the_stems_norms_into_its_convolutions_changes_no_figure(build: Build) -> None:
    model = build("hybrid")
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):  # as if trained
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    backbone = from_model(model, "hybrid")
    x = pixels(backbone, 1)
    before = backbone(x, taps=("stem8", "stem16"))
    speed_up(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.visual.modules())
    after = backbone(x, taps=("stem8", "stem16"))
    assert before.taps["stem8"].std() > 0.05
    for name in ("stem8", "stem16"):
        assert torch.allclose(before.taps[name], after.taps[name], rtol=1e-3, atol=1e-4)
    assert torch.allclose(before.cls, after.cls, rtol=1e-3, atol=1e-4)
    assert not any(weight.requires_grad for weight in model.visual.parameters())


def test_windows_give_the_class_token_of_their_patches_alone(build: Build) -> None:
    model = build("clip")
    backbone = from_model(model, "clip")
    x = pixels(backbone)
    indices = torch.tensor([[0, 1, 4, 5], [10, 11, 14, 15]])
    found = backbone.windows(x, indices)
    assert found.shape == (2, 2, 32)
    with torch.no_grad():
        s = model.visual._embeds(x)
        for number, window in enumerate(indices):
            kept = model.visual.transformer(torch.cat([s[:, :1], s[:, 1 + window]], dim=1))
            assert torch.allclose(
                found[:, number], model.visual.ln_post(kept[:, 0]) @ model.visual.proj, atol=1e-5
            )
    everything = backbone.windows(x, torch.arange(16)[None])
    assert torch.allclose(everything[:, 0], backbone(x).cls, atol=1e-5)


def test_unknown_taps_and_options_are_refused_by_name(build: Build) -> None:
    with pytest.raises(ValueError, match="no taps"):
        from_model(build("clip"), "clip").tap_width("stem8")
    clip, conv = from_model(build("clip"), "clip"), from_model(build("fastvit"), "fastvit")
    with pytest.raises(ValueError, match="block9"):
        clip(pixels(clip), taps=("block9",))
    with pytest.raises(ValueError, match="stem8"):
        clip(pixels(clip), taps=("stem8",))
    with pytest.raises(ValueError, match="vv1"):
        clip(pixels(clip), taps=("vv1",), vv_from=2)
    with pytest.raises(ValueError, match="blocks 1 to 4"):
        clip(pixels(clip), vv_from=5)
    with pytest.raises(ValueError, match="no transformer blocks"):
        conv(pixels(conv), visual_prompts=[torch.zeros(1, conv.width)])


def test_a_tower_without_patch_tokens_is_refused_with_a_sentence() -> None:
    resnet = open_clip.CLIP(
        32, {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}, {"layers": 1, "width": 32, "heads": 2}
    )
    with pytest.raises(WeightsError, match="ModifiedResNet"):
        from_model(resnet, "RN")


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
@pytest.mark.parametrize("kind", ["clip", "siglip", "hybrid"])
def test_half_precision_stays_close(build: Build, kind: str, dtype: torch.dtype, tolerance: float) -> None:
    exact = from_model(build(kind), kind)
    half = from_model(build(kind), kind, dtype=dtype)
    x = pixels(exact, 1)
    a = exact(x, taps=exact.default_taps, vv_from=1)
    b = half(x, taps=exact.default_taps, vv_from=1)
    assert half.dtype == dtype
    assert b.taps[exact.default_taps[0]].dtype == dtype
    for left, right in ((a.cls, b.cls), (a.patches, b.patches), (a.vv, b.vv)):
        assert right.dtype == torch.float32
        assert (1 - F.cosine_similarity(left, right, dim=-1)).max() < tolerance


def test_pixels_are_resized_to_a_square_and_normalised_like_the_models_own_transform(build: Build) -> None:
    backbone = from_model(build("clip"), "clip")
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    image = np.stack(
        [np.tile(ramp, (96, 1)), np.tile(ramp[::-1], (96, 1)), np.full((96, 128), 77, np.uint8)], axis=-1
    )
    x = backbone.prepare([image, image[:40, :40], backbone.prepare_one(image)])
    assert x.shape == (3, 3, 64, 64)
    assert torch.equal(x[0], x[2])
    mean, std = torch.tensor(backbone.identity.mean), torch.tensor(backbone.identity.std)
    restored = (x[0] * std[:, None, None] + mean[:, None, None]) * 255
    assert torch.allclose(restored[2], torch.tensor(77.0), atol=1e-3)
    assert (restored[0].diff(dim=1) >= 0).all()
    assert (restored[1].diff(dim=1) <= 0).all()
    assert (restored[0].mean() - 127.5).abs() < 1
