"""What the window works out from readings: the scores behind a confusion matrix, the mean of curves, words of figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.jobs.evaluation.reading import Floats, Reading


def class_words(class_name: str) -> str:
    return class_name or "Mean of classes"


def percent(value: float | None) -> str:
    """A figure of 0–1 with one decimal of a per cent."""
    return "–" if value is None else f"{100 * value:.1f}"


def cell(mean: float | None, std: float | None) -> str:
    return percent(mean) if mean is None or std is None else f"{percent(mean)} ± {percent(std)}"


def mean_curve(readings: Iterable[Reading], kind: str) -> tuple[Floats, Floats] | None:
    """The vertical average of the readings' curves: at every x of any of them the mean of their heights, before and
    after a step. None where no reading has such a curve."""
    curves = [r.curves[kind] for r in readings if kind in r.curves and r.curves[kind][0].size]
    if not curves:
        return None
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    heights = np.zeros((grid.size, 2))
    for x, y in curves:
        after = np.interp(grid, x, y)  # at a step: its upper end
        before = after.copy()
        own, first = np.unique(x, return_index=True)
        before[np.searchsorted(grid, own)] = y[first]
        heights += np.column_stack([before, after]) / len(curves)
    return np.repeat(grid, 2), heights.ravel()


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Test images with one draw's scores. `places`: (reading, number in it) of each image.

    Of one class, `scores` are the detector's. Of several, whose detectors' scales differ, they are how far each lies
    above its own class's threshold, the best F1's, so that 0 parts OK from NG in every class.
    """

    readings: tuple[Reading, ...]
    places: tuple[tuple[Reading, int], ...]
    scores: Floats
    defective: NDArray[np.bool_]

    @property
    def several(self) -> bool:
        return len(self.readings) > 1

    def cell(self, defective: bool, ng: bool, threshold: float) -> NDArray[np.intp]:
        """Which images lie in a cell of the confusion matrix: the worst mistakes or the closest calls first."""
        found = np.flatnonzero((self.defective == defective) & ((self.scores >= threshold) == ng))
        own = self.scores[found]
        return found[np.argsort(own if defective else -own, kind="stable")]

    def best_threshold(self) -> float:
        """Where F1 is highest; of several classes, in each."""
        return 0.0 if self.several or not self.readings else best_threshold(self.readings[0])


def best_threshold(reading: Reading) -> float:
    """The score from which to call NG so that F1 is highest on these test images."""
    from inspector.verdicts import metrics

    if not reading.defective.any():
        return float(reading.scores.max()) if reading.scores.size else 0.0
    best = metrics.best_f1(metrics.rank(reading.scores, reading.defective))[1]  # among scores as float32
    return float(reading.scores[reading.scores.astype(np.float32) >= best].min())


def scores_of(readings: Iterable[Reading]) -> Scores:
    found = tuple(readings)
    several = len(found) > 1
    own = [r.scores - best_threshold(r) if several else r.scores for r in found]
    return Scores(
        found,
        tuple((r, number) for r in found for number in range(len(r.keys))),
        np.concatenate(own) if own else np.empty(0),
        np.concatenate([r.defective for r in found]) if found else np.empty(0, np.bool_),
    )
