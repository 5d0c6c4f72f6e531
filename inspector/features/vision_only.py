"""DINOv2 and DINOv3 as timm builds them: image towers that learned without text.

What the rest of the program asks of an open_clip model is put around them. DINOv2's learned positions are made for the
working size by timm's own resampling (bicubic, antialiased; the original leaves antialiasing out). DINOv3's rotary
periods are computed in float32; the original files round them to bfloat16.
"""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.models import eva, vision_transformer
from torch import Tensor, nn

from inspector.features.vision_names import WORKING_SIZE, refuse_pickle


class VisionOnly(nn.Module):
    """A timm tower in the place of an open_clip model: `visual` has `trunk`, an empty `head`, `image_size` (pixels, square)
    and `preprocess_cfg`; there is no text, and the temperature is 1."""

    def __init__(self, architecture: str, image_size: int | None = None) -> None:
        super().__init__()
        self.visual = _Visual(architecture, image_size or WORKING_SIZE)
        self.logit_scale = nn.Parameter(torch.zeros(()))


class _Visual(nn.Module):
    def __init__(self, architecture: str, image_size: int) -> None:
        super().__init__()
        # DINOv3's class token is its image feature, as upstream; timm's default is a mean.
        self.trunk: Any = timm.create_model(
            architecture, pretrained=False, img_size=image_size, num_classes=0, global_pool="token"
        )
        self.head = nn.Identity()
        self.image_size = image_size
        config = self.trunk.pretrained_cfg
        self.preprocess_cfg = {"mean": config["mean"], "std": config["std"]}

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.trunk(x)
        return out


def create(architecture: str, file: Path | None = None, image_size: int | None = None) -> VisionOnly:
    """The tower with the weights of a safetensors file under timm's or the original (facebookresearch) names, or with
    random ones; on the CPU in fp32. `image_size`: pixels.

    Raises WeightsError for another kind of file, ValueError or RuntimeError for one that doesn't fit exactly.
    """
    if file is not None:
        refuse_pickle(file)
    model = VisionOnly(architecture, image_size)
    trunk = model.visual.trunk
    if file is not None:
        trunk.load_state_dict(_translated(load_file(file), trunk), strict=True)
    return model.eval()


def _translated(state: dict[str, Tensor], trunk: Any) -> dict[str, Tensor]:
    """Under timm's names, positions on the trunk's grid."""
    if isinstance(trunk, eva.Eva) and trunk.blocks[0].attn.q_bias is None:
        _drop_zero_biases(state)
    family = eva if isinstance(trunk, eva.Eva) else vision_transformer
    found: dict[str, Tensor] = family.checkpoint_filter_fn(state, trunk)
    return found


def _drop_zero_biases(state: dict[str, Tensor]) -> None:
    """The original files hold biases of query, key and value, all zero in the models that have none in timm; the key's is
    masked there. Raises ValueError where another isn't zero: leaving it out would change what the tower says."""
    for name in [name for name in state if name.endswith("attn.qkv.bias")]:
        query, _, value = state.pop(name).chunk(3)
        if bool(query.any()) or bool(value.any()):
            raise ValueError(f"{name} isn't zero: it belongs to the architecture that ends in _qkvb")
