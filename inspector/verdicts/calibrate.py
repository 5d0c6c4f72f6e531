"""Thresholds from a handful of good parts, honest about what a handful can promise.

With n good parts that taught nothing of what scores them, nothing distribution-free can be said below a false-alarm rate of
1 / (n + 1): the next good part beats all of them that often by sheer chance. While there are fewer, the threshold is the
upper prediction bound of a Student t distribution over the logarithm of the contrast (score above the maps' usual value),
whose spread is pooled with what good parts of a product usually vary by (a scaled inverse chi-squared prior): near-identical
shots don't make every new part NG, and two shots don't make an infinite threshold. It scales and shifts with the detector's
scores, and never lies below any good part. Once people have confirmed as many good parts as the rate needs, it is their
conformal bound alone (Bates et al., Annals of Statistics 2023), which keeps the rate on average for any distribution.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.domain import NEVER, ScoreMap, Thresholds
from inspector.errors import InspectorError
from inspector.verdicts.metrics import best_f1, rank
from inspector.verdicts.provenance import Basis, moment, moved_by_hand, shots_shown

USUAL_SPREAD = 0.3
"""Standard deviation of the logarithm of good parts' contrast where none was fitted for the method and backbone."""
USUAL_WEIGHT = 2.0
"""How many degrees of freedom that usual spread is worth: it differs by a factor of five between products, and seven of them
don't tell how often."""
ALIKE = 1e-6
"""Scores that lie no farther apart, as a share of their contrast, are the same."""
HEAD_START = 0.5
"""A new part is compared with all k shots, a held-out one with k - 1: its contrast is smaller by HEAD_START / k (from
the same products)."""
LEAST_CONTRAST, LEAST_STEP = 0.05, 1e-3
"""Where scores don't lie above the map, this share of them stands for the contrast, and LEAST_STEP at least: what scores
less apart can't be told apart in any list."""
OUTLIER_REACH, OUTLIER_SPREAD, OUTLIER_FIRST = 4.3, 0.08, 0.25
"""A shot stands out when the logarithm of its score lies OUTLIER_REACH standard deviations of the better ones (at
least OUTLIER_SPREAD; OUTLIER_FIRST where there are one or two) above their mean. On draws of 4 to 8 good parts of seven
real products this names 2 % of clean draws, two thirds of parts of another product, and 7 % of those with a small
simulated defect (PatchCore)."""
BY_PARTS = "conformal bound of parts confirmed good"
"""How provenance says that people confirmed enough good parts."""
CERTAIN = 0.95
"""How sure what is called certain is."""
_FARTHEST = 20.0
"""No logarithm of a contrast is larger."""
_KEPT = ("scores", "usual", "shots", "source", "wanted_rate", "independent", "usual_spread", "good", "picked")
"""What `steered` thresholds say of the shots and good parts, as those that they were made from."""
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
    spread: float = USUAL_SPREAD,
    good: Mapping[int, float] | None = None,
    picked: bool = False,
) -> Thresholds:
    """Thresholds of one class at a wanted rate of good parts called NG (0–1, both ends excluded).

    `held_out`: shots scored without themselves, or, when `shots` is 1, altered views of the only one, from which nothing is
    called NG. `spread`: what good parts usually vary by, see `usual_spread`. `good`: image → score of parts that people
    confirmed good and that taught nothing; `picked`: see `with_good_parts`. Nothing is promised when the shots taught what
    scores them (not `independent`), nor while some stand out (`outliers`: their ids, see `stand_out`) that nobody has
    confirmed, unless the parts in `good` are enough by themselves.
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
    usual = usual_value(held_out)
    if not np.isfinite([*scores, usual, *(good or {}).values()]).all():
        raise InspectorError("A normal shot has no finite score.", "Look at the shots for damaged images.")
    shown = {
        "source": "altered views of one shot" if shots < 2 else "shots left out one by one",
        "scores": scores.tolist(),
        "usual": usual,
        "shots": shots,
        "wanted_rate": false_alarm_rate,
        "independent": independent,
        "outliers": list(outliers),
        "confirmed": [],
        "usual_spread": spread,
    }
    return _set(shown, good or {}, picked)


def with_good_parts(found: Thresholds, good: Mapping[int, float], picked: bool = False) -> Thresholds | None:
    """What teaching `found`, set anew with the parts that are confirmed `good` (image → score) now. `picked`: some were chosen
    out of their runs, and so may score otherwise than the others: nothing is promised. None where too few parts are
    confirmed for thresholds that an earlier version found, which don't say enough, or that are damaged."""
    shown = shots_shown(found)
    if shown is None:
        return None
    few = len(_distinct(np.array([*good.values()], np.float64), 0.0)) < parts_needed(shown["wanted_rate"])
    return None if few and shown["usual"] is None else _set(shown, good, picked)


