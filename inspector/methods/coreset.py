"""Few rows that stand for many: the k-centre coreset of PatchCore (Roth et al., CVPR 2022, section 3.3)."""

import numpy as np
import torch
from torch import Tensor

WIDTH, AMONG = 16, 8
"""Rows are compared by random projections of this width, and picked among this many times as many as are wanted."""


def coreset(rows: Tensor, budget: int) -> Tensor:
    """Indices, ascending int64 [min(n, budget)], of rows [n, d] such that no row is far from one of them: each one picked is
    the row that lies farthest from those before. The same rows give the same indices."""
    count = len(rows)
    if count <= budget:
        return torch.arange(count, device=rows.device)
    draw = torch.Generator().manual_seed(0)
    among = torch.randperm(count, generator=draw)[: AMONG * budget].to(rows.device)
    project = torch.randn(rows.shape[1], WIDTH, generator=draw) / WIDTH**0.5
    points = (
        rows[among].float().cpu() @ project
    ).numpy()  # thousands of small steps are no work for many cores
    lengths = np.einsum("nd,nd->n", points, points)
    picked, nearest = [0], lengths + lengths[0] - 2 * points @ points[0]
    while len(picked) < budget:
        last = int(nearest.argmax())
        picked.append(last)
        np.minimum(nearest, lengths + lengths[last] - 2 * points @ points[last], out=nearest)
    return among[picked].sort().values
