"""Score and thresholds → verdict. Pure, so a moved threshold re-judges any number of stored scores at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.domain import Decision, ScoreMap, Thresholds, Verdict
from inspector.verdicts.regions import regions

PEAK_SHARE = 0.25


def decide(image_score: float, thresholds: Thresholds) -> Decision:
    """OK below `review`, NG from `ng` on. A score that isn't a number can't be trusted and goes to review."""
    if image_score >= thresholds.ng:
        return Decision.NG
    return Decision.OK if image_score < thresholds.review else Decision.REVIEW


def decide_all(image_scores: ArrayLike, thresholds: Thresholds) -> NDArray[np.int8]:
    """0 OK, 1 review, 2 NG for every score; 100,000 take well under a millisecond."""
    scores = np.asarray(image_scores)
    return (~(scores < thresholds.review)).astype(np.int8) + (scores >= thresholds.ng)


def judge(score_map: ScoreMap, thresholds: Thresholds, size: tuple[int, int]) -> Verdict:
    """The decision, and, unless it is OK, the regions that explain it. `size`: (width, height) of the original.

    Where the image score is too high though no pixel is, the surroundings of the map's peak are shown.
    """
    decision = decide(score_map.image_score, thresholds)
    if decision is Decision.OK:
        return Verdict(decision, score_map.image_score, thresholds)
    values = score_map.values
    found = regions(values, thresholds.pixel, size)
    if not found and values.size:
        peak, usual = float(values.max()), float(np.median(values))
        found = regions(values, peak - PEAK_SHARE * (peak - usual), size)[:1]
    return Verdict(decision, score_map.image_score, thresholds, found)