def _set(shown: Mapping[str, Any], good: Mapping[int, float], picked: bool = False) -> Thresholds:
    """`shown`: what the shots showed, as in the provenance."""
    rate, shots, single = shown["wanted_rate"], shown["shots"], shown["shots"] < 2
    usual, spread = shown["usual"] or 0.0, shown.get("usual_spread", USUAL_SPREAD)
    scores = np.array(shown["scores"], np.float64)
    confirmed_good = _distinct(np.array([*good.values()], np.float64), usual)
    needed, gentle = parts_needed(rate), max(rate, min(REVIEW_MOST, REVIEW_FACTOR * rate))
    # views of one part say nothing of how parts differ: they count as one
    seen = scores.mean(keepdims=True) if single else _distinct(scores, usual)
    count = len(confirmed_good)
    by_parts = count >= needed
    if by_parts:
        ng, review = conformal_bound(confirmed_good, rate), conformal_bound(confirmed_good, gentle)
    else:
        ease = 1.0 if single else 1 - HEAD_START / shots
        ng = upper_bound(seen, usual, rate, ease, confirmed_good, spread)
        review = min(ng, upper_bound(seen, usual, gentle, ease, confirmed_good, spread))
        if single and not count:
            ng = NEVER
    own = 0 if by_parts or not shown["independent"] else len(seen)
    parts = own + count
    enough = parts >= needed and not picked and (by_parts or not shown["outliers"])
    return Thresholds(
        review,
        ng,
        review,
        {
            **shown,
            "method": BY_PARTS if by_parts else "t prediction bound, at least the conformal bound",
            "good": {str(key): float(score) for key, score in good.items()},
            "picked": picked,
            "good_parts": count if by_parts else len(seen) + count,
            "confirmed_parts": count,
            "attainable_rate": 1 / (parts + 1),
            "expected_rate": (count + 1 - _place(count, rate)) / (count + 1) if by_parts else rate,
            "certain_rate": _certain(parts, rate),
            "promised": enough,
            "more_shots": max(0, needed - parts),
            "review_rate": gentle,
            "date": moment(),
            "who": "Inspector",
        },
    )


def steered(found: Thresholds, basis: Basis, good: Sequence[float], defective: Sequence[float]) -> Thresholds:
    """`found` by good parts, moved by what people marked: scores of parts confirmed `good` and of `defective` ones (at least
    one, else nothing moves). What good parts let promise is no longer promised."""
    if not defective:
        return found
    if basis is Basis.DEFECTS:
        ng = min(found.ng, *defective)
    else:
        every = [*good, *defective]
        rounded = best_f1(rank(every, [False] * len(good) + [True] * len(defective)))[1]
        best = min(score for score in every if np.float32(score) >= rounded)  # ranks are of float32
        below = max((score for score in every if score < best), default=best)
        ng = below + (best - below) / 2  # all between part them alike
    above = sum(score >= ng for score in good)
    missed = sum(score < ng for score in defective)
    told = {
        **{key: found.provenance[key] for key in _KEPT if key in found.provenance},
        "method": str(basis),
        "marked": {"good": len(good), "good_ng": above, "defective": len(defective), "missed": missed},
        "promised": False,
        "date": moment(),
        "who": "Inspector",
    }
    review = min(found.review, ng)
    return Thresholds(review, ng, review, told)


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
        spread = max(OUTLIER_SPREAD, float(below.std(ddof=1))) if place > 2 else OUTLIER_FIRST
        if heights[order[place]] - below.mean() > OUTLIER_REACH * spread:
            return sorted(int(index) for index in order[place:])
    return []


def confirmed(chosen: Thresholds, good: Collection[int]) -> Thresholds:
    """The same numbers once a person has said which shots are good: with all that stood out, the promise holds."""
    told = chosen.provenance
    if not isinstance(told.get("outliers"), list):
        return chosen
    said = sorted(set(told["outliers"]) & set(good))
    if told.get("method") == BY_PARTS:  # shots have no part in it
        promised = told.get("promised")
    else:
        enough = not told.get("more_shots", 0) and not told.get("picked") and told.get("independent", True)
        promised = enough and len(said) == len(told["outliers"])
    return replace(chosen, provenance={**told, "confirmed": said, "promised": bool(promised)})


