"""What MPAMA learns: prompts at several neighbourhood
sizes, the cross bridge between them, and the experts."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features.text_tower import TextTower
from inspector.methods.prompts.tokens import Splicer

STATES = "object.", "damaged object."


class Perceptions(nn.Module):
    """The prompts: contexts [levels + 1, 2, length, w] (the last pair is the whole image's), deep prompts
    [depth, 4, w] and the cross bridge's γ, γ'."""

    def __init__(self, levels: int, length: int, deep: int, text: TextTower) -> None:
        super().__init__()
        self.contexts = nn.Parameter(torch.randn(levels + 1, 2, length, text.width) * 0.02)
        self.deep = nn.Parameter(torch.randn(min(9, text.depth), deep, text.width) * 0.02)
        self.bridge = nn.Parameter(torch.zeros(2))

    def forward(self, splicer: Splicer) -> tuple[Tensor, Tensor]:
        """(levels' pairs [levels, 2, d], the whole image's
        pair [2, d]), unit length, after the cross bridge."""
        rows: list[list[str | Tensor]] = [
            [self.deep[0], self.contexts[level, state], STATES[state]]
            for level in range(len(self.contexts))
            for state in range(2)
        ]
        encoded = splicer.encode(rows, list(self.deep[1:])).reshape(len(self.contexts), 2, -1)
        return bridged(encoded[:-1], encoded[-1], self.bridge)


def bridged(local: Tensor, whole: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """The cross bridge: local [levels, 2, d], whole [2, d], gamma [2] → both with a share of the other."""
    return (
        F.normalize(local + gamma[1] * whole, dim=-1),
        F.normalize(whole + gamma[0] * local.amax(0), dim=-1),
    )


def perceived(tokens: Tensor, size: int, grid: tuple[int, int]) -> Tensor:
    """Tokens [..., N, d] averaged over size × size neighbours (mirrored at the border), unit length."""
    if size == 1:
        return tokens
    reach = min(size // 2, min(grid) - 1)
    planes = tokens.transpose(-1, -2).reshape(-1, tokens.shape[-1], *grid)
    planes = F.avg_pool2d(F.pad(planes, (reach,) * 4, mode="reflect"), 2 * reach + 1, stride=1)
    return F.normalize(planes.flatten(2).transpose(1, 2), dim=-1).reshape(tokens.shape)


class Experts(nn.Module):
    """The shared pool (identity, bottlenecks, zero) with a router a block: F' = norm(F + Σ_e g_e·e(F))."""

    def __init__(self, width: int, layers: int, bottlenecks: int, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen
        self.routers = nn.ModuleList(nn.Linear(width, bottlenecks + 2) for _ in range(layers))
        self.bottlenecks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, max(1, width // 4)), nn.GELU(), nn.Linear(max(1, width // 4), width)
            )
            for _ in range(bottlenecks)
        )
        for one in self.bottlenecks:
            nn.init.normal_(one[2].weight, std=0.01)  # type: ignore[index]
            nn.init.zeros_(one[2].bias)  # type: ignore[index]

    def routed(self, tokens: Tensor) -> Tensor:
        """tokens [B, layers, N, d] → gates [B, layers, N, E + 2]: 0 but for the chosen, which sum to 1."""
        scores = torch.stack([router(tokens[:, i]) for i, router in enumerate(self.routers)], dim=1)
        share = torch.softmax(scores, dim=-1)
        best = share.topk(self.chosen, dim=-1)
        gates = torch.zeros_like(share).scatter(-1, best.indices, best.values)
        return gates / gates.sum(-1, keepdim=True)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, layers, N, d] of unit length → (adapted tokens, gates)."""
        gates = self.routed(tokens)
        added = gates[..., :1] * tokens  # the identity; the last expert, zero, adds nothing
        for index, one in enumerate(self.bottlenecks, 1):
            added = added + gates[..., index : index + 1] * one(tokens)
        return F.normalize(tokens + added, dim=-1), gates
