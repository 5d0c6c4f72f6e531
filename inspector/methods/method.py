"""A method: its settings, and what it knows once it was taught."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.features.tiles import View
from inspector.images.area import Polygon
from inspector.methods.detector import Detector
from inspector.methods.evidence import NormalPatches
from inspector.methods.products.looks import ProductLooks
from inspector.methods.settings import checked
from inspector.methods.shot_doctor import ShotDoctor
from inspector.methods.taught import Taught, shrunk

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
        self.finder: Detector | None = None
        self._views: dict[str, View] = {}
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
    def views(self) -> Mapping[str, View]:
        return self._views

    @views.setter
    def views(self, views: Mapping[str, View]) -> None:
        self._views = {name: view for name, view in views.items() if view != View()}
        if self._taught is not None:  # read back from a file
            self._taught = replace(self._taught, views=self._views)

    @property
    def looks(self) -> ProductLooks:
        return ProductLooks() if self._taught is None else self._taught.looks

    @looks.setter
    def looks(self, looks: ProductLooks) -> None:
        self._taught = replace(self.taught, looks=looks)

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
        taught = self.teach(shots, backbone, progress=progress, cancel=cancel)
        self.finder = None
        if self.views and len(shots) > 1:
            from inspector.methods import catalogue

            self.finder = catalogue.make(catalogue.QUICK)
            self.finder.fit(shots, backbone, progress=lambda *_: None, cancel=cancel)
        self._taught = taught

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        taught = self.taught.with_shots(class_name, images)
        if self.finder is not None:
            self.finder.add_shots(class_name, images)
        self._taught = taught

    def add_places(self, class_name: str, places: Sequence[tuple[Image, Polygon]]) -> None:
        taught = self.taught
        for image, outline in places:
            taught = taught.with_place(class_name, image, outline)
        self._taught = taught

    def prepare_one(self, pixels: NDArray[np.uint8], class_name: str | None = None) -> NDArray[np.uint8]:
        taught, view = self.taught, View(self._resolution(class_name))
        return shrunk(pixels, view, taught.backbone, taught.proportions, taught.memory.map_size)

    def least_side(self, class_name: str | None = None) -> int:
        return 2 * max(self.taught.backbone.image_size, self._resolution(class_name))

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        names, sure = self._found(images, class_names)
        maps = self.taught.score(images, names)
        return [
            replace(one, class_confidence=sure.get(place, one.class_confidence))
            for place, one in enumerate(maps)
        ]

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        return self.taught.held_out(shots)

    def normal_patches(
        self,
        class_name: str,
        shots: Sequence[Image],
        places: Sequence[tuple[Image, Polygon]] = (),
        cancel: CancelToken | None = None,
    ) -> NormalPatches:
        return NormalPatches(self.taught, class_name, shots, places, cancel)

    def shot_doctor(
        self, class_name: str, shots: Sequence[Image], cancel: CancelToken | None = None
    ) -> ShotDoctor:
        return ShotDoctor(self.taught, class_name, shots, cancel)

    def _resolution(self, class_name: str | None) -> int:
        """Pixels of the short side at which images of a class, or of any, are looked at; 0 where as a whole."""
        if class_name:
            return self.views.get(class_name, View()).resolution
        return max((view.resolution for view in self.views.values()), default=0)

    def _found(
        self, images: Sequence[Image], class_names: Sequence[str | None]
    ) -> tuple[list[str | None], dict[int, float]]:
        """The class of every image, found on whole images where views would not show it, and how sure it is where it was."""
        names, sure = list(class_names), {}
        if self.finder is not None:
            unknown = [place for place, name in enumerate(class_names) if name is None]
            found = self.finder.score([images[place] for place in unknown], [None] * len(unknown))
            for place, one in zip(unknown, found, strict=True):
                names[place], sure[place] = one.class_name, one.class_confidence
        elif self.views:
            names = [name or self.classes[0] for name in names]
        return names, sure
