"""Train inspector-tiny from nothing but pinned packages: `python packaging/embedded_model/train.py`.

1. pictures: collect the pool, draw clean/defective pairs (pool.py, defects.py);
2. features: run the frozen EfficientNet-Lite0 once over all of them (cache.py);
3. image tower: 225 tokens that keep the stem's nearest-neighbour geometry, carry the classifier's local meaning and
   tell damaged from good, on the original and on the V-V path at once; a class token near its class vectors;
4. text tower: names, states and templates to the same vectors (text.py, at the same time, in its own process);
5. held-out figures and the files under resources/models/inspector-tiny.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import cache
import numpy as np
import text as text_tower
import torch
import words
from image import APPEARANCE, MEANING, SCALE, STATE, TEXT_MIX, Targets, Tower, losses, state_texts
from pool import Pool, held_out
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features import inspector_tiny
from inspector.paths import write_atomic

BATCH = 10  # pairs a step


def keep_memory() -> None:
    """Tell glibc not to hand freed memory back after every step: that alone costs as much as the arithmetic."""
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def batch(maps: dict[str, np.memmap], pairs: np.ndarray) -> dict[str, Tensor]:
    rows = np.stack([2 * pairs, 2 * pairs + 1], 1).ravel()
    return {name: torch.from_numpy(np.asarray(m[rows]).astype(np.float32)) for name, m in maps.items()}


def train_image(
    tower: Tower,
    targets: Targets,
    maps: dict[str, np.memmap],
    pairs: np.ndarray,
    minutes: float,
    steps: int,
    alone: Callable[[], bool],
) -> int:
    """AdamW with one cycle over `steps` steps, or over what fits into `minutes` where `steps` is 0.

    Takes all cores once `alone`: two processes that share cores wait for each other at every barrier.
    """
    rng = np.random.default_rng(1)
    first = batch(maps, pairs[:160])
    tower.fit_head(first["local"], first["deep"], targets.patches(first["local"], first["meaning"]))
    decay = [p for p in tower.parameters() if p.requires_grad and p.ndim > 1]
    other = [p for p in tower.parameters() if p.requires_grad and p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.02}, {"params": other, "weight_decay": 0.0}], lr=1e-3
    )
    begun, step, order = time.monotonic(), 0, np.empty(0, int)
    while True:
        progress = step / steps if steps else (time.monotonic() - begun) / (60 * minutes)
        if progress >= 1:
            return step
        if step % 20 == 0:
            torch.set_num_threads((os.cpu_count() or 2) if alone() else 1)
        for group in optimiser.param_groups:
            group["lr"] = (
                1e-3 * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))
            )
        if len(order) < BATCH:
            order = rng.permutation(pairs)
        taken, order = order[:BATCH], order[BATCH:]
        rows = batch(maps, np.sort(taken))
        loss, parts = losses(tower, targets, rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([*decay, *other], 1.0)
        optimiser.step()
        if step % 25 == 0:
            shown = " ".join(f"{k} {v:.3f}" for k, v in parts.items())
            print(
                f"image {step} {time.monotonic() - begun:.0f}s {float(loss.detach()):.3f} {shown}", flush=True
            )
        step += 1


@torch.inference_mode()
def measure(
    tower: Tower, targets: Targets, maps: dict[str, np.memmap], pairs: np.ndarray
) -> dict[str, float]:
    """Held-out pairs: cosine to the target, agreement of nearest neighbours, AUROC of the state, teacher's top-1."""
    from sklearn.metrics import roc_auc_score

    pair, _ = state_texts()
    got: dict[str, list[Tensor]] = {}
    for start in range(0, len(pairs), 16):
        rows = batch(maps, pairs[start : start + 16])
        cls, plain, vv = tower(rows["local"], rows["deep"])
        target = targets.patches(rows["local"], rows["meaning"])
        u = F.normalize(cls, dim=-1)
        g = F.normalize(rows["local"] @ targets.appearance.T, dim=-1)
        for name, tokens in (("plain", plain), ("vv", vv)):
            z = F.normalize(tokens, dim=-1)
            got.setdefault(f"cosine_{name}", []).append(
                F.cosine_similarity(tokens[..., :-STATE], target, dim=-1).mean(1)
            )
            got.setdefault(f"state_{name}", []).append(z[..., -STATE:] @ (pair[1] - pair[0]))
            # Does a damaged picture's patch find the same good patch as with the stem's own features?
            a = (z[1::2] @ z[0::2].transpose(1, 2)).flatten(1)
            b = (g[1::2] @ g[0::2].transpose(1, 2)).flatten(1)
            got.setdefault(f"geometry_{name}", []).append(
                torch.stack([torch.corrcoef(torch.stack(p))[0, 1] for p in zip(a, b, strict=True)])
            )
        got.setdefault("share", []).append(rows["share"])
        got.setdefault("bad", []).append(rows["kind"] >= 0)
        got.setdefault("class_state", []).append(u[:, -STATE:] @ (pair[1] - pair[0]))
        best = (F.normalize(u[:, APPEARANCE:-STATE], dim=-1) @ targets.classes.T).argmax(-1)
        got.setdefault("top1", []).append((best == rows["logits"].argmax(-1)).float())
        got.setdefault("class_cosine", []).append(
            F.cosine_similarity(u[:, APPEARANCE:-STATE], targets.picture(rows["meaning"]), dim=-1)
        )
    all_ = {k: torch.cat(v) for k, v in got.items()}
    share, sure = all_["share"], (all_["share"] > 0.06) | (all_["share"] <= 0.004)
    truth, bad = (share > 0.06)[sure].numpy(), all_["bad"].numpy()
    figures = {
        k: float(all_[k].mean()) for k in all_ if k.startswith(("cosine", "geometry", "top1", "class_cosine"))
    }
    for name in ("plain", "vv"):
        figures[f"patch_state_auroc_{name}"] = float(
            roc_auc_score(truth, all_[f"state_{name}"][sure].numpy())
        )
        figures[f"image_state_auroc_{name}"] = float(
            roc_auc_score(bad, all_[f"state_{name}"].topk(3).values.mean(1).numpy())
        )
    figures["class_state_auroc"] = float(roc_auc_score(bad, all_["class_state"].numpy()))
    return {k: round(v, 4) for k, v in figures.items()}


