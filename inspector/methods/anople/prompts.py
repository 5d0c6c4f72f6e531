"""What AnoPLe learns: coupled prompts of both towers, a prefix a view, and the decoder of patch tokens."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspector.features.backbone import Backbone, Features
from inspector.methods.anople.lesson import VIEWS
from inspector.methods.prompts import training
from inspector.methods.prompts.phrases import spoken
from inspector.methods.prompts.tokens import CoupledPrompts, Splicer

NEUTRAL = "a photo of a part, seen from near,"


class Decoder(nn.Module):
    """Joint tokens [B, N, d] on a grid, of unit length → D [B, N, d] of unit length; the identity before teaching."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into = nn.Conv2d(width, width // 4, 3, padding=1)
        self.back = nn.Conv2d(width // 4, width, 1)
        for parameter in self.back.parameters():
            nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        plane = tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)
        change = self.back(F.gelu(self.into(plane))).flatten(2).transpose(1, 2)
        return F.normalize(tokens + change, dim=-1)


class Prompts(nn.Module):
    """Everything that AnoPLe learns: coupled prompts, prefixes of the five views, decoder."""

    def __init__(
        self,
        depth: int,
        length: int,
        *,
        text_width: int,
        vision_width: int,
        joint_width: int,
        coupling: str,
        prompts: str,
    ) -> None:
        super().__init__()
        self.coupled = CoupledPrompts(
            depth, length, text_width, vision_width, shared=coupling == "shared", use=prompts
        )
        self.prefix = nn.Parameter(torch.randn(VIEWS, vision_width) * 0.02)
        self.decoder = Decoder(joint_width)

    def features(
        self, backbone: Backbone, x: Tensor, grid: tuple[int, int], view: Tensor, taps: Sequence[str] = ()
    ) -> Features:
        """One prompted pass; `x` and `grid` as in `Backbone.forward`; view [B] numbers the prefix of every image."""
        deep = self.coupled.deep_vision()
        prompts = None if deep is None else list(deep.unbind(0))
        prefix = self.prefix[view].unsqueeze(1)
        return backbone.forward(x, grid=grid, taps=taps, visual_prompts=prompts, prefix=prefix)

    def begin(
        self, backbone: Backbone, splicer: Splicer, shots: Mapping[tuple[int, int], Tensor], seed: int
    ) -> None:
        """Start from what the towers know of a neutral phrase and of the shots; tokens [B, T, width] of `embed` by grid."""
        twice = 2 * self.length
        words = patches = None
        if self.coupled.text is not None:
            known = splicer.words(" ".join([NEUTRAL] * twice))[1][:twice]
            entering = splicer.text.hidden(*splicer([[known]]))
            words = torch.cat(entering)[: self.depth, splicer.start : splicer.start + twice]
        with torch.no_grad():
            blocks = [f"block{j}" for j in range(1, self.depth)]
            parts = []
            for grid, tokens in shots.items():
                seen = backbone.forward(tokens, grid=grid, taps=blocks, joint=False).taps
                before = [tokens[:, -math.prod(grid) :], *(seen[block] for block in blocks)]
                parts.append([one.flatten(0, 1).float() for one in before])
            entering = [torch.cat(same) for same in zip(*parts, strict=True)]  # each block, [patches, width]
            self.prefix.add_(entering[0].mean(0))
            if self.coupled.vision is not None:
                patches = torch.stack([prototypes(one, twice, seed) for one in entering])
        self.coupled.begin(words, patches)

    def states(self, splicer: Splicer, class_names: Sequence[str], seen: Sequence[Tensor] = ()) -> Tensor:
        """The state features [n, 2, d] (normal, abnormal), unit length, of n class names.

        `seen`: the visual prompts of n images after each block, when text is conditioned on the image.
        """
        layers = seen[: self.depth] if self.coupled.vision is not None else ()
        own = torch.stack([one[:, : self.length] for one in layers], dim=1).float() if layers else None
        deep = self.coupled.deep_text(own)
        rows: list[list[str | Tensor]] = []
        for index, name in enumerate(class_names):
            front: list[str | Tensor] = []
            if deep is not None:
                front = [deep[0] if own is None else deep[index, 0]]
            rows += [[*front, f"{spoken(name)}."], [*front, f"abnormal {spoken(name)}."]]
        later: list[Tensor] = []
        if deep is not None:
            each = deep.unbind(0) if own is None else deep.repeat_interleave(2, dim=0).unbind(1)
            later = list(each)[1:]
        encoded = splicer.encode(rows, later)
        return encoded.reshape(len(class_names), 2, -1)

    @property
    def depth(self) -> int:
        """Prompted layers, from the first on."""
        prompts = self.coupled.text if self.coupled.vision is None else self.coupled.vision
        return 0 if prompts is None else prompts.shape[0]

    @property
    def length(self) -> int:
        """Own tokens a layer, without those of the other tower."""
        prompts = self.coupled.text if self.coupled.vision is None else self.coupled.vision
        return 0 if prompts is None else prompts.shape[1]


def prototypes(patches: Tensor, count: int, seed: int) -> Tensor:
    """[n, d] → [count, d]: what `count` groups of alike patches have in common (k-means), in no order."""
    draw = training.generator(seed, 2)
    some = patches[torch.randperm(len(patches), generator=draw)[:4096].to(patches.device)]
    centres = some[torch.arange(count, device=some.device) % len(some)]
    for _ in range(8):
        nearest = F.one_hot(torch.cdist(some, centres).argmin(1), count).float()
        sizes = nearest.sum(0)[:, None]
        centres = torch.where(sizes > 0, nearest.T @ some / sizes.clamp_min(1), centres)
    return centres
