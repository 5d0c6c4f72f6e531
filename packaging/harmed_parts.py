"""A labelled set to choose settings on when there are only good parts: some stay shots, the others are tested, as they
are and harmed in five ways. No test image is touched.

    python packaging/harmed_parts.py DATA OUT
    inspector evaluate OUT --method anople,patchcore --shots 1,2,4 --seeds 3 --output DIR

DATA: a folder that `inspector evaluate` reads; of every class the first `--shots` training images by name become
OUT/CLASS/train/good, each further one a good test image and `--copies` harmed ones with their masks (MVTec AD layout).
The same arguments give the same files. The harm knows nothing of what the methods are taught with.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.images import read
from inspector.jobs.evaluation import datasets

LEAST_SIDE = 480
"""Larger images are decoded at about this short side, as they are looked at with less."""
VISIBLE, TRIES = 10, 20
"""Grey levels (of 255) by which a third of a defect must differ from what was there, and places that are tried for it."""

Pixels = NDArray[np.uint8]
Harm = Callable[[Pixels, tuple[int, int], np.random.Generator], tuple[Pixels, Pixels]]
"""(image, where (y, x), rng) → what lies in the defect (image-sized) and its mask, 1 where defective."""


def crack(pixels: Pixels, at: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A dark thin walk."""
    mask, side = _plain(pixels)
    heading, (y, x) = rng.uniform(0, 2 * np.pi), at
    points = [(x, y)]
    for _ in range(12):
        heading += rng.normal(0, 0.5)
        x, y = round(x + side / 50 * np.cos(heading)), round(y + side / 50 * np.sin(heading))
        points.append((x, y))
    cv2.polylines(mask, [np.array(points, np.int32)], False, 1, max(2, side // 200))
    return (pixels * rng.uniform(0.45, 0.75)).astype(np.uint8), mask


def spot(pixels: Pixels, at: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A brighter or darker ellipse."""
    mask = _ellipse(pixels, at, rng, 0.015, 0.05)
    return np.clip(pixels + rng.choice([-1, 1]) * rng.uniform(25, 60), 0, 255).astype(np.uint8), mask


def missing(pixels: Pixels, at: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Something is gone: its surroundings close over it."""
    mask = _ellipse(pixels, at, rng, 0.03, 0.08)
    return np.asarray(cv2.inpaint(pixels, mask, 5, cv2.INPAINT_TELEA), np.uint8), mask


def dent(pixels: Pixels, at: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A whirl that bends what is there."""
    mask, side = _plain(pixels)
    (y, x), radius = at, side * rng.uniform(0.05, 0.1)
    cv2.circle(mask, (x, y), round(radius), 1, -1)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    turn = np.clip(1 - np.hypot(rows - y, columns - x) / radius, 0, 1) * rng.uniform(1, 2)
    across = x + (columns - x) * np.cos(turn) - (rows - y) * np.sin(turn)
    down = y + (columns - x) * np.sin(turn) + (rows - y) * np.cos(turn)
    bent = cv2.remap(pixels, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(bent, np.uint8), mask


def misplaced(pixels: Pixels, at: tuple[int, int], rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """A rectangle from elsewhere in the same image."""
    mask, side = _plain(pixels)
    high, wide = (round(side * rng.uniform(0.08, 0.16)) for _ in range(2))
    height, width = pixels.shape[:2]
    y, x = min(max(at[0] - high // 2, 0), height - high), min(max(at[1] - wide // 2, 0), width - wide)
    from_y, from_x = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    inside, harmed = np.s_[y : y + high, x : x + wide], pixels.copy()
    harmed[inside] = pixels[from_y : from_y + high, from_x : from_x + wide]
    mask[inside] = 1
    return harmed, mask


HARMS: tuple[Harm, ...] = (crack, spot, missing, dent, misplaced)


def harmed(pixels: Pixels, harm: Harm, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """uint8 RGB (h, w, 3) → the image with one defect, and its mask (h, w), 0 or 255. The defect lies where there is
    something to harm, and can be seen."""
    grey, spread = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), min(pixels.shape[:2]) / 30
    busy = cv2.GaussianBlur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (0, 0), spread).ravel() + 1e-6
    likely = np.cumsum(busy, dtype=np.float64)
    for _ in range(TRIES):
        place = int(np.searchsorted(likely, rng.uniform(0, likely[-1])))
        y, x = divmod(min(place, busy.size - 1), pixels.shape[1])
        inside, mask = harm(pixels, (y, x), rng)
        share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)[..., None]
        mixed = np.clip(pixels * (1 - share) + inside * share, 0, 255).astype(np.uint8)
        if (cv2.absdiff(mixed, pixels).max(-1)[mask > 0] >= VISIBLE).mean() >= 0.3:
            break
    return mixed, (255 * mask).astype(np.uint8)


def write(data: Path, out: Path, shots: int, copies: int) -> None:
    for number, (name, samples) in enumerate(datasets.read(data).train.items()):
        paths = sorted(sample.path for sample in samples)
        for index, path in enumerate(paths):
            pixels = read.read(path, LEAST_SIDE).pixels
            if index < shots:
                _save(out / name / "train" / "good" / f"{index:03}.png", pixels)
                continue
            _save(out / name / "test" / "good" / f"{index:03}.png", pixels)
            for copy in range(copies):
                harm = HARMS[(index * copies + copy) % len(HARMS)]
                bad, mask = harmed(pixels, harm, np.random.default_rng([number, index, copy]))
                stem, kind = f"{index:03}_{copy}", harm.__name__
                _save(out / name / "test" / kind / f"{stem}.png", bad)
                _save(out / name / "ground_truth" / kind / f"{stem}_mask.png", mask)
        print(f"{name}: {min(shots, len(paths))} shots, {max(0, len(paths) - shots)} parts to test")


def _plain(pixels: Pixels) -> tuple[Pixels, int]:
    return np.zeros(pixels.shape[:2], np.uint8), min(pixels.shape[:2])


def _ellipse(
    pixels: Pixels, at: tuple[int, int], rng: np.random.Generator, least: float, most: float
) -> Pixels:
    mask, side = _plain(pixels)
    axes = [max(1, round(side * rng.uniform(least, most))) for _ in range(2)]
    cv2.ellipse(mask, (at[1], at[0]), axes, rng.uniform(0, 180), 0, 360, 1, -1)
    return mask


def _save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), bgr):
        raise OSError(f"{path} can't be written.")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("data", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--shots", type=int, default=8, help="training images of a class that stay shots")
    options.add_argument("--copies", type=int, default=3, help="harmed copies of every other training image")
    given = options.parse_args()
    write(given.data, given.out, given.shots, given.copies)


if __name__ == "__main__":
    main()
