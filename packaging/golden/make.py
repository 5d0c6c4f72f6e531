"""Write tests/data/golden/scores.npz: what the reference says of drawn parts by the stored detector of every method.

    python packaging/golden/make.py

The detectors are those of tests/data/projects/v2.zip, on the embedded model in full precision. Maps are kept at every
second cell in half precision, scores in full. Run again only when what a method scores is meant to change, and say so.
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(Path(__file__).parent))

from reference import score  # noqa: E402

from inspector.features import loading  # noqa: E402
from inspector.images.demo import parts as demo_parts  # noqa: E402

STORED = ROOT / "tests" / "data" / "projects" / "v2.zip"
TARGET = ROOT / "tests" / "data" / "golden" / "scores.npz"
PRODUCT = "washer"
PARTS = ((31, None, 160), (32, demo_parts.DEFECTS[PRODUCT][0], 160), (33, None, 80))
"""Seed, defect and width of every drawn part: the last is cut in half, as earlier versions' methods stretched to squares."""


def drawn(seed: int, defect: str | None, width: int) -> np.ndarray:
    """A part, uint8 [160, width, 3]."""
    pixels, _ = demo_parts.draw(PRODUCT, seed, defect, size=160)
    return np.ascontiguousarray(pixels[:, :width])


def main() -> None:
    backbone = loading.load(device="cpu", dtype=torch.float32)
    kept: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as top:
        with zipfile.ZipFile(STORED) as archive:
            archive.extractall(top)
        for file in sorted(Path(top).glob("detectors/*/detector.json")):
            method = json.loads(file.read_text("utf-8"))["method"]
            for number, part in enumerate(PARTS):
                values, image = score(file.parent, backbone, drawn(*part), PRODUCT)
                kept[f"{method}.{number}.map"] = values[::2, ::2].astype(np.float16)
                kept[f"{method}.{number}.score"] = np.float64(image)
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, **kept)
    print(f"{TARGET.relative_to(ROOT)}: {len(kept)} arrays, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
