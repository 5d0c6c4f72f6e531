"""Whether good parts score otherwise than those before: light, camera, focus or material have moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 8
"""Fewer parts on either side say nothing."""
RARE = 0.01
"""How seldom scores of one kind of parts differ so much."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Median scores of good parts `before` and `now`."""

    before: float
    now: float


def drift(before: Sequence[float], now: Sequence[float]) -> Drift | None:
    """What has moved, by the rank test of Mann and Whitney; None where nothing has, or nothing can be told."""
    from scipy.stats import mannwhitneyu

    if min(len(before), len(now)) < LEAST or mannwhitneyu(before, now).pvalue >= RARE:
        return None
    return Drift(float(np.median(before)), float(np.median(now)))
