"""What AnoPLe knows after teaching, and how it scores: decoder and memory side by side, joined per map."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.features.backbone import Features
from inspector.methods.anople.prompts import Prompts
from inspector.methods.coreset import coreset
from inspector.methods.memory_bank import LARGEST
from inspector.methods.prompts import fusion
from inspector.methods.prompts.method import TaughtPrompts, enlarged
from inspector.methods.prompts.tokens import normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07
MATCHES = 5
"""Shot patches, per shot, that a patch is read against."""


@dataclass(frozen=True, eq=False)
class ShotReadings:
    """What the prompts say of the shots of one class, an entry a shot. `likes` [N, c]: patches to match with, of unit length;
    `odds` [N]: the state reading of each, log-odds of "abnormal"."""

    likes: tuple[Tensor, ...] = ()
    odds: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtAnoPLe(TaughtPrompts):
    """`text_features` [classes, 2, d]: constants after teaching, so that scoring never loads the text tower. `spread`
    [classes]: how far, in log-odds, slightly altered views of the shots read from their likes (root mean square).
    `readings`: by class."""

    prompts: Prompts
    text_features: Tensor
    spread: Tensor
    readings: Mapping[str, ShotReadings] = field(default_factory=dict)

    def features(self, pixels: Tensor) -> Features:
        backbone, whole = self.backbone, torch.zeros(len(pixels), dtype=torch.long)
        grid = backbone.grid_of((pixels.shape[2], pixels.shape[3]))
        taps = backbone.default_taps
        if self.settings["bank"] == "prompted":
            seen = self.prompts.features(backbone, pixels, grid, whole)
            return dataclasses.replace(seen, taps={"patches": normalised(seen.patches)})
        if all(tap.startswith("stem") for tap in taps):  # prompts enter behind the stem: one pass for both
            return self.prompts.features(backbone, pixels, grid, whole, taps)
        tokens = backbone.embed(pixels)
        plain = backbone.forward(tokens, grid=grid, taps=taps, joint=False)
        seen = self.prompts.features(backbone, tokens, grid, whole)
        return dataclasses.replace(seen, taps=plain.taps, grids={**plain.grids, **seen.grids})

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map: the memory's, weighed by the smoothed state map (`fusion.weighed`), 0–1¼; image score: the highest value of
        such a map of a quarter of the weight.

        State map: σ((odds − odds of likes) / (2 · spread)), enlarged before σ. `fusion` and `image_score` change the joins.
        """
        s = self.settings
        odds, abnormal = self.state_reading(features, class_names)
        if s["relative"]:
            usual = 2 * self.spread[self.numbers(class_names)]
            odds = self.relative(odds, features, class_names, without) / usual[:, None]
        grid = features.grids["patches"]
        state = torch.sigmoid(enlarged(odds.reshape(-1, *grid), self.map_size))
        maps = [smoothed(state, s["sigma"], grid)]
        if s["fusion"] != "none":
            maps.append(self.memory.maps(features, class_names, without))
        join = fusion.FUSIONS.get(s["fusion"], fusion.mean)
        fused = join(*maps)
        if s["image_score"] == "token":
            return fused, fusion.harmonic(abnormal, fused.flatten(1).amax(1))
        if s["image_score"] == "cautious" and len(maps) > 1:
            return fused, fusion.weighed(maps[0], maps[1], fusion.WEIGHT * fusion.CAUTION).flatten(1).amax(1)
        if s["image_score"] in ("map", "cautious"):
            return fused, fused.flatten(1).amax(1)
        return fused, join(*(one.flatten(1).amax(1) for one in maps))

    def remembering(self, class_name: str, features: Features, together: bool = False) -> "TaughtAnoPLe":
        grown = super().remembering(class_name, features, together)
        with torch.no_grad():
            odds, _ = self.state_reading(features, [class_name] * len(normalised(features.cls)))
        known, likes = self.readings.get(class_name, ShotReadings()), self._likes(features)
        if together:
            likes, odds = likes.flatten(0, 1), odds.flatten()
            kept = coreset(likes, LARGEST)
            likes, odds = likes[kept][None], odds[kept][None]
        more = ShotReadings((*known.likes, *likes), (*known.odds, *odds))
        return dataclasses.replace(grown, readings={**self.readings, class_name: more})

    def state_reading(self, features: Features, class_names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The decoder's log-odds of "abnormal" [B, N] and the class token's probability [B]."""
        if self.settings["instance_conditioned"]:
            states = self.prompts.states(self.splicer, class_names, features.prompts)
        else:
            states = self.text_features[self.numbers(class_names)]
        abnormal = fusion.abnormal_probability(
            normalised(features.cls), states[:, 0], states[:, 1], TEMPERATURE
        )
        patches, grid = normalised(features.patches), features.grids["patches"]
        return decode(self.prompts, patches, grid, states)[0], abnormal

    def relative(
        self, odds: Tensor, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> Tensor:
        """Log-odds [B, N] less what the class's shots say of the patches that look alike (`fusion.relative_to_likes`)."""
        rows = []
        for own, likes, name, left_out in zip(odds, self._likes(features), class_names, without, strict=True):
            known = self.readings[name]
            kept = [shot for shot in range(len(known.likes)) if shot != left_out]
            likeness = likes @ torch.cat([known.likes[shot] for shot in kept]).T
            shots = torch.cat([known.odds[shot] for shot in kept])
            rows.append(fusion.relative_to_likes(own, likeness, shots, MATCHES * len(kept)))
        return torch.stack(rows)

    def _likes(self, features: Features) -> Tensor:
        """What patches are matched by: the memory's last tap on the tower's grid, [B, N, c] of unit length."""
        grid = features.grids["patches"]
        tap = max(name for name in features.taps if features.grids[name] == grid)
        tokens = features.taps[tap].float()
        plane = tokens.transpose(1, 2).reshape(-1, tokens.shape[2], *grid)
        return normalised(F.avg_pool2d(plane, 3, 1, 1).flatten(2).transpose(1, 2))

    def tensors(self) -> dict[str, Tensor]:
        made: dict[str, Any] = {"text_features": self.text_features, "spread": self.spread}
        for number, name in enumerate(self.names):
            known = self.readings[name]
            for shot, (likes, odds) in enumerate(zip(known.likes, known.odds, strict=True)):
                made[f"shots.{number}.{shot}.likes"], made[f"shots.{number}.{shot}.odds"] = likes, odds
        return {**made, **{f"prompts.{name}": value for name, value in self.prompts.state_dict().items()}}


def decode(prompts: Prompts, patches: Tensor, grid: tuple[int, int], states: Tensor) -> tuple[Tensor, Tensor]:
    """Joint tokens [B, N, d] on `grid` and states [B, 2, d] → log-odds of "abnormal" [B, N] and D [B, N, d]."""
    decoded: Tensor = prompts.decoder(patches, grid)
    return (decoded @ (states[:, 1] - states[:, 0]).unsqueeze(-1)).squeeze(-1) / TEMPERATURE, decoded
