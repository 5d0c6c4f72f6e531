"""What FineGrainedAD knows after teaching, and how it scores: every patch against the level of the description it resembles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inspector.features.backbone import Backbone, Features
from inspector.methods.prompts import fusion
from inspector.methods.prompts.method import TaughtPrompts, enlarged
from inspector.methods.prompts.tokens import first_vv_block, normalised
from inspector.methods.smoothing import smoothed


def read(backbone: Backbone, pixels: Tensor) -> Features:
    """Prepared images [B,3,h,w] → class token, V-V patches, and the taps that a memory keeps."""
    return backbone.forward(pixels, taps=backbone.default_taps, vv_from=first_vv_block(backbone.depth))


def scale_of(tau: str, backbone: Backbone) -> float:
    """What cosines are multiplied by, see the method's description."""
    scale = backbone.logit_scale
    return {"raw": math.log(max(scale, math.e)), "exp": scale, "0.07": 1 / 0.07}[tau]


@dataclass(frozen=True, eq=False)
class LevelFeatures:
    """What scoring needs of text, all of unit length: `normal`, mean `abnormal` and `queries` [classes, levels, d]; `absent`
    [classes, levels] bool: levels that a class lacks, whose features are zero."""

    normal: Tensor
    abnormal: Tensor
    queries: Tensor
    absent: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtFineGrained(TaughtPrompts):
    """`levels`: the text side. `usual` [classes]: mean of the image level's map of the class's shots. `parts`: what the text
    side was made of, by name."""

    levels: LevelFeatures
    usual: Tensor
    parts: Mapping[str, Tensor]

    def features(self, pixels: Tensor) -> Features:
        return read(self.backbone, pixels)

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return scale_of(self.settings["tau"], self.backbone)

    def level_reading(self, tokens: Tensor, owners: Sequence[int]) -> tuple[Tensor, Tensor]:
        """tokens [B, N, d] of classes number `owners` → each one's level [B, N] and abnormal probability there [B, N]
        (Eqs. 4, 5)."""
        own = list(owners)
        likeness = tokens @ self.levels.queries[own].transpose(1, 2)
        level = likeness.masked_fill(self.levels.absent[own][:, None], -torch.inf).argmax(-1)
        gap = tokens @ (self.levels.abnormal[own] - self.levels.normal[own]).transpose(1, 2)
        return level, torch.sigmoid(self.scale * gap.gather(-1, level.unsqueeze(-1))[..., 0])

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map: harmonic mean of the smoothed level map, re-weighted by the image level's (Eq. 6), and the memory's (Eq. 7);
        image score (Eq. 8): that of the class token's reading and the map's maximum. Both in 0–1."""
        s, owners = self.settings, self.numbers(class_names)
        tokens, cls = normalised(features.vv), normalised(features.cls)
        state = self.level_reading(tokens, owners)[1]
        if s["reweight"]:
            normal, abnormal = self.levels.normal[owners, :1], self.levels.abnormal[owners, :1]
            image = fusion.abnormal_probability(tokens, normal, abnormal, 1 / self.scale)
            state = (state * image / self.usual[owners, None]).clamp(0, 1)
        grid = features.grids["vv"]
        plane = smoothed(enlarged(state.reshape(-1, *grid), self.map_size), s["sigma"], grid)
        fused = fusion.harmonic(plane, self.memory.maps(features, class_names, without))
        whole = self.level_reading(cls[:, None], owners)[1][:, 0]
        return fused, fusion.harmonic(whole, fused.flatten(1).amax(1))

    def tensors(self) -> dict[str, Tensor]:
        known = self.levels
        return {
            "normal": known.normal,
            "abnormal": known.abnormal,
            "queries": known.queries,
            "absent": known.absent,
            "usual": self.usual,
            **self.parts,
        }
