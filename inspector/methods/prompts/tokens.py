"""Learned prompts: contexts among words, deep prompts of both towers, and the coupling between them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.features.text_tower import TextTower

Piece = str | Tensor
"""A part of a prompt: words, or learned tokens [n, width]."""


def need_text(backbone: Backbone, title: str) -> TextTower:
    """The backbone's text tower. Raises DetectorError when it has none."""
    if backbone.text is None:
        raise DetectorError(
            f"{title} needs a backbone with a text tower, and {backbone.identity.architecture} has none.",
            "Choose another backbone, or a method without text such as PatchCore.",
        )
    return backbone.text


def need_blocks(backbone: Backbone, title: str) -> None:
    """Raises DetectorError when the image tower has no transformer blocks to prompt or to read."""
    if backbone.depth < 1:
        raise DetectorError(
            f"{title} needs an image tower with transformer blocks, and {backbone.identity.architecture} has none.",
            "Choose a ViT backbone, or a method without blocks such as PatchCore.",
        )


def first_vv_block(depth: int) -> int:
    """Where the V-V path starts: all blocks up to 12 of them (PromptAD), else the last 19 (AnomalyCLIP)."""
    return max(1, depth - 18) if depth > 12 else 1


def normalised(tokens: Tensor | None) -> Tensor:
    """Joint tokens [..., d] of a pass, float32, of unit length."""
    assert tokens is not None, "the pass left out its joint features"
    return F.normalize(tokens.float(), dim=-1)


class Splicer:
    """Puts learned tokens between words, as the text tower's input embeddings.

    The embeddings of words never change, so every phrase is looked up once. Works for tokenizers with a start
    token (CLIP) and without one (SigLIP): what an empty text holds is the frame that every prompt gets.
    """

    def __init__(self, text: TextTower) -> None:
        self.text = text
        self._known: dict[str, tuple[Tensor, Tensor]] = {}
        empty, letter = text.tokens(["", "a"])
        self.start = int((empty == letter).int().cumprod(0).sum())
        self._pad = empty[-1]
        self._used = int((empty != self._pad).sum())
        self._ids, self._frame = empty, text.embed(empty[None])[0]
        self._filler = letter[self.start]

    def words(self, phrase: str) -> tuple[Tensor, Tensor]:
        """The ids [n] and embeddings [n, width] of a phrase's own tokens."""
        if phrase not in self._known:
            ids = self.text.tokens([phrase])[0]
            count = int((ids != self._pad).sum()) - self._used
            own = ids[self.start : self.start + count]
            self._known[phrase] = own, self.text.embed(own[None])[0]
        return self._known[phrase]

    def __call__(self, prompts: Sequence[Sequence[Piece]]) -> tuple[Tensor, Tensor]:
        """Prompts, each a row of words and learned tokens →
        (embeddings [n, context, width], end of text [n]).

        What doesn't fit the tower's context is cut off a prompt's end.
        """
        length = self.text.context_length
        room = length - max(self._used, self.start)
        rows, numbers = [], []
        for prompt in prompts:
            ids, embeddings = [], []
            for piece in prompt:
                known = self.words(piece) if isinstance(piece, str) else None
                ids.append(known[0] if known else self._filler.expand(len(piece)))
                embeddings.append(known[1] if known else piece.float())  # type: ignore[union-attr]
            numbers.append(
                torch.cat([self._ids[: self.start], torch.cat(ids)[:room], self._ids[self.start :]])[:length]
            )
            body = torch.cat(embeddings)[:room]
            rows.append(torch.cat([self._frame[: self.start], body, self._frame[self.start :]])[:length])
        return torch.stack(rows), self.text.eot(torch.stack(numbers))

    def encode(self, prompts: Sequence[Sequence[Piece]], deep: Sequence[Tensor] | None = None) -> Tensor:
        """Text features [n, d] of unit length; `deep` are the
        prompts of blocks 2, 3 … as in `TextTower.encode`."""
        embeddings, ends = self(prompts)
        return normalised(self.text.encode(embeddings, ends, deep, self.start))


def context(length: int, width: int) -> nn.Parameter:
    """`length` learned tokens, drawn from N(0, 0.02²)."""
    return nn.Parameter(torch.randn(length, width) * 0.02)


