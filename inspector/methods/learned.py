"""What the prompt methods have in common: classes, batches, memory map, class finding, held-out scores, state."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods import training
from inspector.methods.detector import need_shots
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.prompts import need_blocks, need_text
from inspector.methods.views_of_one import altered_views

BATCH = 8


def enlarged(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [B, h, w] at another size, bilinear."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    return F.interpolate(planes[:, None].float(), size=size, mode="bilinear", align_corners=False)[:, 0]


def smoothed(planes: Tensor, sigma: float) -> Tensor:
    """Maps [B, h, w] after a Gaussian of `sigma` cells of a 60×60 map, mirrored at the border."""
    sigma *= planes.shape[-1] / 60
    if sigma <= 0:
        return planes
    reach = max(1, round(3 * sigma))
    axis = torch.arange(-reach, reach + 1, device=planes.device, dtype=torch.float32)
    kernel = torch.softmax(-axis.square() / (2 * sigma * sigma), dim=0)
    padded = F.pad(planes[:, None].float(), (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


class Learned:
    """Base of the prompt methods. A subclass gives

    `defaults` (settings with their defaults) and `choices` (the allowed values of some), `_teach`, `_look`, `_read`,
    and, if scoring needs more than the memory, `_tensors` and `_restore`.

    `checkpoints`: a folder that keeps every finished epoch, so that a killed teach continues; None keeps nothing.
    `outdated`: whether shots were added to the memory after the prompts were learned.
    """

    method: ClassVar[str]
    title: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {}

    def __init__(self, **settings: Any) -> None:
        for name, value in settings.items():
            if name not in self.defaults:
                raise ValueError(f"there is no setting {name}")
            allowed = self.choices.get(name)
            if allowed is not None and value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}")
        self.settings: dict[str, Any] = {**self.defaults, **settings}
        self.checkpoints: Path | None = None
        self.outdated = False
        self.memory = MemoryBank()
        self._classes: tuple[str, ...] = ()
        self._backbone: Backbone | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    @property
    def backbone(self) -> Backbone:
        if self._backbone is None:
            raise DetectorError(f"This {self.title} detector was not taught yet.", "Teach it first.")
        return self._backbone

    @property
    def map_size(self) -> tuple[int, int]:
        """(rows, columns) of every map."""
        return self.memory.map_size, self.memory.map_size

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        need_shots(shots)
        need_blocks(backbone, self.title)
        need_text(backbone, self.title)
        self._backbone, self.outdated = backbone, False
        self.memory = MemoryBank(max(1, backbone.image_size // 4))
        names = tuple(shots)
        self._classes = names
        try:
            self._teach(shots, progress, cancel)
            for name in names:
                for batch in _batches(shots[name]):
                    cancel.check()
                    self._remember(batch, name)
        except BaseException:
            self._classes = ()
            raise
        training.forget(self.checkpoints)
        progress(1.0, "Taught", {})

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        """Take more shots of a taught class into the memory at once; the prompts are then out of date.

        Raises DetectorError for a class that was not taught.
        """
        self._number(class_name)
        for batch in _batches(images):
            self._remember(batch, class_name)
        self.outdated = True

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        owners = [None if name is None else self._number(name) for name in class_names]
        found: list[ScoreMap] = []
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            found += self._score(images[part], owners[part], [None] * len(images[part]))
        return found

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """Every shot scored with itself left out of the memory; the prompts, shared by all classes, stay."""
        found: dict[str, list[ScoreMap]] = {}
        for name, images in shots.items():
            owner = self._number(name)
            alone = len(images) == 1
            views = altered_views(images[0]) if alone else list(images)
            without = [None if alone else number for number in range(len(views))]
            found[name] = []
            for start in range(0, len(views), BATCH):
                part = slice(start, start + BATCH)
                found[name] += self._score(views[part], [owner] * len(views[part]), without[part])
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        learned = {f"learned.{name}": value for name, value in self._tensors().items()}
        about = {
            "settings": self.settings,
            "classes": list(self._classes),
            "memory": self.memory.settings(),
            "outdated": self.outdated,
        }
        return {**self.memory.tensors(), **learned}, about

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        made = cls(**settings["settings"])
        made._backbone, made._classes = backbone, tuple(settings["classes"])
        made.outdated = bool(settings["outdated"])
        made.memory = MemoryBank.from_state(tensors, settings["memory"])
        start = "learned."
        made._restore(
            {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
        )
        return made

    # What a method fills in

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        """Learn; the memory is filled afterwards."""
        raise NotImplementedError

    def _look(self, x: Tensor) -> Features:
        """What `_read` and the memory need of prepared images [B,3,S,S]; every tap is remembered."""
        raise NotImplementedError

    def _read(self, features: Features, owners: Sequence[int], visual: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly maps [B, *map_size] and image scores [B] of images of the given classes; `visual` is the memory's
        map, [B, *map_size] in 0–1."""
        raise NotImplementedError

    def _tensors(self) -> dict[str, Tensor]:
        """What `_restore` needs beside the settings."""
        return {}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        pass

    # The common part

    def _number(self, class_name: str) -> int:
        if class_name not in self._classes:
            known = ", ".join(self._classes) or "none yet"
            raise DetectorError(
                f"The class “{class_name}” was not taught to this detector.", f"Taught classes: {known}."
            )
        return self._classes.index(class_name)

    def _remember(self, images: Sequence[Image], class_name: str) -> None:
        with torch.no_grad():
            self.memory.add(class_name, self._look(self._prepare(images)))

    def _prepare(self, images: Sequence[Image]) -> Tensor:
        return self.backbone.prepare([image.pixels for image in images])

    def _score(
        self, images: Sequence[Image], owners: Sequence[int | None], without: Sequence[int | None]
    ) -> list[ScoreMap]:
        with torch.no_grad():
            features = self._look(self._prepare(images))
            known, sure = self._recognise(features, owners)
            visual = self.memory.maps(features, [self._classes[owner] for owner in known], without)
            maps, scores = self._read(features, known, visual)
        values = maps.float().cpu().numpy()
        return [
            ScoreMap(np.ascontiguousarray(values[i]), float(scores[i]), self._classes[known[i]], sure[i])
            for i in range(len(images))
        ]

    def _recognise(self, features: Features, owners: Sequence[int | None]) -> tuple[list[int], list[float]]:
        """The class number of every image and how sure that is; where it isn't given, the memory finds it."""
        given = [owner for owner in owners if owner is not None]
        if len(given) == len(owners):
            return given, [1.0] * len(given)
        names, sure = self.memory.find(features)
        found = [self._classes.index(name) for name in names]
        return (
            [best if owner is None else owner for best, owner in zip(found, owners, strict=True)],
            [one if owner is None else 1.0 for one, owner in zip(sure, owners, strict=True)],
        )


def _batches(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]
