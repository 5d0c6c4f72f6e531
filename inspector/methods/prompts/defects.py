"""Simulated defects: what a learned method sees of the abnormal side when there are only good parts.

In pixel space a Perlin-noise mask decides where (Zavrtanik et al., DRAEM, 2021) and a strongly altered copy
of a good part decides what; in latent space unit tokens inside a mask are pushed off by Gaussian noise (Liu
et al., SimpleNet, 2023). Nothing here knows what real defects look like.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]
VISIBLE = 10
"""Grey levels (of 255) by which a pixel must change to be called defective."""


def perlin(
    height: int, width: int, periods: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Gradient noise, float32 [height, width] in about −1…1, with `periods` lattice cells along y and x."""
    down, across = periods
    angles = rng.uniform(0, 2 * np.pi, (down + 1, across + 1)).astype(np.float32)
    gy, gx = np.sin(angles), np.cos(angles)
    y = (np.arange(height, dtype=np.float32) + 0.5) * down / height
    x = (np.arange(width, dtype=np.float32) + 0.5) * across / width
    iy, ix = y.astype(np.intp), x.astype(np.intp)
    fy = np.asarray(y - iy, dtype=np.float32)[:, None]
    fx = np.asarray(x - ix, dtype=np.float32)[None, :]

    def corner(dy: int, dx: int) -> NDArray[np.float32]:
        at = np.ix_(iy + dy, ix + dx)
        return np.asarray(gy[at] * (fy - dy) + gx[at] * (fx - dx), dtype=np.float32)

    def fade(t: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(t**3 * (t * (6 * t - 15) + 10), dtype=np.float32)

    top = corner(0, 0) + fade(fx) * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + fade(fx) * (corner(1, 1) - corner(1, 0))
    return np.asarray(np.sqrt(2) * (top + fade(fy) * (bottom - top)), dtype=np.float32)


def mask(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where a defect lies: bool [height, width], never empty, never more than half of the image.

    Perlin noise with 1–32 cells along each axis, turned at random and cut at ½. In half of the cases only one
    connected part is kept: most real defects are in one place.
    """
    for _ in range(8):
        down, across = (int(2 ** rng.integers(0, 6)) for _ in range(2))
        side = int(np.ceil(np.hypot(height, width)))
        field = perlin(side, side, (down, across), rng)
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(-90, 90)), 1.0)
        field = cv2.warpAffine(field, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
        y, x = (side - height) // 2, (side - width) // 2
        found: NDArray[np.bool_] = field[y : y + height, x : x + width] > 0.5
        if found.any() and rng.random() < 0.5:
            found = _one_part(found, rng)
        if 0.0005 < found.mean() <= 0.5:
            return found
    spot = np.zeros((height, width), np.uint8)
    center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    radius = (max(2, width // 12), max(2, height // 24))
    cv2.ellipse(spot, center, radius, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return spot.astype(bool)


def altered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A strongly altered copy, uint8 of the same shape: what fills a defect.

    Turned and mirrored, then two of: channel gains and offsets, blur,
    shuffled cells, inverted tones, coarse tones, a flat colour with grain.
    """
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(0, 360)), float(rng.uniform(0.7, 1.6))
    )
    turn[:, 2] += rng.uniform(-0.25, 0.25, 2) * (width, height)
    made = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    if rng.random() < 0.5:
        made = made[:, ::-1]
    for kind in rng.choice(6, 2, replace=False):
        if kind == 0:
            made = made * rng.uniform(0.4, 1.6, 3) + rng.uniform(-60, 60, 3)
        elif kind == 1:
            made = cv2.GaussianBlur(np.ascontiguousarray(made), (0, 0), float(rng.uniform(2, 6)))
        elif kind == 2:
            made = _shuffled(made, int(rng.choice([2, 4, 8])), rng)
        elif kind == 3:
            made = 255 - made
        elif kind == 4:
            made = np.round(made / 64) * 64
        else:
            grain = cv2.resize(
                rng.normal(0, 25, (height // 4 + 1, width // 4 + 1)).astype(np.float32), (width, height)
            )
            made = rng.uniform(0, 255, 3).astype(np.float32) + grain[..., None]
    return np.asarray(np.clip(made, 0, 255), dtype=np.uint8)


def damaged(pixels: Pixels, source: Pixels, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.bool_]]:
    """`pixels` (uint8 [h, w, 3]) with one simulated defect made of an altered `source` of the same shape.

    Returns the damaged copy and its mask, bool [h, w]. Opacity is drawn from 0.2–1, the border is soft, and
    only pixels that changed visibly are in the mask.
    """
    height, width = pixels.shape[:2]
    grey = bool((pixels[..., :1] == pixels).all())
    for _ in range(8):
        where = mask(height, width, rng)
        soft = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 1.0)[..., None] * float(
            rng.uniform(0.2, 1.0)
        )
        fill = altered(source, rng)
        if grey:
            fill = fill.mean(-1, keepdims=True).astype(np.uint8)  # a grey camera sees no colours
        mixed = np.clip(np.round(pixels * (1 - soft) + fill * soft), 0, 255).astype(np.uint8)
        where = np.abs(mixed.astype(np.int16) - pixels).max(-1) >= VISIBLE
        if where.mean() > 0.0005:
            break
    return mixed, where


def to_grid(where: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float32]:
    """A mask [h, w] as the covered share of each cell of a coarser grid, float32 `size` (h, w) in 0–1."""
    share = cv2.resize(where.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(share, dtype=np.float32)


def grid_masks(count: int, grid: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Masks for latent defects, float [count, h, w] of 0 and 1, none empty."""
    made = []
    for _ in range(count):
        share = to_grid(mask(grid[0] * 8, grid[1] * 8, rng), grid)
        made.append(share >= min(0.5, float(share.max())))
    return torch.from_numpy(np.stack(made).astype(np.float32))


def latent(
    tokens: Tensor, where: Tensor, draw: torch.Generator, strength: tuple[float, float] = (0.3, 1.0)
) -> Tensor:
    """Unit tokens [B, N, d] pushed off by Gaussian noise where
    `where` [B, N] is 1, and brought back to unit length.

    The noise's length lies in `strength`, drawn once an image.
    """
    noise = torch.randn(tokens.shape, generator=draw).to(tokens)
    low, high = strength
    length = low + (high - low) * torch.rand(tokens.shape[0], 1, 1, generator=draw).to(tokens)
    pushed = tokens + where.unsqueeze(-1) * length * noise / tokens.shape[-1] ** 0.5
    return torch.nn.functional.normalize(pushed, dim=-1)


def _one_part(found: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    return np.asarray(labels == int(rng.integers(1, count)), dtype=bool)


def _shuffled(pixels: NDArray[np.float32], cells: int, rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = (side // cells * cells for side in pixels.shape[:2])
    made = pixels.copy()
    blocks = pixels[:height, :width].reshape(cells, height // cells, cells, width // cells, 3).swapaxes(1, 2)
    mixed = blocks.reshape(cells * cells, height // cells, width // cells, 3)[rng.permutation(cells * cells)]
    made[:height, :width] = mixed.reshape(blocks.shape).swapaxes(1, 2).reshape(height, width, 3)
    return made
