"""What several methods of the reference share: one case, fusions, enlarging and smoothing, and both memories."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter
from scipy.special import logit

from inspector.features.backbone import Backbone, Features

Array = NDArray[np.float64]
EPS = 1e-6


@dataclass(frozen=True)
class Case:
    """One image of one class and a stored detector. `proportions`: whether it is looked at undistorted. `without`: the number
    of the shot of its class that doesn't count."""

    backbone: Backbone
    proportions: bool
    stored: Mapping[str, NDArray[Any]]
    settings: Mapping[str, Any]
    bank: Mapping[str, Any]
    names: Sequence[str]
    pixels: NDArray[np.uint8]
    class_name: str
    without: int | None

    @property
    def own(self) -> int:
        """The number of the class."""
        return list(self.names).index(self.class_name)

    @property
    def side(self) -> int:
        return int(self.bank["map_size"])

    def learned(self, name: str) -> Array:
        return np.asarray(self.stored[f"learned.{name}"], np.float64)

    @property
    def grid(self) -> tuple[int, int]:
        """Of the image's patches."""
        return self.backbone.grid_of(self.backbone.frame(self.pixels.shape, self.proportions))

    def prepared(self) -> torch.Tensor:
        return self.backbone.prepare([self.pixels], self.proportions)

    def plane(self, values: Array, sigma: float) -> Array:
        """Patch values on the image's grid → a smoothed map."""
        return self.smoothed(enlarge(values.reshape(self.grid), self.side), sigma)

    def smoothed(self, plane: Array, sigma: float, cut: float = 3) -> Array:
        """By one distance on the image in both directions; cut at three standard deviations, a memory's at four."""
        square = np.sqrt(self.grid[0] * self.grid[1])  # of as many patches
        return smooth(plane, [sigma * square / cells for cells in self.grid], cut)


def array(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None
    return tensor.detach().double().cpu().numpy()


def tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def harmonic(*parts: Any) -> Any:
    """n / Σ 1/xᵢ, and 0 where one of them is."""
    whole = np.broadcast_arrays(*parts)
    zero = np.any([part <= EPS for part in whole], axis=0)
    return np.where(zero, 0.0, len(whole) / np.sum([1 / np.maximum(part, EPS) for part in whole], axis=0))


def abnormal(tokens: Array, normal: Array, other: Array, temperature: float) -> Array:
    """The abnormal entry of a softmax over two states."""
    both = np.stack([tokens @ normal, tokens @ other], -1) / temperature
    return softmax(both)[..., 1]


def odds(p: Array) -> Array:
    return np.asarray(logit(np.clip(p, EPS, 1 - EPS)))


def enlarge(plane: Array, side: int) -> Array:
    return np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR), np.float64)


def smooth(plane: Array, sigmas: Sequence[float], cut: float) -> Array:
    """A Gaussian of `sigmas` cells (rows, columns) of a 60×60 map, mirrored at the border."""
    for axis, sigma in enumerate(sigmas):
        cells = sigma * plane.shape[axis] / 60
        if cells > 0:
            reach = min(max(1, round(cut * cells)), plane.shape[axis] - 1)
            plane = gaussian_filter1d(plane, cells, axis=axis, mode="mirror", radius=reach)
    return plane


def neighbours(tokens: Array, grid: Sequence[int], side: int) -> Array:
    """[N, d] averaged over side × side patches; those outside the image count as zero."""
    planes = tokens.reshape(*grid, -1)
    return np.asarray(uniform_filter(planes, (side, side, 1), mode="constant").reshape(tokens.shape))


# Memories


def described(tokens: Array, grid: Sequence[int], side: int) -> Array:
    pooled = neighbours(tokens, grid, side)
    inside = neighbours(np.ones((len(tokens), 1)), grid, side)
    return np.concatenate([pooled, unit(pooled) * inside], 1)


def kept(case: Case, tap: str) -> list[Array]:
    number = case.bank["classes"].index(case.class_name)
    shots, count = [], 0
    while f"{number}.{count}.{tap}" in case.stored:
        shots.append(np.asarray(case.stored[f"{number}.{count}.{tap}"], np.float64))
        count += 1
    return [shot for place, shot in enumerate(shots) if place != case.without]


def nearest(case: Case, tap: str, patches: Array) -> Array:
    """PatchCore's distance of every patch to the nearest one of the shots: in relative vector and direction, ½ the mean.

    Of both, the share in the main directions of the shots' patches counts, and the length of the rest.
    """
    memory = np.concatenate(kept(case, tap))
    width = memory.shape[1] // 2
    usual = np.sqrt(np.mean(np.sum(memory[:, :width] ** 2, 1)))
    scale = np.concatenate([np.full(width, 1 / usual), np.ones(width)])
    centre = np.mean(memory * scale, 0)
    main = np.linalg.svd(memory * scale - centre)[2][:width].T

    def shortened(some: Array) -> Array:
        inside = (some * scale - centre) @ main
        rest = np.sum((some * scale - centre) ** 2, 1) - np.sum(inside**2, 1)
        return np.concatenate([inside, np.sqrt(np.maximum(rest, 0))[:, None]], 1)

    memory, patches = shortened(memory), shortened(patches)
    squared = [np.min(np.sum((memory - patch) ** 2, 1)) for patch in patches]
    return np.asarray(np.clip(np.sqrt(np.array(squared) / 8), 0, 1))


def residual(case: Case, tap: str, patches: Array) -> Array:
    """SubspaceAD's: what the main directions of the shots' patches leave over."""
    moments = np.sum(kept(case, tap), axis=0)
    moments = moments / moments[-1, -1]
    mean, second = moments[-1, :-1], moments[:-1, :-1]
    values, directions = np.linalg.eigh(second - np.outer(mean, mean))
    values, directions = np.maximum(values[::-1], 0), directions[:, ::-1]
    rank = min(int(np.sum(np.cumsum(values) / values.sum() < 0.99)) + 1, len(values))
    vectors = patches[:, : len(mean)] - mean
    left = vectors - vectors @ directions[:, :rank] @ directions[:, :rank].T
    return np.asarray(np.clip(np.linalg.norm(left, axis=1) / (2 * np.sqrt(np.trace(second))), 0, 1))


def cosine(case: Case, tap: str, patches: Array) -> Array:
    """½(1 − max cos), patch by patch."""
    memory = unit(np.concatenate(kept(case, tap)))
    return np.array([(1 - np.max(memory @ patch)) / 2 for patch in unit(patches)])


def papers_distance(case: Case) -> "Distance":
    """What the prompt papers write; their detectors of earlier versions have PatchCore's."""
    return cosine if case.bank.get("distance") == "cosine" else nearest


Distance = Callable[[Case, str, Array], Array]


def memory_map(case: Case, seen: Features, distance: Distance = nearest) -> Array:
    maps = []
    for tap, tokens in seen.taps.items():
        grid = seen.grids[tap]
        patches = array(tokens)[0]
        if distance is not cosine:
            patches = described(patches, grid, case.bank["neighbourhood"])
        plane = enlarge(distance(case, tap, patches).reshape(grid), case.side)
        square = np.sqrt(grid[0] * grid[1])
        maps.append(smooth(plane, [case.bank["sigma"] * square / cells for cells in grid], 4))
    return np.asarray(np.clip(np.mean(maps, axis=0), 0, 1))


JOINS: dict[str, Callable[..., Array]] = {
    "harmonic": harmonic,
    "sum": lambda *x: np.sum(x, axis=0),
    "mean": lambda *x: np.mean(x, axis=0),
    "none": lambda state: state,
    "weighed": lambda state, memory: memory * (0.75 + 0.5 * state),
}
