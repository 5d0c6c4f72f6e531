"""What a prompt method is taught with, and what every teaching does with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from torch import Tensor

from inspector.domain import CancelToken, Image, Progress
from inspector.features.backbone import Backbone, Features
from inspector.features.text_tower import TextTower
from inspector.methods.prompts.tokens import Splicer
from inspector.methods.taught import framed_batches

Seen = TypeVar("Seen", bound=Features)


@dataclass(frozen=True, eq=False)
class Teaching:
    """`shots`: the normal shots of every class; `backbone` and its `text` tower: what is learned on; `progress`: takes the
    part of the learning that is done, 0–1; `cancel`: is asked in every batch."""

    shots: Mapping[str, Sequence[Image]]
    backbone: Backbone
    text: TextTower
    progress: Progress
    cancel: CancelToken

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, in teaching order."""
        return tuple(self.shots)

    @cached_property
    def splicer(self) -> Splicer:
        """Puts learned tokens between the words of prompts."""
        return Splicer(self.text)

    def first(self, share: float) -> Progress:
        """For work that is the first `share`, 0–1, of the learning."""
        return lambda done, line, values: self.progress(share * done, line, values)

    def passes(self, images: Sequence[Image], read: Callable[[Backbone, Tensor], Seen]) -> Iterator[Seen]:
        """What `read` makes of prepared images [B,3,h,w] in their proportions, batch by batch in order. Raises Cancelled."""
        for batch in framed_batches(images, self.backbone, True):
            self.cancel.check()
            yield read(self.backbone, self.backbone.prepare([image.pixels for image in batch], True))
