"""The part of an anomaly map that is in sight, at screen resolution. What its values look like is `exports.heat`'s."""

import numpy as np
from numpy.typing import NDArray

from inspector.exports.heat import MASK_COLOUR


def _weights(at: NDArray[np.float64], size: int) -> tuple[int, int, NDArray[np.float32]]:
    """Bilinear weights (used cells, len(at)) for positions `at` in cells, and which cells [first, last) they use."""
    at = np.clip(at, 0, size - 1)
    cell = np.minimum(at.astype(np.intp), max(size - 2, 0))
    part = (at - cell).astype(np.float32)
    first, last = int(cell[0]), min(int(cell[-1]) + 2, size)
    weights = np.zeros((last - first, len(at)), np.float32)
    column = np.arange(len(at))
    weights[cell - first, column] = 1 - part
    if size > 1:
        weights[cell - first + 1, column] += part
    return first, last, weights


def enlarge(
    values: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The map at the crossings of `x` and `y`, rising positions as fractions 0–1 of the image: (len(y), len(x)).

    Bilinear between cell centres, flat beyond the outermost, as `cv2.resize(..., INTER_LINEAR)` has it.
    """
    top, bottom, down = _weights(y * values.shape[0] - 0.5, values.shape[0])
    left, right, across = _weights(x * values.shape[1] - 0.5, values.shape[1])
    return np.asarray(down.T @ values[top:bottom, left:right] @ across, np.float32)


def outline(inside: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Premultiplied ARGB of the rim of a mask: a line of two pixels in the mask's colour, dark around it."""

    def rim(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        edge = np.zeros_like(mask)
        edge[1:] |= mask[1:] ^ mask[:-1]
        edge[:-1] |= edge[1:]
        across = mask[:, 1:] ^ mask[:, :-1]
        edge[:, 1:] |= across
        edge[:, :-1] |= across
        return edge

    line = rim(inside)
    halo = line.copy()
    halo[1:] |= line[:-1]
    halo[:-1] |= line[1:]
    halo[:, 1:] |= line[:, :-1]
    halo[:, :-1] |= line[:, 1:]
    red, green, blue = MASK_COLOUR
    colour = np.uint32(0xFF000000 | red << 16 | green << 8 | blue)
    return np.where(line, colour, np.where(halo, np.uint32(0x90000000), np.uint32(0)))
