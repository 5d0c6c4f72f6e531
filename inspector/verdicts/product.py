"""Whether a picture shows another product than its class: from which distance on, and the rule that says so.

How far a picture as a whole lies from the class's shots (`methods/products/looks`) says little of defects and much of what is in
the picture. The distance of good parts follows from held-out shots as thresholds do: the upper prediction bound of a Student t
distribution over its logarithm, whose spread is pooled with what parts of a product usually vary by, harmed ones too. A few
shots that are alike would make that too narrow, and one or two too wide, so two numbers of the backbone hold it within reason:
nothing is another product that lies no farther than harmed parts may where a few shots are known, and what lies farther than they
may where a single shot is known is one, unless this very class lies so wide apart that its parts may, with the usual spread around
what its own shots show. All are measured on several products by `packaging/product_distance.py`.

Where a class's parts lie alike in its shots, a picture that shows them elsewhere is none of it either: the camera was moved. How far
off it lies (`domain.Lie`) has a limit of its own, and the distance that is kept is the larger of both as shares of their limits, so
that one number judges.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from inspector.domain import Pose, ScoreMap
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
    """Of a class of a detector: from `distance` on a picture shows another product; `asked`: whether anybody wants to know. `pose`:
    whether its parts lie alike in the shots; `moved`: from which `Lie.moved` on the camera was moved, where they do."""

    distance: float
    asked: bool = True
    pose: Pose = Pose.UNKNOWN
    moved: float = 1.0

    @property
    def in_force(self) -> float | None:
        """The distance, None where it isn't asked."""
        return self.distance if self.asked else None

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        said = {"from": self.distance, "asked": self.asked}
        return said | ({} if self.pose is Pose.UNKNOWN else {"pose": str(self.pose), "moved": self.moved})


def is_asked(before: Limit | None) -> bool:
    """Whether it is asked where another detector judges a class from now on: unless somebody turned it off for the one `before`."""
    return before is None or before.asked


def limits_of(stored: Any) -> dict[int, Limit]:
    """Class id → limit, of what a detector's row says; classes without one, and damaged ones, are left out: nothing is asked."""
    found = {}
    for key, said in stored.items() if isinstance(stored, dict) else ():
        distance = said.get("from") if isinstance(said, dict) else None
        if str(key).isdecimal() and isinstance(distance, float) and math.isfinite(distance) and distance > 0:
            found[int(key)] = Limit(distance, said.get("asked") is True, *_pose_of(said))
    return found


def _pose_of(said: dict[str, Any]) -> tuple[Pose, float]:
    pose, moved = said.get("pose"), said.get("moved")
    if isinstance(moved, float) and math.isfinite(moved) and moved >= 1 and pose in list(Pose):
        return Pose(str(pose)), moved
    return Pose.UNKNOWN, 1.0


def moved_from(good: Sequence[ScoreMap]) -> float:
    """From which `Lie.moved` on the camera was moved, where parts were confirmed good: never below that of one of them."""
    return max([1.0, *(one.lie.moved * (1 + ALIKE) for one in good if one.lie is not None)])


def far(score_map: ScoreMap, limit: Limit | None) -> float | None:
    """How far a picture lies from its class, to be held against `limit.distance`: as a whole, or by where it shows the part."""
    whole = score_map.product_distance
    if whole is None or limit is None or score_map.lie is None or limit.pose is not Pose.FIXED:
        return whole
    return max(whole, limit.distance * score_map.lie.moved / limit.moved)


MOVED = "The camera or the part has moved: "
_ELSEWHERE = "it lies elsewhere than in the shots"


def why_moved(score_map: ScoreMap, limit: Limit | None) -> str:
    """What happened to a picture that shows its part elsewhere, for people, as it is kept with its result; "" where it doesn't, or
    looks like another product even where it would lie as the shots do."""
    lie = score_map.lie
    if lie is None or limit is None or limit.pose is not Pose.FIXED or lie.moved < limit.moved:
        return ""
    if not lie.told and is_other(score_map.product_distance, limit.distance):
        return ""
    return f"{MOVED}{lie.told or _ELSEWHERE}."


def reason(distance: float, limit: float, moved: str = "") -> str:
    """Why a picture is called another product, for people, without a capital. `moved`: see `why_moved`."""
    if moved.startswith(MOVED):
        return f"{moved[0].lower()}{moved[1:]}"
    return f"it looks unlike the shots: distance {distance:.2f}, from {limit:.2f} on it is another product."


def why_other(distance: float | None, limit: float | None, moved: str = "") -> str:
    """Why a golden part is taken for another product, in a sentence, or "" where it isn't."""
    if distance is None or limit is None or not is_other(distance, limit):
        return ""
    return f"Not this product: {reason(distance, limit, moved)}"


def is_other(distance: float | None, limit: float | None) -> bool:
    """Whether a picture shows another product; no where one of both isn't known."""
    return distance is not None and limit is not None and distance >= limit
