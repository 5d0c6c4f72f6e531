"""How fast a backbone is on this machine, beside the bare
EfficientNet-Lite0 trunk to stride 16, in one run."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from inspector.bench.memory import peak_memory_mib
from inspector.errors import InspectorError
from inspector.features import loading, random_weights
from inspector.features.backbone import Backbone
from inspector.features.weights.catalogue import sized

DTYPES = {"auto": None, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
RANDOM = "@random"
"""Ends the name of an architecture that is measured with
random weights: as fast, and there without a download."""


def load(weights: str, device: str = "auto", dtype: str = "auto") -> Backbone:
    """As `loading.load`, for `weights` such as "ViT-B-16-plus-240@random" or "ViT-L-14-336@518@random" too. Raises
    InspectorError."""
    if dtype not in DTYPES:
        raise InspectorError(f"There is no precision “{dtype}”.", f"Choose one of: {', '.join(DTYPES)}.")
    if weights.endswith(RANDOM):
        architecture, size = sized(weights.removesuffix(RANDOM))
        return random_weights.build(architecture, device, image_size=size, dtype=DTYPES[dtype])
    return loading.load(weights, device, dtype=DTYPES[dtype])


def about(backbone: Backbone) -> dict[str, Any]:
    """What a measurement says of the backbone, in plain JSON values."""
    return {
        "backbone": backbone.identity.architecture,
        "weights": backbone.identity.tag,
        "device": backbone.device_note,
        "dtype": str(backbone.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def bare(backbone: Backbone, images: Sequence[NDArray[np.uint8]]) -> Callable[[], object]:
    """One pass of the whole image tower (class token, joint
    tokens, taps) over a batch that lies on the device."""
    return partial(backbone.forward, backbone.prepare(images), taps=backbone.default_taps)


def measure(
    weights: str, device: str = "auto", batches: Sequence[int] = (1, 4, 8, 16), rounds: int = 9
) -> dict[str, Any]:
    """Median milliseconds per image, everything taken in turns so that a busy moment hits all alike.

    `full`: class token, joint tokens and the memory's taps in one pass; `memory`: the memory's taps alone;
    `trunk`: Lite0 at 240 px in fp32 as timm builds it. `full_to_trunk`: ratio of the two at the same batch
    size. `peak_memory_mib`: the process's high-water mark after the backbone ran at every batch size, Python
    and PyTorch included.
    """
    loaded = loading.load(weights, device)
    noise = np.random.default_rng(0).integers(0, 256, (max(batches), 240, 240, 3), np.uint8)
    with torch.inference_mode():
        for size in batches:
            loaded.forward(loaded.prepare(list(noise[:size])), taps=loaded.default_taps)
    peak = peak_memory_mib()  # before the trunk is there
    lite0 = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    trunk = nn.Sequential(lite0.conv_stem, lite0.bn1, *lite0.blocks[:5]).to(loaded.device)
    result: dict[str, Any] = {**about(loaded), "batches": {}}
    for size in batches:
        x = loaded.prepare(list(noise[:size]))
        plain = torch.zeros(size, 3, 240, 240, device=loaded.device)
        runs: dict[str, Callable[[], object]] = {
            "full": partial(loaded.forward, x, taps=loaded.default_taps),
            "memory": partial(loaded.forward, x, taps=loaded.default_taps, joint=False),
            "trunk": partial(trunk, plain),
        }
        times = in_turns(runs, rounds, loaded.device)
        row = {f"{name}_ms": 1000 * seconds / size for name, seconds in times.items()}
        result["batches"][str(size)] = {**row, "full_to_trunk": times["full"] / times["trunk"]}
    rows = result["batches"].values()
    result["batch1_ms"] = result["batches"][str(min(batches))]["full_ms"]
    result["best_ms"] = min(row["full_ms"] for row in rows)
    result["peak_memory_mib"] = peak
    return result


def in_turns(runs: Mapping[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each, one after another in every round, so that a busy moment hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for number in range(rounds + 2):
            for name, run in runs.items():
                begun = time.perf_counter()
                run()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                if number >= 2:
                    times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peak_gpu_memory_mib() -> float | None:
    """The most memory that tensors had on the CUDA device; None where none was used."""
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return peak / 2**20 or None
