"""Whether a class's parts lie alike in its shots, and whether another picture shows them elsewhere: a camera that was moved.

A pose map: the patches of a picture in GRID × GRID cells, less their mean, so that light and colour as a whole don't count, in few
numbers (`Fitted.basis`). Where shots without each other show alike what lies at each place, the pose is fixed, and their
distances, place by place, say how far a good part's may be: the upper bound of a Student t distribution over the logarithm, as for
looks. A picture beyond it has moved if, put otherwise (`moves`), it resembles a shot clearly better; light, a defect or other
material make it no better anywhere. With fewer than LEAST_SHOTS nothing says whether parts lie alike, and where they lie anyhow nothing does.
All numbers are measured on several products by `packaging/product_distance.py`.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from inspector.domain import Lie, Pose
from inspector.features.backbone import Features
from inspector.methods.products.moves import GRID, LEAST, differences, far_moves, moves, told

MOST = 16
"""Shots of a class that pictures are compared with place by place, the first."""
RATE = 0.01
"""The share of good parts that may lie farther from the shots, place by place, than what is usual."""
WEIGHT = 2.0
"""How many shots the usual spread counts as."""
NEAREST = 4
"""Shots against which the moves of a picture are looked at, the nearest where it is."""
LEAST_SHOTS = 3
"""Two shots lie alike by chance too often to say that all parts do."""
NUMBERS = ("spread", "alike", "steady", "better")

Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fitted:
    """On a backbone: `basis`, by tap, float32 [width, d], what is kept of a patch. `spread`: the standard deviation of the logarithm
    of distances place by place. Of held-out shots, for a fixed pose: `alike`, the largest distance as a share of that of shots
    moved far; `steady`, the largest logarithm of how many times better another move fits. `better`: that of a picture that moved."""

    basis: Mapping[str, Maps] = field(default_factory=dict)
    spread: float = 0.0
    alike: float = 0.0
    steady: float = 0.0
    better: float = 0.0

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> Self:
        """Of plain values; one without a basis where nothing was measured. Raises KeyError, TypeError or ValueError for others."""
        if not said:
            return cls()
        basis = {str(tap): np.array(rows, np.float32) for tap, rows in said["basis"].items()}
        return cls(basis, *(float(said[name]) for name in NUMBERS))

    def as_json(self) -> dict[str, Any]:
        """In plain values, of few digits."""
        rows = {
            tap: [[float(f"{one:.3g}") for one in row] for row in own.tolist()]
            for tap, own in self.basis.items()
        }
        return {"basis": rows} | {name: getattr(self, name) for name in NUMBERS}


def pose_maps(features: Features, basis: Mapping[str, Maps]) -> Maps | None:
    """One pose map an image, float32 [B, GRID², d]; None where the features lack a tap of `basis`, or nothing was measured."""
    if not basis or not features.taps.keys() >= basis.keys():
        return None
    total: torch.Tensor | None = None
    for tap, rows in basis.items():
        values = features.taps[tap].float()
        if values.shape[2] != len(rows):
            return None
        few = (values @ torch.from_numpy(rows).to(values.device)).transpose(1, 2)
        cells = F.adaptive_avg_pool2d(few.reshape(*few.shape[:2], *features.grids[tap]), GRID)
        total = cells if total is None else total + cells
    assert total is not None
    flat = total.flatten(2).transpose(1, 2)
    found: Maps = (flat - flat.mean(1, keepdim=True)).detach().cpu().numpy()
    return found


@dataclass(frozen=True, eq=False)
class Poses:
    """Of every class the pose maps of its first shots, float16 [n, GRID², d]. Nothing of it changes. `fitted` is kept with them, so
    that distances stay what they were when other numbers are measured."""

    fitted: Fitted = field(default_factory=Fitted)
    classes: Mapping[str, NDArray[np.float16]] = field(default_factory=dict)

    def with_shots(self, class_name: str, found: Maps | None, known: int) -> Self:
        """The same with further shots' maps of a class that has `known` shots; without the class where one is missing."""
        before = self.classes.get(class_name)
        classes = {name: own for name, own in self.classes.items() if name != class_name}
        if found is not None and (0 if before is None else len(before)) == min(known, MOST):
            kept = found.astype(np.float16)
            classes[class_name] = (kept if before is None else np.concatenate([before, kept]))[:MOST]
        return replace(self, classes=classes)

    def pose(self, class_name: str) -> Pose:
        """Whether the parts of a class lie alike in its shots."""
        return self._usual[class_name][0] if class_name in self._usual else Pose.UNKNOWN

    @cached_property
    def _usual(self) -> dict[str, tuple[Pose, float]]:
        """Class → its pose, and up to which distance place by place good parts lie where that is fixed."""
        return {name: usual(own.astype(np.float32), self.fitted) for name, own in self.classes.items()}

    def lies(self, features: Features, class_names: Sequence[str]) -> list[Lie | None]:
        """How images lie, each as one of its class; None where the pose isn't known to be fixed."""
        fixed = [self.pose(name) is Pose.FIXED for name in class_names]
        found = pose_maps(features, self.fitted.basis) if any(fixed) else None
        if found is None:
            return [None] * len(fixed)
        named = zip(class_names, found, fixed, strict=True)
        return [self.lie(name, own) if asked else None for name, own, asked in named]

    def lie(self, class_name: str, picture: Maps) -> Lie:
        """How a picture, [GRID², d], lies as one of a class of fixed pose."""
        _, until = self._usual[class_name]
        shots = self.classes[class_name].astype(np.float32)
        here = np.square(shots - picture).sum(2).mean(1)
        if here.min() < until**2:
            return Lie()
        near = shots[np.argsort(here)[:NEAREST]]
        return lie_of(np.min([differences(picture, shot) for shot in near], axis=0), until, self.fitted)

    def as_json(self) -> dict[str, Any]:
        """In plain values; empty where there is nothing to keep."""
        if not self.classes:
            return {}
        maps = {name: base64.b64encode(own.tobytes()).decode() for name, own in self.classes.items()}
        return {"fitted": self.fitted.as_json(), "maps": maps}

    @classmethod
    def from_json(cls, said: Any, classes: Sequence[str]) -> Self:
        """What `as_json` gave. Raises ValueError, KeyError, TypeError or AttributeError for what it can't have given."""
        if not said:
            return cls()
        fitted = Fitted.of(said["fitted"])
        widths = {own.shape[1:] for own in fitted.basis.values()}
        if len(widths) != 1 or any(
            own.ndim != 2 or not np.isfinite(own).all() for own in fitted.basis.values()
        ):
            raise ValueError("no basis")
        if not all(0 < getattr(fitted, name) < math.inf for name in NUMBERS):
            raise ValueError("no numbers")
        (width,) = widths.pop()
        found = {}
        for name, text in said["maps"].items():
            flat = np.frombuffer(base64.b64decode(text, validate=True), np.float16)
            found[str(name)] = flat.reshape(-1, GRID * GRID, width)
            if not 0 < len(found[name]) <= MOST or not np.isfinite(flat).all():
                raise ValueError("no maps")
        if not found.keys() <= set(classes):
            raise ValueError("other classes")
        return cls(fitted, found)


