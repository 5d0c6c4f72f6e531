"""Frozen features of every pool picture, computed once, in fp16 memory maps.

Rows 2i and 2i+1 are the good and the damaged picture of pair i. `local` holds the stages at stride 8 (pooled) and 16,
`meaning` the classifier's local evidence projected on the semantic basis, `logits` the whole network's answer.
"""

import json
import multiprocessing
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from defects import sample
from pool import Pool
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features import inspector_tiny

SHAPES = {
    "local": ((225, 152), np.float16),
    "deep": ((64, 320), np.float16),
    "meaning": ((64, 160), np.float16),
    "logits": ((1000,), np.float16),
    "share": ((225,), np.float16),
    "kind": ((), np.int8),
}


def teacher() -> nn.Module:
    """The whole frozen EfficientNet-Lite0."""
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    names = net.state_dict()
    net.load_state_dict(dict(zip(names, inspector_tiny.lite0_state().values(), strict=True)))
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def semantic_basis(net: nn.Module) -> tuple[Tensor, Tensor]:
    """B [160,1280]: leading right singular vectors of the centred classifier, and the class vectors in it
    [1000,160], unit length."""
    weight = net.classifier.weight.detach()
    centred = weight - weight.mean(0)
    _, _, v = torch.linalg.svd(centred, full_matrices=False)
    basis = v[:160].contiguous()
    return basis, F.normalize(centred @ basis.T, dim=1)


def open_maps(folder: Path, rows: int, mode: str) -> dict[str, np.memmap]:
    return {
        name: np.memmap(folder / f"{name}.bin", dtype=kind, mode=mode, shape=(rows, *shape))
        for name, (shape, kind) in SHAPES.items()
    }


@torch.inference_mode()
def _fill(folder: Path, pool_folder: Path, seed: int, first: int, last: int, rows: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pool, net = Pool(pool_folder), teacher()
    basis, _ = semantic_basis(net)
    maps = open_maps(folder, rows, "r+")
    names = []
    for start in range(first, last, 8):
        pairs = [sample(pool, seed, number) for number in range(start, min(start + 8, last))]
        pictures = np.stack([p[side] for p in pairs for side in ("good", "bad")])
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        x = net.bn1(net.conv_stem(x.contiguous(memory_format=torch.channels_last)))
        fine = net.blocks[:3](x)
        coarse = net.blocks[3:5](fine)
        deep = net.blocks[5:](coarse)
        last_map = net.bn2(net.conv_head(deep))
        at = slice(2 * start, 2 * start + len(x))
        local = torch.cat([F.avg_pool2d(fine, 2), coarse], 1).flatten(2).transpose(1, 2)
        maps["local"][at] = local.half().numpy()
        maps["deep"][at] = deep.flatten(2).transpose(1, 2).half().numpy()
        maps["meaning"][at] = (last_map.flatten(2).transpose(1, 2) @ basis.T).half().numpy()
        maps["logits"][at] = net.classifier(last_map.mean((2, 3))).half().numpy()
        maps["share"][at] = np.stack([s for p in pairs for s in (0 * p["share"].ravel(), p["share"].ravel())])
        maps["kind"][at] = np.array([k for p in pairs for k in (-1, p["kind"])])
        names += [p["name"] for p in pairs]
    (folder / f"names-{first}.json").write_text(json.dumps(names), encoding="utf-8")


def build(
    folder: Path, pool_folder: Path, pairs: int, seed: int, workers: int = 2
) -> tuple[dict[str, np.memmap], list[str]]:
    """The maps for `pairs` pairs and every pair's name; computed only where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, edges = 2 * pairs, np.linspace(0, pairs, workers + 1).astype(int)
    done = folder / f"done-{pairs}-{seed}"
    if not done.exists():
        Pool(pool_folder)
        open_maps(folder, rows, "w+")
        context = multiprocessing.get_context("spawn")
        jobs = [
            context.Process(target=_fill, args=(folder, pool_folder, seed, int(a), int(b), rows))
            for a, b in pairwise(edges)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
            if job.exitcode:
                raise SystemExit("a worker that computes features failed")
        done.touch()
    names = [
        n for a in edges[:-1] for n in json.loads((folder / f"names-{a}.json").read_text(encoding="utf-8"))
    ]
    return open_maps(folder, rows, "r"), names
