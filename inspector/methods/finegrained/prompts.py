"""What FineGrainedAD learns: the prompts of all levels of a description, and the Query Former."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.methods.prompts.description import ATTRIBUTES, Level, Phrase
from inspector.methods.prompts.tokens import Splicer, context

TAGS = len(ATTRIBUTES)


class MultiLevelPrompts(nn.Module):
    """What is learned, shared by all classes: V [length, w],
    A [alps, w] and the gates of Attr-MoE [2, attributes]."""

    def __init__(self, length: int, alps: int, width: int) -> None:
        super().__init__()
        self.context = context(length, width)
        self.abnormal = context(alps, width)
        self.gates = nn.Parameter(torch.full((2, TAGS), -2.0))

    def forward(self, levels: Sequence[Level], splicer: Splicer) -> list[tuple[Tensor, Tensor, Tensor]]:
        """(NHP [1, d], AHP [a, d], ALP [l, d]) of every level, unit length; all prompts in one pass."""
        rows: list[list[str | Tensor]] = []
        for level in levels:
            rows.append([self.context, self._body(level.normal, 0, splicer)])
            rows += [[self.context, self._body(phrase, 1, splicer)] for phrase in level.handcrafted]
            rows += [
                [self.context, self._body(phrase, 1, splicer, self.abnormal[i : i + 1])]
                for i, phrase in enumerate(level.learnable)
            ]
        counts = [n for level in levels for n in (1, len(level.handcrafted), len(level.learnable))]
        encoded = torch.split(splicer.encode(rows), counts)
        return [(encoded[i], encoded[i + 1], encoded[i + 2]) for i in range(0, len(encoded), 3)]

    def _body(self, phrase: Phrase, state: int, splicer: Splicer, learned: Tensor | None = None) -> Tensor:
        """The words of a phrase with its gated attributes, [n, w]; `learned` [1, w] between any two of its pieces."""
        body = splicer.words(f"{phrase.text}.")[1]
        if learned is not None:
            first, *rest = [
                splicer.words(piece)[1] for piece in (*phrase.pieces[:-1], f"{phrase.pieces[-1]}.")
            ]
            body = torch.cat([first, *(part for words in rest for part in (learned, words))])
        for gate, words in zip(torch.sigmoid(self.gates[state]), phrase.attributes, strict=True):
            if words:
                more = splicer.words(f"{words}.")[1][: len(body)]
                body = body + gate * F.pad(more, (0, 0, 0, len(body) - len(more)))
        return body


class QueryFormer(nn.Module):
    """Level features → what a patch looks its level up with, for a batch of classes.

    normal, abnormal [C, L, d] and absent [C, L] bool → [C, L, d] of unit length.
    """

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        heads = 4 if width % 4 == 0 else 1
        self.queries = nn.Parameter(torch.randn(levels, width) * 0.02)
        self.normal = nn.MultiheadAttention(width, heads, batch_first=True)
        self.abnormal = nn.MultiheadAttention(width, heads, batch_first=True)
        self.project = nn.Linear(2 * width, width)

    def forward(self, normal: Tensor, abnormal: Tensor, absent: Tensor) -> Tensor:
        query = self.queries[: normal.shape[1]].expand(len(normal), -1, -1)
        seen = [
            attention(query, keys, keys, key_padding_mask=absent, need_weights=False)[0]
            for attention, keys in ((self.normal, normal), (self.abnormal, abnormal))
        ]
        return F.normalize(self.project(torch.cat(seen, dim=-1)), dim=-1)

    @staticmethod
    def loss(queries: Tensor, normal: Tensor, abnormal: Tensor, absent: Tensor) -> Tensor:
        """1 − ½(cos(q_k, n_k) + cos(q_k, ā_k)) of [classes, levels,
        d], averaged over those not `absent` [classes, levels]."""
        likeness = (queries * normal).sum(-1) + (queries * F.normalize(abnormal, dim=-1)).sum(-1)
        return (1 - likeness / 2)[~absent].mean()
