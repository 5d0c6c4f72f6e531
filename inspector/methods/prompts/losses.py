"""The losses of the learned methods, each once. All return one scalar and take features of unit length."""

import torch
from torch import Tensor
from torch.nn import functional as F


def focal(probability: Tensor, mask: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al., 2017) of an abnormal-probability map against a mask, both [B, h, w] in 0–1."""
    right = torch.where(mask > 0.5, probability, 1 - probability).clamp(1e-6, 1.0)
    return -((1 - right) ** gamma * right.log()).mean()


def dice(probability: Tensor, mask: Tensor, smooth: float = 1.0) -> Tensor:
    """1 − Dice overlap of a map and a mask, both [B, h, w] in 0–1, averaged over the batch."""
    overlap = (probability * mask).flatten(1).sum(1)
    size = probability.flatten(1).sum(1) + mask.flatten(1).sum(1)
    return (1 - (2 * overlap + smooth) / (size + smooth)).mean()


def align(cls: Tensor, tokens: Tensor, abnormal: Tensor) -> Tensor:
    """AnoPLe's alignment: 1 − ⟨z₀, s⟩ with s = Σ M̂·D / Σ M̂ brought to unit length.

    cls [B, d]; tokens D [B, h, w, d]; abnormal M̂ [B, h, w] in 0–1.
    """
    weight = abnormal / (abnormal.sum((1, 2), keepdim=True) + 1e-6)
    summary = (weight.unsqueeze(-1) * tokens).sum((1, 2))
    return (1 - F.cosine_similarity(cls, summary, dim=-1)).mean()


def state_cross_entropy(
    features: Tensor, normal: Tensor, abnormal: Tensor, label: Tensor, scale: float
) -> Tensor:
    """Cross-entropy of "normal" against "abnormal" by scaled cosine.

    features, normal, abnormal [B, d]; label [B] in 0–1 (1 = abnormal); scale = 1 / temperature.
    """
    gap = scale * ((features * abnormal).sum(-1) - (features * normal).sum(-1))
    return F.binary_cross_entropy_with_logits(gap, label.to(gap.dtype))


def normal_against_all(features: Tensor, normal: Tensor, abnormal: Tensor, scale: float) -> Tensor:
    """PromptAD's L_clip, FineGrainedAD eq. 2: −log of the
    normal anchor's share against every abnormal prompt.

    features [n, d], of unit length or of their regions' weight (FineGrainedAD); normal [d]; abnormal [a, d].
    """
    logits = scale * features @ torch.cat([normal[None], abnormal]).T
    return (logits.logsumexp(-1) - logits[:, 0]).mean()


def explicit_margin(
    features: Tensor, normal: Tensor, abnormal: Tensor, margin: float = 0.0, axis: int = -1
) -> Tensor:
    """PromptAD's explicit anomaly margin, FineGrainedAD's L_tri: relu(‖v−n̄‖² − ‖v−ā‖² + margin).

    features [..., d]; normal [d]; abnormal [d] (the average abnormal prompt). Squares are summed over `axis`.
    """
    near = (features - normal).square().sum(axis)
    far = (features - abnormal).square().sum(axis)
    return F.relu(near - far + margin).mean()


def mean_gap(handcrafted: Tensor, learned: Tensor) -> Tensor:
    """PromptAD eq. 6, FineGrainedAD's L_mean: squared distance
    of the two groups' mean directions; [a, d] and [b, d]."""
    a = F.normalize(handcrafted.mean(0), dim=-1)
    b = F.normalize(learned.mean(0), dim=-1)
    return (a - b).square().sum()


def level_consistency(image: Tensor, components: Tensor, background: Tensor) -> Tensor:
    """FineGrainedAD eq. 3: ‖mean_i ALP_img,i − mean_i norm(Σ_c ALP_c,i) − mean NHP_bg‖.

    image [n, d]; components [c, n, d]; background [b, d].
    """
    together = F.normalize(components.sum(0), dim=-1)
    difference = image.mean(0) - together.mean(0) - background.mean(0)
    return difference.square().sum().clamp_min(1e-12).sqrt()


def pull_apart(features: Tensor, near: Tensor, far: Tensor, linear: bool = False) -> Tensor:
    """IIPAD eq. 6, 9, 11: −log e^⟨v,near⟩ / (e^⟨v,near⟩ + e^⟨v,far⟩).

    features [..., d]; near and far broadcast to it. `linear`
    gives the released code's margin (1 − ⟨v,near⟩) + ⟨v,far⟩.
    """
    towards, away = (features * near).sum(-1), (features * far).sum(-1)
    return ((1 - towards) + away).mean() if linear else F.softplus(away - towards).mean()


def token_alignment(prompts: Tensor, patches: Tensor, sparsity: float) -> Tensor:
    """IIPAD eq. 7 and 10: every prompt token and the patches
    that it attends to find each other among all tokens.

    prompts [B, T, d]; patches [B, N, d]; `sparsity` σ:
    similarities below it (after min–max over patches) are dropped.
    """
    similarity = prompts @ patches.transpose(1, 2)
    low, high = similarity.amin(-1, keepdim=True), similarity.amax(-1, keepdim=True)
    scaled = (similarity - low) / (high - low + 1e-6)
    kept = torch.where(scaled >= sparsity, scaled, torch.zeros_like(scaled))
    weight = kept / (kept.sum(-1, keepdim=True) + 1e-6)
    grouped = F.normalize(weight @ patches, dim=-1)
    logits = prompts @ grouped.transpose(1, 2)
    target = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.transpose(1, 2), target)


def balance(gates: Tensor) -> Tensor:
    """Squared coefficient of variation of the experts' total
    gate; 0 when all are used alike. gates [n, E] ≥ 0."""
    use = gates.sum(0)
    return use.var(unbiased=False) / (use.mean().square() + 1e-6)
