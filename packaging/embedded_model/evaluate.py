"""Measure inspector-tiny on labelled parts: `python packaging/embedded_model/evaluate.py DATA --shots 1,2,4 --seeds 3`.

DATA holds classes in MVTec AD's layout. Nothing here trains or chooses anything. Columns, in % (image AUROC / pixel
AUROC / AUPRO up to 0.3), mean over the draws of the shots:

  stem30, stem15   nearest neighbour by cosine on the stem's features (stride 8 grid with stride 16 enlarged; 15×15)
  stem             both stages, 3×3 neighbourhoods, smoothed map: how the app's memory reads the stem
  joint, jointvv   nearest neighbour on joint tokens, original and V-V path
  joint+           the same on V-V tokens with 3×3 neighbourhoods and smoothing
  control          joint tokens of the same shape with untrained blocks
  zero             state map from text alone, no shots; zero-control: the same of the untrained model
  relative         that map less its mean over the shots, in standard deviations over the shots, smoothed
  fusion           stem15, up to twice as high where the relative map is 4 deviations or more above the shots
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.features import inspector_tiny, loading
from inspector.features.backbone import Backbone
from inspector.images.read import read
from inspector.methods.prompts.phrases import ABNORMAL_STATES, NORMAL_STATES, TEMPLATES
from inspector.paths import write_atomic
from inspector.verdicts.metrics import aupro, image_auroc, pixel_auroc

SIDE = 240
WEIGHT = 1.0  # chosen on held-out pictures of the pool: the best image ranking, and pixel AUROC 90 → 96
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def load_class(folder: Path) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Pictures to draw shots from, test pictures, masks [240,240] of the test pictures."""
    shots = [
        read(p).pixels for p in sorted((folder / "train" / "good").iterdir()) if p.suffix.lower() in IMAGES
    ]
    tests, masks = [], []
    for path in sorted(p for p in (folder / "test").rglob("*") if p.suffix.lower() in IMAGES):
        tests.append(read(path).pixels)
        mask = np.zeros((SIDE, SIDE), bool)
        if path.parent.name != "good":
            file = folder / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
            grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            mask = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 127
            if not mask.any():  # a defect thinner than the sampling
                mask = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 0
        masks.append(mask)
    return shots, tests, masks


def features(model: Backbone, pictures: list[np.ndarray]) -> dict[str, Tensor]:
    """All readings of all pictures, [n, patches, channels], unit length where cosines are taken."""
    got: dict[str, list[Tensor]] = {}
    for start in range(0, len(pictures), 8):
        out = model(model.prepare(pictures[start : start + 8]), taps=("stem8", "stem16"), vv_from=1)
        fine, coarse = (
            out.taps[t].float().transpose(1, 2).unflatten(2, out.grids[t]) for t in ("stem8", "stem16")
        )
        wide = F.interpolate(coarse, scale_factor=2, mode="bilinear")
        small = F.avg_pool2d(fine, 2)
        pooled = [F.avg_pool2d(F.pad(s, (1, 1, 1, 1), "replicate"), 3, 1) for s in (small, coarse)]
        assert out.patches is not None
        assert out.vv is not None
        near = F.normalize(out.vv, dim=-1).transpose(1, 2).unflatten(2, (15, 15))
        near = F.avg_pool2d(F.pad(near, (1, 1, 1, 1), "replicate"), 3, 1)
        values = {
            "stem30": torch.cat([fine, wide], 1).flatten(2).transpose(1, 2),
            "stem15": torch.cat([small, coarse], 1).flatten(2).transpose(1, 2),
            "stem": torch.cat([F.normalize(s, dim=1) for s in pooled], 1).flatten(2).transpose(1, 2),
            "joint": out.patches,
            "jointvv": out.vv,
            "joint+": near.flatten(2).transpose(1, 2),
        }
        for name, value in values.items():
            got.setdefault(name, []).append(F.normalize(value, dim=-1))
    return {name: torch.cat(parts) for name, parts in got.items()}


def nearest(query: Tensor, memory: Tensor) -> Tensor:
    """Distance (1 − cosine)/2 of every patch [n,p,c] to the nearest row of `memory` [m,c] → [n,p]."""
    return torch.stack([(1 - (q @ memory.T).amax(-1)) / 2 for q in query])


def text_direction(model: Backbone, name: str) -> Tensor:
    """Mean damaged text less mean normal text [d], both of unit length (WinCLIP's ensemble)."""
    assert model.text is not None
    ends = []
    for states in (NORMAL_STATES, ABNORMAL_STATES):
        texts = [t.format(s.format(name)) for s in states for t in TEMPLATES]
        ends.append(F.normalize(model.text.encode_texts(texts).float().mean(0), dim=0))
    return ends[1] - ends[0]


def figures(patches: Tensor, masks: list[np.ndarray], smooth: bool) -> tuple[float, float, float]:
    """Image score = mean of the highest 1 % of patches (at least three); maps bilinear at 240 px."""
    count = max(3, round(patches.shape[1] * 0.01))
    scores = patches.topk(count, dim=1).values.mean(1).numpy()
    side = int(patches.shape[1] ** 0.5)
    maps = F.interpolate(patches.reshape(-1, 1, side, side), size=(SIDE, SIDE), mode="bilinear")[:, 0].numpy()
    if smooth:
        maps = np.stack([cv2.GaussianBlur(m, (0, 0), 4) for m in maps])
    labels = np.array([m.any() for m in masks])
    return image_auroc(scores, labels), pixel_auroc(list(maps), masks), aupro(list(maps), masks)


