"""Whether a picture shows another product than its class: from which distance on, and the rule that says so.

How far a picture as a whole lies from the class's shots (`methods/products/looks`) says little of defects and much of what is in
the picture. The distance of good parts follows from held-out shots as thresholds do: the upper prediction bound of a Student t
distribution over its logarithm, whose spread is pooled with what parts of a product usually vary by, harmed ones too. A few
shots that are alike would make that too narrow, and one or two too wide, so two numbers of the backbone hold it within reason:
nothing is another product that lies no farther than harmed parts may where a few shots are known, and what lies farther than they
may where a single shot is known is one, unless this very class lies so wide apart that its parts may, with the usual spread around
what its own shots show. All are measured on several products by `packaging/product_distance.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from inspector.methods.products.fitted import fitted
from inspector.verdicts.calibrate import HEAD_START, conformal_bound, upper_bound

RATE = 0.01
"""The share of good parts that may be called another product."""
ALIKE = 1e-3
"""By how much, as a share, a distance that is taken again may differ: among other pictures it is rounded otherwise."""


@dataclass(frozen=True, slots=True)
class Usual:
    """On a backbone: `spread`, the standard deviation of the logarithm of a product's distances, harmed parts too; `own`: up to which
    distance they may lie where some shots are known, whatever these say; `other`: where a single one is."""

    spread: float
    own: float
    other: float


def usual(backbone: Mapping[str, Any]) -> Usual | None:
    """What was measured on a backbone (its identity, as stored); None where nothing was, so that nothing is asked."""
    found = fitted(str(backbone.get("key")))
    return None if found is None else Usual(found["spread"], found["own"], found["other"])


def limit(
    held_out: Sequence[float | None], shots: int, known: Usual, good: Sequence[float | None] = ()
) -> float | None:
    """From which distance on a picture shows another product; None where a distance is missing.

    `held_out`: of shots, each from the others, or, when `shots` is 1, of altered views of the only one; `good`: of parts that people
    confirmed good. Never below that of any good part, while they are too few to leave RATE of them out.
    """
    own = [float(one) for one in held_out if one is not None and math.isfinite(one)]
    if not own or len(own) < len(held_out):
        return None
    parts = [float(one) for one in good if one is not None and math.isfinite(one)]
    if shots < 2:  # views of one part say nothing of how parts differ: they count as one
        own = [math.exp(sum(math.log(max(one, 1e-6)) for one in own) / len(own))]
    ease = 1.0 if shots < 2 else 1 - HEAD_START / shots
    bound = upper_bound(own, 0.0, RATE, ease, parts, known.spread)
    farthest = conformal_bound([*own, *parts], RATE) * (1 + ALIKE)
    middle = math.exp(sum(math.log(max(one, 1e-6)) for one in (*own, *parts)) / (len(own) + len(parts)))
    usual_reach = middle * math.exp(NormalDist().inv_cdf(1 - RATE) * known.spread)
    return max(known.own, farthest, min(bound, max(known.other, usual_reach)))


@dataclass(frozen=True, slots=True)
class Limit:
    """Of a class of a detector: from `distance` on a picture shows another product; `asked`: whether anybody wants to know."""

    distance: float
    asked: bool = True

    @property
    def in_force(self) -> float | None:
        """The distance, None where it isn't asked."""
        return self.distance if self.asked else None

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {"from": self.distance, "asked": self.asked}


def is_asked(before: Limit | None) -> bool:
    """Whether it is asked where another detector judges a class from now on: unless somebody turned it off for the one `before`."""
    return before is None or before.asked


def limits_of(stored: Any) -> dict[int, Limit]:
    """Class id → limit, of what a detector's row says; classes without one, and damaged ones, are left out: nothing is asked."""
    found = {}
    for key, said in stored.items() if isinstance(stored, dict) else ():
        distance = said.get("from") if isinstance(said, dict) else None
        if str(key).isdecimal() and isinstance(distance, float) and math.isfinite(distance) and distance > 0:
            found[int(key)] = Limit(distance, said.get("asked") is True)
    return found


def reason(distance: float, limit: float) -> str:
    """Why a picture is called another product, for people, without a capital."""
    return f"it looks unlike the shots: distance {distance:.2f}, from {limit:.2f} on it is another product."


def why_other(distance: float | None, limit: float | None) -> str:
    """Why a golden part is taken for another product, in a sentence, or "" where it isn't."""
    if distance is None or limit is None or not is_other(distance, limit):
        return ""
    return f"Not this product: {reason(distance, limit)}"


def is_other(distance: float | None, limit: float | None) -> bool:
    """Whether a picture shows another product; no where one of both isn't known."""
    return distance is not None and limit is not None and distance >= limit
