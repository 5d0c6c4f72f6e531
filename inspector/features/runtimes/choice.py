"""Which runtime computes the passes of scoring, and why: measured once on this computer and then remembered."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from inspector import paths
from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.features.device import choose, machine, race
from inspector.features.runtimes.engines import RUNTIMES, installed
from inspector.features.runtimes.graphs import Call
from inspector.features.runtimes.scoring import ScoringBackbone

GAIN = 1.2
"""A runtime must be this much faster than torch to take its place."""
IMAGES = 4
_PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16"}
_decided: dict[str, "Decision"] = {}


@dataclass(frozen=True, slots=True)
class Decision:
    """`backbone`: name and size; `runtime`: its name or "torch"; `precision`: of both; `ms`: milliseconds an image of the layers that
    a memory reads, by runtime; `machine`: what it holds for."""

    backbone: str
    runtime: str
    precision: str
    ms: dict[str, float] = field(default_factory=dict)
    machine: str = ""

    def __str__(self) -> str:
        others = sorted(
            (f"{_title(name)} {ms:.1f}" for name, ms in self.ms.items() if name != self.runtime), key=str
        )
        beside = f", not {' or '.join(others)}" if others else ""
        return f"{_title(self.runtime)} ({self.precision}), {self.ms[self.runtime]:.1f} ms an image{beside}"


def load(weights: str, device: str, full: bool) -> Backbone:
    """The backbone as `loading.load` gives it; `full`: in full precision where the processor computes, as ONNX Runtime knows no
    other there, and what teaches should round as what scores. Raises WeightsError."""
    dtype = torch.float32 if full and choose(device)[0].type == "cpu" else None
    return loading.load(weights, device, dtype=dtype)


def scoring(backbone: Backbone, wanted: str = "auto") -> Backbone:
    """The backbone as it scores: itself, or as another runtime computes it. `wanted`: "auto", "torch" or a runtime's name; what is
    wanted and can't be used is named in `device_note`.

    "auto" takes the fastest that computes in the very precision in which the backbone teaches: what a detector says then hardly
    depends on who computes it.
    """
    if wanted == "torch" or backbone.device.type != "cpu" or backbone.dtype not in _PRECISIONS:
        return backbone
    if wanted == "auto":
        return _fastest(backbone)
    runtime, precision = RUNTIMES[wanted], _PRECISIONS[backbone.dtype]
    if not runtime.version:
        return _noted(backbone, f"{runtime.title} is not installed")
    if precision not in runtime.precisions:
        return _noted(backbone, f"{runtime.title} doesn't compute in {precision}")
    made = ScoringBackbone(backbone, runtime, precision)
    return made if made.can(early(made)) else _noted(backbone, f"{runtime.title} can't run this network")


def decisions() -> list[Decision]:
    """What was decided on this computer, newest last."""
    found = []
    for file in sorted(_folder().glob("*.json"), key=lambda one: one.name):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found.append(_decision(file.read_text("utf-8")))
    return found


def _fastest(backbone: Backbone) -> Backbone:
    precision = _PRECISIONS[backbone.dtype]
    able = [one for one in installed() if precision in one.precisions]
    if not able:
        return backbone
    name = f"{backbone.identity.architecture}@{backbone.image_size}"
    versions = "|".join(f"{one.name} {one.version}" for one in able)
    where = machine(f"{name}|{precision}|{versions}")
    known = _decided.get(where) or _stored(where)
    made: dict[str, ScoringBackbone] = {}
    if known is None:
        made = {one.name: ScoringBackbone(backbone, one, precision) for one in able}
        seconds = _race(backbone, made)
        best = min(seconds, key=lambda one: seconds[one] * (1 if one == "torch" else GAIN))
        ms = {one: round(1000 * took / IMAGES, 3) for one, took in seconds.items()}
        known = Decision(name, best, precision, ms, where)
        with contextlib.suppress(OSError):  # a read-only cache only costs the next start a measurement
            paths.write_atomic(_file(where), json.dumps(asdict(known), indent=1).encode())
    _decided[where] = known
    if known.runtime == "torch":
        return backbone
    return made.get(known.runtime) or ScoringBackbone(backbone, RUNTIMES[known.runtime], precision)


def _race(backbone: Backbone, made: dict[str, ScoringBackbone]) -> dict[str, float]:
    pixels = torch.zeros(IMAGES, 3, backbone.image_size, backbone.image_size)

    def runner(one: Backbone) -> Callable[[], object]:
        taps = backbone.default_taps
        return lambda: one.forward(pixels, taps=taps, joint=False)

    able = {name: one for name, one in made.items() if one.can(early(one))}
    return race({"torch": runner(backbone), **{name: runner(one) for name, one in able.items()}})


def early(backbone: Backbone) -> Call:
    """The pass that gives the layers that a memory reads, of a square image."""
    size = backbone.image_size
    return Call((3, size, size), backbone.grid, tuple(backbone.default_taps))


def _noted(backbone: Backbone, why: str) -> Backbone:
    noted = backbone.without_text()
    noted.device_note = f"{backbone.device_note} (PyTorch, because {why})"
    return noted


def _title(name: str) -> str:
    return RUNTIMES[name].title if name in RUNTIMES else "PyTorch"


def _folder() -> Path:
    return paths.cache_dir() / "runtimes"


def _file(where: str) -> Path:
    return _folder() / f"{hashlib.sha256(where.encode()).hexdigest()[:16]}.json"


def _stored(where: str) -> Decision | None:
    try:
        found = _decision(_file(where).read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.machine == where else None


def _decision(text: str) -> Decision:
    """Raises ValueError, KeyError or TypeError for what is none."""
    said = json.loads(text)
    ms = {str(name): float(value) for name, value in said["ms"].items()}
    words = [str(said[name]) for name in ("backbone", "runtime", "precision", "machine")]
    found = Decision(words[0], words[1], words[2], ms, words[3])
    if found.runtime not in ms or found.runtime not in {"torch", *RUNTIMES}:
        raise ValueError("no decision")
    return found
