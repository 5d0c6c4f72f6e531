"""The patch memory of the prompt papers: ½(1 − max cos) of a patch to those of the shots, 0–1, nothing pooled.

WinCLIP (Jeong et al., CVPR 2023), PromptAD (Li et al., CVPR 2024), IIPAD (eq. 17), FineGrainedAD (eq. 1) all compare
so; their fusions with text are made for its scale, on which near patches lie far closer to 0 than on `MemoryBank`'s.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.methods.memory_bank import Joined, MemoryBank, highest


class CosineBank(MemoryBank):
    """Keeps patch directions, [N, d] a shot and tap; `neighbourhood` is always 1."""

    distance_name: ClassVar[str] = "cosine"

    def __init__(self, map_size: int = 60, neighbourhood: int = 1, sigma: float = 1.0) -> None:
        if neighbourhood != 1:
            raise ValueError("neighbourhood must be 1")
        super().__init__(map_size, neighbourhood, sigma)

    @staticmethod
    def shape(width: int) -> tuple[int | None, ...]:
        return None, width

    def describe(self, values: Tensor, grid: tuple[int, int]) -> Tensor:
        """Patch tokens [B, N, d] → float32 of unit length."""
        return F.normalize(values.float(), dim=-1)

    def join(self, kept: Sequence[Tensor]) -> Joined:
        """All directions, [M, d]."""
        return (torch.cat(list(kept)),)

    def distance(self, patches: Tensor, joined: Joined) -> Tensor:
        """[B, N, d] → [B, N], ½(1 − max cos)."""
        (rows,) = joined
        best = highest(patches.flatten(0, 1), rows)
        return ((1 - best) / 2).clamp(0, 1).reshape(patches.shape[:2])

    def apart(self, patches: Tensor, others: Tensor, joined: Joined) -> Tensor:
        """[n, d], [M, d] → [n, M], ½(1 − cos)."""
        return ((1 - patches @ others.T) / 2).clamp(0, 1)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "distance": self.distance_name}
