"""Demo parts, drawn by our own code: what a visitor teaches and inspects before own images are at hand."""

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.images.demo import blister, cloth, washer
from inspector.images.demo.light import canvas, photograph
from inspector.paths import write_atomic

_PARTS = {"washer": washer, "blister": blister, "cloth": cloth}
KINDS = tuple(_PARTS)
DEFECTS: dict[str, tuple[str, ...]] = {kind: part.DEFECTS for kind, part in _PARTS.items()}


def draw(
    kind: str, seed: int, defect: str | None = None, size: int = 512
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """One demo part: uint8 RGB (size, size, 3) and the mask of its defect, uint8 (size, size), 0 or 255.

    The same arguments give the same picture, and without `defect` the same part before it was harmed. Pose,
    light, surface, lens blur and sensor noise vary with `seed`. `kind` is one of `KINDS`, `defect` one of
    `DEFECTS[kind]` or None; anything else raises `KeyError`.
    """
    part = _PARTS[kind]
    if defect is not None and defect not in part.DEFECTS:
        raise KeyError(defect)
    c = canvas(size, [seed, size, zlib.crc32(kind.encode())], defect)
    light, extent = part.draw(c)
    return photograph(light, c), np.where(extent > 0.35, 255, 0).astype(np.uint8)


def write_demo(
    folder: Path,
    shots: int = 4,
    good: int = 8,
    defective: int = 8,
    seed: int = 0,
    kinds: tuple[str, ...] = KINDS,
    size: int = 512,
) -> Path:
    """Write an MVTec-AD-style tree for each kind and return `folder`.

    `<kind>/train/good`: `shots` normal shots; `<kind>/test/good` and `<kind>/test/<defect>`: `good` and,
    spread over the defects, `defective` pictures; `<kind>/ground_truth/<defect>/<stem>_mask.png`: their
    masks. Deterministic in `seed`.
    """
    wanted: list[tuple[Path, str, int, str | None]] = []
    for kind in kinds:
        here, first = folder / kind, seed * 100_000
        wanted += [(here / f"train/good/{i:03}.png", kind, first + i, None) for i in range(shots)]
        wanted += [(here / f"test/good/{i:03}.png", kind, first + 10_000 + i, None) for i in range(good)]
        for i in range(defective):
            defect = DEFECTS[kind][i % len(DEFECTS[kind])]
            name = f"test/{defect}/{i // len(DEFECTS[kind]):03}.png"
            wanted.append((here / name, kind, first + 20_000 + i, defect))

    def write(item: tuple[Path, str, int, str | None]) -> None:
        path, kind, number, defect = item
        pixels, mask = draw(kind, number, defect, size)
        write_atomic(path, png(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)))
        if defect:
            write_atomic(folder / kind / "ground_truth" / defect / f"{path.stem}_mask.png", png(mask))

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(write, wanted))
    return folder


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 BGR (h, w, 3) or grey (h, w), hardly compressed."""
    return bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
