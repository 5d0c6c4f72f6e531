"""What a method knows after teaching, and how images travel through it to score maps: the flow that all methods share."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self, TypeVar

import torch
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.single_shot_views import altered_views

BATCH = 8
"""Images looked at together; an accelerator scores eight times as many."""
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False, kw_only=True)
class Taught(ABC):
    """All that scoring, saving and adding shots need. Nothing of it changes: more shots make another one, so several threads
    may score with it and a teaching that is stopped leaves the one before.

    `memory`: the patches of every class's shots. `proportions`: whether images are looked at in their proportions rather than
    as squares, where the backbone can; detectors of earlier versions know squares.
    """

    backbone: Backbone
    memory: MemoryBank
    proportions: bool = False

    # What a method gives

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the taught classes, in teaching order."""

    @abstractmethod
    def features(self, pixels: Tensor) -> Features:
        """Prepared images [B,3,h,w] → what `maps_and_scores` and the memory read; the memory keeps every tap."""

    @abstractmethod
    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Anomaly maps [B, rows, columns] and image scores [B], float32.

        `without[b]`: the shot of its class that image b must not be compared with.
        """

    def nearest_classes(self, features: Features) -> tuple[list[str], list[float]]:
        """The class each image most resembles and how sure that is, 0–1."""
        return self.memory.find(features)

    def shot_features(self, class_name: str, images: Sequence[Image]) -> Features:
        """What is remembered of shots [B] of one frame."""
        return self.features_of(images)

    def remembering(self, class_name: str, features: Features) -> Self:
        """The same, with every image in `features` as a further shot of the class."""
        return dataclasses.replace(self, memory=self.memory.with_shots(class_name, features))

    # The flow

    def with_shots(self, class_name: str, images: Sequence[Image]) -> Self:
        """The same, with further normal shots of a class. Raises DetectorError for a class it can't take."""
        if not images:
            raise DetectorError(
                f"The class “{class_name}” has no normal shots.", "Add at least one image of a good part."
            )
        grown = self
        for batch in self.batches(images):
            grown = grown.remembering(class_name, self.shot_features(class_name, batch))
        return grown

    def with_all(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> Self:
        """The same, with the shots of all classes, none of which it knows yet. Raises Cancelled between batches."""
        grown, done, total = self, 0, sum(map(len, shots.values()))
        for name, images in shots.items():
            for batch in self.batches(images):
                cancel.check()
                grown = grown.remembering(name, grown.shot_features(name, batch))
                done += len(batch)
                progress(done / total, f"{name}: {grown.memory.count(name)} of {len(images)} shots", {})
        return grown

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        """One ScoreMap an image, in order; None lets the detector find the class."""
        return self._score(images, class_names, [None] * len(images))

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """Each shot scored against the other shots of its class, or altered views of a class's only shot.

        `shots` are those that were taught, in the same order. Raises DetectorError if their number differs.
        """
        result: dict[str, list[ScoreMap]] = {}
        for name, images in shots.items():
            if self.memory.count(name) != len(images):
                raise DetectorError(
                    f"The class “{name}” was taught on {self.memory.count(name)} shots, not on {len(images)}.",
                    "Teach the detector again.",
                )
            alone = len(images) == 1
            seen = altered_views(images[0]) if alone else list(images)
            without = [None if alone else number for number in range(len(seen))]
            result[name] = self._score(seen, [name] * len(seen), without)
        return result

    def batches(self, images: Sequence[Image]) -> Iterator[Sequence[Image]]:
        """Images in order, in batches that go through the backbone together because they have one frame."""
        return framed_batches(images, self.backbone, self.proportions)

    def features_of(self, images: Sequence[Image]) -> Features:
        """What the backbone says of images of one frame, without gradient."""
        with torch.no_grad():
            return self.features(self.backbone.prepare([image.pixels for image in images], self.proportions))

    def _frame(self, image: Image) -> tuple[int, int]:
        """Rows and columns of pixels at which an image is looked at."""
        return self.backbone.frame(image.pixels.shape, self.proportions)

    def _score(
        self,
        images: Sequence[Image],
        class_names: Sequence[str | None],
        without: Sequence[int | None],
    ) -> list[ScoreMap]:
        """One ScoreMap an image, in order, though images of one frame are looked at together."""
        size = BATCH if self.backbone.device.type == "cpu" else 8 * BATCH
        groups: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(self._frame(image), []).append(index)
        found: dict[int, ScoreMap] = {}
        for group in groups.values():
            for batch in batches(group, size):
                features = self.features_of([images[index] for index in batch])
                names, left_out = [class_names[i] for i in batch], [without[i] for i in batch]
                found.update(zip(batch, self._score_maps(features, names, left_out), strict=True))
        return [found[index] for index in range(len(images))]

    def _score_maps(
        self, features: Features, class_names: Sequence[str | None], without: Sequence[int | None]
    ) -> list[ScoreMap]:
        with torch.inference_mode():
            given = [name for name in class_names if name is not None]
            sure = [1.0] * len(class_names)
            if len(given) < len(class_names):
                nearest, confidence = self.nearest_classes(features)
                sure = [1.0 if n is not None else c for n, c in zip(class_names, confidence, strict=True)]
                given = [f if n is None else n for n, f in zip(class_names, nearest, strict=True)]
            maps, scores = self.maps_and_scores(features, given, without)
            values = maps.float().cpu().numpy()
        return [
            ScoreMap(value, score, name, certainty)
            for value, score, name, certainty in zip(values, scores.tolist(), given, sure, strict=True)
        ]


def framed_batches(
    images: Sequence[Image], backbone: Backbone, proportions: bool
) -> Iterator[Sequence[Image]]:
    """Images in order, in batches that go through the backbone together because they have one frame."""
    for _, same in groupby(images, lambda image: backbone.frame(image.pixels.shape, proportions)):
        yield from batches(list(same))


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """`items` in order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
