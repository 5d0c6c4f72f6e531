"""What every detection method is to those who teach with it and inspect with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.features.tiles import View
from inspector.images.area import Polygon
from inspector.methods.evidence import NormalPatches
from inspector.methods.products.looks import ProductLooks
from inspector.methods.shot_doctor import ShotDoctor


class Detector(Protocol):
    """A method with what it learned. Made by `catalogue.make`, taught by `fit`, or read back by `storage.load`."""

    method: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]
    """Its settings with their default values."""
    choices: ClassVar[Mapping[str, Sequence[Any]]]
    """The values that some settings can take."""
    whites: Mapping[str, int]
    """Class → end of the range in which its images are read (see `images.read`), by whoever reads them; classes without one
    are read as the files say. Kept with what was learned, so that images are always read as the shots were."""
    views: Mapping[str, View]
    """Class → how its images are looked at; those of other classes wholly and as a whole. Set before `fit`, and kept with what
    was learned."""
    looks: ProductLooks
    """What the shots of each class look like as a whole, by which a picture of another product is told. Kept with what was
    learned."""
    finder: "Detector | None"
    """Finds the class of an image that may be looked at in a view; None where there is no need."""
    checkpoints: Path | None
    """A folder where a method that learns keeps every finished epoch, so that a killed teaching continues; None, at first,
    keeps nothing."""

    def __init__(self, **settings: Any) -> None: ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that were taught, in teaching order; empty before `fit`."""
        ...

    @property
    def backbone(self) -> Backbone:
        """The backbone it was taught on. Raises DetectorError before `fit`."""
        ...

    @property
    def proportions(self) -> bool:
        """Whether it looks at images in their proportions rather than as squares, see `Backbone.prepare_one`.
        Raises DetectorError before `fit`."""
        ...

    def prepare_one(self, pixels: NDArray[np.uint8], class_name: str | None = None) -> NDArray[np.uint8]:
        """uint8 RGB (h, w, 3) → the same as small as it is looked at as an image of a class, or of any. Releases the GIL."""
        ...

    def least_side(self, class_name: str | None = None) -> int:
        """Pixels on the short side below which no image of a class, or of any, should be decoded."""
        ...

    def fit(
        self,
        shots: Mapping[str, Sequence[Image]],
        backbone: Backbone,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> None:
        """Learn the classes from their normal shots. Raises DetectorError for a class without shots, Cancelled; a teaching
        that fails or is cancelled leaves the detector as it was."""
        ...

    def add_shots(self, class_name: str, images: Sequence[Image]) -> None:
        """Remember further normal shots of a class; scoring uses them at once. Learned prompts stay, and are then out
        of date. Raises DetectorError for a class that only teaching could open; the detector is then as it was."""
        ...

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        """One ScoreMap an image, in order; None lets the detector find the class.

        A score or map is whatever the arithmetic gives: one that is not finite (a half-precision overflow on some
        accelerator) is returned as it is, and whoever judges it treats the image as failed.
        """
        ...

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """The taught shots scored as if they were new: each without itself, or, for a class with a single shot,
        altered views of it. Feeds the thresholds."""
        ...

    def add_places(self, class_name: str, places: Sequence[tuple[Image, Polygon]]) -> None:
        """Remember what images show within outlines (in shares of their sides) as normal for a class: false alarms that somebody called
        no defect. Raises DetectorError for a class that it doesn't know, and where nothing is inspected; the detector is then
        as it was."""
        ...

    def normal_patches(
        self,
        class_name: str,
        shots: Sequence[Image],
        places: Sequence[tuple[Image, Polygon]] = (),
        cancel: CancelToken | None = None,
    ) -> NormalPatches:
        """What a place of an image of a class can be compared with, by eye too. `shots`, `places`: those that it was taught on
        and that it remembers, in the same order. Raises DetectorError if the number of shots differs, Cancelled."""
        ...

    def shot_doctor(
        self, class_name: str, shots: Sequence[Image], cancel: CancelToken | None = None
    ) -> ShotDoctor:
        """What each shot of a class is good for. `shots`: those that it was taught on, in the same order. Raises Cancelled."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors of any shapes by name, settings in plain JSON values): all that `from_state` needs."""
        ...

    @classmethod
    def from_state(
        cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any], backbone: Backbone
    ) -> Self:
        """What `state` gave, ready to score. Raises DetectorError, KeyError, TypeError or ValueError for values that it
        can't have given."""
        ...


def need_shots(shots: Mapping[str, Sequence[Image]]) -> None:
    """Raises DetectorError unless there is a class, and each has a shot."""
    if not shots:
        raise DetectorError("There is no class to teach.", "Add a class and its normal shots.")
    for name, images in shots.items():
        if not images:
            raise DetectorError(
                f"The class “{name}” has no normal shots.", "Add at least one image of a good part."
            )
