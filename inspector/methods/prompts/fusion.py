"""How maps and scores of one image are joined. Every input
and output lies on a detector's own fixed scale."""

import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

EPS = 1e-6
WEIGHT = 0.25
"""By which share a state moves what a memory says, where it only weighs it. Chosen on good parts that we harmed, as the largest
that made no product worse than its memory alone by more than a point."""
CAUTION = 0.25
"""The share of WEIGHT that an image score takes: one spot that is misread decides over a whole image, and good parts that we harm
show less of what a new day's good parts bring than of defects."""


def harmonic(*scores: Tensor) -> Tensor:
    """Harmonic mean of scores ≥ 0 (broadcast to one shape); 0 where any of them is 0.

    WinCLIP eq. 5, AnoPLe's fusion. PromptAD and FineGrainedAD write 1/(1/a + 1/b), which is half of it.
    The result lies between the smallest and the largest input.
    """
    parts = [score.clamp_min(EPS).reciprocal() for score in scores]
    zero = functools.reduce(torch.logical_or, [score <= EPS for score in scores])
    return torch.where(zero, 0.0, len(parts) / functools.reduce(torch.add, parts))


def mean(*scores: Tensor) -> Tensor:
    """Arithmetic mean, broadcast to one shape."""
    return total(*scores) / len(scores)


def total(*scores: Tensor) -> Tensor:
    """Sum, broadcast to one shape (IIPAD eq. 18)."""
    return functools.reduce(torch.add, scores)


def weighed(state: Tensor, memory: Tensor, weight: float = WEIGHT) -> Tensor:
    """The memory's scores, times 1 ± `weight` by a state in 0–1, ½ changing nothing (broadcast to one shape). However
    wrong the state is, it moves a score by no more than that."""
    return memory * (1 + weight * (2 * state - 1))


FUSIONS: Mapping[str, Callable[..., Tensor]] = {
    "harmonic": harmonic,
    "mean": mean,
    "sum": total,
    "weighed": weighed,
}


def abnormal_probability(features: Tensor, normal: Tensor, abnormal: Tensor, temperature: float) -> Tensor:
    """Softmax over the two states, the abnormal entry.

    features [..., d], normal and abnormal [..., d] (broadcast), all of unit length → [...] in 0–1.
    """
    gap = ((features * abnormal).sum(-1) - (features * normal).sum(-1)).float()
    return torch.sigmoid(gap / temperature)


def relative_to_likes(odds: Tensor, likeness: Tensor, shots: Tensor, matches: int) -> Tensor:
    """A state reading relative to what the same reading says of the class's own normal shots.

    A text tower can call a whole product, or some part of every good product, "damaged" because of its
    texture, or invert a class altogether. The shots are known to be good, so every patch is read against the
    mean of the `matches` shot patches that look most like it.

    odds [N] and shots [M]: log-odds of "abnormal"; likeness [N, M]: of patches to the shots' patches →
    log-odds [N], 0 where a patch reads like its likes.
    """
    likes = likeness.topk(min(matches, len(shots)), dim=-1).indices
    return odds - shots[likes].mean(-1)


def relative_to_shots(state: Tensor, offset: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """With one offset a class instead of one a patch: state [B, h, w] in 0–1 and offset [B], see
    `shot_offset` → [B, h, w] in 0–1, ½ where the image reads like its shots on average. `unit` ([B] or a
    number): log-odds that count as one."""
    difference = torch.logit(state.float(), eps=EPS) - offset.view(-1, 1, 1)
    return torch.sigmoid(difference / torch.as_tensor(unit).view(-1, 1, 1))


def shot_offset(states: Tensor) -> Tensor:
    """The mean log-odds of state maps [k, h, w] in 0–1 of k normal shots: a scalar."""
    return torch.logit(states.float(), eps=EPS).mean()
