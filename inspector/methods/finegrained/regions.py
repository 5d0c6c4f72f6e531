"""Language-guided region aggregation: which patches of a good part each phrase of its description speaks of.

FineGrainedAD (Fan et al., Pattern Recognition 2026), section 3.4, on DPC-KNN (Du, Ding and Jia, Knowledge-Based
Systems 2016). Clustering coordinates are the patches' cosines to the phrases instead of the patches themselves; first
foreground and background are parted, then the foreground into one region a phrase; on tiles of an enlarged image.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken
from inspector.features.backbone import Backbone
from inspector.features.framing import resized
from inspector.methods.prompts.tokens import normalised

MAX_SIDE = 64
"""Patches along a side of a clustered square: distances between all pairs stay below 70 MB."""
NEIGHBOURS = 8, 5
"""DPC-KNN's k in the first and second stage."""


def dpc_knn(points: Tensor, neighbours: int, clusters: int, centres: Tensor | None = None) -> Tensor:
    """Cluster numbers [n] of points [n, c] by density peaks.

    Density ρ = exp(−mean squared distance to the k nearest); δ = distance to the nearest denser point (the largest
    distance for the densest); the points with the highest ρ·δ are centres, and every point joins its nearest centre.
    `centres` [clusters]: point numbers to use instead. Ties go to the lower number, so the result is repeatable.
    """
    distance = torch.cdist(points.float(), points.float()) / points.shape[1] ** 0.5
    count = len(points)
    clusters = min(clusters, count)
    if centres is None:
        k = min(neighbours, count - 1)
        nearest = distance.topk(k + 1, largest=False).values[:, 1:] if k else distance
        density = torch.exp(-nearest.square().mean(-1))
        order = torch.argsort(density, descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(count, device=order.device)
        denser = rank[None, :] < rank[:, None]
        apart = distance.masked_fill(~denser, torch.inf).amin(-1)
        apart[order[0]] = distance[order[0]].max()
        centres = torch.argsort(density * apart, descending=True, stable=True)[:clusters]
    labels: Tensor = distance[:, centres].argmin(-1)
    labels[centres] = torch.arange(len(centres), device=labels.device)
    return labels


def regions(tokens: Tensor, parts: Tensor, background: Tensor, centres: str = "language") -> Tensor:
    """Which tokens belong to each phrase: bool [1 + parts, n], the background first.

    tokens [n, d], parts [E, d], background [d], all of unit length. `centres` "language" starts every region at the
    token that is most similar to its phrase (the paper); "density" lets DPC-KNN choose E + 1 centres, and each phrase
    takes the region whose mean is most similar (the released code).
    """
    phrases = torch.cat([background[None], parts])
    similar = tokens @ phrases.T
    owner = _two(tokens, similar, background, F.normalize(parts.mean(0), dim=-1), centres)
    found = torch.zeros(len(phrases), len(tokens), dtype=torch.bool, device=tokens.device)
    front = (~owner).nonzero().flatten()
    found[0] = owner
    if len(front) <= len(parts):
        found[1:, front] = True
        return found
    inside = similar[front]
    seeds = inside[:, 1:].argmax(0)
    if centres == "language" and len(set(seeds.tolist())) == len(seeds):
        labels = dpc_knn(inside, NEIGHBOURS[1], len(parts), seeds)
        chosen = torch.arange(len(parts), device=tokens.device)
    else:
        labels = dpc_knn(inside, NEIGHBOURS[1], len(parts) + 1)
        chosen = (_means(tokens[front], labels) @ parts.T).argmax(0)
    for number, label in enumerate(chosen.tolist()):
        found[1 + number, front[labels == label]] = True
    return found


def region_weights(found: Tensor, grid: tuple[int, int], extra: float) -> Tensor:
    """Region masks [L, rows · columns] of an enlarged image → learning weights [L, N] on the backbone's own grid.

    1 everywhere and `extra` more inside a region, averaged over the patches that lie in one of the grid's cells.
    """
    count = round((found.shape[1] / (grid[0] * grid[1])) ** 0.5)
    planes = found.float().reshape(len(found), 1, grid[0] * count, grid[1] * count)
    return 1 + extra * F.avg_pool2d(planes, count).flatten(1)


def tile_count(pixels: NDArray[np.uint8], backbone: Backbone, most: int) -> int:
    """Tiles along either side that the resolution of an image (h, w, 3) fills, at most `most` and MAX_SIDE² patches."""
    frame = backbone.frame(pixels.shape, True)
    fits = round(int(min(pixels.shape[:2])) / min(frame))
    return max(1, min(most, fits, int(MAX_SIDE / math.sqrt(math.prod(backbone.grid_of(frame))))))


def tile_tokens(
    pixels: NDArray[np.uint8], backbone: Backbone, count: int, see: dict[str, Any], cancel: CancelToken
) -> Tensor:
    """Joint tokens of unit length of the enlarged image, [rows · columns, d], rows = count × the grid's.

    `see`: options for the pass (`vv_from`). The V-V path is read where it is asked for.
    """
    height, width = frame = backbone.frame(pixels.shape, True)
    rows, columns = backbone.grid_of(frame)
    large = resized(pixels, (height * count, width * count))
    lines = []
    for y in range(count):
        cancel.check()
        cut = large[y * height : (y + 1) * height]
        tiles: Sequence[NDArray[np.uint8]] = [
            np.ascontiguousarray(cut[:, x * width : (x + 1) * width], dtype=np.uint8) for x in range(count)
        ]
        seen = backbone.forward(backbone.prepare(tiles, True), **see)
        tokens = normalised(seen.patches if seen.vv is None else seen.vv)
        lines.append(
            tokens.reshape(count, rows, columns, -1).transpose(0, 1).reshape(rows, count * columns, -1)
        )
    return torch.cat(lines).flatten(0, 1)


def _two(tokens: Tensor, similar: Tensor, background: Tensor, front: Tensor, centres: str) -> Tensor:
    """Which tokens are background, bool [n]: one of two clusters, never all of them."""
    seeds = None
    if centres == "language":
        seeds = torch.stack([similar[:, 0].argmax(), (tokens @ front).argmax()])
        seeds = seeds if seeds[0] != seeds[1] else None
    labels = dpc_knn(similar, NEIGHBOURS[0], 2, seeds)
    if seeds is not None:
        return labels == 0
    means = _means(tokens, labels)
    return (
        labels == (means @ background).argmax()
        if len(means) > 1
        else torch.zeros_like(labels, dtype=torch.bool)
    )


def _means(tokens: Tensor, labels: Tensor) -> Tensor:
    """The clusters' mean directions [clusters, d]."""
    sums = torch.zeros(int(labels.max()) + 1, tokens.shape[1], device=tokens.device)
    return F.normalize(sums.index_add_(0, labels, tokens), dim=-1)
