"""Of pictures of several products: whether their parts lie alike, and from when on one shows that the camera was moved. Used by
`product_distance.py`, which says what is fitted on what.

What a patch keeps are the main directions of good parts' patches over all products, each counting alike. `spread` is the smallest
with which, at 3, 4 and 8 shots, no more than a share WRONG of parts, harmed ones too, has moved, mean over the products. ALIKE,
STEADY and BETTER lie between what drawn parts in a holder and parts that lie anyhow show: chosen by looking at training images.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from inspector.domain import Lie, Pose
from inspector.features.backbone import Features
from inspector.methods.products.moves import GRID, differences
from inspector.methods.products.poses import LEAST_SHOTS, NEAREST, Fitted, Maps, Poses, lie_of, usual_of

SHOTS, WIDTH = (3, 4, 8), 16
ALIKE, STEADY, BETTER = 0.45, 0.2, 0.2
SPREADS = np.arange(0.10, 0.60, 0.02)
EVERY = 3
"""Of how many harmed copies of a part one is looked at for its pose."""

Pixels = NDArray[np.uint8]
Cells = NDArray[np.float16]
"""What the taps hold on average in GRID × GRID cells of a picture, one after the other: [GRID², width]."""
Scales = Sequence[NDArray[np.float64]]


class Laid(Protocol):
    """A product's training images, and harmed copies of each."""

    @property
    def cells(self) -> list[Cells]: ...
    @property
    def harmed_cells(self) -> list[list[Cells]]: ...


def cells_of(features: Features, taps: Sequence[str]) -> list[Cells]:
    """Of each picture."""
    parts = []
    for tap in taps:
        values = features.taps[tap].float().transpose(1, 2).unflatten(2, features.grids[tap])
        parts.append(F.adaptive_avg_pool2d(values, GRID).flatten(2).transpose(1, 2))
    return list(torch.cat(parts, 2).numpy().astype(np.float16))


def moved(
    turn: float = 0, shift: float = 0, scale: float = 1
) -> Callable[[Pixels, np.random.Generator], Pixels]:
    """A camera that was turned by degrees, or shifted by a share of the picture, either way; what comes in mirrors what is there."""

    def move(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        (height, width), sign = pixels.shape[:2], rng.choice([-1, 1])
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), sign * turn, scale)
        along = rng.integers(2)
        matrix[along, 2] += sign * shift * (width, height)[along]
        found = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(found, np.uint8)

    return move


CAMERA = {
    "turn 10°": moved(turn=10),
    "turn 20°": moved(turn=20),
    "shift 10%": moved(shift=0.1),
    "shift 20%": moved(shift=0.2),
    "× 1.2": moved(scale=1.2),
}


def fit(
    products: Mapping[str, Laid], taps: Sequence[str], scales: Scales, draws: "Draws", wrong: float
) -> Fitted:
    units = np.concatenate([unit * np.sqrt(len(unit)) for unit in scales])
    patches = [np.concatenate(own.cells).astype(np.float64) / units for own in products.values()]
    centre = np.mean([one.mean(0) for one in patches], axis=0)
    around = np.mean([(one - centre).T @ (one - centre) / len(one) for one in patches], axis=0)
    basis = (np.linalg.eigh(around)[1][:, ::-1][:, :WIDTH] / units[:, None]).astype(np.float32)
    ends = np.cumsum([len(unit) for unit in scales])[:-1]
    fitted = Fitted(dict(zip(taps, np.split(basis, ends), strict=True)), ALIKE, ALIKE, STEADY, BETTER)
    fitted = Fitted.of(fitted.as_json())  # of as many digits as are kept
    cases = list(_cases(products, fitted, draws))
    for spread in SPREADS:
        fitted = replace(fitted, spread=round(float(spread), 2))
        shares: dict[tuple[int, str], list[float]] = {}
        for name, count, held_out, found in cases:
            shares.setdefault((count, name), []).append(_share_moved(held_out, found, fitted))
        by_count = [np.mean([np.mean(shares[one]) for one in shares if one[0] == count]) for count in SHOTS]
        if max(by_count) <= wrong:
            break
    return fitted


Draws = Callable[[Laid, int], list[list[int]]]
"""(product, number of shots) → which training images are shots."""


def maps(cells: Sequence[Cells], fitted: Fitted) -> Maps:
    """Pose maps of pictures."""
    basis = np.concatenate(list(fitted.basis.values()))
    found = np.stack([one.astype(np.float32) @ basis for one in cells])
    return np.asarray(found - found.mean(1, keepdims=True), np.float32)


def _cases(
    products: Mapping[str, Laid], fitted: Fitted, draws: Draws
) -> Iterator[tuple[str, int, Maps, list[Maps]]]:
    """Of every draw the held-out shots' least differences, [shots, moves], and those of every other part from them."""
    for name, product in products.items():
        good = maps(product.cells, fitted).astype(np.float16).astype(np.float32)
        others = [
            np.concatenate([good[i : i + 1], maps(own, fitted)]) for i, own in enumerate(product.harmed_cells)
        ]
        pairs = [np.stack([[differences(one, shot) for shot in good] for one in own]) for own in others]
        for count in SHOTS:
            for shots in draws(product, count):
                if len(shots) < LEAST_SHOTS:
                    continue
                held_out = np.stack([pairs[i][0][[j for j in shots if j != i]].min(0) for i in shots])
                rest = [own[shots] for i in range(len(good)) if i not in shots for own in pairs[i]]
                yield name, count, held_out, rest


def _share_moved(held_out: Maps, found: Sequence[Maps], fitted: Fitted) -> float:
    pose, until = usual_of(held_out, fitted)
    if pose is not Pose.FIXED:
        return 0.0
    near = (own[np.argsort(own[:, 0])[:NEAREST]].min(0) for own in found)
    return float(np.mean([lie_of(own, until, fitted).moved >= 1 for own in near]))


class Shots:
    """The shots of a draw, that pictures are held against."""

    def __init__(self, cells: Sequence[Cells], fitted: Fitted) -> None:
        self._poses = Poses(fitted).with_shots("product", maps(cells, fitted), 0)
        self._fitted = fitted

    @property
    def fixed(self) -> bool:
        return self._poses.pose("product") is Pose.FIXED

    def moved(self, cells: Sequence[Cells]) -> list[bool]:
        """Of each picture whether it shows the part elsewhere."""
        if not self.fixed or not cells:
            return [False] * len(cells)
        found: list[Lie] = [self._poses.lie("product", own) for own in maps(cells, self._fitted)]
        return [one.moved >= 1 for one in found]
