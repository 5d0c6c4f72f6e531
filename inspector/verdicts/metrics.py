"""The field's figures for detectors: AUROC, AP, F1-max per image and per pixel, and AUPRO.

Everything is exact: each distinct score is a threshold, ties are one step. Labels and masks are true where
anomalous; higher scores are more anomalous. A figure that is undefined (one side has no examples) is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PIXEL_FIGURES = ("pixel_auroc", "pixel_ap", "pixel_f1", "aupro")
IMAGE_FIGURES = ("image_auroc", "image_ap", "image_f1")
FIGURES = IMAGE_FIGURES + PIXEL_FIGURES


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Counts at each distinct score of an anomalous item, highest first: nothing else happens on any curve.

    `thresholds` [n]: those scores. `tp` [n]: anomalous items with at least that score. `fp`, `above` [n]:
    normal items with at least, and with more than, that score. `negatives`: all normal items.
    """

    thresholds: NDArray[np.float32]
    tp: Floats
    fp: Floats
    above: Floats
    negatives: int

    @property
    def positives(self) -> float:
        """How many are labelled positive."""
        return float(self.tp[-1]) if self.tp.size else 0.0


def rank(scores: ArrayLike, labels: ArrayLike) -> Ranking:
    """Sort once; every figure below is read off the result. `scores` are compared as float32.

    Raises ValueError when lengths differ or a score is NaN.
    """
    values, truth = _checked(scores, labels)
    positive = np.sort(values[truth])[::-1]
    return _ranking(positive, np.sort(values[~truth]))


def auroc(ranking: Ranking) -> float:
    """Area under true-positive rate over false-positive
    rate: how often an anomalous item beats a normal one."""
    if not ranking.positives or not ranking.negatives:
        return float("nan")
    beaten = ranking.negatives - (ranking.fp + ranking.above) / 2
    return float(np.dot(np.diff(ranking.tp, prepend=0.0), beaten) / (ranking.positives * ranking.negatives))


def average_precision(ranking: Ranking) -> float:
    """Sum of precision over the steps of recall (no interpolation)."""
    if not ranking.positives:
        return float("nan")
    precision = ranking.tp / (ranking.tp + ranking.fp)
    return float(np.dot(np.diff(ranking.tp, prepend=0.0), precision) / ranking.positives)


def best_f1(ranking: Ranking) -> tuple[float, float]:
    """(highest F1 over all thresholds, the threshold it is reached at)."""
    if not ranking.positives:
        return float("nan"), float("nan")
    f1 = 2 * ranking.tp / (ranking.tp + ranking.fp + ranking.positives)
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranking.thresholds[best])


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """AUROC of scores [n] against labels [n], 0 or 1; NaN where one kind is missing."""
    return auroc(rank(scores, labels))