def milliseconds(call: Callable[[], object], repeats: int = 25) -> float:
    times = []
    for number in range(repeats + 5):
        begun = time.perf_counter()
        call()
        if number >= 5:
            times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


def speed(model: Backbone) -> dict[str, float]:
    """Median milliseconds an image, this model and the bare Lite0 trunk to stride 16 in turns in the same run."""
    trunk = model.tower.stages  # type: ignore[attr-defined]
    out: dict[str, float] = {}
    for size in (1, 4):
        x = model.prepare([np.zeros((SIDE, SIDE, 3), np.uint8)] * size)
        with torch.inference_mode():
            out[f"lite0_trunk_batch{size}"] = milliseconds(lambda x=x: trunk(x)) / size
            out[f"model_batch{size}"] = milliseconds(lambda x=x: model(x, taps=("stem8", "stem16"))) / size
            out[f"model_vv_batch{size}"] = (
                milliseconds(lambda x=x: model(x, taps=("stem8", "stem16"), vv_from=1)) / size
            )
        out[f"ratio_batch{size}"] = out[f"model_batch{size}"] / out[f"lite0_trunk_batch{size}"]
    return {k: round(v, 2) for k, v in out.items()}


@torch.inference_mode()
def evaluate(
    trained: Backbone, data: Path, shots: list[int], seeds: int, only: list[str] | None = None
) -> dict[str, dict[str, list[float]]]:
    """{"class k": {column: [image AUROC, pixel AUROC, AUPRO]}}, in %."""
    raw = inspector_tiny.create(pretrained=False)
    inspector_tiny.load_stem(raw)
    control = loading.from_model(raw, inspector_tiny.NAME)
    table: dict[str, dict[str, list[float]]] = {}
    for folder in sorted(p for p in data.iterdir() if (p / "test").is_dir() and (not only or p.name in only)):
        pool, tests, masks = load_class(folder)
        ours, theirs = (features(trained, part) for part in (pool, tests))
        plain_pool, plain = features(control, pool)["jointvv"], features(control, tests)["jointvv"]
        name = folder.name.replace("_", " ")
        towards = {"zero": text_direction(trained, name), "zero-control": text_direction(control, name)}
        fixed = {
            "zero": figures(theirs["jointvv"] @ towards["zero"], masks, False),
            "zero-control": figures(plain @ towards["zero-control"], masks, False),
        }
        for k in shots:
            rows: dict[str, list[tuple[float, float, float]]] = {}
            for seed in range(seeds):
                drawn = torch.from_numpy(np.random.default_rng(seed).permutation(len(pool))[:k])
                for column in ("stem30", "stem15", "stem", "joint", "jointvv", "joint+"):
                    distance = nearest(theirs[column], ours[column][drawn].flatten(0, 1))
                    rows.setdefault(column, []).append(figures(distance, masks, column in ("stem", "joint+")))
                    if column == "stem15":
                        normal = ours["jointvv"][drawn] @ towards["zero"]
                        relative = (theirs["jointvv"] @ towards["zero"] - normal.mean()) / normal.std()
                        both = distance * (1 + WEIGHT * (relative / 4).clamp(0, 1))
                        rows.setdefault("fusion", []).append(figures(both, masks, False))
                        rows.setdefault("relative", []).append(figures(relative, masks, True))
                rows.setdefault("control", []).append(
                    figures(nearest(plain, plain_pool[drawn].flatten(0, 1)), masks, False)
                )
                for column, value in fixed.items():
                    rows.setdefault(column, []).append(value)
            table[f"{folder.name} {k}"] = {
                c: [round(100 * float(v), 1) for v in np.mean(r, 0)] for c, r in rows.items()
            }
            print(
                f"{folder.name} {k} shots",
                *(f"{c} {'/'.join(map(str, v))}" for c, v in table[f"{folder.name} {k}"].items()),
                sep="\n  ",
                flush=True,
            )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--shots", default="1,2,4")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="these classes alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--weights", type=Path, help="a folder of other weights than the bundled ones")
    parser.add_argument("--to", type=Path, help="write the figures there as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = inspector_tiny.create(pretrained=False)
    digest = inspector_tiny.load_state(model, options.weights)
    trained = loading.from_model(model, inspector_tiny.NAME, "embedded", digest)
    table = evaluate(
        trained, options.data, [int(k) for k in options.shots.split(",")], options.seeds, options.only
    )
    columns = list(next(iter(table.values())))
    mean = {c: np.mean([row[c] for row in table.values()], 0).round(1).tolist() for c in columns}
    print("| class, shots | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, row in [*table.items(), ("mean", mean)]:
        print(f"| {name} | " + " | ".join(" / ".join(f"{v:.1f}" for v in row[c]) for c in columns) + " |")
    torch.set_num_threads(2)
    timing = speed(trained)
    print(json.dumps(timing))
    if options.to:
        write_atomic(
            options.to, json.dumps({"table": table, "mean": mean, "speed": timing}, indent=1).encode()
        )


if __name__ == "__main__":
    main()
