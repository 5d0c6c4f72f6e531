"""Which processor computes, in which precision, and why."""

import contextlib
import hashlib
import json
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from inspector import paths
from inspector.text import reason

RACE_S = 0.4
BF16_GAIN = 1.2
"""bf16 must be this much faster than fp32 on the CPU to be worth its three digits."""

_decided: dict[str, torch.dtype] = {}
Key = TypeVar("Key")


def choose(wanted: str = "auto") -> tuple[torch.device, str]:
    """The device for "auto", "cpu", "cuda", "cuda:1" or "mps", and a sentence for people.

    A device that can't be used is replaced by the best one that can; the sentence then says why.
    """
    if wanted == "auto":
        cuda, why = _usable("cuda")
        if cuda:
            return torch.device("cuda"), f"CUDA: {torch.cuda.get_device_name()}"
        mps, _ = _usable("mps")
        if mps:
            return torch.device("mps"), "Apple GPU"
        # A machine without a GPU is no news; a GPU that fails is.
        return torch.device("cpu"), f"CPU: {why}" if torch.cuda.device_count() else "CPU"
    usable, why = _usable(wanted)
    if usable:
        return torch.device(wanted), wanted.upper()
    fallback, _ = choose("auto") if wanted.partition(":")[0] != "cuda" else (torch.device("cpu"), "")
    return fallback, f"{fallback.type.upper()}, because {wanted} can't be used: {why}"


@dataclass(frozen=True, slots=True)
class Device:
    """`name`: as `choose` takes it ("cpu", "cuda", "cuda:1",
    "mps"). `found`: what it is, or why it can't be used."""

    name: str
    found: str
    usable: bool = True


def devices() -> list[Device]:
    """Every device of this computer: the CPU, and each GPU, also one that is here and doesn't compute."""
    here = [Device("cpu", f"{torch.get_num_threads()} threads")]
    for number in range(torch.cuda.device_count()):
        name = f"cuda:{number}" if number else "cuda"
        usable, why = _usable(name)
        here.append(Device(name, torch.cuda.get_device_name(number) if usable else why, usable))
    if torch.backends.mps.is_available():
        usable, why = _usable("mps")
        here.append(Device("mps", "Apple GPU" if usable else why, usable))
    return here


def thread_count() -> int:
    """How many CPU threads this thread's computations use."""
    return torch.get_num_threads()


def limit_threads(count: int) -> None:
    """Let this thread's computations, and those of threads that begin later, use `count` CPU threads."""
    torch.set_num_threads(count)


def _usable(name: str) -> tuple[bool, str]:
    """Whether a small product runs there, or the reason why not."""
    try:
        device = torch.device(name)
    except RuntimeError:
        return False, "no device has this name"
    if device.type == "mps" and not torch.backends.mps.is_available():
        return False, "this computer has no Apple GPU that PyTorch can use"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if device.type == "cuda" and not torch.cuda.is_available():
                return False, "PyTorch finds no CUDA GPU with a working driver"
            torch.ones(8, 8, device=device).matmul(torch.ones(8, 8, device=device)).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return False, reason(error)
    return True, ""


def accelerator_dtype(device: torch.device) -> torch.dtype:
    """bf16 where a CUDA GPU computes it natively, else fp16; fp32 on Apple GPUs."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16


def faster_cpu_dtype(name: str, runner: Callable[[torch.dtype], Callable[[], object]]) -> torch.dtype:
    """fp32 or bf16, whichever runs `runner(dtype)()` clearly faster on this CPU.

    Measured once per model `name`, processor, thread count and PyTorch version, then remembered, so that
    scores don't change from one start to the next.
    """
    where = machine(name)
    if where in _decided:
        return _decided[where]
    file = paths.cache_dir() / "precision" / f"{hashlib.sha256(where.encode()).hexdigest()[:16]}.json"
    try:
        _decided[where] = {"fp32": torch.float32, "bf16": torch.bfloat16}[
            json.loads(file.read_text())["dtype"]
        ]
        return _decided[where]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    seconds = race({dtype: runner(dtype) for dtype in (torch.float32, torch.bfloat16)})
    bf16 = seconds[torch.bfloat16] * BF16_GAIN < seconds[torch.float32]
    record = {
        "dtype": "bf16" if bf16 else "fp32",
        "machine": where,
        "fp32_s": seconds[torch.float32],
        "bf16_s": seconds[torch.bfloat16],
    }
    with contextlib.suppress(OSError):  # a read-only cache only costs the next start a probe
        paths.write_atomic(file, json.dumps(record, indent=1).encode())
    _decided[where] = torch.bfloat16 if bf16 else torch.float32
    return _decided[where]


def machine(name: str) -> str:
    """What a measurement of a model holds for: this processor, as many threads, this PyTorch."""
    return f"{name}|{_processor()}|{torch.get_num_threads()}|{torch.__version__}"


def race(runs: dict[Key, Callable[[], object]]) -> dict[Key, float]:
    """Shortest seconds of each, taken in turns so that a busy moment hits all alike."""
    best = dict.fromkeys(runs, float("inf"))
    for run in runs.values():
        run()
    end = time.perf_counter() + RACE_S
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        rounds += 1
        for dtype, run in runs.items():
            start = time.perf_counter()
            run()
            best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a file of ours
            lines = [line for line in file if line.startswith(("model name", "flags"))]
        return "".join(lines[:2]) or platform.processor()
    except OSError:
        return platform.processor() or platform.machine()
