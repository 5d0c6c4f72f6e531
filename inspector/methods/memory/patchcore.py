"""PatchCore (Roth et al., CVPR 2022): a patch that resembles no patch of the normal shots is anomalous.

Anomaly map: distance of every patch to its nearest neighbour in the memory of the image's class, mean over the taps,
Gaussian-smoothed. Image score: the map's highest value. Deviations: patches are compared by relative vector and
direction per tap (see `memory_bank`) instead of by Euclidean distance on concatenated taps; no coreset, as a few shots
stay small; no re-weighting of the image score, as the neighbours of the nearest patch say little in so small a memory;
images keep their proportions, as parts cut out at mixed shapes would otherwise differ by how far each is stretched.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods.detector import need_shots
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.method import Method
from inspector.methods.stored_tensors import TEACH_AGAIN, StoredTensors, flag
from inspector.methods.taught import Taught, map_size

_RANGE = re.compile(r"block([0-9]{1,3})-([0-9]{1,3})")


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtMemory(Taught):
    """A memory and nothing else. `taps`: the patch tokens that it keeps, see `parts`; `highest`: the share of the map, 0–1,
    whose mean is the image score, 0 for its maximum."""

    taps: tuple[str, ...]
    highest: float = 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        return self.memory.classes

    def features(self, pixels: Tensor) -> Features:
        names = list(dict.fromkeys(name for tap in self.taps for name in parts(tap)))
        seen = self.backbone.forward(pixels, taps=names, joint=False)
        taps = {tap: _mean([seen.taps[name] for name in parts(tap)]) for tap in self.taps}
        return replace(seen, taps=taps, grids={tap: seen.grids[parts(tap)[0]] for tap in self.taps})

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """The memory's map, in 0–1, and the mean of its highest values."""
        maps = self.memory.maps(features, class_names, without)
        values = maps.flatten(1)
        return maps, values.topk(max(1, round(self.highest * values.shape[1])), dim=1).values.mean(1)


class PatchCore(Method[TaughtMemory]):
    """`taps`: which patch tokens to keep (see `parts`; `default_taps` when None); `neighbourhood`, `sigma`: see `MemoryBank`.
    Raises ValueError for settings that make no sense."""

    method: ClassVar[str] = "patchcore"
    title: ClassVar[str] = "PatchCore"
    defaults: ClassVar[Mapping[str, Any]] = {"taps": None, "neighbourhood": 3, "sigma": 1.0}
    bank_type: ClassVar[type[MemoryBank]] = MemoryBank
    highest: ClassVar[float] = 0.0
    """See `TaughtMemory`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        taps = self.settings["taps"]
        if taps is not None and (not taps or not all(isinstance(tap, str) for tap in taps)):
            raise ValueError("taps are names such as block3")
        for tap in taps or ():
            parts(tap)
        self._empty_bank(60)

    def teach(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> TaughtMemory:
        need_shots(shots)
        empty = TaughtMemory(
            backbone=backbone,
            memory=self._empty_bank(map_size(backbone)),
            proportions=True,
            views=self.views,
            taps=tuple(self.settings["taps"] or self.default_taps(backbone)),
            highest=self.highest,
        )
        return empty.with_all(shots, progress, cancel)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        taught = self.taught
        chosen = self.settings["taps"] or taught.taps != taught.backbone.default_taps
        settings: dict[str, Any] = {
            "taps": list(taught.taps) if chosen else None,
            "bank": taught.memory.settings(),
        }
        if _stems(taught.taps):  # as earlier versions wrote it, which score the same
            settings["squares"] = not taught.proportions
        else:
            settings["proportions"] = taught.proportions
        if taught.highest:
            settings["highest"] = taught.highest
        return taught.memory.tensors(), settings

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        stored = StoredTensors(tensors)
        bank = settings["bank"]
        made = cls(taps=settings["taps"], neighbourhood=bank["neighbourhood"], sigma=bank["sigma"])
        taps = tuple(made.settings["taps"] or backbone.default_taps)
        widths = {tap: max(backbone.tap_width(name) for name in parts(tap)) for tap in taps}
        memory = cls.bank_type.from_state(stored, bank, widths, backbone.image_size)
        stored.finish()
        # Before there was `proportions`, convolutions alone saw them, and before that nothing did.
        proportions = settings.get("proportions", _stems(taps) and not settings.get("squares", True))
        highest = float(settings.get("highest", 0))  # earlier versions knew the maximum alone
        if not 0 <= highest <= 1:
            raise DetectorError("The detector's image score is of an unknown kind.", TEACH_AGAIN)
        made._taught = TaughtMemory(
            backbone=backbone, memory=memory, proportions=flag(proportions), taps=taps, highest=highest
        )
        return made

    @staticmethod
    def default_taps(backbone: Backbone) -> tuple[str, ...]:
        """The patch tokens that are kept where nobody chose them."""
        return backbone.default_taps

    def _empty_bank(self, map_size: int) -> MemoryBank:
        return self.bank_type(map_size, self.settings["neighbourhood"], self.settings["sigma"])


def parts(tap: str) -> tuple[str, ...]:
    """The backbone's taps whose mean a tap is: of "block8-10" the blocks 8, 9 and 10, of any other itself.

    Raises ValueError where the last comes before the first.
    """
    found = _RANGE.fullmatch(tap)
    if found is None:
        return (tap,)
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise ValueError(f"{tap} ends before it begins")
    return tuple(f"block{number}" for number in range(first, last + 1))


def _mean(values: Sequence[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(list(values)).float().mean(0)


def _stems(taps: Sequence[str]) -> bool:
    return all(tap.startswith("stem") for tap in taps)
