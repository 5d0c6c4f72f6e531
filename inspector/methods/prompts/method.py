"""What the prompt methods have in common: a patch memory with a state map beside it, settings, state, resuming."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods.detector import need_shots
from inspector.methods.memory.bank import MemoryBank
from inspector.methods.memory.patchcore import PatchCore, batches
from inspector.methods.memory.single_shot_views import VARIATIONS, altered_views
from inspector.methods.prompts import training
from inspector.methods.prompts.tokens import need_blocks, need_text

REMEMBERING = 0.03
"""The share of teaching's progress that filling the memory takes."""


class Learned(PatchCore):
    """Base of the prompt methods. A subclass gives

    `defaults` (its settings) and `choices` (the allowed values of some); `_see`: what one batch of prepared images
    looks like to it; `_teach`: learn from the shots; `_read`: maps and image scores from what `_see` gave; `_tensors`
    and `_restore`: what scoring needs beside the memory.

    `checkpoints`: a folder that keeps every finished epoch, so that a killed teach continues; None keeps nothing.
    `outdated`: whether shots were added to the memory after the prompts were learned.
    """

    defaults: ClassVar[Mapping[str, Any]]
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {}
    shotless: ClassVar[bool] = False
    """Whether a class may come without shots."""
    _squares = True  # positions are learned for them

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        for name, value in settings.items():
            if name not in self.defaults:
                raise ValueError(f"there is no setting {name}")
            allowed = self.choices.get(name)
            if allowed is not None and value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}")
        self.settings: dict[str, Any] = {**self.defaults, **settings}
        self.outdated = False
        self._taught: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self._taught

    @property
    def map_size(self) -> tuple[int, int]:
        """(rows, columns) of every map."""
        return self.bank.map_size, self.bank.map_size

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        if not (self.shotless and shots):
            need_shots(shots)
        need_blocks(backbone, self.title)
        need_text(backbone, self.title)
        self._backbone, self.outdated, self._taught = backbone, False, ()
        self.bank = self._make_bank(backbone)
        try:
            self._teach(shots, lambda done, *more: progress((1 - REMEMBERING) * done, *more), cancel)
            self._taught = tuple(shots)
            self._fill_bank(shots, backbone, progress, cancel)
        except BaseException as error:
            self._taught = ()
            if isinstance(
                error, Cancelled
            ):  # who stops a teaching wants none of it; one that was killed continues
                training.forget(self.checkpoints)
            raise
        training.forget(self.checkpoints)

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        """Remember more shots of a taught class at once; the prompts are then out of date.

        Raises DetectorError for a class that was not taught: prompts can only be learned by teaching.
        """
        self._number(class_name)
        super().add_shots(class_name, images)
        self.outdated = True

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        learned = {f"learned.{name}": value for name, value in self._tensors().items()}
        about = {
            "settings": self.settings,
            "classes": list(self.classes),
            "outdated": self.outdated,
            "bank": self.bank.settings(),
        }
        return {**self.bank.tensors(), **learned}, about

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        made = cls(**settings["settings"])
        made._backbone, made.outdated = backbone, bool(settings["outdated"])
        made._taught = tuple(settings["classes"])
        made.bank = type(made.bank).from_state(tensors, settings["bank"])
        start = "learned."
        made._restore({key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)})
        return made

    # What a method gives

    def _see(self, x: Tensor) -> Features:
        """Prepared images [B,3,S,S] → what `_read` and the memory need; every tap is remembered."""
        raise NotImplementedError

    def _teach(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> None:
        """Learn; the memory is filled afterwards."""
        raise NotImplementedError

    def _tensors(self) -> dict[str, Tensor]:
        """What `_restore` needs beside the settings."""
        return {}

    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        pass

    # The common part

    def _make_bank(self, backbone: Backbone) -> MemoryBank:
        return MemoryBank(max(1, backbone.image_size // 4))

    def _fill_bank(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        done, total = 0, sum(map(len, shots.values()))
        for name, images in shots.items():
            for batch in batches(images):
                cancel.check()
                self._remember(name, self._look(batch, backbone))
                done += len(batch)
                progress(1 - REMEMBERING * (1 - done / total), "", {})

    def _look(self, images: Sequence[Image], backbone: Backbone) -> Features:
        with torch.no_grad():
            return self._see(backbone.prepare([image.pixels for image in images]))

    def _varied(self, images: Sequence[Image], cancel: CancelToken) -> Iterator[tuple[Features, int]]:
        """What slightly altered views of shots look like, and how many of them, batch by batch."""
        for batch in batches([view for image in images for view in altered_views(image, VARIATIONS)]):
            cancel.check()
            yield self._look(batch, self.backbone), len(batch)

    def _number(self, class_name: str) -> int:
        if class_name not in self.classes:
            raise DetectorError(
                f"The class “{class_name}” was not taught to this detector.",
                f"It knows: {', '.join(self.classes) or 'none yet'}.",
            )
        return self.classes.index(class_name)

    def _numbers(self, class_names: Sequence[str]) -> list[int]:
        return [self._number(name) for name in class_names]

    def _train(
        self,
        learned: torch.nn.Module,
        step: training.Step,
        items: int,
        shots: Mapping[str, Sequence[Image]],
        progress: Progress,
        cancel: CancelToken,
        span: tuple[float, float] = (0.0, 1.0),
        **changed: Any,
    ) -> list[float]:
        """`training.train` with this detector's settings, but for those in `changed`."""
        wanted = training.Schedule.__dataclass_fields__
        schedule = training.Schedule(**{k: v for k, v in {**self.settings, **changed}.items() if k in wanted})
        return training.train(
            learned,
            step,
            items,
            schedule,
            progress=progress,
            cancel=cancel,
            checkpoints=self.checkpoints,
            fingerprint=training.fingerprint(
                shots, self.backbone.identity.key, {"method": self.method, **self.settings}
            ),
            span=span,
        )


def enlarged(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [B, h, w] at another size, bilinear."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    return F.interpolate(planes[:, None].float(), size=size, mode="bilinear", align_corners=False)[:, 0]
