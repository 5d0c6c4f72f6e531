"""Where backbones come from: the catalogue's weights, a
file that was added, or any open_clip model in memory."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import nn

from inspector.errors import WeightsError
from inspector.features.backbone import Backbone
from inspector.features.device import accelerator_dtype, choose, faster_cpu_dtype
from inspector.features.identity import BackboneIdentity
from inspector.features.image_towers import speed_up
from inspector.features.text_tower import TextTower
from inspector.features.weights.catalogue import (
    SUFFIXES,
    Weights,
    check_activation,
    find,
    recognise,
    sized,
)
from inspector.features.weights.download import sha256_of
from inspector.features.weights.intake import unchanged
from inspector.features.weights.model import build, refuse_program


def from_model(
    model: nn.Module,
    architecture: str,
    tag: str = "random",
    weights_sha256: str | None = None,
    *,
    device: str = "cpu",
    dtype: torch.dtype | None = torch.float32,
    load_text: Callable[[], TextTower | None] | None = None,
    again: Callable[[], Backbone] | None = None,
) -> Backbone:
    """Wrap any open_clip model. Without `weights_sha256` the hash is taken over its tensors.

    `dtype=None` chooses the fastest; `again` loads the same in full precision. Preprocessing is what open_clip recorded on the model, else CLIP's own.
    Raises WeightsError if its image tower gives no patch tokens.
    """
    chosen, note = choose(device)
    size, mean, std = _preprocessing(model)
    identity = BackboneIdentity(
        architecture, tag, weights_sha256 or _hash(model), size, mean, std, versions=_versions()
    )
    text = load_text or (lambda: TextTower.of(model, architecture))
    try:
        precision = dtype or _fastest_dtype(model.visual, architecture, size, chosen)
        return Backbone(model, identity, chosen, precision, text, note, again)
    except torch.OutOfMemoryError:
        cpu = torch.device("cpu")
        note = f"CPU, because {architecture} doesn't fit in the memory of the {chosen.type.upper()} device"
        precision = dtype or _fastest_dtype(model.visual, architecture, size, cpu)
        return Backbone(model, identity, cpu, precision, text, note, again)


def _fastest_dtype(visual: Any, architecture: str, size: int, device: torch.device) -> torch.dtype:
    if device.type != "cpu":
        return accelerator_dtype(device)
    pixels = torch.zeros(2, 3, size, size)

    def runner(dtype: torch.dtype) -> Callable[[], object]:
        full = visual.to(device, torch.float32)
        tower = full if dtype == torch.float32 else copy.deepcopy(full).to(dtype)
        x = pixels.to(dtype, memory_format=torch.channels_last)
        return torch.no_grad()(lambda: tower(x))

    return faster_cpu_dtype(f"{architecture}@{size}", runner)


def _preprocessing(model: nn.Module) -> tuple[int, tuple[float, float, float], tuple[float, float, float]]:
    visual: Any = model.visual
    config = getattr(visual, "preprocess_cfg", {})
    size = visual.image_size
    rows, columns = size if isinstance(size, tuple) else (size, size)
    if rows != columns:
        raise WeightsError(
            f"Models for images of {rows} × {columns} pixels can't be used.", "Choose a square one."
        )
    mean, std = (
        tuple(map(float, config.get(k, d)))
        for k, d in (("mean", OPENAI_DATASET_MEAN), ("std", OPENAI_DATASET_STD))
    )
    return int(rows), mean, std  # type: ignore[return-value]


def _hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("torch", "open_clip_torch", "timm")}


def load(
    weights: str | Path = "inspector-tiny",
    device: str = "auto",
    *,
    image_size: int | None = None,
    dtype: torch.dtype | None = None,
) -> Backbone:
    """The backbone for a catalogue name, "architecture:tag" of open_clip, or a weights file that was added.

    Each may end in @SIZE, as "ViT-L-14-336@518", or `image_size` be given: positions are then resampled. `dtype=None` takes
    the fastest for the device. The text tower is loaded when first asked for. Never touches the network.

    Raises WeightsError when the weights are missing, damaged, don't belong to the architecture, or don't take the size.
    """
    entry, file, sha256 = _resolve(weights)

    def load_text() -> TextTower | None:
        if entry.vision_only:
            return None
        model, _ = build(entry, file)
        return TextTower.of(model, entry.architecture, file.parent)

    def again() -> Backbone:
        return load(weights, "cpu", image_size=image_size, dtype=torch.float32)

    model, embedded_sha256 = build(entry, file, image_size or entry.image_size)
    sha256 = sha256 or embedded_sha256
    speed_up(model)
    about = entry.architecture, entry.tag, sha256
    return from_model(model, *about, device=device, dtype=dtype, load_text=load_text, again=again)


def _resolve(weights: str | Path) -> tuple[Weights, Path, str]:
    """What to build, its weights file and the sha256 that the file has now ("" for the embedded one)."""
    name, size = sized(str(weights))
    path = Path(name)
    if path.suffix.lower() in SUFFIXES and (path.is_file() or isinstance(weights, Path)):
        refuse_program(path)
        sha256 = sha256_of(path)
        entry = recognise(path, sha256)
        entry = entry if size is None else replace(entry, image_size=size)
    else:
        entry = find(str(weights))
        if entry.embedded:
            return entry, entry.folder, ""
        path, sha256 = unchanged(entry), entry.record["sha256"]
    check_activation(entry.architecture, entry.tag, path.name)
    return entry, path, sha256
