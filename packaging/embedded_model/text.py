"""The text tower: from names, states and templates to fixed vectors of the joint space."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import words
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features import inspector_tiny


def _target(vectors: Tensor, concept: Tensor, state: Tensor, mix: tuple[float, float]) -> Tensor:
    """[B,320]: the concept's vector (none: zero) and the state, in the shares `mix`, unit length."""
    known = (concept >= 0).float()[:, None]
    return F.normalize(
        torch.cat([mix[0] * known * vectors[concept.clamp_min(0)], mix[1] * state], -1), dim=-1
    )


def forward(model: nn.Module, embedding: Tensor, ends: Tensor) -> Tensor:
    """Token embeddings [B,L,192] and the place of end-of-text [B] → joint vectors [B,320]. The mask is causal, so
    sequences may stop at their end."""
    length = embedding.shape[1]
    x = embedding + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x[torch.arange(len(x)), ends])
    return x @ model.text_projection


class Rows(nn.Module):
    """Only the vocabulary rows that the corpus uses; −1 becomes a random vector of a row's usual size."""

    def __init__(self, used: np.ndarray, width: int) -> None:
        super().__init__()
        self.index = torch.from_numpy(used)
        self.place = torch.zeros(49408, dtype=torch.long)
        self.place[self.index] = torch.arange(len(used))
        self.rows = nn.Parameter(torch.randn(len(used), width) * 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        found = self.rows[self.place[ids.clamp_min(0)]]
        usual = self.rows.detach().std()
        scale = usual * torch.rand(len(ids), 1, 1) * 1.5
        return torch.where((ids < 0)[..., None], torch.randn_like(found) * scale, found)


def _used(corpus: words.Corpus) -> np.ndarray:
    """Every token id the corpus can produce."""
    texts = [n for options in corpus.names for n in options]
    states = [*words.NORMAL, *words.ABNORMAL, *(p for k in words.TYPED.values() for p in k)]
    ids = {49406, 49407, *corpus.fillers.tolist()}
    for text in [*texts, *words.GENERIC, *words.TEMPLATES, *(s.format("x") for s in states)]:
        ids.update(corpus.encode(text))
        ids.update(corpus.encode(text + "."))
    # Fillers in pairs decode to words that may be split otherwise; letters and short pieces cover those.
    ids.update(range(512))
    for i in corpus.fillers:
        ids.update(corpus.encode(corpus.tokenizer.decode([int(i)]).strip()))
    return np.array(sorted(ids))


def _batches(corpus: words.Corpus) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """One batch in four of long contexts, the others short and sorted by length, so that little is padding."""
    while True:
        drawn = sorted((corpus.draw(long=False) for _ in range(600)), key=lambda d: len(d[0]))
        edges = np.linspace(0, 600, 7).astype(int)
        groups = [drawn[a:b] for a, b in pairwise(edges)]
        groups += [[corpus.draw(long=True) for _ in range(24)] for _ in range(2)]
        for i in corpus.rng.permutation(len(groups)):
            yield _pad(groups[i])


def _pad(drawn: list[tuple[list[int], np.ndarray, int, np.ndarray]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    size, length = len(drawn), max(len(d[0]) for d in drawn)
    ids = torch.zeros(size, length, dtype=torch.long)
    for row, (tokens, *_) in enumerate(drawn):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    ends = torch.tensor([int(d[3]) for d in drawn])
    return ids, ends, torch.tensor([d[2] for d in drawn]), torch.from_numpy(np.stack([d[1] for d in drawn]))


@torch.inference_mode()
def measure(
    model: nn.Module, rows: Rows, corpus: words.Corpus, vectors: Tensor, scale: float
) -> dict[str, float]:
    """Templates that training never saw: top-1 of ImageNet's first names, state of known and unknown names, and the
    same behind 40 random context vectors."""
    meaning = vectors[:1000]
    right: dict[str, list[bool]] = {}
    generator = np.random.default_rng(5)
    for template in words.UNSEEN:
        for context in (0, 40):
            for start in range(0, 1000, 100):
                texts = [
                    words.TEMPLATES[template].format(corpus.names[i][0]) for i in range(start, start + 100)
                ]
                tokens = [[49406, *([-1] * context), *corpus.encode(t)[: 75 - context], 49407] for t in texts]
                ids = torch.zeros(100, max(map(len, tokens)), dtype=torch.long)
                for row, t in enumerate(tokens):
                    ids[row, : len(t)] = torch.tensor(t)
                z = forward(model, rows(ids), torch.tensor([len(t) - 1 for t in tokens]))
                best = (F.normalize(z[:, : -words.STATES], dim=-1) @ meaning.T).argmax(-1)
                right.setdefault(f"top1_unseen_templates_context{context}", []).extend(
                    (best == torch.arange(start, start + 100)).tolist()
                )
        for kind, phrases in (("normal", words.NORMAL), ("abnormal", words.ABNORMAL)):
            for phrase in phrases:
                name = corpus.tokenizer.decode(generator.choice(corpus.fillers, 2).tolist()).strip()
                tokens = [
                    49406,
                    *corpus.encode(words.TEMPLATES[template].format(phrase.format(name)))[:75],
                    49407,
                ]
                z = forward(model, rows(torch.tensor([tokens])), torch.tensor([len(tokens) - 1]))
                right.setdefault("state_of_unknown_names", []).append(
                    bool(z[0, -words.STATES] > 0) == (kind == "abnormal")
                )
    return {k: round(float(np.mean(v)), 4) for k, v in right.items()}


def train(
    names: list[list[str]],
    vectors: Tensor,
    mix: tuple[float, float],
    scale: float,
    seed: int,
    steps: int,
    minutes: float,
    target: Path,
) -> None:
    """Train from scratch and write safetensors to `target` (figures beside it as JSON)."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = inspector_tiny.create(pretrained=False)
    parts = [*model.transformer.parameters(), *model.ln_final.parameters()]
    for parameter in [*parts, model.positional_embedding, model.text_projection]:
        parameter.requires_grad_(True)
    corpus = words.Corpus(names, seed)
    rows = Rows(_used(corpus), model.positional_embedding.shape[1])
    decay = [p for p in parts if p.ndim > 1]
    other = [p for p in parts if p.ndim <= 1] + [model.positional_embedding, model.text_projection, rows.rows]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.02}, {"params": other, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.98),
    )
    states = torch.from_numpy(
        np.stack([words.state_vector(None, False)]
                 + [words.state_vector(None, True)]
                 + [words.state_vector(k, True) for k in range(len(words.KINDS))])
    )  # fmt: skip
    begun, step, batches = time.monotonic(), 0, _batches(corpus)
    model.eval()
    while True:
        progress = (time.monotonic() - begun) / (60 * minutes) if minutes else step / steps
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = (
                2e-3 * min(1, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))
            )
        ids, ends, concept, state = next(batches)
        z = forward(model, rows(ids), ends)
        wanted = _target(vectors, concept, state, mix)
        loss = 1 - F.cosine_similarity(z, wanted, dim=-1).mean()
        u = F.normalize(z, dim=-1)
        known = concept >= 0
        if known.any():
            meaning = F.normalize(u[known, : -words.STATES], dim=-1)
            loss = loss + 0.1 * F.cross_entropy(scale * meaning @ vectors.T, concept[known])
        place = (F.normalize(state, dim=-1) @ states.T).argmax(-1)
        loss = loss + 0.1 * F.cross_entropy(scale * u[:, -words.STATES :] @ states.T, place)
        if not known.all():  # an unknown name has no meaning of its own
            loss = loss + 0.2 * u[~known, : -words.STATES].pow(2).sum(-1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([*decay, *other], 1.0)
        optimiser.step()
        if step % 100 == 0:
            print(f"text {step} {time.monotonic() - begun:.0f}s {float(loss.detach()):.3f}", flush=True)
        step += 1
    figures = {"steps": step} | measure(model, rows, words.Corpus(names, 7), vectors, scale)
    print(figures, flush=True)
    kept = {
        "rows": rows.rows.detach(),
        "index": rows.index,
        "positional_embedding": model.positional_embedding.detach(),
        "text_projection": model.text_projection.detach(),
    }
    for name in ("transformer", "ln_final"):
        kept |= {f"{name}.{k}": v for k, v in getattr(model, name).state_dict().items()}
    save_file({k: v.contiguous() for k, v in kept.items()}, str(target))
    target.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")