class CoupledPrompts(nn.Module):
    """AnoPLe's deep prompts of both towers and the two-way coupling.

    At every prompted layer j, with linear maps f_vt and f_tv (AnoPLe, method section): P̃ᵗ_j = [Pᵗ_j ;
    f_vt(Pᵛ_j)] and P̃ᵛ_j = [Pᵛ_j ; f_tv(Pᵗ_j)], both from the uncoupled prompts. `shared` uses one pair of
    maps for all layers, else every layer has its own. `use` "text" or "vision" leaves the other tower
    unprompted, and then nothing is coupled.
    """

    def __init__(
        self,
        depth: int,
        length: int,
        text_width: int,
        vision_width: int,
        *,
        shared: bool = True,
        use: str = "both",
    ) -> None:
        super().__init__()
        maps = 1 if shared else depth
        self.text = nn.Parameter(torch.randn(depth, length, text_width) * 0.02) if use != "vision" else None
        self.vision = nn.Parameter(torch.randn(depth, length, vision_width) * 0.02) if use != "text" else None
        both = use == "both"
        self.to_text = (
            nn.ModuleList(nn.Linear(vision_width, text_width) for _ in range(maps)) if both else None
        )
        self.to_vision = (
            nn.ModuleList(nn.Linear(text_width, vision_width) for _ in range(maps)) if both else None
        )

    def begin(self, words: Tensor | None, patches: Tensor | None) -> None:
        """Start near tokens that the towers know: words [J,
        2·length, text_width], patches [J, 2·length, vision_width].

        The first `length` of each become the prompts. The maps start where they come closest, in least
        squares, to the remaining ones of the other side. What was drawn before stays as noise on top.
        """
        with torch.no_grad():
            for own, known in ((self.text, words), (self.vision, patches)):
                if own is not None and known is not None:
                    own.add_(known[:, : own.shape[1]])
            pairs = ((self.to_text, self.vision, words), (self.to_vision, self.text, patches))
            for maps, source, known in pairs:
                if maps is None or source is None or known is None:
                    continue
                wanted = known[:, source.shape[1] :]
                layers = [slice(None)] if len(maps) == 1 else [slice(j, j + 1) for j in range(len(maps))]
                for one, chosen in zip(maps, layers, strict=True):
                    rows, goals = source[chosen].flatten(0, 1), wanted[chosen].flatten(0, 1)
                    centre = rows.mean(0)
                    weight = torch.linalg.pinv(rows - centre, rtol=1e-2) @ (goals - goals.mean(0))
                    one.weight.copy_(weight.T)  # type: ignore[operator]
                    one.bias.copy_(goals.mean(0) - centre @ weight)  # type: ignore[operator]

    def deep_text(self, seen: Tensor | None = None) -> Tensor | None:
        """[J, 2·length, text_width] (uncoupled [J, length, …]); None when only the image tower is prompted.

        `seen` [B, J, length, vision_width] are an image's own visual prompts after each layer; they replace
        the learned ones in the coupling, and the result is [B, J, 2·length, text_width].
        """
        if self.text is None or self.to_text is None or self.vision is None:
            return self.text
        visual = self.vision if seen is None else seen
        own = self.text if seen is None else self.text.expand(seen.shape[0], *self.text.shape)
        return torch.cat([own, _mapped(self.to_text, visual)], dim=-2)

    def deep_vision(self) -> Tensor | None:
        """[J, 2·length, vision_width] (uncoupled [J, length,
        …]); None when only the text tower is prompted."""
        if self.vision is None or self.to_vision is None or self.text is None:
            return self.vision
        return torch.cat([self.vision, _mapped(self.to_vision, self.text)], dim=-2)


def _mapped(maps: Sequence[Any] | nn.ModuleList, prompts: Tensor) -> Tensor:
    """prompts [..., J, L, w]; one map for all layers, or one a layer."""
    if len(maps) == 1:
        out: Tensor = maps[0](prompts)
        return out
    return torch.stack([one(prompts[..., j, :, :]) for j, one in enumerate(maps)], dim=-3)
