"""The reference of the methods that are a memory and nothing else."""

import numpy as np
import torch
from equations import Array, Case, Distance, array, cosine, enlarge, memory_map, nearest, residual
from scipy.ndimage import binary_dilation, binary_erosion

from inspector.features.backbone import Features


def patchcore(case: Case, distance: Distance = nearest) -> tuple[Array, float]:
    taps = case.settings["taps"] or case.backbone.default_taps
    seen = Features(None, None, None, {}, {})
    for tap in taps:
        first, _, last = tap.removeprefix("block").partition("-")
        names = [f"block{n}" for n in range(int(first), int(last) + 1)] if last else [tap]
        own = case.backbone.forward(case.prepared(), taps=names, joint=False)
        seen.taps[tap] = sum(own.taps.values(), torch.zeros(())) / len(names)
        seen.grids[tap] = own.grids[names[0]]
    found = memory_map(case, seen, distance)
    return found, found.max()


def subspace(case: Case) -> tuple[Array, float]:
    found, _ = patchcore(case, residual)
    count = max(1, round(case.settings.get("highest", 0) * found.size))
    return found, float(np.mean(np.sort(found, axis=None)[-count:]))


def anomalydino(case: Case) -> tuple[Array, float]:
    tokens = array(case.backbone.forward(case.prepared()).patches)[0]
    values = 2 * cosine(case, "patches", tokens)
    masked = case.settings["masked"]
    if masked is None or case.class_name in masked:
        values = values * foreground(tokens, case.grid).flatten()
    found = case.smoothed(enlarge(values.reshape(case.grid), case.side), case.bank["sigma"], 4)
    return found, float(np.mean(np.sort(values)[-max(1, len(values) // 100) :]))


def foreground(tokens: Array, grid: tuple[int, int]) -> Array:
    """Which patches show the part, by the first principal component of the image's own patches."""
    left, lengths, _ = np.linalg.svd(tokens - tokens.mean(0), full_matrices=False)
    component = (left[:, 0] * lengths[0]).reshape(grid)
    component *= np.sign(component.flat[np.argmax(np.abs(component))])
    rows, columns = (slice(int(side * 0.2), int(side * 0.8)) for side in grid)
    for mask in (component > 10, component < -10):
        if mask[rows, columns].mean() > 0.35:
            square = np.ones((3, 3), bool)
            wide = binary_dilation(binary_dilation(mask, square), square)
            return np.asarray(binary_erosion(wide, square, border_value=1), np.float64)
    return np.ones(grid)