def lie_of(found: Maps, until: float, fitted: Fitted) -> Lie:
    """How a picture lies of which `found` are the least `differences` from the shots; `until`: see `usual`."""
    off, best = math.sqrt(found[0]), int(found.argmin())
    better = 0.5 * math.log(found[0] / found[best])
    if off < until or better < fitted.better:
        return Lie()
    return Lie(off / until, told(moves()[best], found))


def usual(shots: Maps, fitted: Fitted) -> tuple[Pose, float]:
    """Of a class's shots, float32 [n, GRID², d], each held against the others: whether they lie alike, and up to which distance place by
    place, root of the mean square, good parts lie; 0 unless the pose is fixed."""
    count = len(shots)
    if count < LEAST_SHOTS:
        return Pose.FEW, 0.0
    size = len(moves())
    among = np.full((count, count, size), np.inf, np.float32)
    for one in range(count):
        for other in range(count):
            if one != other:
                among[one, other] = differences(shots[one], shots[other])
    return usual_of(among.min(1), fitted)


def usual_of(held_out: Maps, fitted: Fitted) -> tuple[Pose, float]:
    """The same from each held-out shot's least difference by move, [n, moves], of LEAST_SHOTS at least."""
    from scipy.special import stdtrit

    count = len(held_out)
    here, far = held_out[:, 0], np.median(held_out[:, far_moves()], axis=1)
    alike = float(np.sqrt(here / np.maximum(far, LEAST)).mean())
    steady = float(0.5 * np.log(here / held_out.min(1)).max())
    if alike > fitted.alike or steady > fitted.steady:
        return Pose.ANYHOW, 0.0
    logs = 0.5 * np.log(here.astype(np.float64))
    # shots are held against each other: n of them say as much as n - 1 others
    freedom = WEIGHT + count - 1
    squares = WEIGHT * fitted.spread**2 + float(np.square(logs - logs.mean()).sum()) * (count - 1) / count
    reach = float(stdtrit(freedom, 1 - RATE)) * math.sqrt(squares / freedom * (1 + 1 / count))
    ease = math.log(1 - 0.5 / count)  # a new part is compared with one shot more
    return Pose.FIXED, math.exp(max(float(logs.mean()) + ease + reach, float(logs.max())))
