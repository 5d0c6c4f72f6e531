"""How fast a backbone is on this machine, beside the bare EfficientNet-Lite0 trunk to stride 16, in one run."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

from inspector.features import backbone as backbones


def measure(
    weights: str, device: str = "auto", batches: Sequence[int] = (1, 4, 8, 16), rounds: int = 9
) -> dict[str, Any]:
    """Median milliseconds per image, everything taken in turns so that a busy moment hits all alike.

    `full`: class token, joint tokens and the memory's taps in one pass; `memory`: the memory's taps alone; `trunk`:
    Lite0 at 240 px in fp32 as timm builds it. `full_to_trunk`: ratio of the two at the same batch size. `peak_memory_mib`: the
    process's high-water mark
    after the backbone ran at every batch size, Python and PyTorch included.
    """
    loaded = backbones.load(weights, device)
    noise = np.random.default_rng(0).integers(0, 256, (max(batches), 240, 240, 3), np.uint8)
    with torch.inference_mode():
        for size in batches:
            loaded.forward(loaded.prepare(list(noise[:size])), taps=loaded.default_taps)
    peak = _peak_mib()  # before the trunk is there
    lite0 = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    trunk = nn.Sequential(lite0.conv_stem, lite0.bn1, *lite0.blocks[:5]).to(loaded.device)
    result: dict[str, Any] = {
        "backbone": loaded.identity.architecture,
        "device": loaded.device_note,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "batches": {},
    }
    for size in batches:
        x = loaded.prepare(list(noise[:size]))
        plain = torch.zeros(size, 3, 240, 240, device=loaded.device)
        runs: dict[str, Callable[[], object]] = {
            "full": partial(loaded.forward, x, taps=loaded.default_taps),
            "memory": partial(loaded.forward, x, taps=loaded.default_taps, joint=False),
            "trunk": partial(trunk, plain),
        }
        times = _in_turns(runs, rounds, loaded.device)
        row = {f"{name}_ms": 1000 * seconds / size for name, seconds in times.items()}
        result["batches"][str(size)] = {**row, "full_to_trunk": times["full"] / times["trunk"]}
    rows = result["batches"].values()
    result["batch1_ms"] = result["batches"][str(min(batches))]["full_ms"]
    result["best_ms"] = min(row["full_ms"] for row in rows)
    result["peak_memory_mib"] = peak
    return result


def _in_turns(runs: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
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


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
