"""What pictures of each class look like as a whole, and how far another picture lies from that.

A look: the mean patch of every tap, each number in units of what it varies by over many products (`fitted`). Distance of two
looks: root mean square over a tap's numbers, mean over the taps. A picture is as far from a class as from the nearest of its shots.
The mean over all patches knows the material, its light and how much of it there is; a defect moves it by its share of the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods.products.fitted import fitted
from inspector.methods.products.poses import Fitted, Maps, Poses
from inspector.methods.stored_tensors import TEACH_AGAIN

Look = NDArray[np.float32]
_DIGITS = 6


def look_of(features: Features, scales: Mapping[str, Sequence[float]]) -> Look | None:
    """One look an image, float32 [B, d]; None where the features lack a tap of `scales`, or nothing was measured."""
    if not scales or not features.taps.keys() >= scales.keys():
        return None
    parts = []
    for tap, scale in scales.items():
        mean = features.taps[tap].float().mean(1)
        if mean.shape[1] != len(scale):
            return None
        parts.append(mean / torch.tensor(scale, device=mean.device))
    found: Look = torch.cat(parts, dim=1).detach().cpu().numpy()
    return found


def distance(look: Look, others: Look, widths: Sequence[int]) -> float:
    """How far a look [d] lies from the nearest of others [n, d]; `widths`: how many numbers of it each tap has."""
    squares, total, first = np.square(others - look), np.zeros(len(others)), 0
    for width in widths:
        total += np.sqrt(squares[:, first : first + width].mean(1))
        first += width
    return float(total.min() / len(widths))


@dataclass(frozen=True, eq=False)
class ProductLooks:
    """Of every class the looks of its shots, [n, d], in their order. Nothing of it changes. `scales`: by tap, the units of its
    numbers; kept with the looks, so that distances stay what they were when other ones are measured. `poses`: how their parts
    lie, none of classes that are looked at in tiles."""

    scales: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    classes: Mapping[str, Look] = field(default_factory=dict)
    poses: Poses = field(default_factory=Poses)

    @classmethod
    def new(cls, backbone: Backbone) -> Self:
        """Of no class yet; with no scales where nothing was measured on this backbone, and nothing is asked."""
        known = fitted(backbone.identity.key)
        if known is None:
            return cls()
        scales = {tap: tuple(own) for tap, own in known["scales"].items()}
        return cls(scales, poses=Poses(Fitted.of(known.get("poses"))))

    def with_shots(self, class_name: str, looks: Look | None, poses: Maps | None, known: int) -> Self:
        """The same with further shots' looks [n, d] and pose maps of a class that has `known` shots; without the class where one is
        missing, as in detectors of earlier versions."""
        before = self.classes.get(class_name)
        classes = {name: own for name, own in self.classes.items() if name != class_name}
        if looks is not None and (0 if before is None else len(before)) == known:
            classes[class_name] = looks if before is None else np.vstack([before, looks])
        return replace(self, classes=classes, poses=self.poses.with_shots(class_name, poses, known))

    def distance(self, class_name: str, look: Look, without: int | None = None) -> float | None:
        """How far a look [d] lies from those of a class (but for one); None where there is none to compare with."""
        own = self.classes.get(class_name)
        if own is not None and without is not None:
            own = np.delete(own, without, axis=0)
        if own is None or not len(own):
            return None
        return distance(look, own, [len(one) for one in self.scales.values()])

    def as_json(self) -> dict[str, Any]:
        """In plain values."""
        return {
            "scales": {tap: list(own) for tap, own in self.scales.items()},
            "classes": {name: [_plain(row) for row in own] for name, own in self.classes.items()},
            "poses": self.poses.as_json(),
        }

    @classmethod
    def from_json(cls, said: Any, classes: Sequence[str]) -> Self:
        """What `as_json` gave, or an earlier version, which knew no poses. Raises DetectorError for what it can't have given."""
        try:
            poses = Poses.from_json(said.get("poses"), classes)
            scales = {str(tap): tuple(map(float, own)) for tap, own in said["scales"].items()}
            found = {name: np.array(rows, np.float32) for name, rows in said["classes"].items()}
            width = sum(map(len, scales.values()))
            right = all(rows.ndim == 2 and rows.shape[1] == width for rows in found.values())
            right &= all(np.isfinite(rows).all() for rows in found.values()) and found.keys() <= set(classes)
            right &= all(0 < one < np.inf for own in scales.values() for one in own)
        except (AttributeError, KeyError, TypeError, ValueError):
            right = False
        if not right:
            raise DetectorError("The detector doesn't say what its shots look like.", TEACH_AGAIN)
        return cls(scales, found, poses)


def _plain(row: Look) -> list[float]:
    return [float(f"{one:.{_DIGITS}g}") for one in row]
