"""Drawn parts as a camera of 12 bits hands them over: 16-bit files whose values stay below 4,096."""

from pathlib import Path

import cv2
import numpy as np

SIDE = 160
LOW, HIGH = 1936, 2176
"""Values that the whole range of 16 bits makes one grey level of: 8."""


def write_part(target: Path, seed: int, *, defect: bool = False, bright: bool = False) -> Path:
    """A brushed disc whose marks are seen in the range of 12 bits alone. `bright`: a corner has values beyond it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    values = np.full((SIDE, SIDE), 2000.0)
    values[(x - 80) ** 2 + (y - 80) ** 2 < 60**2] = 2090
    values += rng.normal(0, 8, values.shape)
    if defect:
        values[60:100, 60:100] = np.where((x // 5 + y // 5) % 2, LOW, HIGH)[60:100, 60:100]
    values = np.clip(values, LOW, HIGH)
    if bright:
        values[:16, :16] = 5000
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), values.astype(np.uint16))
    return target


def write_set(folder: Path, shots: int = 4) -> Path:
    """part/train/good, part/test/good and part/test/bad."""
    for number in range(shots):
        write_part(folder / f"part/train/good/{number}.png", number)
    for number in range(2):
        write_part(folder / f"part/test/good/{number}.png", 100 + number)
        write_part(folder / f"part/test/bad/{number}.png", 200 + number, defect=True)
    return folder / "part"
