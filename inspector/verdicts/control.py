"""The p-chart: whether a share of parts (NG, say) is what it usually is, bucket by bucket, each with its own number of parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TAIL = 0.00135
"""How seldom a bucket lies above, or below, its limits while nothing has changed: what three sigmas are for a normal."""
LEAST = 8
"""Fewer buckets of reference don't tell whether shares vary more than chance would have it."""
_SURE = 0.01
_BETWEEN = 1.128
"""The mean difference of two values of unit deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """Limits of a share, in shares of 1. `centre`: of the reference. `low`, `high` [buckets]: NaN where there are no parts.
    `spread`: how many times as wide as chance alone the shares of the reference vary (Laney's σz); 1 where they don't.
    `out` [buckets]: 1 above its limits, -1 below, else 0."""

    centre: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    spread: float
    out: NDArray[np.int64]


def control(
    hits: NDArray[np.int64], parts: NDArray[np.int64], reference: NDArray[np.bool_]
) -> Control | None:
    """Limits for `hits` [buckets] of `parts` [buckets], from those of the `reference` [buckets]; None where it has no part.

    Limits are exact: how many hits are to be expected among n parts where the reference had x of m (beta-binomial, a tail of `TAIL`
    on each side), which three sigmas are not where hits are rare, and which knows how little a short reference tells. Where the
    shares of the reference vary more than chance (dispersion test, 1 %, and Laney's σz by moving ranges above 1), limits are
    Laney's p′ as well, and the wider of both counts.
    """
    seen, known = int(hits[reference].sum()), int(parts[reference].sum())
    if not known:
        return None
    spread = _spread(hits[reference], parts[reference])
    low, high = _exact(seen, known, parts)
    centre = seen / known
    if spread > 1:
        sigma = np.sqrt(centre * (1 - centre) / np.maximum(parts, 1)) * spread
        low, high = np.minimum(low, centre - 3 * sigma), np.maximum(high, centre + 3 * sigma)
    low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
    none = parts == 0
    low[none] = high[none] = np.nan
    share = hits / np.maximum(parts, 1)
    out = np.where(none, 0, (share > high + 1e-12).astype(int) - (share < low - 1e-12).astype(int))
    return Control(centre, low, high, spread, out)


def _exact(
    seen: int, known: int, parts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares at the ends of what is expected, [buckets]."""
    from scipy.stats import betabinom

    a, b = seen + 0.5, known - seen + 0.5
    counts, places = np.unique(np.maximum(parts, 1), return_inverse=True)
    low, high = (np.empty(len(counts)) for _ in range(2))
    for place, count in enumerate(counts.tolist()):
        middle = a / (a + b)
        reach = 12 * np.sqrt(middle * (1 - middle) * count * (1 + count / known)) + 12
        hits = np.arange(max(0, int(count * middle - reach)), min(count, int(count * middle + reach)) + 1)
        upto = np.cumsum(betabinom.pmf(hits, count, a, b))
        low[place] = hits[min(int(np.searchsorted(upto, TAIL)), len(hits) - 1)] / count
        high[place] = hits[min(int(np.searchsorted(upto, 1 - TAIL)), len(hits) - 1)] / count
    return low[places], high[places]


def _spread(hits: NDArray[np.int64], parts: NDArray[np.int64]) -> float:
    from scipy.stats import chi2

    some = parts > 0
    hits, parts = hits[some], parts[some]
    centre = hits.sum() / max(parts.sum(), 1)
    if len(parts) < LEAST or not 0 < centre < 1:
        return 1.0
    z = (hits / parts - centre) / np.sqrt(centre * (1 - centre) / parts)
    if (z**2).sum() <= chi2.isf(_SURE, len(z) - 1):
        return 1.0
    return max(1.0, float(np.abs(np.diff(z)).mean() / _BETWEEN))
