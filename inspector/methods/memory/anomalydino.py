"""AnomalyDINO (Damm et al., WACV 2025): last-layer patches without a near neighbour in the shots are anomalous.

Distance of a patch p to the memory M: d(p) = min over m in M of 1 − cos(p, m). Image score: mean of the highest 1 % of the
distances (rounded down, at least one patch). Anomaly map: distances enlarged bilinearly, then smoothed. The shots are also
remembered turned by multiples of 45° ("agnostic"), or only those of classes whose parts lie at any angle ("informed").
Patches of the background count 0 where that is asked for: the first principal component of an image's own patches is
compared with THRESHOLD, see `foreground`.

Deviations, complete: images keep their proportions at about the backbone's own number of pixels (its square at 448, where
the paper gives the shorter side 448 and crops to whole patches), shrunk by area means; published are DINOv2's towers
without registers, ours have them, and any tower with blocks serves: what it gives to the joint space is compared, for
towers without text the normalised last layer as published; which classes are masked is chosen by hand, as in the paper, but
none are to begin with; an image whose mask misses its centre under either sign isn't masked at all, lest a defect go unseen
(the release then keeps what little there is); the component's sign, left to scikit-learn there, is that of the patch farthest
from the mean; the published Gaussian of 4 pixels of the file is one of `sigma`, 4 pixels of an image of 960 pixels whatever
the file's size, and maps are kept at a quarter of the backbone's pixels; the memory is kept in half precision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.images.turning import turned
from inspector.methods.detector import need_shots
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.memory_bank import Joined
from inspector.methods.method import Method
from inspector.methods.stored_tensors import TEACH_AGAIN, StoredTensors
from inspector.methods.taught import Taught, map_size

ANGLES = (0, 45, 90, 135, 180, 225, 270, 315)
THRESHOLD = 10.0
"""In units of DINOv2's normalised last layer."""
BORDER, LEAST = 0.2, 0.35
"""The centre of an image begins this share of a side from its border, and so much of it, at least, shows the part."""
TAP = "patches"


class DinoBank(CosineBank):
    """Keeps patch directions of every shot and of its turned copies, [N, d] float16."""

    dtype: ClassVar[torch.dtype] = torch.float16
    distance_name: ClassVar[str] = "1 - cosine"

    def keep(self, patches: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d] float16."""
        return patches.half()

    def join(self, kept: Sequence[Tensor]) -> Joined:
        """All directions, [M, d] float32."""
        return (torch.cat(list(kept)).float(),)

    def distance(self, patches: Tensor, joined: Joined) -> Tensor:
        """[B, N, d] → [B, N], 1 − max cos, 0–2."""
        return 2 * super().distance(patches, joined)


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtDino(Taught):
    """`rotated`, `masked`: names of the classes whose shots are turned, whose background doesn't count; None for all."""

    rotated: tuple[str, ...] | None
    masked: tuple[str, ...] | None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.memory.classes

    def features(self, pixels: Tensor) -> Features:
        seen = self.backbone.forward(pixels)
        assert seen.patches is not None
        return Features(None, None, None, {TAP: seen.patches}, {TAP: seen.grids["patches"]})

    def turns(self, class_name: str) -> Sequence[int]:
        return ANGLES if _among(class_name, self.rotated) else (0,)

    def shot_features(self, class_name: str, images: Sequence[Image]) -> Features:
        """All patches of a shot and of its turned copies, one after the other: together they are kept or left out."""
        seen = [
            self.features_of([replace(one, pixels=turned(one.pixels, angle)) for one in images])
            for angle in self.turns(class_name)
        ]
        return replace(seen[0], taps={TAP: torch.cat([one.taps[TAP] for one in seen], dim=1)})

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        tokens, grid = features.taps[TAP], features.grids[TAP]
        distances = self.memory.distances(TAP, self.memory.patches(features)[TAP], class_names, without)
        for index, name in enumerate(class_names):
            if _among(name, self.masked):
                distances[index] *= foreground(tokens[index], grid).flatten()
        highest = distances.topk(max(1, distances.shape[1] // 100), dim=1).values
        return self.memory.spread(distances, grid), highest.mean(1)


class AnomalyDINO(Method[TaughtDino]):
    """`rotated`: the classes whose shots are remembered turned too, None for all; `masked`: the classes whose background
    doesn't count, None for all; `sigma`: see `MemoryBank`. Raises ValueError for settings that make no sense."""

    method: ClassVar[str] = "anomalydino"
    title: ClassVar[str] = "AnomalyDINO"
    defaults: ClassVar[Mapping[str, Any]] = {"rotated": None, "masked": [], "sigma": 0.25}
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {"masked": (None,)}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in ("rotated", "masked"):
            chosen = self.settings[name]
            if chosen is not None and not (
                isinstance(chosen, list) and all(isinstance(one, str) for one in chosen)
            ):
                raise ValueError(f"{name} is a list of classes, or null for all")

    def teach(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> TaughtDino:
        need_shots(shots)
        if not backbone.is_vit:
            raise DetectorError(
                f"{self.title} needs a backbone with transformer blocks, and {backbone.identity.architecture} has none.",
                "Choose another backbone under Weights, or a method that remembers the stages of this one.",
            )
        memory = DinoBank(map_size(backbone), 1, self.settings["sigma"])
        return self._empty(backbone, memory).with_all(shots, progress, cancel)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        taught = self.taught
        own = {name: self.settings[name] for name in ("rotated", "masked")}
        return taught.memory.tensors(), {**own, "bank": taught.memory.settings(), "proportions": True}

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        bank, stored = settings["bank"], StoredTensors(tensors)
        if settings["proportions"] is not True:
            raise DetectorError("The detector looks at images in an unknown way.", TEACH_AGAIN)
        made = cls(rotated=settings["rotated"], masked=settings["masked"], sigma=bank["sigma"])
        memory = DinoBank.from_state(stored, bank, {TAP: backbone.embed_dim}, backbone.image_size)
        stored.finish()
        made._taught = made._empty(backbone, memory)
        return made

    def _empty(self, backbone: Backbone, memory: DinoBank) -> TaughtDino:
        rotated, masked = (
            None if self.settings[name] is None else tuple(self.settings[name])
            for name in ("rotated", "masked")
        )
        return TaughtDino(
            backbone=backbone,
            memory=memory,
            proportions=True,
            views=self.views,
            rotated=rotated,
            masked=masked,
        )


def _among(name: str, names: Sequence[str] | None) -> bool:
    return names is None or name in names


def foreground(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which of an image's patches show the part: tokens [N, d] → bool (rows, columns).

    Those whose share in the tokens' first principal component lies above THRESHOLD; below −THRESHOLD where the former are
    at most LEAST of the centre. Then dilated and closed by 3×3. All of them where neither covers the centre.
    """
    centred = tokens.double() - tokens.double().mean(0)
    component = centred @ torch.linalg.eigh(centred.T @ centred)[1][:, -1]
    component = component * component[component.abs().argmax()].sign()
    for sign in (1, -1):
        mask = (sign * component > THRESHOLD).reshape(grid)
        centre = mask[tuple(slice(int(side * BORDER), int(side * (1 - BORDER))) for side in grid)]
        if centre.sum() > LEAST * centre.numel():
            wide = _dilated(_dilated(mask.float()[None]))
            return -_dilated(-wide)[0] > 0
    return torch.ones_like(mask)


def _dilated(planes: Tensor) -> Tensor:
    return F.max_pool2d(planes, 3, stride=1, padding=1)
