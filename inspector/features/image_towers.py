"""One small face for the image towers that open_clip builds, so that one pass can run them block by block.

A tower is frozen and in evaluation mode. Its sequence is [prefix tokens; patches]: the class token and registers
if it has any, then the patches row by row. Every product is made by the model's own modules.
"""

import copy
from typing import Any, Protocol

import timm.models.vision_transformer as timm_vit
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import Attention as ClipAttention
from open_clip.transformer import VisionTransformer
from timm.layers import PatchEmbed, resample_abs_pos_embed
from timm.models.eva import Eva
from timm.models.fastvit import FastVit
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from inspector.errors import WeightsError


class Tower(Protocol):
    """`depth`: transformer blocks (0 for a convolutional tower); `width`: of the tokens; `grid`: (rows, columns) of
    patches of a square image; `embed_dim`: joint space; `prefix_tokens`: tokens before the patches; `has_stages`: taps
    stem8, stem16, whose tokens hold `stage_widths` numbers. `any_shape`: whether images may be other than the square, then
    with sides that are multiples of `step` and a patch every `stride` pixels, the last one cut off.
    """

    depth: int
    width: int
    grid: tuple[int, int]
    embed_dim: int
    prefix_tokens: int
    has_stages: bool
    stage_widths: tuple[int, int]
    any_shape: bool
    step: int
    stride: int

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [B,3,h,w] → convolutional stages at stride 8 and 16, [B,C,h',w'] each."""

    def embed(self, x: Tensor, stages: tuple[Tensor, Tensor] | None, grid: tuple[int, int]) -> Tensor:
        """Pixels whose patches lie on `grid`, or their stages, → what enters block 1, [B, prefix+N, width]. Learned positions
        are resampled to a grid other than the square's."""

    def block(self, index: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """The model's own block (0-based): tokens [B,T,width] of patches on `grid` → [B,T,width]."""

    def vv(self, index: int, x: Tensor) -> Tensor:
        """What the block's V-V attention adds: out_proj(softmax(V·Vᵀ/√d)·V) of LN1(x), [B,T,width]."""

    def head(self, x: Tensor) -> Tensor:
        """The sequence after the last block → pooled image feature in joint space [B,d], as `encode_image`."""

    def joint(self, tokens: Tensor) -> Tensor:
        """Single tokens after a block → joint space [B,N,d]."""


def tower_of(visual: nn.Module) -> Tower:
    """The face of an open_clip model's `visual`. Raises WeightsError for towers that have no patch tokens."""
    if isinstance(visual, VisionTransformer) and visual.attn_pool is None:
        return OpenClipTower(visual)
    if isinstance(getattr(visual, "trunk", None), Eva):
        return RotaryTower(visual)
    if hasattr(visual, "trunk") and not hasattr(visual.head, "pool"):
        if isinstance(visual.trunk, timm_vit.VisionTransformer):
            return TimmTower(visual)
        if isinstance(visual.trunk, FastVit):
            return FastVitTower(visual)
    kind = type(getattr(visual, "trunk", visual)).__name__
    raise WeightsError(
        f"Image towers of the kind {kind} can't be used, because they give no patch tokens in one pass.",
        "Choose a ViT, SigLIP or MobileCLIP model.",
    )


def speed_up(model: nn.Module) -> None:
    """Fold the frozen batch norms of a hybrid's convolutional stem into its convolutions, and lay them out channels
    last: the same figures up to rounding, half the time on a CPU."""
    embed = getattr(getattr(model.visual, "trunk", None), "patch_embed", None)
    if isinstance(embed, nn.Module) and hasattr(embed, "stages"):
        _fold_batch_norms(embed)
        embed.to(memory_format=torch.channels_last)


def _fold_batch_norms(module: nn.Module) -> None:
    """timm registers a convolution and its norm (with the activation inside) one after the other, as they run."""
    before: nn.Module | None = None
    for name, child in list(module.named_children()):
        if isinstance(before, nn.Conv2d) and isinstance(child, nn.BatchNorm2d):
            before.weight, before.bias = fuse_conv_bn_weights(
                before.weight,
                before.bias,
                child.running_mean,  # type: ignore[arg-type]
                child.running_var,  # type: ignore[arg-type]
                child.eps,
                child.weight,
                child.bias,
            )
            setattr(module, name, getattr(child, "act", nn.Identity()))
        else:
            _fold_batch_norms(child)
        if not isinstance(child, nn.Identity):
            before = child


def _vv_attention(v: Tensor, heads: int) -> Tensor:
    """softmax(V·Vᵀ/√d)·V per head; v: [B,T,heads·d]."""
    b, t, _ = v.shape
    v = v.reshape(b, t, heads, -1).transpose(1, 2)
    return F.scaled_dot_product_attention(v, v, v).transpose(1, 2).reshape(b, t, -1)


class Positions:
    """Learned positions [1, prefix+N, w] of a square grid, resampled (bicubic, anti-aliased) to other grids once each."""

    def __init__(self, grid: tuple[int, int], prefix: int) -> None:
        self._grid, self._prefix = grid, prefix
        self._known: dict[tuple[tuple[int, int], torch.dtype, torch.device], Tensor] = {}

    def at(self, grid: tuple[int, int], learned: Tensor) -> Tensor:
        """[1, prefix + rows · columns, w], in the learned positions' type and on their device."""
        key = grid, learned.dtype, learned.device
        if key not in self._known:
            with torch.no_grad():
                self._known[key] = resample_abs_pos_embed(
                    learned, list(grid), list(self._grid), num_prefix_tokens=self._prefix
                )
        return self._known[key]


class OpenClipTower(Tower):
    """open_clip's own VisionTransformer."""

    has_stages = False
    stage_widths = (0, 0)
    prefix_tokens = 1
    any_shape = True

    def __init__(self, visual: VisionTransformer) -> None:
        self.visual = visual
        self.blocks = visual.transformer.resblocks
        self.depth = len(self.blocks)
        self.grid: tuple[int, int] = tuple(visual.grid_size)
        self.step = self.stride = int(visual.patch_size[0])
        self.width, self.embed_dim = visual.proj.shape
        self._positions = Positions(self.grid, self.prefix_tokens)

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise ValueError("this tower has no convolutional stages")

    def embed(self, x: Tensor, stages: tuple[Tensor, Tensor] | None, grid: tuple[int, int]) -> Tensor:
        visual = self.visual
        if grid == self.grid:
            tokens: Tensor = visual._embeds(x)
            return tokens
        patches = visual.conv1(x).flatten(2).transpose(1, 2)  # from here on as `_embeds`
        own = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        places = self._positions.at(grid, visual.positional_embedding[None]).to(x.dtype)
        tokens = visual.ln_pre(torch.cat([own, patches], dim=1) + places)
        return tokens

    def block(self, index: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        out: Tensor = self.blocks[index](x)
        return out

    def vv(self, index: int, x: Tensor) -> Tensor:
        block = self.blocks[index]
        attention, h, w = block.attn, block.ln_1(x), x.shape[-1]
        bias = attention.in_proj_bias
        v = F.linear(h, attention.in_proj_weight[2 * w :], None if bias is None else bias[2 * w :])
        out = _vv_attention(v, attention.num_heads)
        if isinstance(
            attention, ClipAttention
        ):  # open_clip's custom block scales heads and normalises inside
            if attention.head_scale is not None:
                scale = attention.head_scale.expand(-1, 1, attention.head_dim)
                out = out * scale.flatten()
            out = block.ln_attn(attention.out_proj(attention.ln_inner(out)))
        else:
            out = attention.out_proj(out)
        scaled: Tensor = block.ls_1(out)
        return scaled

    def head(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.visual._pool(x)[0] @ self.visual.proj
        return pooled

    def joint(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.visual.ln_post(tokens) @ self.visual.proj
        return out


class TimmTower(Tower):
    """timm's VisionTransformer inside open_clip's TimmModel or alone: SigLIP, DINOv2, and hybrids whose `patch_embed` has
    `stages`.

    A token enters joint space as if it were the only one to be pooled. With a pooling attention (SigLIP) that leaves
    its value path, the remedy of MaskCLIP (Zhou et al., 2022).
    """

    def __init__(self, visual: Any) -> None:
        self.visual, self.trunk = visual, visual.trunk
        self.blocks = self.trunk.blocks
        self.depth = len(self.blocks)
        self.width: int = self.trunk.embed_dim
        self.grid: tuple[int, int] = tuple(self.trunk.patch_embed.grid_size)
        self.prefix_tokens: int = self.trunk.num_prefix_tokens
        self.has_stages = hasattr(self.trunk.patch_embed, "stages")
        self.stage_widths: tuple[int, int] = getattr(self.trunk.patch_embed, "stage_widths", (0, 0))
        self.any_shape = self.trunk.pos_embed is not None and (
            self.has_stages or type(self.trunk.patch_embed) is PatchEmbed
        )
        self.step = self.stride = int(self.trunk.patch_embed.patch_size[0]) if self.any_shape else 1
        self._positions = Positions(self.grid, 0 if self.trunk.no_embed_class else self.prefix_tokens)
        weight = next(self.trunk.parameters())
        with torch.no_grad():
            probe = torch.zeros(1, 1, self.width, dtype=weight.dtype, device=weight.device)
            self.embed_dim = self.joint(probe).shape[-1]

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine, coarse = self.trunk.patch_embed.stages(x)
        return fine, coarse

    def embed(self, x: Tensor, stages: tuple[Tensor, Tensor] | None, grid: tuple[int, int]) -> Tensor:
        trunk, embed = self.trunk, self.trunk.patch_embed
        if grid == self.grid:
            patches = embed.from_stages(stages) if stages else embed(x)
            tokens: Tensor = trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(patches)))
            return tokens
        if self.has_stages:
            patches = embed.from_stages(stages or embed.stages(x))
        else:  # without `PatchEmbed.forward`, which refuses other sizes
            patches = embed.norm(embed.proj(x).flatten(2).transpose(1, 2))
        own = [one.expand(len(x), -1, -1) for one in (trunk.cls_token, trunk.reg_token) if one is not None]
        places = self._positions.at(grid, trunk.pos_embed)
        if trunk.no_embed_class:
            tokens = torch.cat([*own, patches + places], dim=1)
        else:
            tokens = torch.cat([*own, patches], dim=1) + places
        tokens = trunk.norm_pre(tokens)
        return tokens

    def block(self, index: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        out: Tensor = self.blocks[index](x)
        return out

    def vv(self, index: int, x: Tensor) -> Tensor:
        block = self.blocks[index]
        attention, h = block.attn, block.norm1(x)
        start = 2 * attention.num_heads * attention.head_dim
        bias = attention.qkv.bias
        v = F.linear(h, attention.qkv.weight[start:], None if bias is None else bias[start:])
        out = attention.norm(_vv_attention(v, attention.num_heads))
        if getattr(attention, "gate", None) is not None:
            out = out * attention.gate(h).sigmoid()
        scaled: Tensor = block.ls1(attention.proj(out))
        return scaled

    def head(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.visual.head(self.trunk.forward_head(self.trunk.norm(x)))
        return pooled

    def joint(self, tokens: Tensor) -> Tensor:
        b, n, w = tokens.shape
        x = self.trunk.norm(tokens)
        if self.trunk.attn_pool is not None:
            x = self.trunk.attn_pool(x.reshape(b * n, 1, w)).reshape(b, n, -1)
        out: Tensor = self.visual.head(self.trunk.head(self.trunk.fc_norm(x)))
        return out


class RotaryTower(TimmTower):
    """timm's Eva with rotary positions (DINOv3), which every block turns queries and keys by: no prompts. Positions go from
    −1 to 1 along either side, whatever the grid, so that those of the square stay."""

    def __init__(self, visual: Any) -> None:
        super().__init__(visual)
        self.any_shape = True
        self.step = self.stride = int(self.trunk.patch_embed.patch_size[0])
        self._rope = copy.deepcopy(self.trunk.rope)  # in full precision, whatever the tower's
        self._rotations: dict[tuple[int, int], Tensor] = {}

    def embed(self, x: Tensor, stages: tuple[Tensor, Tensor] | None, grid: tuple[int, int]) -> Tensor:
        tokens: Tensor = self.trunk.norm_pre(self.trunk._pos_embed(self.trunk.patch_embed(x))[0])
        return tokens

    def block(self, index: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        if grid not in self._rotations:
            with torch.no_grad():
                self._rotations[grid] = self._rope.get_embed(shape=list(grid))
        rotation = self._rotations[grid]
        if x.shape[1] != self.prefix_tokens + len(rotation):
            raise ValueError("this tower takes no prompts and no windows")
        out: Tensor = self.blocks[index](x, rope=rotation)
        return out

    def vv(self, index: int, x: Tensor) -> Tensor:
        raise ValueError("this tower has no V-V path")


class FastVitTower(Tower):
    """MobileCLIP's convolutional tower: two stages, tokens of the last map, no blocks and so no prompts."""

    has_stages = any_shape = True
    prefix_tokens = 0
    depth = 0
    step, stride = 16, 32

    def __init__(self, visual: TimmModel) -> None:
        self.visual, self.trunk = visual, visual.trunk
        self.width: int = self.trunk.num_features
        rows, columns = visual.image_size
        self.grid = (-(-rows // 32), -(-columns // 32))
        self.embed_dim: int = self.trunk.head.fc.out_features
        self.stage_widths: tuple[int, int] = tuple(stage["num_chs"] for stage in self.trunk.feature_info[1:3])

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.trunk.stages[1](self.trunk.stages[0](self.trunk.stem(x)))
        return fine, self.trunk.stages[2](fine)

    def embed(self, x: Tensor, stages: tuple[Tensor, Tensor] | None, grid: tuple[int, int]) -> Tensor:
        _, coarse = stages or self.stages(x)
        last: Tensor = self.trunk.final_conv(self.trunk.stages[3](coarse))
        return last.flatten(2).transpose(1, 2)

    def block(self, index: int, x: Tensor, grid: tuple[int, int]) -> Tensor:
        raise ValueError("this tower has no transformer blocks")

    def vv(self, index: int, x: Tensor) -> Tensor:
        raise ValueError("this tower has no transformer blocks")

    def head(self, x: Tensor) -> Tensor:
        return self.joint(x.mean(dim=1, keepdim=True))[:, 0]

    def joint(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.visual.head(self.trunk.head.fc(tokens))
        return out
