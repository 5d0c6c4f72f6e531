"""SubspaceAD-style residual: what the main directions of a class's normal patches can't explain is anomalous.

Per class and tap: mean and principal directions of all patches of the shots, as many as explain `EXPLAINED` of their
variance; anomaly value: length of a patch's residual outside that subspace. Training-free. Deviations from the paper:
patches of any backbone tap, pooled over 3×3 and of unit length, one subspace a tap and the mean over the taps instead
of averaged layers of a large DINOv2; residual length instead of its square; no rotated copies of the shots.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from inspector.methods.memory_bank import MemoryBank
from inspector.methods.patchcore import PatchCore

EXPLAINED = 0.99


class SubspaceBank(MemoryBank):
    """Keeps of every shot the number of patches, their sum and the sum of their outer products, [d + 1, d + 1].

    Those of several shots add up, so a shot is added, or left out, without going back to its patches.
    """

    def keep(self, patches: Tensor) -> Tensor:
        rows = torch.cat([patches, patches.new_ones(*patches.shape[:2], 1)], dim=2).double()
        return rows.mT @ rows

    def join(self, kept: Sequence[Tensor]) -> Tensor:
        """[d, 1 + r] float32: the mean, then the r main directions."""
        moments = torch.stack(list(kept)).sum(0).cpu()
        count = moments[-1, -1]
        mean = moments[:-1, -1] / count
        covariance = moments[:-1, :-1] / count - torch.outer(mean, mean)
        variance, directions = torch.linalg.eigh(covariance)
        variance, directions = variance.flip(0).clamp_min(0), directions.flip(1)
        share = variance.cumsum(0) / variance.sum().clamp_min(1e-12)
        rank = min(int((share < EXPLAINED).sum()) + 1, len(variance))
        return torch.cat([mean[:, None], directions[:, :rank]], dim=1).float().to(kept[0].device)

    def distance(self, patches: Tensor, joined: Tensor) -> Tensor:
        """[B, N, d] → [B, N]: half the length of the residual, in 0–1."""
        centred = patches - joined[:, 0]
        inside = centred @ joined[:, 1:]
        squared = centred.square().sum(-1) - inside.square().sum(-1)
        return squared.clamp(0, 4).sqrt() / 2


class SubspaceAD(PatchCore):
    """`taps`, `neighbourhood`, `sigma` as in PatchCore."""

    method: ClassVar[str] = "subspace"
    title: ClassVar[str] = "SubspaceAD"
    bank_type: ClassVar[type[MemoryBank]] = SubspaceBank
