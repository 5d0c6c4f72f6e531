"""What stays loaded between jobs: the backbone and the detector that were used last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import settings
from inspector.domain import Image
from inspector.errors import DetectorError
from inspector.records.detectors import DetectorRow
from inspector.records.project import Project

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector


class Engine:
    """Belongs to one thread. Loads nothing (not even torch) before it is asked to.

    `weights`: catalogue name or file; `device`: "auto", "cpu", "cuda" or "mps"; `batch_size`: images scored together;
    None follows the user's settings.
    """

    beside: Callable[[], Engine | None] | None = None
    """Another engine, of another thread, whose backbone serves here too where it is the one that is wanted."""

    def __init__(
        self, weights: str | Path | None = None, device: str | None = None, batch_size: int | None = None
    ) -> None:
        self.weights = weights
        self.device = device
        self.batch_size = batch_size
        self._held: tuple[tuple[str, str], Backbone] | None = None  # (weights, device) that were asked for
        self._detector: Detector | None = None
        self._detector_of: tuple[Any, ...] | None = None

    def use(self, backbone: Backbone, weights: str) -> None:
        """Take a backbone that is in memory already for the one of these weights."""
        self.forget()
        self.weights = weights
        self._held = (weights, self.device or settings.load().device), backbone

    @property
    def loaded(self) -> Backbone | None:
        """The backbone in memory, if any."""
        held = self._held
        return held[1] if held else None

    def backbone(self, weights: str | Path | None = None) -> Backbone:
        """The backbone of these weights (the engine's own when None). Raises `WeightsError`."""
        from inspector.features import loading

        chosen = settings.load()
        asked = (str(weights or self.weights or chosen.weights), self.device or chosen.device)
        if self._held is None or asked != self._held[0]:
            self.forget()
            other = self.beside() if self.beside else None
            lent = other._held if other else None
            self._held = lent if lent and lent[0] == asked else (asked, loading.load(*asked))
        return self._held[1]

    def identity(self) -> dict[str, Any]:
        """What a detector row says of the backbone in use, in plain JSON values."""
        found = self.backbone()
        assert self._held is not None
        return {**found.identity.as_json(), "weights": self._held[0][0]}

    def detector(self, project: Project, row: DetectorRow) -> Detector:
        """A detector of a project, ready to score, on the backbone it was taught on. Raises `DetectorError`,
        `WeightsError`."""
        from inspector.methods import storage

        if row.problem:
            raise DetectorError(f"The detector “{row.title}” can't be used: {row.problem}", "Teach it again.")
        found = self.backbone(row.backbone.get("weights"))
        of = (project.folder, row.id, row.created, found.identity.key, found.device)
        if self._detector is None or of != self._detector_of:
            self._detector, self._detector_of = None, None
            made = storage.load(row.folder, found)
            check_ranges(made, row)
            self._detector = made
            self._detector_of = of
        return self._detector

    def forget(self) -> None:
        """Free the memory."""
        self._held = None
        self._detector = self._detector_of = None


def check_ranges(detector: Detector, row: DetectorRow) -> None:
    """Raises `DetectorError` unless the project names the ranges that a detector was taught with: it shows images in
    them."""
    if detector.whites != {row.taught_names[key]: end for key, end in row.whites.items()}:
        raise DetectorError(
            f"The detector “{row.title}” can't be used: the project names other ranges of values than it was taught with.",
            "Teach it again.",
        )


def least_side(backbone: Backbone, resolution: int = 0) -> int:
    """Pixels on the short side below which no image is decoded (large JPEGs are decoded smaller, many times faster), where it
    is looked at with `resolution` pixels (0: as a whole).

    The same for shots and inspected images, so that both went through the same averaging.
    """
    return 2 * max(backbone.image_size, resolution)


def with_size_noted(image: Image, shape: tuple[int, ...]) -> Image:
    """The image, with a note where it has fewer pixels than `shape` (rows, columns, …), at which a detector looks at it."""
    (width, height), (rows, columns) = image.size, shape[:2]
    if width * height >= rows * columns:
        return image
    small = (
        f"smaller than what the detector looks at ({width:,} × {height:,} pixels, not {columns:,} × {rows:,}), which raises "
        "scores."
    )
    return replace(image, note=f"{image.note} It is {small}" if image.note else small)
