"""Small random-weight models of every kind, built by open_clip itself."""

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

VISION = {"layers": 4, "width": 48, "head_width": 16, "patch_size": 16, "image_size": 64}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3}


def _build(kind: str) -> nn.Module:
    """ "clip", "quick", "custom" (open_clip's custom block), "avg", "siglip", "fastvit" or "hybrid"."""
    torch.manual_seed(0)
    match kind:
        case "clip" | "quick":
            return open_clip.CLIP(32, VISION, TEXT, quick_gelu=kind == "quick").eval()
        case "custom":
            special = {"block_type": "custom", "qk_norm": True, "scale_heads": True, "ls_init_value": 0.3}
            special |= {"scale_attn_inner": True, "scale_attn": True, "scale_fc": True}
            return open_clip.CustomTextCLIP(32, VISION | special, TEXT).eval()
        case "avg":
            return open_clip.CLIP(32, VISION | {"pool_type": "avg", "final_ln_after_pool": True}, TEXT).eval()
        case "siglip":
            # like SigLIP: no class token, pooled by attention; a size that timm keeps for tests
            vision = {
                "timm_model_name": "test_vit3",
                "timm_pool": "map",
                "timm_proj": "none",
                "image_size": 160,
            }
            text = {"context_length": 16, "vocab_size": 100, "width": 32, "heads": 4, "layers": 2}
            text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
            model = open_clip.CustomTextCLIP(96, vision, text).eval()
            for block in model.visual.trunk.blocks:  # fresh layer scales hide the blocks
                nn.init.ones_(block.ls1.gamma)
                nn.init.ones_(block.ls2.gamma)
            return model
        case "fastvit":
            vision = open_clip.get_model_config("MobileCLIP2-S0")["vision_cfg"]
            return open_clip.CustomTextCLIP(512, vision, TEXT | {"no_causal_mask": True}).eval()
        case "hybrid":
            from inspector.features import inspector_tiny

            model = inspector_tiny.create(pretrained=False)
            for (
                block
            ) in model.visual.trunk.blocks:  # the untrained blocks are identities; give them something to do
                nn.init.normal_(block.attn.proj.weight, std=0.05)
                nn.init.normal_(block.mlp.fc2.weight, std=0.05)
            return model.eval()
    raise AssertionError(kind)


@pytest.fixture
def build() -> Callable[[str], nn.Module]:
    """Every call gives a model of its own; making one takes seconds, copying it does not."""

    def copied(kind: str) -> nn.Module:
        made = _made(kind)
        torch.manual_seed(0)
        return copy.deepcopy(made)

    return copied


@cache
def _made(kind: str) -> nn.Module:
    return _build(kind)


TINY = {"embed_dim": 32, "vision_cfg": VISION | {"layers": 2}, "text_cfg": TEXT | {"layers": 2}}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """An architecture of our own that open_clip knows, and a model of it."""
    (tmp_path / "Tiny-16.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS])
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.add_model_config(tmp_path / "Tiny-16.json")
    torch.manual_seed(0)
    return open_clip.CLIP(**TINY).eval()
