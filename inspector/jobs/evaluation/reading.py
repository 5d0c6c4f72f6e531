"""What one candidate of an evaluation measured on one class."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.jobs.evaluation.lists import GOOD
from inspector.jobs.evaluation.plan import Series

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """What one candidate measured on one class.

    Per test image, in order: `keys`, `defects` (its type, "good" for a good part), `masks` (keys),
    `judged_as` (the class that the detector took it for) and `scores`. `figures`: 0–1, nan where undefined.
    `curves`: (x, y) by kind. `verdicts`: the shares of `false_alarms.VERDICTS`, empty without thresholds; `confirmed`: the same
    by number of parts that were confirmed good, see `false_alarms.when_confirmed`. `maps`:
    file of the anomaly maps below the evaluation's folder, "" where there is none; `scale`: (from where, up
    to where) they are coloured.
    """

    method: str
    shots: int
    seed: int
    class_name: str
    figures: Mapping[str, float]
    keys: tuple[str, ...]
    defects: tuple[str, ...]
    masks: tuple[tuple[str, ...], ...]
    judged_as: tuple[str, ...]
    scores: Floats
    curves: Mapping[str, tuple[Floats, Floats]]
    verdicts: Mapping[str, float]
    maps: str = ""
    scale: tuple[float, float] = (0.0, 1.0)
    confirmed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def series(self) -> Series:
        """What it is one draw of."""
        return Series(self.method, self.shots)

    @cached_property
    def defective(self) -> NDArray[np.bool_]:
        """Whether each image is labelled defective, [images]."""
        return np.array([defect != GOOD for defect in self.defects], np.bool_)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; a figure that is undefined is None."""
        rows = zip(self.keys, self.defects, self.masks, self.scores.tolist(), self.judged_as, strict=True)
        names = ("image", "defect", "masks", "score", "class")
        return {
            "method": self.method,
            "shots": self.shots,
            "seed": self.seed,
            "class": self.class_name,
            "figures": {key: None if math.isnan(value) else value for key, value in self.figures.items()},
            "images": [dict(zip(names, row, strict=True)) for row in rows],
            "curves": {kind: [x.tolist(), y.tolist()] for kind, (x, y) in self.curves.items()},
            "verdicts": dict(self.verdicts),
            "confirmed": {count: dict(shares) for count, shares in self.confirmed.items()},
            "maps": self.maps,
            "scale": list(self.scale),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reading":
        """Raises KeyError, TypeError, ValueError or AttributeError for what `as_json` never wrote."""
        images = values["images"]
        low, high = values.get("scale", (0.0, 1.0))
        return cls(
            str(values["method"]),
            int(values["shots"]),
            int(values["seed"]),
            str(values["class"]),
            {str(k): math.nan if value is None else float(value) for k, value in values["figures"].items()},
            tuple(str(image["image"]) for image in images),
            tuple(str(image["defect"]) for image in images),
            tuple(_masks(image) for image in images),
            tuple(str(image["class"]) for image in images),
            np.array([image["score"] for image in images], np.float64),
            {
                str(kind): (np.array(x, np.float64), np.array(y, np.float64))
                for kind, (x, y) in values["curves"].items()
            },
            {str(key): float(value) for key, value in values.get("verdicts", {}).items()},
            str(values.get("maps") or ""),
            (float(low), float(high)),
            {
                str(count): {str(key): float(value) for key, value in shares.items()}
                for count, shares in values.get("confirmed", {}).items()
            },
        )


def _masks(image: Mapping[str, Any]) -> tuple[str, ...]:
    one = image.get("mask")  # before an image could have several
    return (str(one),) if one else tuple(str(key) for key in image.get("masks") or ())
