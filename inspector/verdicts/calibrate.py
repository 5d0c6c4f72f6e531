"""Thresholds from a handful of good parts, honest about what a handful can promise.

With n held-out good parts, nothing distribution-free can be said below a false-alarm rate of 1 / (n + 1): the next
good part beats all of them that often by sheer chance. The threshold is the upper prediction bound of a Student t
distribution over the logarithm of the contrast (score above the maps' usual value), whose spread is pooled with what
good parts of a product usually vary by: near-identical shots don't make every new part NG, and two shots don't make an
infinite threshold. It scales and shifts with the detector's scores, and never lies below the conformal bound, which,
with enough parts, keeps the promise for any distribution.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.domain import ScoreMap, Thresholds
from inspector.errors import InspectorError

BY_HAND = "moved by hand"
"""How provenance says that a person chose the numbers."""
USUAL_SPREAD = 0.25
"""Standard deviation of the logarithm of good parts' contrast, from the good parts of seven drawn and real products."""
USUAL_WEIGHT = 4.0
"""How many degrees of freedom that usual spread is worth."""
ALIKE = 1e-6
"""Scores that lie no farther apart, as a share of their contrast, are the same."""
HEAD_START = 0.5
"""A new part is compared with all k shots, a held-out one with k - 1: its contrast is smaller by HEAD_START / k (from
the same products)."""
LEAST_CONTRAST, LEAST_STEP = 0.05, 1e-3
"""Where scores don't lie above the map, this share of them stands for the contrast, and LEAST_STEP at least: what scores
less apart can't be told apart in any list."""
OUTLIER_REACH, OUTLIER_SPREAD = 4.3, 0.08
"""A shot stands out when the logarithm of its score lies OUTLIER_REACH standard deviations of the better ones, each at
least OUTLIER_SPREAD, above their mean. On draws of 4 to 8 good parts of seven real products this names 2 % of clean
draws, two thirds of parts of another product, and 7 % of those with a small simulated defect (PatchCore)."""
REVIEW_FACTOR = 4.0
REVIEW_MOST = 0.25
"""An image goes to review from the bound at REVIEW_FACTOR times the wanted rate on, at most REVIEW_MOST."""


def thresholds(
    held_out: Sequence[ScoreMap],
    false_alarm_rate: float,
    shots: int,
    *,
    independent: bool = True,
    outliers: Sequence[int] = (),
) -> Thresholds:
    """Thresholds of one class at a wanted rate of good parts called NG (0–1, both ends excluded).

    `held_out`: shots scored without themselves, or, when `shots` is 1, altered views of the only one.
    Nothing is promised when the shots taught what scores them (not `independent`), nor while some stand out
    (`outliers`: their ids, see `stand_out`) that nobody has confirmed.
    Raises InspectorError without any held-out score, for a score that isn't finite, or a rate outside (0, 1).
    """
    if not 0 < false_alarm_rate < 1:
        raise InspectorError(
            f"A false-alarm rate of {false_alarm_rate:g} is not between 0 and 1.",
            "Choose 0.05 for one part in 20.",
        )
    if not held_out:
        raise InspectorError(
            "There is no good part to set a threshold from.", "Add normal shots and teach again."
        )
    scores = np.array([item.image_score for item in held_out], np.float64)
    usual = _usual(held_out)
    if not np.isfinite([*scores, usual]).all():
        raise InspectorError("A normal shot has no finite score.", "Look at the shots for damaged images.")

    single = shots < 2  # views of one part say nothing of how parts differ: they count as one
    seen = scores.mean(keepdims=True) if single else _distinct(scores, usual)
    gentle = max(false_alarm_rate, min(REVIEW_MOST, REVIEW_FACTOR * false_alarm_rate))
    ease = 1.0 if single else 1 - HEAD_START / shots
    ng = upper_bound(seen, usual, false_alarm_rate, ease)
    review = min(ng, upper_bound(seen, usual, gentle, ease))
    parts = len(seen)
    needed = shots_needed(false_alarm_rate)
    return Thresholds(
        review,
        ng,
        review,
        {
            "method": "t prediction bound, at least the conformal bound",
            "source": "altered views of one shot" if single else "shots left out one by one",
            "scores": scores.tolist(),
            "good_parts": parts,
            "wanted_rate": false_alarm_rate,
            "attainable_rate": 1 / (parts + 1),
            "independent": independent,
            "outliers": list(outliers),
            "confirmed": [],
            "promised": parts >= needed and independent and not outliers,
            "more_shots": max(0, needed - parts),
            "review_rate": gentle,
            "usual_spread": USUAL_SPREAD,
            "date": _now(),
            "who": "Inspector",
        },
    )


