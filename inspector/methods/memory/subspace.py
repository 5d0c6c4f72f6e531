"""SubspaceAD-style residual: what the main directions of a class's normal patches can't explain is anomalous.

Per class and tap: mean and principal directions of all patches of the shots, as many as explain `EXPLAINED`
of their variance; anomaly value: length of a patch's residual outside that subspace, in units of a patch
vector's usual length; image score: mean of the map's highest 1 %, as published (the maximum in detectors of
earlier versions). Training-free. On towers that learned without text the patches are, as published, the mean over
the middle blocks (`MIDDLE`); on others those of the backbone's own taps, one subspace a tap and the mean over
their maps. Deviations from the paper, complete: DINOv2 up to L and other towers, at their own size unless another is
asked for, instead of DINOv2-g at 672 pixels; patches are averaged over 3×3 unless `neighbourhood` is 1; residual
length, in units of the class, instead of its square; no rotated copies of the shots; the map's Gaussian is that of
all methods; images keep their proportions where the tower takes them.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from inspector.features.backbone import Backbone
from inspector.features.vision_names import is_vision_only
from inspector.methods.memory.patchcore import PatchCore
from inspector.methods.memory_bank import Joined, MemoryBank

EXPLAINED = 0.99
MIDDLE = {12: (8, 9), 24: (14, 18), 40: (23, 29)}
"""The first and last block whose tokens are averaged, by depth: the release's choice for S and B, L, and g."""


class SubspaceBank(MemoryBank):
    """Keeps of every shot the sum of its patches' outer
    products, each patch with a 1 appended, [d + 1, d + 1].

    Those of several shots add up, so a shot is added, or left out, without going back to its patches.
    """

    dtype: ClassVar[torch.dtype] = torch.float64

    @staticmethod
    def shape(width: int) -> tuple[int | None, ...]:
        return width + 1, width + 1

    def few(self, patches: Tensor) -> Tensor:
        """All: what is kept of them is as small as that of one."""
        return patches

    def keep(self, patches: Tensor) -> Tensor:
        """[B, N, 2 d], of which the vectors count → [B, d + 1, d + 1] float64, on the processor."""
        vectors = patches.chunk(2, dim=-1)[0]
        rows = torch.cat([vectors, vectors.new_ones(*vectors.shape[:2], 1)], dim=2).cpu().double()
        return rows.mT @ rows

    def join(self, kept: Sequence[Tensor]) -> Joined:
        """Mean [d], main directions [d, r] and usual length of a patch vector."""
        moments = torch.stack([one.cpu() for one in kept]).sum(0)
        moments = moments / moments[-1, -1]
        mean, second = moments[:-1, -1], moments[:-1, :-1]
        variance, directions = torch.linalg.eigh(second - torch.outer(mean, mean))
        variance, directions = variance.flip(0).clamp_min(0), directions.flip(1)
        share = variance.cumsum(0) / variance.sum().clamp_min(1e-12)
        rank = min(int((share < EXPLAINED).sum()) + 1, len(variance))
        usual = second.trace().sqrt().clamp_min(1e-6)
        return mean.float(), directions[:, :rank].float(), usual.float()

    def distance(self, patches: Tensor, joined: Joined) -> Tensor:
        """[B, N, 2 d] → [B, N], 0–1: half the relative length of the residual."""
        mean, directions, usual = (part.to(patches.device) for part in joined)
        centred = patches.chunk(2, dim=-1)[0] - mean
        squared = centred.square().sum(-1) - (centred @ directions).square().sum(-1)
        return (squared.clamp_min(0).sqrt() / (2 * usual)).clamp_max(1)

    def apart(self, patches: Tensor, others: Tensor, joined: Joined) -> Tensor:
        """[n, 2 d], [M, 2 d] → [n, M]: half the chord between their directions, as a subspace knows no single patches."""
        left, right = (one.chunk(2, dim=-1)[1] for one in (patches, others))
        return torch.cdist(left, right) / 2


class SubspaceAD(PatchCore):
    """`taps`, `neighbourhood`, `sigma` as in PatchCore, but for the default taps."""

    method: ClassVar[str] = "subspace"
    title: ClassVar[str] = "SubspaceAD"
    bank_type: ClassVar[type[MemoryBank]] = SubspaceBank
    highest: ClassVar[float] = 0.01

    @staticmethod
    def default_taps(backbone: Backbone) -> tuple[str, ...]:
        """The mean over the middle blocks of a tower that learned without text, else the backbone's own choice."""
        if not is_vision_only(backbone.identity.architecture):
            return backbone.default_taps
        first = backbone.depth * 7 // 12 + 1
        first, last = MIDDLE.get(backbone.depth, (first, max(first, backbone.depth * 3 // 4)))
        return (f"block{first}-{last}",)
