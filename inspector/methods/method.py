"""A method: its settings, and what it knows once it was taught."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods.settings import checked
from inspector.methods.taught import Taught

T = TypeVar("T", bound=Taught)


class Method(ABC, Generic[T]):
    """Base of all methods, see `detector.Detector`. A subclass gives `defaults` (its settings), `choices` (the values that
    some can take), `teach`, `state` and `from_state`.

    Raises ValueError for settings that make no sense.
    """

    method: ClassVar[str]
    title: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {}

    def __init__(self, **settings: Any) -> None:
        self.settings = checked(settings, self.defaults, self.choices)
        self.checkpoints: Path | None = None
        self.whites: Mapping[str, int] = {}
        self._taught: T | None = None

    @abstractmethod
    def teach(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> T:
        """What can be learned of the classes from their normal shots; this detector stays as it is.

        Raises DetectorError for a class without shots, a backbone that doesn't serve, or a loss that is no number;
        Cancelled.
        """

    @abstractmethod
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Detector.state`. Raises DetectorError before `fit`."""

    @classmethod
    @abstractmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        """See `Detector.from_state`."""

    @property
    def taught(self) -> T:
        """What it knows. Raises DetectorError before `fit`."""
        if self._taught is None:
            raise DetectorError(f"This {self.title} detector was not taught yet.", "Teach it first.")
        return self._taught

    @property
    def classes(self) -> tuple[str, ...]:
        return () if self._taught is None else self._taught.classes

    @property
    def backbone(self) -> Backbone:
        return self.taught.backbone

    @property
    def proportions(self) -> bool:
        return self.taught.proportions

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        self._taught = self.teach(shots, backbone, progress=progress, cancel=cancel)

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        self._taught = self.taught.with_shots(class_name, images)

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        return self.taught.score(images, class_names)

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        return self.taught.held_out(shots)
