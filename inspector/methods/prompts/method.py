"""What the prompt methods have in common: learned prompts beside a patch memory of their own, settings, state, resuming."""

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image, Progress
from inspector.errors import Cancelled, DetectorError
from inspector.features.backbone import Backbone, Features
from inspector.methods.detector import need_shots
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.method import Method
from inspector.methods.prompts import training
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import Splicer, need_blocks, need_text
from inspector.methods.single_shot_views import VARIATIONS, altered_views
from inspector.methods.stored_tensors import TEACH_AGAIN, StoredTensors, flag
from inspector.methods.taught import Taught, map_size, pieces

REMEMBERING = 0.03
"""The share of teaching's progress that filling the memory takes."""
TILES = 8
"""Tiles of a class's shots that are learned from, where shots are cut; the memory keeps what all of them show."""
PREFIX = "learned."
"""Before the names of stored values that don't belong to the memory."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtPrompts(Taught):
    """What every prompt method knows: a memory, and what its prompts became.

    `settings`: those it was taught with; `names`: the classes; `outdated`: shots were added to the memory after the prompts
    were learned.
    """

    settings: Mapping[str, Any]
    names: tuple[str, ...]
    outdated: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        return self.names

    @property
    def map_size(self) -> tuple[int, int]:
        """(rows, columns) of every map."""
        return self.memory.map_size, self.memory.map_size

    @cached_property
    def splicer(self) -> Splicer:
        """For prompts that are put together when an image is scored; loads the text tower."""
        return Splicer(need_text(self.backbone, "This method"))

    def with_shots(self, class_name: str, images: Sequence[Image]) -> Self:
        """As `Taught.with_shots`; the prompts are then out of date.

        Raises DetectorError for a class that was not taught: prompts can only be learned by teaching.
        """
        self.numbers([class_name])
        return dataclasses.replace(super().with_shots(class_name, images), outdated=True)

    def numbers(self, class_names: Sequence[str]) -> list[int]:
        """The places of classes among those taught. Raises DetectorError for one that wasn't."""
        for name in class_names:
            if name not in self.names:
                raise DetectorError(
                    f"The class “{name}” was not taught to this detector.",
                    f"It knows: {', '.join(self.names)}.",
                )
        return [self.names.index(name) for name in class_names]

    def varied(self, images: Sequence[Image], cancel: CancelToken) -> Iterator[tuple[Features, int]]:
        """What slightly altered views of shots look like, and how many of them, batch by batch."""
        for batch in self.batches([view for image in images for view in altered_views(image, VARIATIONS)]):
            cancel.check()
            yield self.features_of(batch), len(batch)

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What scoring needs beside memory and settings, by the
        name and in the shape that `PromptMethod.restored` takes."""


P = TypeVar("P", bound=TaughtPrompts)


class PromptMethod(Method[P]):
    """Base of the prompt methods. A subclass gives

    `defaults` (its settings) and `choices` (the allowed values of some); `learn`: what can be learned from the shots, with an
    empty memory; `restored`: the same from a file; `finished`: what is learned of the shots once the memory knows them.
    """

    shotless: ClassVar[bool] = False
    """Whether a class may come without shots."""
    bank_type: ClassVar[type[MemoryBank]] = MemoryBank
    """Of the memory that teaching fills; a stored detector keeps the one it was taught with."""

    @property
    def outdated(self) -> bool:
        """Whether shots were added to the memory after the prompts were learned."""
        return self.taught.outdated

    def teach(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> P:
        if not (self.shotless and shots):
            need_shots(shots)
        need_blocks(backbone, self.title)
        text = need_text(backbone, self.title)
        teaching = Teaching(
            self._samples(shots, backbone),
            backbone,
            text,
            lambda done, *more: progress((1 - REMEMBERING) * done, *more),
            cancel,
        )
        try:
            learned = self.learn(teaching)
            remembered = learned.with_all(
                shots, lambda done, *_: progress(1 - REMEMBERING * (1 - done), "", {}), cancel
            )
            taught = self.finished(remembered, teaching)
        except Cancelled:  # who stops a teaching wants none of it; one that was killed continues
            training.forget(self.checkpoints)
            raise
        training.forget(self.checkpoints)
        return taught

    def _samples(
        self, shots: Mapping[str, Sequence[Image]], backbone: Backbone
    ) -> dict[str, Sequence[Image]]:
        """What is learned from: the shots in their views, of those that are cut into tiles a few tiles from all over them."""
        made: dict[str, Sequence[Image]] = dict(shots)
        for name, view in self.views.items():
            own = shots.get(name, ())
            each = max(1, TILES // max(1, len(own)))
            cuts = (pieces(image, view, backbone, True, map_size(backbone)) for image in own)
            made[name] = [one for cut in cuts for one in cut[len(cut) // (2 * each) :: -(-len(cut) // each)]]
        return made

    @abstractmethod
    def learn(self, teaching: Teaching) -> P:
        """What the shots teach, with a memory that doesn't know them yet. Raises Cancelled, DetectorError."""

    def finished(self, taught: P, teaching: Teaching) -> P:
        """`taught` with what is read off the shots by the whole detector, memory included."""
        return taught

    @classmethod
    @abstractmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> P:
        """What was taught, from the values of `TaughtPrompts.tensors`; `common` are the fields of every prompt method."""

    @staticmethod
    def memory_widths(settings: Mapping[str, Any], backbone: Backbone) -> dict[str, int]:
        """The taps that the memory keeps, and how many numbers a token of each holds."""
        return {tap: backbone.tap_width(tap) for tap in backbone.default_taps}

    def common(self, teaching: Teaching) -> dict[str, Any]:
        """The fields of `TaughtPrompts` before the memory knows a shot."""
        return {
            "backbone": teaching.backbone,
            "memory": self.bank_type(map_size(teaching.backbone)),
            "proportions": True,
            "views": self.views,
            "settings": dict(self.settings),
            "names": teaching.names,
        }

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        taught = self.taught
        learned = {f"{PREFIX}{name}": value for name, value in taught.tensors().items()}
        about = {
            "settings": dict(taught.settings),
            "classes": list(taught.names),
            "outdated": taught.outdated,
            "bank": taught.memory.settings(),
        }
        if taught.proportions:  # earlier versions, which know squares alone, wrote nothing of it
            about["proportions"] = True
        return {**taught.memory.tensors(), **learned}, about

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        made = cls(**settings["settings"])
        names = settings["classes"]
        if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
            raise DetectorError("The detector names its classes wrongly.", TEACH_AGAIN)
        stored = StoredTensors(
            {name: value for name, value in tensors.items() if not name.startswith(PREFIX)}
        )
        widths = cls.memory_widths(made.settings, backbone)
        banks = {bank.distance_name: bank for bank in (MemoryBank, cls.bank_type)}
        distance = settings["bank"].get("distance", MemoryBank.distance_name)
        if distance not in banks:
            raise DetectorError("The detector's memory compares patches in an unknown way.", TEACH_AGAIN)
        memory = banks[distance].from_state(stored, settings["bank"], widths, backbone.image_size)
        known = [name for name in names if memory.count(name)]
        if set(memory.classes) != set(known) or (known != names and not cls.shotless):
            raise DetectorError("The detector's memory doesn't hold the shots of its classes.", TEACH_AGAIN)
        stored.finish()
        learned = StoredTensors(
            {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
        )
        common = {
            "backbone": backbone,
            "memory": memory,
            "proportions": flag(settings.get("proportions", False)),
            "settings": made.settings,
            "names": tuple(names),
            "outdated": bool(settings["outdated"]),
        }
        made._taught = cls.restored(learned, common)
        learned.finish()
        return made

    def train(
        self,
        learned: torch.nn.Module,
        step: training.Step,
        items: int,
        teaching: Teaching,
        *,
        span: tuple[float, float] = (0.0, 1.0),
        **changed: Any,
    ) -> list[float]:
        """`training.train` with this method's settings, but for those in `changed`; the loss of every epoch.

        Raises Cancelled, DetectorError.
        """
        wanted = training.Schedule.__dataclass_fields__
        schedule = training.Schedule(**{k: v for k, v in {**self.settings, **changed}.items() if k in wanted})
        return training.train(
            learned,
            step,
            items,
            schedule,
            progress=teaching.progress,
            cancel=teaching.cancel,
            kept=training.Kept(self.checkpoints, self.fingerprint(teaching)),
            span=span,
        )

    def fingerprint(self, teaching: Teaching) -> str:
        """What a checkpoint of this teaching belongs to."""
        settings = {"method": self.method, **self.settings}
        return training.fingerprint(teaching.shots, teaching.backbone.identity.key, settings)


def enlarged(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [B, h, w] at another size (rows, columns), bilinear without aligned corners."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    return F.interpolate(planes[:, None].float(), size=size, mode="bilinear", align_corners=False)[:, 0]