def pixel_auroc(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> float:
    """AUROC over the pixels of all maps (h, w) against their masks (h, w)."""
    return auroc(rank(*_pixels(maps, masks)))


def aupro(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> float:
    """Area under the per-region overlap up to a false-positive rate of `limit`, divided by `limit` (0–1).

    Regions are 8-connected in each mask and weigh the same
    whatever their size (Bergmann et al., MVTec AD, 2021).
    """
    return _aupro(*pro_curve(maps, masks, limit), limit)


def pro_curve(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3
) -> tuple[Floats, Floats]:
    """(false-positive rate [n], mean region overlap [n])
    from 0 to exactly `limit`; both empty when undefined."""
    return _rank_pixels(maps, masks, limit)[1]


def image_figures(scores: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """All of IMAGE_FIGURES from one sort."""
    ranking = rank(scores, labels)
    values = (auroc(ranking), average_precision(ranking), best_f1(ranking)[0])
    return dict(zip(IMAGE_FIGURES, values, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class PixelReading:
    """`figures`: all of PIXEL_FIGURES; `ranking`: of the
    pixels; `pro`: (false-positive rate, region overlap)."""

    figures: dict[str, float]
    ranking: Ranking
    pro: tuple[Floats, Floats]


def read_pixels(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> PixelReading:
    """All that is to be said about pixels, from one sort."""
    ranking, pro = _rank_pixels(maps, masks, limit)
    numbers = (auroc(ranking), average_precision(ranking), best_f1(ranking)[0], _aupro(*pro, limit))
    return PixelReading(dict(zip(PIXEL_FIGURES, numbers, strict=True)), ranking, pro)


def roc_curve(ranking: Ranking, points: int = 200) -> tuple[Floats, Floats]:
    """(false-positive rate, true-positive rate), at most `points` long, ends kept; for drawing."""
    x, y = _staircase(ranking, ranking.tp)
    return thin(x / max(ranking.negatives, 1), y / max(ranking.positives, 1.0), points)


def pr_curve(ranking: Ranking, points: int = 200) -> tuple[Floats, Floats]:
    """(recall, precision), at most `points` long, ends kept; for drawing."""
    return thin(ranking.tp / max(ranking.positives, 1.0), ranking.tp / (ranking.tp + ranking.fp), points)


def thin(x: Floats, y: Floats, points: int = 200) -> tuple[Floats, Floats]:
    """At most `points` of a curve, evenly spread along its length, both ends kept."""
    if x.size <= points:
        return x, y
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    index = np.searchsorted(length, np.linspace(0, length[-1], points))
    index = np.unique(np.append(np.minimum(index, x.size - 1), x.size - 1))[-points:]
    index[0] = 0
    return x[index], y[index]


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    values = np.asarray(scores, dtype=np.float32).ravel()
    truth = np.asarray(labels).ravel() != 0
    if values.size != truth.size:
        raise ValueError(f"{values.size} scores for {truth.size} labels")
    if np.isnan(values).any():
        raise ValueError("a score is not a number")
    return values + np.float32(0), truth  # + 0 makes -0.0 and 0.0 one score


def _ranking(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> Ranking:
    """From anomalous scores, descending, and normal ones, ascending."""
    ends = _ends(positive)
    thresholds = positive[ends]
    fp = negative.size - np.searchsorted(negative, thresholds, side="left")
    above = negative.size - np.searchsorted(negative, thresholds, side="right")
    tp = (ends + 1).astype(np.float64)
    return Ranking(thresholds, tp, fp.astype(np.float64), above.astype(np.float64), int(negative.size))


def _ends(ordered: NDArray[np.float32]) -> NDArray[np.intp]:
    """The last position of each run of equal values."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], np.ones(min(1, ordered.size), np.bool_)))


def _staircase(ranking: Ranking, heights: Floats) -> tuple[Floats, Floats]:
    """`heights` [n], reached at each threshold, over the normal items above it, from none to all: a tie
    between normal and anomalous items is a slope."""
    before = np.concatenate([[0.0], heights])
    x = np.stack([ranking.above, ranking.fp], axis=1).ravel()
    y = np.stack([before[:-1], heights], axis=1).ravel()
    return np.concatenate([[0.0], x, [float(ranking.negatives)]]), np.concatenate([[0.0], y, before[-1:]])


def _pixels(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    if len(maps) != len(masks):
        raise ValueError(f"{len(maps)} maps for {len(masks)} masks")
    values, truth = [], []
    for number, (values_2d, mask) in enumerate(zip(maps, masks, strict=True)):
        value, label = np.asarray(values_2d, dtype=np.float32), np.asarray(mask)
        if value.ndim != 2 or value.shape != label.shape:
            raise ValueError(f"map {number} has shape {value.shape}, its mask {label.shape}")
        values.append(value.ravel())
        truth.append(label.ravel() != 0)
    if not values:
        return np.empty(0, np.float32), np.empty(0, np.bool_)
    return np.concatenate(values), np.concatenate(truth)


def _rank_pixels(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float
) -> tuple[Ranking, tuple[Floats, Floats]]:
    """(ranking of the pixels, region overlap curve) from one sort."""
    if not 0 < limit <= 1:
        raise ValueError("the limit of the false-positive rate lies in (0, 1]")
    values, truth = _checked(*_pixels(maps, masks))
    positive = values[truth]
    order = np.argsort(-positive)
    positive = positive[order]
    ranking = _ranking(positive, np.sort(values[~truth]))
    gain = (
        np.concatenate([_region_weights(np.asarray(mask)) for mask in masks])
        if positive.size
        else np.empty(0)
    )
    regions = round(float(gain.sum()))
    if not regions or not ranking.negatives:
        return ranking, (np.empty(0), np.empty(0))
    fpr, pro = _staircase(ranking, np.cumsum(gain[order])[_ends(positive)] / regions)
    fpr /= ranking.negatives
    last = int(np.searchsorted(fpr, limit))  # the first point at or beyond the limit
    edge = pro[last - 1] + (pro[last] - pro[last - 1]) * (limit - fpr[last - 1]) / (fpr[last] - fpr[last - 1])
    return ranking, (np.append(fpr[:last], limit), np.append(pro[:last], edge))


def _aupro(fpr: Floats, pro: Floats, limit: float) -> float:
    return _area(pro, fpr) / limit if fpr.size else float("nan")


def _region_weights(mask: NDArray[np.generic]) -> Floats:
    """1 / area of its 8-connected region for every anomalous pixel, in reading order."""
    if not mask.any():
        return np.empty(0)
    import cv2

    _, labels = cv2.connectedComponents((mask != 0).astype(np.uint8), connectivity=8)
    inside = labels[mask != 0]
    return np.asarray((1.0 / np.maximum(np.bincount(inside), 1))[inside])


def _area(y: Floats, x: Floats) -> float:
    return float(np.dot(np.diff(x), (y[1:] + y[:-1]) / 2))
