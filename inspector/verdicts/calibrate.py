"""Thresholds from a handful of good parts, honest about what a handful can promise.

With n held-out good parts, nothing distribution-free can be said below a false-alarm rate of 1 / (n + 1): the next
good part beats all of them that often by sheer chance. The threshold is the upper prediction bound of a Student t
distribution whose spread is pooled with what good parts of a product usually vary by: near-identical shots don't make
every new part NG, and two shots don't make an infinite threshold. It scales and shifts with the detector's scores,
and never lies below the conformal bound, which, with enough parts, keeps the promise for any distribution.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from inspector.domain import ScoreMap, Thresholds
from inspector.errors import InspectorError

USUAL_SPREAD = 0.15
"""Standard deviation between good parts as a share of their contrast (score above the map's usual value)."""
USUAL_WEIGHT = 4.0
"""How many degrees of freedom that usual spread is worth."""
REVIEW_FACTOR = 4.0
REVIEW_MOST = 0.25
"""An image goes to review from the bound at REVIEW_FACTOR times the wanted rate on, at most REVIEW_MOST."""


def thresholds(held_out: Sequence[ScoreMap], false_alarm_rate: float, shots: int) -> Thresholds:
    """Thresholds of one class at a wanted rate of good parts called NG (0–1, both ends excluded).

    `held_out`: shots scored without themselves, or, when `shots` is 1, altered views of the only one. The pixel
    threshold is the review bound of the held-out maps' maxima, so what is called out has a region to show.
    Raises InspectorError without any held-out score, for a score that isn't finite, or a rate outside (0, 1).
    """
    if not 0 < false_alarm_rate < 1:
        raise InspectorError(
            f"A false-alarm rate of {false_alarm_rate:g} is not between 0 and 1.",
            "Choose 0.05 for one part in 20.",
        )
    scores = np.array([item.image_score for item in held_out], np.float64)
    peaks = np.array([float(item.values.max()) for item in held_out], np.float64)
    usual = np.array([float(np.median(item.values)) for item in held_out], np.float64)
    if not scores.size:
        raise InspectorError(
            "There is no good part to set a threshold from.", "Add normal shots and teach again."
        )
    if not np.isfinite([*scores, *peaks]).all():
        raise InspectorError("A normal shot has no finite score.", "Look at the shots for damaged images.")

    single = shots < 2
    gentle = max(false_alarm_rate, min(REVIEW_MOST, REVIEW_FACTOR * false_alarm_rate))
    wide, steep = _contrast(scores, usual), _contrast(peaks, usual)
    ng = upper_bound(scores, wide, false_alarm_rate, single)
    review = min(ng, upper_bound(scores, wide, gentle, single))
    pixel = upper_bound(peaks, steep, gentle, single)
    parts = 1 if single else len(scores)
    needed = shots_needed(false_alarm_rate)
    return Thresholds(
        review,
        ng,
        pixel,
        {
            "method": "t prediction bound, at least the conformal bound",
            "source": "altered views of one shot" if single else "shots left out one by one",
            "scores": scores.tolist(),
            "good_parts": parts,
            "wanted_rate": false_alarm_rate,
            "attainable_rate": 1 / (parts + 1),
            "promised": parts >= needed,
            "more_shots": max(0, needed - parts),
            "review_rate": gentle,
            "usual_spread": USUAL_SPREAD,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": "Inspector",
        },
    )


def shots_needed(false_alarm_rate: float) -> int:
    """The fewest held-out good parts with which a false-alarm rate can be promised: 1 / (n + 1) <= rate."""
    return max(1, math.ceil(1 / false_alarm_rate - 1e-9) - 1)


def upper_bound(scores: ArrayLike, contrast: float, rate: float, single: bool = False) -> float:
    """The score that the next good part passes with probability `rate`.

    `contrast`: how far good parts' scores lie above the usual map value; scales the usual spread. `single`: the scores
    are views of one part, which vary less than parts do, so they count as one observation, their highest.
    Never below the ceil((n + 1)(1 - rate))-th smallest score, which with enough scores is the conformal bound, nor,
    with too few, below any of them: a part that is known to be good stays good.
    """
    values = np.sort(np.asarray(scores, np.float64))
    prior = (USUAL_SPREAD * contrast) ** 2
    if single:
        spread = math.sqrt(max(prior, float(values.var())))
        return float(values[-1] + _t_quantile(1 - rate, USUAL_WEIGHT) * spread * math.sqrt(2))
    n = len(values)
    freedom = USUAL_WEIGHT + n - 1
    spread = math.sqrt((USUAL_WEIGHT * prior + float(((values - values.mean()) ** 2).sum())) / freedom)
    bound = values.mean() + _t_quantile(1 - rate, freedom) * spread * math.sqrt(1 + 1 / n)
    passed = min(n, math.ceil((n + 1) * (1 - rate) - 1e-9))  # the conformal bound, or the highest of too few
    return float(np.nextafter(max(bound, values[passed - 1]), np.inf))


@lru_cache(maxsize=256)
def _t_quantile(share: float, freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf(share, freedom))


def _contrast(scores: np.ndarray, usual: np.ndarray) -> float:
    """Mean height of the scores above the maps' medians; where they don't lie above, a small share of the scores."""
    height = float((scores - usual).mean())
    return max(height, 0.05 * float(np.abs(scores).mean()), 1e-9)
