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
    """Counts above each distinct score, highest first.

    `thresholds` [n]; `tp`, `fp` [n]: anomalous and normal items with a score >= that threshold.
    """

    thresholds: NDArray[np.float32]
    tp: Floats
    fp: Floats

    @property
    def positives(self) -> float:
        return float(self.tp[-1]) if self.tp.size else 0.0

    @property
    def negatives(self) -> float:
        return float(self.fp[-1]) if self.fp.size else 0.0


def rank(scores: ArrayLike, labels: ArrayLike) -> Ranking:
    """Sort once; every figure below is read off the result. `scores` are compared as float32.

    Raises ValueError when lengths differ or a score is NaN.
    """
    values, truth = _checked(scores, labels)
    order, ends = _descending(values)
    above = np.cumsum(truth[order], dtype=np.float64)[ends]
    return Ranking(values[order[ends]], above, ends + 1.0 - above)


def auroc(ranking: Ranking) -> float:
    """Area under true-positive rate over false-positive rate."""
    if not ranking.positives or not ranking.negatives:
        return float("nan")
    tp, fp = np.concatenate([[0.0], ranking.tp]), np.concatenate([[0.0], ranking.fp])
    return _area(tp, fp) / (ranking.positives * ranking.negatives)


def average_precision(ranking: Ranking) -> float:
    """Sum of precision over the steps of recall (no interpolation)."""
    if not ranking.positives:
        return float("nan")
    precision = ranking.tp / (ranking.tp + ranking.fp)
    return float(np.sum(np.diff(ranking.tp, prepend=0.0) * precision) / ranking.positives)


def best_f1(ranking: Ranking) -> tuple[float, float]:
    """(highest F1 over all thresholds, the threshold it is reached at)."""
    if not ranking.positives:
        return float("nan"), float("nan")
    f1 = 2 * ranking.tp / (ranking.tp + ranking.fp + ranking.positives)
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranking.thresholds[best])


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    return auroc(rank(scores, labels))


def image_ap(scores: ArrayLike, labels: ArrayLike) -> float:
    return average_precision(rank(scores, labels))


def image_f1(scores: ArrayLike, labels: ArrayLike) -> float:
    return best_f1(rank(scores, labels))[0]


def pixel_auroc(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> float:
    return auroc(rank(*_pixels(maps, masks)))


def pixel_ap(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> float:
    return average_precision(rank(*_pixels(maps, masks)))


def pixel_f1(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> float:
    return best_f1(rank(*_pixels(maps, masks)))[0]


def aupro(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> float:
    """Area under the per-region overlap up to a false-positive rate of `limit`, divided by `limit` (0–1).

    Regions are 8-connected in each mask and weigh the same whatever their size (Bergmann et al., MVTec AD, 2021).
    """
    return _aupro(*pro_curve(maps, masks, limit), limit)


def pro_curve(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3
) -> tuple[Floats, Floats]:
    """(false-positive rate [n], mean region overlap [n]) from 0 to exactly `limit`; both empty when undefined."""
    values, truth = _checked(*_pixels(maps, masks))
    order, ends = _descending(values)
    false = np.cumsum(~truth[order], dtype=np.float64)[ends]
    return _pro(order, ends, false, masks, limit)


def image_figures(scores: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """All of IMAGE_FIGURES from one sort."""
    ranking = rank(scores, labels)
    values = (auroc(ranking), average_precision(ranking), best_f1(ranking)[0])
    return dict(zip(IMAGE_FIGURES, values, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class PixelReading:
    """`figures`: all of PIXEL_FIGURES; `ranking`: of the pixels; `pro`: (false-positive rate, region overlap)."""

    figures: dict[str, float]
    ranking: Ranking
    pro: tuple[Floats, Floats]


def read_pixels(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> PixelReading:
    """All that is to be said about pixels, from one sort."""
    values, truth = _checked(*_pixels(maps, masks))
    order, ends = _descending(values)
    above = np.cumsum(truth[order], dtype=np.float64)[ends]
    ranking = Ranking(values[order[ends]], above, ends + 1.0 - above)
    pro = _pro(order, ends, ranking.fp, masks, limit)
    numbers = (auroc(ranking), average_precision(ranking), best_f1(ranking)[0], _aupro(*pro, limit))
    return PixelReading(dict(zip(PIXEL_FIGURES, numbers, strict=True)), ranking, pro)


def pixel_figures(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3
) -> dict[str, float]:
    """All of PIXEL_FIGURES from one sort."""
    return read_pixels(maps, masks, limit).figures


def roc_curve(ranking: Ranking, points: int = 200) -> tuple[Floats, Floats]:
    """(false-positive rate, true-positive rate), at most `points` long, ends kept; for drawing."""
    fpr = np.concatenate([[0.0], ranking.fp]) / max(ranking.negatives, 1.0)
    tpr = np.concatenate([[0.0], ranking.tp]) / max(ranking.positives, 1.0)
    return thin(fpr, tpr, points)


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


def _descending(values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(order from high to low, last position of each distinct value in that order)."""
    order = np.argsort(-values)
    ordered = values[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if ordered.size else order
    return order, ends


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


def _pro(
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    false: Floats,
    masks: Sequence[ArrayLike],
    limit: float,
) -> tuple[Floats, Floats]:
    """`false` [n]: normal pixels above each distinct score; order and ends as of `_descending`."""
    if not 0 < limit <= 1:
        raise ValueError("the limit of the false-positive rate lies in (0, 1]")
    gain = (
        np.concatenate([_region_weights(np.asarray(mask)) for mask in masks]) if len(masks) else np.empty(0)
    )
    regions = round(float(gain.sum()))
    if not regions or not false[-1]:
        return np.empty(0), np.empty(0)
    fpr = np.concatenate([[0.0], false / false[-1]])
    pro = np.concatenate([[0.0], np.cumsum(gain[order])[ends] / regions])
    last = int(np.searchsorted(fpr, limit))  # the first point at or beyond the limit
    edge = pro[last - 1] + (pro[last] - pro[last - 1]) * (limit - fpr[last - 1]) / (fpr[last] - fpr[last - 1])
    return np.append(fpr[:last], limit), np.append(pro[:last], edge)


def _aupro(fpr: Floats, pro: Floats, limit: float) -> float:
    return _area(pro, fpr) / limit if fpr.size else float("nan")


def _region_weights(mask: NDArray[np.generic]) -> Floats:
    """1 / area of its 8-connected region for every anomalous pixel, 0 elsewhere, flat."""
    if not mask.any():
        return np.zeros(mask.size)
    import cv2

    _, labels = cv2.connectedComponents((mask != 0).astype(np.uint8), connectivity=8)
    weight = 1.0 / np.maximum(np.bincount(labels.ravel()), 1)
    weight[0] = 0.0
    return np.asarray(weight[labels.ravel()])


def _area(y: Floats, x: Floats) -> float:
    return float(np.dot(np.diff(x), (y[1:] + y[:-1]) / 2))
