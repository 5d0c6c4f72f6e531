"""Looks of pictures that are really drawn, in light, focus and colour of one's choice, and groups of them as they come."""

import zlib
from functools import cache

import numpy as np

from inspector.images.demo import parts
from inspector.images.demo.light import canvas, photograph
from inspector.stations.looks import looks_of
from inspector.verdicts.watch import Groups, ratios

SIZE = 96


def picture(
    kind: str,
    seed: int,
    *,
    light: float = 1.0,
    colour: tuple[float, float, float] = (1, 1, 1),
    blur: float | None = None,
    defect: str | None = None,
) -> np.ndarray:
    """A drawn part, uint8 RGB (SIZE, SIZE, 3). `light`, `colour`: of the lamp, as a share of the usual; `blur`: of the lens."""
    c = canvas(SIZE, [seed, SIZE, zlib.crc32(kind.encode())], defect)
    seen, _ = parts._PARTS[kind].draw(c)
    lit = np.asarray(seen * np.float32(light) * np.array(colour, np.float32), np.float32)
    return photograph(lit, c) if blur is None else photograph(lit, c, (blur * 0.9, blur * 1.1))


@cache
def looks(
    kind: str,
    count: int,
    first: int = 0,
    *,
    light: float = 1.0,
    colour: tuple[float, float, float] = (1, 1, 1),
    blur: float | None = None,
    defect: str | None = None,
) -> np.ndarray:
    """(count, 4): looks of so many parts, as `Looks`."""
    found = []
    for seed in range(first, first + count):
        one = looks_of(picture(kind, seed, light=light, colour=colour, blur=blur, defect=defect))
        found.append((one.brightness, one.sharpness, one.red_green, one.blue_yellow))
    return np.array(found)


def groups(
    pool: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    score: float = 0.25,
    sure: float = 0.9,
    size: int = 30,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and spreads (count, 6) of groups of parts drawn from a pool of looks."""
    known = np.array([ratios(*row) for row in pool])
    drawn = known[rng.integers(0, len(known), (count, size))]
    confidence = np.clip(rng.normal(sure, 0.03, (count, size, 1)), 0, 1)
    scores = rng.gamma(20, score / 20, (count, size, 1))
    values = np.concatenate([drawn, confidence, scores], 2)
    return values.mean(1), values.std(1)


def line(*pieces: tuple[np.ndarray, np.ndarray], size: int = 30) -> Groups:
    """One after the other, ten minutes each."""
    means, spreads = (np.concatenate([piece[place] for piece in pieces]) for place in (0, 1))
    return Groups(np.arange(len(means)) * 600.0, np.full(len(means), size), means, spreads)
