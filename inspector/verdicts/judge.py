"""Score and thresholds → verdict: the only rule. Pure, so a moved threshold re-judges any number of stored scores."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.domain import Decision, ScoreMap, Thresholds, Verdict
from inspector.errors import DetectorError
from inspector.verdicts.regions import regions

PEAK_SHARE = 0.25


def bounds(thresholds: Thresholds) -> tuple[tuple[float, Decision], ...]:
    """(lowest score, decision), highest first; a score that reaches none is OK. Everything that judges, SQL too, reads
    these."""
    return (thresholds.ng, Decision.NG), (thresholds.review, Decision.REVIEW)


def decide(image_score: float, thresholds: Thresholds) -> Decision:
    """OK below `review`, NG from `ng` on. Raises `DetectorError` for a score that isn't finite: it says nothing."""
    if not math.isfinite(image_score):
        raise _not_finite()
    return next((decision for lowest, decision in bounds(thresholds) if image_score >= lowest), Decision.OK)


def decide_all(image_scores: ArrayLike, thresholds: Thresholds) -> NDArray[np.int8]:
    """0 OK, 1 review, 2 NG, 3 failed (not finite) for scores of
    any shape, in theirs; 100,000 take well under a millisecond."""
    scores = np.asarray(image_scores, np.float64)
    decided = np.zeros(scores.shape, np.int8)
    for lowest, _ in bounds(thresholds):
        decided += scores >= lowest
    decided[~np.isfinite(scores)] = 3
    return decided


def judge(score_map: ScoreMap, thresholds: Thresholds, size: tuple[int, int]) -> Verdict:
    """The decision, and, unless it is OK, the regions that explain it. `size`: (width, height) of the original.

    Where the image score is too high though no pixel is, the surroundings of the map's peak are shown.
    Raises `DetectorError` for a score or map that isn't finite.
    """
    if not score_map.finite:
        raise _not_finite()
    decision, values = decide(score_map.image_score, thresholds), score_map.values
    if decision is Decision.OK:
        return Verdict(decision, score_map.image_score, thresholds)
    found = regions(values, thresholds.pixel, size)
    if not found and values.size:
        peak, usual = float(values.max()), float(np.median(values))
        found = regions(values, peak - PEAK_SHARE * (peak - usual), size)[:1]
    return Verdict(decision, score_map.image_score, thresholds, found)


def cuts_alike(image_score: float, one: Thresholds, other: Thresholds) -> bool:
    """Whether `judge` shows the same regions by both, as neither says OK and the pixel threshold is one. Raises
    `DetectorError` for a score that isn't finite."""
    shown = [decide(image_score, thresholds) is not Decision.OK for thresholds in (one, other)]
    return all(shown) and one.pixel == other.pixel


def _not_finite() -> DetectorError:
    return DetectorError(
        "The detector gave no number for this image, so it can't be judged.",
        "Look at the image; if others fail too, teach the detector again.",
    )
