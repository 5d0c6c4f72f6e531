"""Train inspector-tiny from nothing but pinned packages: `python packaging/embedded_model/train.py`.

1. pictures: collect the pool, draw clean/defective pairs (pool.py, defects.py);
2. features: run the frozen EfficientNet-Lite0 once over all of them (cache.py);
3. image tower: 225 tokens that keep the stem's nearest-neighbour geometry, carry the classifier's local meaning and
   tell damaged from good, on the original and on the V-V path at once; a class token near its class vectors;
4. text tower: names, states and templates to the same vectors (text.py, at the same time, in its own process);
5. held-out figures and the files under resources/models/inspector-tiny.

A joint vector has three parts: 144 dimensions of appearance, 160 of meaning, 16 of state.
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
from pool import Pool, held_out
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features import inspector_tiny
from inspector.paths import write_atomic

APPEARANCE, MEANING, STATE = 144, 160, words.STATES
BATCH = 10  # pairs a step
SCALE = 30.0  # exp(logit_scale)
MIX = (0.85, 0.45)  # share of appearance and of meaning in a patch token
TEXT_MIX = (0.8, 0.6)  # share of meaning and of state in a text vector


FAST = True  # bf16 products: half the time of fp32 where the processor has them, and no slower elsewhere


def keep_memory() -> None:
    """Tell glibc not to hand freed memory back after every step: that alone costs as much as the arithmetic."""
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


class Targets:
    """Fixed linear maps from frozen features to the joint space."""

    def __init__(self, maps: dict[str, np.memmap], rows: np.ndarray) -> None:
        rng = np.random.default_rng(0)
        few = torch.from_numpy(np.asarray(maps["local"][np.sort(rng.permutation(rows)[:600])], np.float32))
        rms = torch.cat(
            [few[..., :40].pow(2).mean().sqrt().expand(40), few[..., 40:].pow(2).mean().sqrt().expand(112)]
        )
        flat = (few / rms).reshape(-1, 152)
        _, vectors = torch.linalg.eigh(flat.T @ flat)
        self.appearance = (vectors.flip(1)[:, :APPEARANCE].T / rms).contiguous()  # [144,152]
        meaning = torch.from_numpy(
            np.asarray(maps["meaning"][np.sort(rng.permutation(rows)[:3000])], np.float32)
        )
        self.centre = meaning.mean((0, 1))
        deep = torch.from_numpy(np.asarray(maps["deep"][np.sort(rng.permutation(rows)[:600])], np.float32))
        deep = deep.reshape(-1, 320)
        self.deep_mean = deep.mean(0)
        _, vectors = torch.linalg.eigh((deep - self.deep_mean).T @ (deep - self.deep_mean))
        self.deep = vectors.flip(1)[:, :112].T.contiguous()  # [112,320]
        # Meaning and appearance start with the same energy in a token as in its target.
        self.local_scale = 1 / flat.pow(2).sum(1).mean().sqrt()
        self.deep_scale = 0.7 / (deep - self.deep_mean).pow(2).sum(1).mean().sqrt()
        _, self.classes = cache.semantic_basis(cache.teacher())  # [1000,160]

    def patches(self, local: Tensor, meaning: Tensor) -> Tensor:
        """[B,225,304], unit length."""
        g = F.normalize(local @ self.appearance.T, dim=-1)
        m = meaning - self.centre
        b = len(m)
        m = m.transpose(1, 2).reshape(b, MEANING, 8, 8)
        m = F.interpolate(m, size=(15, 15), mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
        return F.normalize(torch.cat([MIX[0] * g, MIX[1] * F.normalize(m, dim=-1)], -1), dim=-1)

    def picture(self, meaning: Tensor) -> Tensor:
        return F.normalize(meaning.mean(1) - self.centre, dim=-1)  # [B,160]


class Tower(nn.Module):
    """The image tower from cached features on, with q = k = v: V-V attention is then the model's own attention, and
    both paths can be trained in one pass. `export` writes the weights back into timm's layout."""

    def __init__(self, model: nn.Module, targets: Targets) -> None:
        super().__init__()
        trunk = model.visual.trunk
        self.proj = trunk.patch_embed.proj
        self.cls, self.pos = (
            nn.Parameter(trunk.cls_token.detach().clone()),
            nn.Parameter(trunk.pos_embed.detach().clone()),
        )
        self.blocks, self.norm, self.head = trunk.blocks, trunk.norm, model.visual.head.proj
        self.heads = self.blocks[0].attn.num_heads
        self.value = nn.ModuleList(nn.Linear(256, 256) for _ in self.blocks)
        with torch.no_grad():
            self.proj.weight.zero_()
            self.proj.weight[:APPEARANCE, :152] = targets.appearance * targets.local_scale
            self.proj.weight[APPEARANCE:, 152:] = targets.deep * targets.deep_scale
            self.proj.bias.zero_()
            self.proj.bias[APPEARANCE:] = -targets.deep_scale * (targets.deep @ targets.deep_mean)
            self.proj.weight.mul_(4)
            self.proj.bias.mul_(4)
            nn.init.normal_(self.cls, std=0.25)
            for value in self.value:
                nn.init.orthogonal_(value.weight, gain=0.8)
                nn.init.zeros_(value.bias)
            for block in self.blocks:
                nn.init.xavier_uniform_(block.mlp.fc1.weight)
        self.requires_grad_(True)
        for block in self.blocks:
            block.attn.qkv.requires_grad_(False)

    def tokens(self, local: Tensor, deep: Tensor) -> Tensor:
        b = len(local)
        x = F.linear(local, self.proj.weight[:, :152], self.proj.bias)
        d = F.linear(deep, self.proj.weight[:, 152:]).transpose(1, 2).reshape(b, -1, 8, 8)
        d = F.interpolate(d, size=(15, 15), mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
        return torch.cat([self.cls.expand(b, -1, -1), x + d], 1) + self.pos

    def forward(self, local: Tensor, deep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Joint class token [B,320], joint tokens of the original and of the V-V path [B,225,320]; not normalised."""
        x = self.tokens(local, deep)
        b, n, c = x.shape
        y = x
        for block, value in zip(self.blocks, self.value, strict=True):
            v = value(block.norm1(x)).view(b, n, self.heads, -1).transpose(1, 2)
            # Explicit products: on a CPU faster to train than the fused kernel.
            weight = ((v @ v.transpose(-1, -2)) * (c // self.heads) ** -0.5).softmax(-1)
            out = block.attn.proj((weight @ v).transpose(1, 2).reshape(b, n, c))
            x, y = x + out, y + out
            x = x + block.mlp(block.norm2(x))
        x, y = self.head(self.norm(x)), self.head(self.norm(y[:, 1:]))
        return x[:, 0], x[:, 1:], y

    @torch.no_grad()
    def fit_head(self, local: Tensor, deep: Tensor, target: Tensor) -> None:
        """Start the head at the ridge solution from untouched tokens to the patch targets."""
        t = self.norm(self.tokens(local, deep)[:, 1:]).reshape(-1, 256)
        a = t.T @ t + 1e-3 * len(t) * torch.eye(256)
        self.head.weight.normal_(std=0.002)
        self.head.weight[: APPEARANCE + MEANING] = torch.linalg.solve(
            a, t.T @ target.reshape(-1, target.shape[-1])
        ).T

    @torch.no_grad()
    def export(self, model: nn.Module) -> None:
        trunk = model.visual.trunk
        trunk.cls_token.copy_(self.cls)
        trunk.pos_embed.copy_(self.pos)
        for block, value in zip(trunk.blocks, self.value, strict=True):
            block.attn.qkv.weight.copy_(value.weight.repeat(3, 1))
            block.attn.qkv.bias.copy_(value.bias.repeat(3))


def state_texts() -> tuple[Tensor, Tensor]:
    """State parts of the text vectors: normal and general damage [2,16], and the eight kinds [8,16]."""
    pair = np.stack([words.state_vector(None, False), words.state_vector(None, True)])
    kinds = np.stack([words.state_vector(k, True) for k in range(len(words.KINDS))])
    return torch.from_numpy(pair) * TEXT_MIX[1], torch.from_numpy(kinds) * TEXT_MIX[1]


def _balanced(logit: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy, positives and negatives weighing the same."""
    loss = F.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    positive, negative = weight * wanted, weight * (1 - wanted)
    return (
        0.5 * (loss * positive).sum() / positive.sum().clamp_min(1)
        + 0.5 * (loss * negative).sum() / negative.sum()
    )


def losses(tower: Tower, targets: Targets, rows: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    with torch.autocast("cpu", torch.bfloat16, enabled=FAST):
        outputs = tower(rows["local"], rows["deep"])
    cls, plain, vv = (o.float() for o in outputs)
    target = targets.patches(rows["local"], rows["meaning"])
    pair, kinds = state_texts()
    share, kind = rows["share"], rows["kind"].long()
    wanted = (share > 0.06).float()
    sure = ((share > 0.06) | (share <= 0.004)).float()
    parts: dict[str, Tensor] = {}
    for name, tokens in (("plain", plain), ("vv", vv)):
        parts[f"near_{name}"] = 1 - F.cosine_similarity(tokens[..., :-STATE], target, dim=-1).mean()
        state = F.normalize(tokens, dim=-1)[..., -STATE:]
        logit = SCALE * state @ (pair[1] - pair[0])
        parts[f"state_{name}"] = 0.35 * _balanced(logit, wanted, sure)
        hit = wanted.bool()
        if hit.any():
            asked = kind[:, None].expand_as(share)[hit]
            parts[f"kind_{name}"] = 0.03 * F.cross_entropy(2 * SCALE * state[hit] @ kinds.T, asked)
    u = F.normalize(cls, dim=-1)
    meaning, state = F.normalize(u[:, APPEARANCE:-STATE], dim=-1), u[:, -STATE:]
    answer = (rows["logits"] / 1.5).softmax(-1)
    parts["class"] = 0.15 * F.kl_div(
        (SCALE * meaning @ targets.classes.T).log_softmax(-1), answer, reduction="batchmean"
    )
    whole = torch.cat([torch.zeros(len(u), APPEARANCE), TEXT_MIX[0] * targets.picture(rows["meaning"])], -1)
    parts["class_near"] = 1 - F.cosine_similarity(u[:, :-STATE], whole, dim=-1).mean()
    logit = SCALE / 2 * state @ (pair[1] - pair[0])
    bad = (kind >= 0).float()
    parts["class_state"] = 0.2 * F.binary_cross_entropy_with_logits(logit, bad)
    difference = logit[1::2] - logit[0::2]
    parts["class_pair"] = 0.1 * F.softplus(2 - difference).mean()
    if (kind >= 0).any():
        parts["class_kind"] = 0.03 * F.cross_entropy(SCALE * state[kind >= 0] @ kinds.T, kind[kind >= 0])
    # The state part stays small beside appearance and meaning.
    size = torch.cat([F.normalize(plain, dim=-1)[..., -STATE:], F.normalize(vv, dim=-1)[..., -STATE:]]).norm(
        dim=-1
    )
    parts["size"] = 2 * F.relu(size - 0.25).pow(2).mean()
    return sum(parts.values()), {k: float(v.detach()) for k, v in parts.items()}


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
