"""Backbones with random weights: the control that tells what
pretraining gives, and a stand-in for measuring speed."""

from collections.abc import Mapping
from typing import Any

import open_clip
import torch
from torch import nn

from inspector.errors import WeightsError
from inspector.features import inspector_tiny, vision_only
from inspector.features.backbone import Backbone
from inspector.features.image_towers import speed_up
from inspector.features.loading import from_model
from inspector.features.vision_names import is_vision_only


def same_as(backbone: Backbone, seed: int = 0) -> Backbone:
    """The same architecture, preprocessing, device and dtype as `backbone` with random weights, its stem's
    included: the control that tells what pretraining gives. The same `seed`, the same weights.

    Raises WeightsError for an architecture that can't be built.
    """
    own = backbone.identity
    return build(
        own.architecture,
        str(backbone.device),
        image_size=own.image_size,
        dtype=backbone.dtype,
        preprocessing={"mean": own.mean, "std": own.std},
        seed=seed,
    )


def build(
    architecture: str,
    device: str = "auto",
    *,
    image_size: int | None = None,
    dtype: torch.dtype | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Backbone:
    """Any architecture of open_clip, or a vision-only one, with random weights: as fast as with its own, and seeing nothing learned.

    `preprocessing`: mean and std where they aren't the architecture's
    own. Raises WeightsError when open_clip can't build it.
    """
    try:
        model: nn.Module
        if architecture == inspector_tiny.NAME:
            model = inspector_tiny.create(pretrained=False, seed=seed)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                if is_vision_only(architecture):
                    model = vision_only.create(architecture, image_size=image_size)
                else:
                    model = open_clip.create_model(
                        architecture,
                        force_image_size=image_size,
                        force_preprocess_cfg=dict(preprocessing or {}),
                        pretrained_hf=False,
                    ).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(
            f"{architecture} can't be built with random weights.",
            "Choose the name of an architecture of open_clip, such as ViT-B-16-plus-240.",
        ) from error
    speed_up(model)
    return from_model(model, architecture, f"random weights, seed {seed}", device=device, dtype=dtype)