def concepts(
    maps: dict[str, np.memmap], names: list[str], pairs: np.ndarray, targets: Targets, pool: Pool
) -> tuple[list[list[str]], Tensor]:
    """Names of all concepts and their vectors without state [n,304]: ImageNet's classes have meaning only; the pool's
    own materials and shapes have the mean appearance and meaning of their pictures too."""
    own = words.pool_names(pool.words)
    vectors = [torch.cat([torch.zeros(1000, APPEARANCE), targets.classes], -1)]
    for name in own:
        rows = np.array([2 * i for i in pairs if names[i] == name][:40])
        if not len(rows):
            vectors.append(torch.zeros(1, APPEARANCE + MEANING))
            continue
        local = torch.from_numpy(np.asarray(maps["local"][rows], np.float32))
        meaning = torch.from_numpy(np.asarray(maps["meaning"][rows], np.float32))
        mean = targets.patches(local, meaning).mean((0, 1))
        whole = F.normalize(targets.picture(meaning).mean(0), dim=0)
        vectors.append(
            F.normalize(torch.cat([0.8 * F.normalize(mean[:APPEARANCE], dim=0), whole]), dim=0)[None]
        )
    return [*words.imagenet_names(), *([n] for n in own)], torch.cat(vectors)


def store(folder: Path, model: nn.Module, rows: Tensor, index: Tensor, figures: dict[str, object]) -> None:
    state = {
        name: value.detach().half().contiguous()
        for name, value in model.state_dict().items()
        if not name.startswith(inspector_tiny.STEM_PREFIX)
        and name not in (inspector_tiny.VOCABULARY, "attn_mask")
    }
    state["vocabulary.rows"], state["vocabulary.index"] = rows.half().contiguous(), index.to(torch.int32)
    data = save(state)
    write_atomic(folder / inspector_tiny.WEIGHTS_FILE, data)
    digest = {inspector_tiny.WEIGHTS_FILE: hashlib.sha256(data).hexdigest()}
    write_atomic(folder / "sha256.json", (json.dumps(digest, indent=1) + "\n").encode())
    write_atomic(folder / "figures.json", (json.dumps(figures, indent=1) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, default=Path("out/embedded_model"), help="pool and cached features"
    )
    parser.add_argument("--pairs", type=int, default=7000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image-steps", type=int, default=2400)
    parser.add_argument(
        "--image-minutes", type=float, default=0, help="stop the image tower by the clock instead"
    )
    parser.add_argument("--text-steps", type=int, default=2900)
    parser.add_argument(
        "--text-minutes", type=float, default=0, help="stop the text tower by the clock instead"
    )
    parser.add_argument("--to", type=Path, default=inspector_tiny.folder())
    options = parser.parse_args()
    keep_memory()
    torch.manual_seed(options.seed)
    maps, names = cache.build(options.work / "cache", options.work / "pool", options.pairs, options.seed)
    numbers = np.arange(options.pairs)
    kept = np.array([held_out(i) for i in numbers])
    pairs, tests = numbers[~kept], numbers[kept]
    targets = Targets(maps, 2 * pairs)
    concept_names, vectors = concepts(maps, names, pairs, targets, Pool(options.work / "pool"))

    context = multiprocessing.get_context("spawn")
    text_file = options.work / "text.safetensors"
    arguments = (
        concept_names,
        vectors,
        TEXT_MIX,
        SCALE,
        options.seed,
        options.text_steps,
        options.text_minutes,
        text_file,
    )
    writer = context.Process(target=text_tower.train, args=arguments)
    writer.start()

    model = inspector_tiny.create(pretrained=False)
    tower = Tower(model, targets)
    done = train_image(
        tower,
        targets,
        maps,
        pairs,
        options.image_minutes,
        0 if options.image_minutes else options.image_steps,
        lambda: not writer.is_alive(),
    )
    figures: dict[str, object] = {"image_steps": done, "held_out": measure(tower, targets, maps, tests)}
    print(figures, flush=True)
    tower.export(model)
    writer.join()
    if writer.exitcode:
        raise SystemExit("training the text tower failed")
    trained = load_file(str(text_file))
    rows, index = trained.pop("rows"), trained.pop("index")
    missing = set(model.load_state_dict(trained, strict=False).unexpected_keys)
    if missing:
        raise SystemExit(f"the text tower has no {missing}")
    with torch.no_grad():
        model.logit_scale.fill_(float(np.log(SCALE)))
    figures["text"] = json.loads(text_file.with_suffix(".json").read_text(encoding="utf-8"))
    store(options.to, model, rows, index, figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