def stand_out(held_out: Sequence[ScoreMap]) -> list[int]:
    """Which of a class's shots, each scored without itself, don't look like the others: their indices.

    The lower half is taken to be good; going up from there, the first that lies too far above, and all above it, stand
    out. Two or three shots can only say that they differ widely.
    """
    scores = np.array([item.image_score for item in held_out], np.float64)
    heights = np.log(np.maximum(scores, max(LEAST_CONTRAST * float(np.abs(scores).mean()), 1e-9)))
    order, count = np.argsort(heights, kind="stable"), len(scores)
    for place in range(count // 2 + 1 if count > 2 else 1, count):
        below = heights[order[:place]]
        spread = max(OUTLIER_SPREAD, float(below.std(ddof=1))) if place > 2 else USUAL_SPREAD
        if heights[order[place]] - below.mean() > OUTLIER_REACH * spread:
            return sorted(int(index) for index in order[place:])
    return []


def confirmed(chosen: Thresholds, good: Collection[int]) -> Thresholds:
    """The same numbers once a person has said which shots are good: with all that stood out, the promise holds."""
    told = chosen.provenance
    if "outliers" not in told:
        return chosen
    said = sorted(set(told["outliers"]) & set(good))
    enough = not told.get("more_shots", 0) and told.get("independent", True)
    promised = bool(enough and len(said) == len(told["outliers"]))
    return replace(chosen, provenance={**told, "confirmed": said, "promised": promised})


def moved_by_hand(chosen: Thresholds, found: Thresholds | None, who: str) -> Thresholds:
    """Numbers that a person `chosen`, with words that say so: no promise goes along. `found`: what teaching set."""
    before = {"review": found.review, "ng": found.ng, "pixel": found.pixel} if found else None
    told = {"method": BY_HAND, "who": who, "date": _now(), "promised": False, "found": before}
    return replace(chosen, provenance=told)


def words(chosen: Thresholds) -> str:
    """Where thresholds come from and what they promise, in plain sentences; "" when nothing is known."""
    told = chosen.provenance
    if told.get("method") == BY_HAND:
        who = f" by {told['who']}" if told.get("who") else ""
        found = told.get("found")
        before = f" Teaching had found review {found['review']:.3f}, NG {found['ng']:.3f}." if found else ""
        return f"Moved by hand{who}{_on(told.get('date'))}; nothing is promised.{before}"
    parts, wanted = told.get("good_parts"), told.get("wanted_rate")
    if parts is None or wanted is None:
        return ""
    shots = f"{parts} normal shot{'s' if parts != 1 else ''}"
    if str(told.get("source", "")).startswith("altered"):
        source = "From altered views of one normal shot."
    elif told.get("independent", True):
        source = f"From {shots}, each left out once."
    else:
        source = f"From {shots}, each left out of the memory, though the prompts had seen it."
    if told.get("promised"):
        return f"{source} At most {_percent(wanted)} of good parts are called NG."
    source = f"{source} Wanted: {_percent(wanted)} of good parts called NG."
    doubtful = len(told.get("outliers", ())) - len(told.get("confirmed", ()))
    if doubtful:
        one = doubtful == 1
        return (
            f"{source} {doubtful} shot{'' if one else 's'} stand{'s' if one else ''} out from the others; nothing is "
            f"promised until somebody has said that {'it is' if one else 'they are'} good."
        )
    if not told.get("independent", True):
        return f"{source} How often is not promised: only parts that taught nothing could tell."
    more = told.get("more_shots", 0)
    return (
        f"{source} {_percent(told.get('attainable_rate', 1.0))} is the best that can be promised; {more} more "
        f"shot{'s' if more != 1 else ''} let you promise {_percent(wanted)}."
    )


def shots_needed(false_alarm_rate: float) -> int:
    """The fewest held-out good parts with which a false-alarm rate can be promised: 1 / (n + 1) <= rate."""
    return max(1, math.ceil(1 / false_alarm_rate - 1e-9) - 1)


def upper_bound(scores: ArrayLike, usual: float, rate: float, ease: float = 1.0) -> float:
    """The score that the next good part passes with probability `rate`.

    `scores`: of held-out good parts; `usual`: the value that their maps have almost everywhere;
    `ease`: the next part's contrast as a share of the held-out ones'. Never below the
    ceil((n + 1)(1 - rate))-th smallest score, which with enough scores is the conformal bound, nor, with too few,
    below any of them: a part that is known to be good stays good.
    """
    values = np.sort(np.asarray(scores, np.float64))
    n = len(values)
    least = max(LEAST_CONTRAST * float(np.abs(values).mean()), LEAST_STEP)
    contrast = np.log(np.maximum(values - usual, least))
    freedom = USUAL_WEIGHT + n - 1
    squares = USUAL_WEIGHT * USUAL_SPREAD**2 + float(((contrast - contrast.mean()) ** 2).sum())
    reach = _t_quantile(1 - rate, freedom) * math.sqrt(squares / freedom * (1 + 1 / n))
    bound = usual + ease * math.exp(contrast.mean() + reach)
    passed = min(n, math.ceil((n + 1) * (1 - rate) - 1e-9))
    return float(np.nextafter(max(bound, values[passed - 1]), np.inf))


def carried(chosen: Thresholds, found: Thresholds, again: Thresholds, who: str = "") -> Thresholds:
    """What a person `chosen` in place of the `found` thresholds, after these were found `again` on another memory.

    Scores change with the memory, so each number keeps its factor to what was found; the same when nothing changed.
    """

    def moved(one: float, before: float, now: float) -> float:
        return one if before == now or before <= 0 else one * now / before

    review = moved(chosen.review, found.review, again.review)
    ng = moved(chosen.ng, found.ng, again.ng)
    if (review, ng) == (chosen.review, chosen.ng):
        return chosen
    return moved_by_hand(Thresholds(min(review, ng), ng, min(review, ng)), again, who)


def _distinct(scores: NDArray[np.float64], usual: float) -> NDArray[np.float64]:
    """Two parts never score exactly alike, one picture in two files does: it counts once."""
    ordered = np.sort(scores)
    return ordered[np.diff(ordered, prepend=-np.inf) > ALIKE * np.abs(ordered - usual)]


def _usual(held_out: Sequence[ScoreMap]) -> float:
    return float(np.mean([np.median(item.values) for item in held_out]))


def _percent(rate: float) -> str:
    return f"{rate * 100:.2g} %"


def _on(date: object) -> str:
    """ " on 26 Nov 2026 14:03", in the time of this place; "" for what is no date."""
    try:
        return f" on {datetime.fromisoformat(str(date)).astimezone():%d %b %Y %H:%M}"
    except ValueError:
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@lru_cache(maxsize=256)
def _t_quantile(share: float, freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf(share, freedom))
