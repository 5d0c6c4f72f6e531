"""The ways in which a picture may have moved against a shot: shifted, turned, nearer or farther; and how well each explains it.

A map of a picture has GRID × GRID cells. A move says of every cell of the picture which cell of the shot it shows; cells that it
brings from beyond the shot don't count.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

GRID = 15
FARTHEST = 4
"""Cells of a shift."""
TURNS = (-30, -20, -15, -10, 10, 15, 20, 30)
QUARTERS = (90, 180, 270)
SCALES = (1 / 1.4, 1 / 1.2, 1.2, 1.4)
LEAST = 1e-6
SMALL = 0.03
"""Of the picture: by no more do parts in a holder shift by themselves, and nobody is told of it."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Move:
    """What happened to the picture: `turn` in degrees, clockwise; `scale`, how many times as large; then `down` and `right`, in cells."""

    turn: int = 0
    scale: float = 1.0
    down: int = 0
    right: int = 0


@cache
def moves() -> tuple[Move, ...]:
    """All that are looked at; the first is none."""
    far, near = range(-FARTHEST, FARTHEST + 1), (-1, 0, 1)
    shifts = [Move(0, 1.0, down, right) for down in far for right in far]
    turned = [(turn, 1.0) for turn in (*TURNS, *QUARTERS)] + [(0, scale) for scale in SCALES]
    others = [Move(turn, scale, down, right) for turn, scale in turned for down in near for right in near]
    return Move(), *(one for one in shifts if one != Move()), *others


@cache
def _table() -> tuple[NDArray[np.intp], Floats]:
    """By move and cell of the picture: where its pair stands among all pairs (picture, shot) of cells, and its weight."""
    middle = (GRID - 1) / 2
    rows, columns = np.mgrid[:GRID, :GRID] - middle
    places, weights = [], []
    for one in moves():
        angle = math.radians(one.turn)
        y, x = rows - one.down, columns - one.right
        above = np.rint((math.cos(angle) * y - math.sin(angle) * x) / one.scale + middle).astype(np.intp)
        left = np.rint((math.sin(angle) * y + math.cos(angle) * x) / one.scale + middle).astype(np.intp)
        inside = (above >= 0) & (above < GRID) & (left >= 0) & (left < GRID)
        places.append(np.where(inside, above * GRID + left, 0).ravel())
        weights.append(inside.ravel() / inside.sum())
    own = np.arange(GRID * GRID) * GRID * GRID
    return own[None] + np.stack(places), np.stack(weights).astype(np.float32)


@cache
def far_moves() -> NDArray[np.bool_]:
    """Which of `moves`, bool [moves], bring nearly nothing where it was: by a sixth of the picture on average."""
    middle = (GRID - 1) / 2
    where, _ = _table()
    cells = np.arange(GRID * GRID)
    shown = where - cells * GRID * GRID
    inside = _table()[1] > 0
    off = np.hypot(shown // GRID - cells // GRID, shown % GRID - cells % GRID)
    mean = (off * inside).sum(1) / inside.sum(1)
    return np.asarray(mean > middle * 2 / 6)


def differences(picture: Floats, shot: Floats) -> Floats:
    """Of two maps, float32 [GRID², d]: by every one of `moves` the mean squared distance of the cells that it brings together."""
    where, weights = _table()
    pairs = (picture * picture).sum(1)[:, None] + (shot * shot).sum(1) - 2 * (picture @ shot.T)
    found: Floats = np.einsum("mc,mc->m", pairs.ravel()[where], weights)
    return np.maximum(found, np.float32(LEAST))


def told(move: Move, found: Floats) -> str:
    """What happened to a picture, for people, without a capital; `found`: its `differences`, by which a shift is told finer than in
    cells."""
    if move.turn in QUARTERS:
        return f"turned by {'half a turn' if move.turn == 180 else 'a quarter of a turn'}"
    if move.turn:
        return f"turned by about {abs(move.turn)}° {'clockwise' if move.turn > 0 else 'anticlockwise'}"
    if move.scale != 1:
        times = move.scale if move.scale > 1 else 1 / move.scale
        return f"about {times:.1f} times as {'large' if move.scale > 1 else 'small'}"
    shares = (
        (_finer(move, found, "right") / GRID, "right", "left"),
        (_finer(move, found, "down") / GRID, "down", "up"),
    )
    said = [
        f"{abs(share) * 100:.0f} % {'' if more == 'down' else 'to the '}{more if share > 0 else less}"
        for share, more, less in shares
        if abs(share) >= SMALL
    ]
    return f"about {' and '.join(said)}".replace(" % ", " % of the picture ", 1) if said else ""


def _finer(move: Move, found: Floats, axis: str) -> float:
    """Cells of a shift in one direction, between those looked at: the lowest point of a parabola through three."""
    step = Move(down=1) if axis == "down" else Move(right=1)
    place = move.down if axis == "down" else move.right
    around = [Move(0, 1.0, move.down + one * step.down, move.right + one * step.right) for one in (-1, 0, 1)]
    if not set(around) <= set(moves()):
        return float(place)
    low, here, high = (float(found[moves().index(one)]) for one in around)
    bend = low - 2 * here + high
    return place + (0.5 * (low - high) / bend if bend > 0 else 0.0)
