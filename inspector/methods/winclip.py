"""WinCLIP and WinCLIP+ (Jeong et al., CVPR 2023): fixed phrases on sliding windows; nothing is learned.

- Text: per class the mean over 7 normal states × 22 templates, and over 4 abnormal states × 22, then unit length.
- Windows of 2×2 and 3×3 patches, stride 1: class token and the window's patches alone go through all blocks.
- State map: every window's abnormal probability at temperature 0.07; a patch takes the harmonic mean over the windows
  that cover it; the two scales and the image's own probability are joined by the harmonic mean.
- WinCLIP+ (with shots): distance ½(1 − max cos) to the shots' windows of both scales, spread over patches likewise,
  and to their last-block patches; M_w is the mean of the three; map = state map + M_w; image score = ½(p + max M_w).
- Without any shot (0-shot): the state map, and p as image score.

Deviations from the paper, complete as far as we know: whichever backbone is in use, the embedded one at first, instead of
ViT-B/16+; images keep their proportions where the tower takes them, so that windows lie on an elongated grid; maps have
a quarter of the image's pixels a side and are smoothed like every other method's; a hybrid's last-block patches and windows
lie on its transformer's coarser grid, so that a window sees more of the image than the paper's. Where the paper is silent
we follow the public port that comes close to its figures (class token of a window, positions added before it is cut).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from inspector.features.backbone import Backbone, Features
from inspector.features.text_tower import TextTower
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.prompts import fusion
from inspector.methods.prompts.method import PromptMethod, TaughtPrompts, enlarged
from inspector.methods.prompts.phrases import ABNORMAL_STATES, NORMAL_STATES, TEMPLATES, spoken
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import normalised
from inspector.methods.smoothing import smoothed
from inspector.methods.stored_tensors import StoredTensors

TEMPERATURE = 0.07
SCALES = (2, 3)


def windows(grid: tuple[int, int], side: int) -> Tensor:
    """Patch numbers of every square window of `side` patches, [windows, side²], row by row."""
    rows, columns = grid
    numbers = torch.arange(rows * columns).reshape(rows, columns)
    return numbers.unfold(0, side, 1).unfold(1, side, 1).reshape(-1, side * side)


def spread(values: Tensor, indices: Tensor, patches: int) -> Tensor:
    """Window values [B, W] ≥ 0 → patch values [B, patches]: the harmonic mean over the windows that cover a patch."""
    sums = values.new_zeros(values.shape[0], patches)
    covered = values.new_zeros(patches)
    flat = indices.flatten().to(values.device)
    inverse = values.clamp_min(fusion.EPS).reciprocal().repeat_interleave(indices.shape[1], dim=1)
    sums.index_add_(1, flat, inverse)
    covered.index_add_(0, flat, torch.ones_like(flat, dtype=values.dtype))
    return covered / sums


def state_features(text: TextTower, class_name: str) -> Tensor:
    """[2, d]: the normal and the abnormal direction of a class, unit length."""
    means = []
    for states in (NORMAL_STATES, ABNORMAL_STATES):
        texts = [
            template.format(state.format(spoken(class_name))) for state in states for template in TEMPLATES
        ]
        with torch.no_grad():
            ids = text.tokens(texts)
            means.append(text.encode(text.embed(ids), text.eot(ids)).mean(0))
    return normalised(torch.stack(means))


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtWinCLIP(TaughtPrompts):
    """`text_features` [classes, 2, d]: the normal and the abnormal direction of every class."""

    text_features: Tensor

    def features(self, pixels: Tensor) -> Features:
        """Images [B,3,h,w] → class token, last-block patches, and the
        class tokens of all windows as taps on their own grids."""
        backbone = self.backbone
        last = f"block{backbone.depth}"
        rows, columns = grid = backbone.grid_of((pixels.shape[2], pixels.shape[3]))
        tokens = backbone.embed(pixels)
        seen = backbone.forward(tokens, grid=grid, taps=(last,))
        for side in SCALES:
            seen.taps[f"window{side}"] = backbone.windows(tokens, windows(grid, side))
            seen.grids[f"window{side}"] = (rows - side + 1, columns - side + 1)
        return seen

    def nearest_classes(self, features: Features) -> tuple[list[str], list[float]]:
        """By the memory; without any shot, by the class token's softmax over the classes' mean directions."""
        if self.memory.classes:
            return super().nearest_classes(features)
        near = normalised(features.cls) @ normalised(self.text_features.mean(1)).T
        sure, best = torch.softmax(near / TEMPERATURE, dim=-1).max(-1)
        return [self.classes[i] for i in best.tolist()], sure.tolist()

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map: state map + M_w, in 0–2, or the state map alone for a class without shots; image score ½(p + max M_w), or p."""
        states = self.text_features[self.numbers(class_names)]
        normal, abnormal = states[:, 0], states[:, 1]
        whole = fusion.abnormal_probability(normalised(features.cls), normal, abnormal, TEMPERATURE)
        grid = features.grids["patches"]
        views = [_spread(self._window_state(features, side, states), side, grid) for side in SCALES]
        state = fusion.harmonic(*views, whole[:, None])
        score = whole
        shown = [self.memory.count(name) for name in class_names]
        seen = [number for number, count in enumerate(shown) if count]
        if seen:
            visual = self._visual(features, class_names, without, seen)
            state, score = state.clone(), score.clone()
            state[seen] = state[seen] + visual
            score[seen] = fusion.mean(score[seen], visual.amax(1))
        planes = enlarged(state.reshape(-1, *grid), self.map_size)
        return smoothed(planes, self.settings["sigma"], grid), score

    def _window_state(self, features: Features, side: int, states: Tensor) -> Tensor:
        """The abnormal probability of every window, [B, W]."""
        tokens = normalised(features.taps[f"window{side}"])
        return fusion.abnormal_probability(tokens, states[:, None, 0], states[:, None, 1], TEMPERATURE)

    def _visual(
        self,
        features: Features,
        class_names: Sequence[str],
        without: Sequence[int | None],
        rows: Sequence[int],
    ) -> Tensor:
        """M_w [rows, N]: the mean of both window distances, spread over patches, and the patch distance."""
        patches = self.memory.patches(features)
        names, shots = [class_names[i] for i in rows], [without[i] for i in rows]
        maps = []
        for tap, values in patches.items():
            distance = self.memory.distances(tap, values[list(rows)], names, shots)
            if tap.startswith("window"):
                distance = _spread(distance, int(tap.removeprefix("window")), features.grids["patches"])
            maps.append(distance)
        return fusion.mean(*maps)

    def tensors(self) -> dict[str, Tensor]:
        return {"text_features": self.text_features}


def _spread(values: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    return spread(values, windows(grid, side), grid[0] * grid[1])


class WinCLIP(PromptMethod[TaughtWinCLIP]):
    """`sigma`: smoothing in cells of a 60×60 map."""

    method = "winclip"
    title = "WinCLIP"
    bank_type = CosineBank
    shotless = True
    defaults: ClassVar[Mapping[str, Any]] = {"sigma": 1.0}

    def learn(self, teaching: Teaching) -> TaughtWinCLIP:
        found = []
        for number, name in enumerate(teaching.names):
            teaching.cancel.check()
            found.append(state_features(teaching.text, name))
            teaching.progress((number + 1) / len(teaching.names), f"{name}: read the phrases", {})
        return TaughtWinCLIP(**self.common(teaching), text_features=torch.stack(found))

    @staticmethod
    def memory_widths(settings: Mapping[str, Any], backbone: Backbone) -> dict[str, int]:
        windows = {f"window{side}": backbone.embed_dim for side in SCALES}
        return {f"block{backbone.depth}": backbone.width, **windows}

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtWinCLIP:
        shape = len(common["names"]), 2, common["backbone"].embed_dim
        return TaughtWinCLIP(**common, text_features=stored.take("text_features", *shape))
