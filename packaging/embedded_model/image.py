"""The image side of inspector-tiny: what its tokens are to be, the tower that is trained, and what it is trained on.

A joint vector has three parts: 144 dimensions of appearance, 160 of meaning, 16 of state.
"""

import cache
import numpy as np
import torch
import words
from torch import Tensor, nn
from torch.nn import functional as F

APPEARANCE, MEANING, STATE = 144, 160, words.STATES
SCALE = 30.0  # exp(logit_scale)
MIX = (0.85, 0.45)  # share of appearance and of meaning in a patch token
TEXT_MIX = (0.8, 0.6)  # share of meaning and of state in a text vector


FAST = True  # bf16 products: half the time of fp32 where the processor has them, and no slower elsewhere


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
