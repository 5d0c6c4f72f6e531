"""Score and thresholds → verdict: the only rule. Pure, so a moved threshold re-judges any number of stored scores."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.domain import Decision, ScoreMap, Thresholds, Verdict
from inspector.errors import DetectorError
from inspector.verdicts.product import is_other
from inspector.verdicts.regions import on_score_scale, regions


def bounds(thresholds: Thresholds) -> tuple[tuple[float, Decision], ...]:
    """(lowest score, decision), highest first; a score that reaches none is OK. Everything that judges, SQL too, reads
    these."""
    return (thresholds.ng, Decision.NG), (thresholds.review, Decision.REVIEW)


def decide(image_score: float, thresholds: Thresholds, other: bool = False) -> Decision:
    """OK below `review`, NG from `ng` on; but OTHER, whatever the score, where it shows another product (see `product.is_other`).
    Raises `DetectorError` for a score that isn't finite: it says nothing."""
    if not math.isfinite(image_score):
        raise _not_finite()
    if other:
        return Decision.OTHER
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


def judge(
    score_map: ScoreMap, thresholds: Thresholds, size: tuple[int, int], limit: float | None = None
) -> Verdict:
    """The decision, and, unless the score is OK, the regions that explain it: where the map, on the scale of the score, reaches
    review. There is at least one, and the strongest one's peak is the image score. `size`: (width, height) of the original;
    `limit`: from which distance on it shows another product, None where that isn't asked. Of another product the regions are
    those that it has if a person says that it is none.

    Raises `DetectorError` for a score or map that isn't finite.
    """
    if not score_map.finite:
        raise _not_finite()
    decision, values = decide(score_map.image_score, thresholds), score_map.values
    other = is_other(score_map.product_distance, limit)
    if decision is Decision.OK:
        return Verdict(Decision.OTHER if other else decision, score_map.image_score, thresholds)
    score = score_map.image_score
    shown = on_score_scale(values, score)
    found = regions(shown, min(thresholds.review, float(shown.max(initial=-np.inf))), size)
    found = tuple(replace(one, peak=score) if not place else one for place, one in enumerate(found))
    return Verdict(Decision.OTHER if other else decision, score, thresholds, found)


def cuts_alike(image_score: float, one: Thresholds, other: Thresholds) -> bool:
    """Whether `judge` shows the same regions by both, as neither says OK and both mark from one score on. Raises
    `DetectorError` for a score that isn't finite."""
    shown = [decide(image_score, thresholds) is not Decision.OK for thresholds in (one, other)]
    return all(shown) and one.review == other.review


def _not_finite() -> DetectorError:
    return DetectorError(
        "The detector gave no number for this image, so it can't be judged.",
        "Look at the image; if others fail too, teach the detector again.",
    )
