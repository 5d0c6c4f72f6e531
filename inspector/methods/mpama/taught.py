"""What MPAMA knows after teaching, and how it scores: the levels' state map and the memory's map, joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inspector.features.backbone import Backbone, Features
from inspector.methods.mpama.prompts import Experts, perceived
from inspector.methods.prompts import fusion
from inspector.methods.prompts.method import TaughtPrompts, enlarged
from inspector.methods.prompts.tokens import first_vv_block, normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07
LAYERS = 4


def vv_taps(backbone: Backbone) -> tuple[str, ...]:
    """The V-V path after (at most) LAYERS blocks, evenly spread, the last among them."""
    first, depth = first_vv_block(backbone.depth), backbone.depth
    blocks = {max(first, round(depth * (n + 1) / LAYERS)) for n in range(LAYERS)}
    return tuple(f"vv{block}" for block in sorted(blocks))


def layer_tokens(backbone: Backbone, features: Features) -> Tensor:
    """The V-V taps of a pass, [B, layers, N, d] of unit length."""
    return torch.stack([normalised(features.taps[tap]) for tap in vv_taps(backbone)], dim=1)


def state_planes(tokens: Tensor, local: Tensor, levels: Sequence[int], grid: tuple[int, int]) -> list[Tensor]:
    """Tokens [B, layers, N, d] and the levels' pairs [levels, 2, d] → abnormal probability [B, *grid], one a level."""
    planes = []
    for size, pair in zip(levels, local, strict=True):
        seen = perceived(tokens, size, grid)
        plane = fusion.abnormal_probability(seen, pair[0], pair[1], TEMPERATURE).mean(1)
        planes.append(plane.reshape(-1, *grid))
    return planes


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtMPAMA(TaughtPrompts):
    """`local` [levels, 2, d], `whole` [2, d]: the levels' and the whole image's pair. `usual` [classes, 3]: mean log-odds of
    state map and class token on every class's own shots, and the spread of the first over altered views of them.
    `prompts`: what they were made of, by name. `experts`: None without the second stage."""

    local: Tensor
    whole: Tensor
    usual: Tensor
    prompts: Mapping[str, Tensor]
    experts: Experts | None

    def features(self, pixels: Tensor) -> Features:
        """The tokens for `maps_and_scores` move from the taps, which the memory keeps, to `vv`, [B, layers, N, d]."""
        memory, first = self.backbone.default_taps, first_vv_block(self.backbone.depth)
        seen = self.backbone.forward(pixels, taps=(*memory, *vv_taps(self.backbone)), vv_from=first)
        tokens = layer_tokens(self.backbone, seen)
        return Features(seen.cls, seen.patches, tokens, {tap: seen.taps[tap] for tap in memory}, seen.grids)

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map: harmonic mean of the smoothed state map, relative to the class's shots, and the memory's; image score: that of
        their maxima, and of the class token's probability with `class_token`. Both in 0–1."""
        assert features.vv is not None
        grid = features.grids["vv"]
        state, abnormal = self.state_reading(normalised(features.cls), features.vv, grid)
        if self.settings["relative"]:
            usual = self.usual[self.numbers(class_names)]
            state = fusion.relative_to_shots(state, usual[:, 0], 2 * usual[:, 2])
            abnormal = fusion.relative_to_shots(abnormal[:, None, None], usual[:, 1])[:, 0, 0]
        plane = smoothed(enlarged(state, self.map_size), self.settings["sigma"], grid)
        maps = [plane, self.memory.maps(features, class_names, without)]
        highest = [one.flatten(1).amax(1) for one in maps]
        if self.settings["class_token"]:
            highest.append(abnormal)
        return fusion.harmonic(*maps), fusion.harmonic(*highest)

    def state_reading(self, cls: Tensor, tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """State map [B, h, w] on `grid` and the class token's abnormal probability [B]."""
        tokens = tokens if self.experts is None else self.experts(tokens)[0]
        abnormal = fusion.abnormal_probability(cls, self.whole[0], self.whole[1], TEMPERATURE)
        planes = state_planes(tokens, self.local, self.settings["levels"], grid)
        return torch.stack(planes).mean(0), abnormal

    def tensors(self) -> dict[str, Tensor]:
        experts = {} if self.experts is None else self.experts.state_dict()
        return {
            "local": self.local,
            "whole": self.whole,
            **{f"prompts.{name}": value for name, value in self.prompts.items()},
            "usual": self.usual,
            **{f"experts.{name}": value for name, value in experts.items()},
        }
