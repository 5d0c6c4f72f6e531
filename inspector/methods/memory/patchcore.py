"""PatchCore (Roth et al., CVPR 2022): a patch that resembles no patch of the normal shots is anomalous.

Anomaly map: distance of every patch to its nearest neighbour in the memory of the image's class, mean over the taps,
Gaussian-smoothed. Image score: the map's highest value. Deviations: patches are compared by relative vector and
direction per tap (see `memory_bank`) instead of by Euclidean distance on concatenated taps; no coreset, as a few shots
stay small; no re-weighting of the image score, as the neighbours of the nearest patch say little in so small a memory;
images keep their proportions where the backbone's taps allow it, as parts cut out at mixed shapes would otherwise differ
by how far each is stretched.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.features.framing import framed
from inspector.methods.detector import need_shots
from inspector.methods.memory.bank import MemoryBank
from inspector.methods.memory.single_shot_views import altered_views

BATCH = 8
"""Images looked at together; an accelerator scores eight times as many."""
T = TypeVar("T")


class PatchCore:
    """`taps`: which patch tokens to keep (the backbone's own choice when None); `neighbourhood`, `sigma`: see
    `MemoryBank`. Raises ValueError for settings that make no sense."""

    method: ClassVar[str] = "patchcore"
    title: ClassVar[str] = "PatchCore"
    bank_type: ClassVar[type[MemoryBank]] = MemoryBank
    _squares = False
    """Whether it looks at squares whatever the backbone allows: detectors of earlier versions remember those."""

    def __init__(self, taps: Sequence[str] | None = None, neighbourhood: int = 3, sigma: float = 1.0) -> None:
        self.taps = None if taps is None else tuple(taps)
        self.bank = self.bank_type(neighbourhood=neighbourhood, sigma=sigma)
        self._backbone: Backbone | None = None
        self.checkpoints: Path | None = None  # nothing is learned in epochs here

    @property
    def classes(self) -> tuple[str, ...]:
        return self.bank.classes

    @property
    def backbone(self) -> Backbone:
        if self._backbone is None:
            raise DetectorError(f"This {self.title} detector was not taught yet.", "Teach it first.")
        return self._backbone

    @property
    def proportions(self) -> bool:
        return self._keeps(self.backbone)

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        need_shots(shots)
        bank = self.bank_type(max(1, backbone.image_size // 4), self.bank.neighbourhood, self.bank.sigma)
        done, total = 0, sum(map(len, shots.values()))
        for name, images in shots.items():
            for batch in self._alike(images, backbone):
                cancel.check()
                bank.add(name, self._look(batch, backbone))
                done += len(batch)
                progress(done / total, f"{name}: {bank.count(name)} of {len(images)} shots", {})
        self.bank, self._backbone = (
            bank,
            backbone,
        )  # a teaching that was stopped leaves the detector as it was

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        """Remember further normal shots of a class, known or new; scoring uses them at once."""
        need_shots({class_name: images})
        for batch in self._alike(images, self.backbone):
            self._remember(class_name, self._look(batch, self.backbone))

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        return self._score(images, class_names, [None] * len(images))

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """Each shot scored against the other shots of its class, or altered views of a class's only shot.

        `shots` are those that were taught, in the same order. Raises DetectorError if their number differs.
        """
        result: dict[str, list[ScoreMap]] = {}
        for name, images in shots.items():
            if self.bank.count(name) != len(images):
                raise DetectorError(
                    f"The class “{name}” was taught on {self.bank.count(name)} shots, not on {len(images)}.",
                    "Teach the detector again.",
                )
            alone = len(images) == 1
            seen = altered_views(images[0]) if alone else list(images)
            without = [None if alone else number for number in range(len(seen))]
            result[name] = self._score(seen, [name] * len(seen), without)
        return result

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        settings = {"taps": self.taps and list(self.taps), "squares": self._squares}
        return self.bank.tensors(), {**settings, "bank": self.bank.settings()}

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        made = cls(settings["taps"])
        made.bank = cls.bank_type.from_state(tensors, settings["bank"])
        made._backbone, made._squares = backbone, bool(settings.get("squares", True))
        return made

    def _keeps(self, backbone: Backbone) -> bool:
        """Whether images keep their proportions on that backbone."""
        return not self._squares and backbone.takes_proportions(self.taps or backbone.default_taps)

    def _alike(self, images: Sequence[Image], backbone: Backbone) -> Iterator[Sequence[Image]]:
        """Batches in order, of images that go through the backbone together."""
        for _, same in groupby(images, lambda image: self._frame(image, backbone)):
            yield from batches(list(same))

    def _frame(self, image: Image, backbone: Backbone) -> tuple[int, int]:
        """Rows and columns of pixels at which it is looked at."""
        size = backbone.image_size
        return framed(image.pixels.shape, size) if self._keeps(backbone) else (size, size)

    def _look(self, images: Sequence[Image], backbone: Backbone) -> Features:
        """What the backbone says of images of one `_frame`."""
        pixels = backbone.prepare([image.pixels for image in images], self._keeps(backbone))
        return backbone.forward(pixels, taps=self.taps or backbone.default_taps, joint=False)

    def _score(
        self,
        images: Sequence[Image],
        class_names: Sequence[str | None],
        without: Sequence[int | None],
    ) -> list[ScoreMap]:
        """One ScoreMap an image, in order, though images of one `_frame` are looked at together."""
        size = BATCH if self.backbone.device.type == "cpu" else 8 * BATCH
        groups: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(self._frame(image, self.backbone), []).append(index)
        found: dict[int, ScoreMap] = {}
        for group in groups.values():
            for batch in batches(group, size):
                features = self._look([images[index] for index in batch], self.backbone)
                names, left_out = [class_names[i] for i in batch], [without[i] for i in batch]
                found.update(zip(batch, self._judged(features, names, left_out), strict=True))
        return [found[index] for index in range(len(images))]

    def _judged(
        self,
        features: Features,
        class_names: Sequence[str | None],
        without: Sequence[int | None],
    ) -> list[ScoreMap]:
        with torch.inference_mode():
            given = [name for name in class_names if name is not None]
            sure = [1.0] * len(class_names)
            if len(given) < len(class_names):
                found, confidence = self._find(features)
                sure = [1.0 if n is not None else c for n, c in zip(class_names, confidence, strict=True)]
                given = [f if n is None else n for n, f in zip(class_names, found, strict=True)]
            maps, scores = self._read(features, given, without)
            values = maps.float().cpu().numpy()
        return [
            ScoreMap(value, score, name, certainty)
            for value, score, name, certainty in zip(values, scores.tolist(), given, sure, strict=True)
        ]

    # What a method with more than a memory replaces

    def _remember(self, class_name: str, features: Features) -> None:
        """Take every image in `features` as a further shot of the class."""
        self.bank.add(class_name, features)

    def _find(self, features: Features) -> tuple[list[str], list[float]]:
        """The class each image most resembles and how sure that is, 0–1."""
        return self.bank.find(features)

    def _read(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Anomaly maps [B, h, w] and image scores [B]; `without` as in `MemoryBank.maps`."""
        maps = self.bank.maps(features, class_names, without)
        return maps, maps.flatten(1).amax(1)


def batches(items: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