def parts_needed(false_alarm_rate: float) -> int:
    """The fewest good parts with which a false-alarm rate can be promised: 1 / (n + 1) <= rate."""
    return max(1, math.ceil(1 / false_alarm_rate - 1e-9) - 1)


def upper_bound(
    scores: ArrayLike,
    usual: float,
    rate: float,
    ease: float = 1.0,
    good: ArrayLike = (),
    spread: float = USUAL_SPREAD,
) -> float:
    """The score that the next good part passes with probability `rate`.

    `scores`: of held-out shots; `usual`: the value that their maps have almost everywhere; `ease`: the next part's contrast
    as a share of theirs; `good`: scores of good parts that were compared with all shots, as the next part will be;
    `spread`: what the logarithm of contrasts usually varies by. Never below the ceil((n + 1)(1 - rate))-th smallest of all
    n, nor, with too few for that, below any of them: a part that is known to be good stays good.
    """
    held_out, new = np.asarray(scores, np.float64), np.asarray(good, np.float64)
    values = np.concatenate([held_out, new])
    n = len(values)
    contrast = log_contrast(values, usual)
    contrast[: len(held_out)] += math.log(ease)
    freedom = USUAL_WEIGHT + n - 1
    squares = USUAL_WEIGHT * spread**2 + float(((contrast - contrast.mean()) ** 2).sum())
    reach = _t_quantile(1 - rate, freedom) * math.sqrt(squares / freedom * (1 + 1 / n))
    bound = usual + math.exp(min(contrast.mean() + reach, _FARTHEST))
    return max(float(np.nextafter(bound, np.inf)), conformal_bound(values, rate))


def log_contrast(scores: ArrayLike, usual: float) -> NDArray[np.float64]:
    """The logarithm of how far scores [n] lie above the usual value of their maps."""
    values = np.asarray(scores, np.float64)
    least = max(LEAST_CONTRAST * float(np.abs(values).mean()), LEAST_STEP)
    return np.asarray(np.log(np.maximum(values - usual, least)))


def conformal_bound(scores: ArrayLike, rate: float) -> float:
    """Just above the ceil((n + 1)(1 - rate))-th smallest of n scores, or the highest where they are too few."""
    values = np.sort(np.asarray(scores, np.float64))
    return float(np.nextafter(values[_place(len(values), rate) - 1], np.inf))


def carried(chosen: Thresholds, found: Thresholds, again: Thresholds, who: str = "") -> Thresholds:
    """What a person `chosen` in place of the `found` thresholds, after these were found `again` on another memory.

    Scores change with the memory, so each number keeps its factor to what was found; the same when nothing changed.
    """

    def moved(one: float, before: float, now: float) -> float:
        return one if before == now or before <= 0 else one * now / before

    review = moved(chosen.review, found.review, again.review)
    if not chosen.calls_ng:
        ng = again.ng if not found.calls_ng else NEVER
    elif found.calls_ng and again.calls_ng:
        ng = moved(chosen.ng, found.ng, again.ng)
    else:  # one of both has no number to compare with: as far above review as it was
        ng = moved(chosen.ng, chosen.review, review)
    if (review, ng) == (chosen.review, chosen.ng):
        return chosen
    return moved_by_hand(Thresholds(min(review, ng), ng, min(review, ng)), again, who)


def _distinct(scores: NDArray[np.float64], usual: float) -> NDArray[np.float64]:
    """Two parts never score exactly alike, one picture in two files does: it counts once."""
    ordered = np.sort(scores)
    return ordered[np.diff(ordered, prepend=-np.inf) > ALIKE * np.abs(ordered - usual)]


def usual_value(held_out: Sequence[ScoreMap]) -> float:
    """The value that the maps of held-out shots have almost everywhere."""
    return float(np.mean([np.median(item.values) for item in held_out]))


def _place(n: int, rate: float) -> int:
    """Which of n good parts, counted from the lowest, the next one may not beat."""
    return min(n, math.ceil((n + 1) * (1 - rate) - 1e-9))


def _certain(parts: int, rate: float) -> float:
    """The share of good parts called NG that isn't exceeded with CERTAIN confidence, whatever their distribution: what lies
    above the j-th smallest of n follows Beta(n + 1 - j, j)."""
    from scipy.special import betaincinv

    if not parts:
        return 1.0
    place = _place(parts, rate)
    return float(betaincinv(parts + 1 - place, place, CERTAIN))


@lru_cache(maxsize=256)
def _t_quantile(share: float, freedom: float) -> float:
    from scipy.special import stdtrit  # scipy.stats says the same, and takes half a second to come

    return float(stdtrit(freedom, share))
