"""What weights are by their name alone, and how files of timm's vision-only towers are told apart. Imports no torch."""

import json
import re
from pathlib import Path

from inspector.errors import WeightsError

WORKING_SIZE = 448
"""Pixels: 32 × 32 patches of 14 (DINOv2) or 28 × 28 of 16 (DINOv3), AnomalyDINO's size."""
_KNOWN = re.compile(r"vit_(small|base|large)_patch(14_reg4_dinov2|16_dinov3)\b")
_CONVOLUTIONAL = re.compile(r"MobileCLIP2?-S\d\b")
_SIZES = {384: "small", 768: "base", 1024: "large"}
_LARGEST_HEADER = 1 << 24


def is_vision_only(name: str) -> bool:
    """Whether an architecture, a catalogue name or "architecture:tag" stands for a tower without text, by the name alone."""
    return _KNOWN.match(name) is not None


def is_convolutional(name: str) -> bool:
    """Whether an architecture, a catalogue name or "architecture:tag" stands for a tower without transformer blocks that serves
    here all the same (FastViT), by the name alone."""
    return _CONVOLUTIONAL.match(name) is not None


def needs_transformers(name: str) -> bool:
    """Whether an architecture, a catalogue name or "architecture:tag" stands for a text tower whose tokenizer is read by the
    package transformers, which isn't installed with the program, by the name alone."""
    return "SigLIP" in name


def refuse_pickle(path: Path) -> None:
    """Raises WeightsError for a file that isn't safetensors: no program is ever read from one of these."""
    if path.suffix.lower() != ".safetensors":
        raise WeightsError(
            f"{path.name} is not a safetensors file, and weights of this kind are read from no other.",
            "Take model.safetensors from the timm repository of the same name on Hugging Face, or convert the file on a"
            " computer where you trust it: safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)",
        )


def architecture_of(path: Path) -> str:
    """The architecture whose tensors a safetensors file names, under timm's or the original names; "" for any other file.

    Only its header is read. Sizes and depth that don't fit are found when the model is built.
    """
    shapes = _shapes(path)
    width = next(iter(shapes.get("cls_token", [])[-1:]), 0)
    patch = next(iter(shapes.get("patch_embed.proj.weight", [])[-1:]), 0)
    size = _SIZES.get(width, "")
    registers = next(
        (shapes[name] for name in ("reg_token", "register_tokens", "storage_tokens") if name in shapes), []
    )
    if not size or registers != [1, 4, width]:
        return ""
    if patch == 14 and "pos_embed" in shapes:
        return f"vit_{size}_patch14_reg4_dinov2"
    if patch == 16 and "pos_embed" not in shapes:
        return f"vit_{size}_patch16_dinov3"
    return ""


def _shapes(path: Path) -> dict[str, list[int]]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                return {}
            header = json.loads(file.read(length))
        return {
            name: [int(side) for side in tensor["shape"]]
            for name, tensor in header.items()
            if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
