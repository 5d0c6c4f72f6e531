"""Gaussian smoothing of maps, once for all: sigma in cells
of a 60×60 map, mirrored borders (the edge cell not doubled).

A kernel is cut off where it says next to nothing. Memories cut at four standard deviations, prompts at three,
as ever: stored detectors keep their scores, which would move by up to 0.3 % if both cut alike.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

SIDE = 60
"""Cells along the map that sigma is given for; a finer map is smoothed over more of its cells."""
MEMORY_CUT, PROMPT_CUT = 4.0, 3.0
"""Standard deviations from which on the kernel counts as 0."""


@lru_cache(maxsize=64)
def blur(side: int, sigma: float, cut: float) -> Tensor:
    """The smoothing of `side` cells in a row as one matrix, float32 [side, side], whose rows sum to 1.

    `sigma` ≥ 0 in cells of a map of SIDE; 0 gives the identity. Weight i is exp(−i²/2σ²) up to |i| =
    round(cut·σ), at least one cell and at most to the far border, divided by their sum.
    """
    cells = sigma * side / SIDE
    if cells <= 0:
        return torch.eye(side)
    reach = min(max(1, round(cut * cells)), side - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = torch.exp(-offsets.square() / (2 * cells * cells))
    weights /= weights.sum()
    positions = (torch.arange(side)[:, None] + offsets.long()).abs()
    positions = torch.where(positions >= side, 2 * (side - 1) - positions, positions)
    return torch.zeros(side, side).scatter_add_(1, positions, weights.expand(side, -1).clone())


def along(grid: tuple[int, int], sigma: float) -> tuple[float, float]:
    """`sigma` in cells along the rows and the columns of a map that shows `grid` patches stretched to a square: the same
    distance on the image in both directions, and what it is in the square of as many patches."""
    side = math.sqrt(grid[0] * grid[1])
    return sigma * side / grid[0], sigma * side / grid[1]


def smoothed(planes: Tensor, sigma: float, grid: tuple[int, int] = (1, 1), cut: float = PROMPT_CUT) -> Tensor:
    """Maps [B, h, w] of images seen on `grid` after a Gaussian of `sigma`, see `along`; float32 [B, h, w]."""
    if sigma <= 0:
        return planes
    rows, columns = (
        blur(side, one, cut).to(planes.device)
        for side, one in zip(planes.shape[-2:], along(grid, sigma), strict=True)
    )
    return rows @ planes.float() @ columns.T
