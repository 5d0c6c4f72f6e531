"""What thresholds make of test images: from the shots alone, and from parts that are confirmed good as people would."""

from collections.abc import Mapping, Sequence

import numpy as np

from inspector.domain import Thresholds

VERDICTS = ("false_alarms", "good_to_review", "detected", "missed")
"""Good parts called NG, good parts sent to review, defective ones called NG, defective ones called OK."""
LEAST = 5
"""Fewer good parts than that don't say how often one is called NG."""


def verdicts(scores: Sequence[float], labels: Sequence[bool], thresholds: Thresholds) -> dict[str, float]:
    """The shares of VERDICTS (0–1) among images with `scores`, `labels` whether they are defective."""
    from inspector.verdicts.judge import decide_all

    decided, defective = decide_all(scores, thresholds), np.asarray(labels, np.bool_)
    good, bad = decided[~defective], decided[defective]
    shares = (good == 2).mean(), (good == 1).mean(), (bad == 2).mean(), (bad == 0).mean()
    return dict(zip(VERDICTS, map(float, shares), strict=True))


def when_confirmed(
    thresholds: Thresholds,
    good: Sequence[float],
    defective: Sequence[float],
    counts: Sequence[int],
    seed: int,
) -> dict[str, Mapping[str, float]]:
    """Number of confirmed parts → the shares of VERDICTS, and `certain` (see `verdicts.provenance.Rates`).

    `good`: scores of good parts that taught nothing. As many as are confirmed are drawn from them and set the thresholds
    together with the shots; the others, at least LEAST, are what is measured on. Numbers for which too few are left over
    are left out.
    """
    from inspector.verdicts.calibrate import with_good_parts
    from inspector.verdicts.provenance import rates

    pool = np.random.default_rng(seed).permutation(np.asarray(good, np.float64))
    found: dict[str, Mapping[str, float]] = {}
    for count in counts:
        rest = pool[count:]
        limits = with_good_parts(thresholds, dict(enumerate(pool[:count].tolist())))
        if len(rest) < LEAST or limits is None:
            continue
        labels = [False] * len(rest) + [True] * len(defective)
        shares = verdicts([*rest.tolist(), *defective], labels, limits)
        told = rates(limits)
        found[str(count)] = shares | {"certain": told.certain if told else 1.0}
    return found
