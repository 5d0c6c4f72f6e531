"""What stays loaded between jobs: the backbone and the detector that were used last."""

from __future__ import annotations

import os
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
    `runtime`: what computes scores, one of `settings.RUNTIMES`; None follows INSPECTOR_RUNTIME, and then, as the others, the
    user's settings. Whatever it is, torch teaches.
    """

    beside: Callable[[], Engine | None] | None = None
    """Another engine, of another thread, whose backbone serves here too where it is the one that is wanted."""

    def __init__(
        self,
        weights: str | Path | None = None,
        device: str | None = None,
        batch_size: int | None = None,
        runtime: str | None = None,
    ) -> None:
        self.weights = weights
        self.device = device
        self.batch_size = batch_size
        self.runtime = runtime
        self._held: tuple[tuple[str, str, bool], Backbone] | None = None  # what `_asked` said, and that
        self._scoring: tuple[Backbone, str, Backbone] | None = None  # (of which, runtime asked for, itself)
        self._detector: Detector | None = None
        self._detector_of: tuple[Any, ...] | None = None

    def use(self, backbone: Backbone, weights: str) -> None:
        """Take a backbone that is in memory already for the one of these weights."""
        self.forget()
        self.weights = weights
        self._held = self._asked(weights)[0], backbone

    @property
    def loaded(self) -> Backbone | None:
        """The backbone in memory, if any."""
        held = self._held
        return held[1] if held else None

    @property
    def device_note(self) -> str:
        """What computes, for people; "" while nothing is loaded."""
        held = self._held
        return "" if held is None else (self._scoring[2] if self._scoring else held[1]).device_note

    def backbone(self, weights: str | Path | None = None) -> Backbone:
        """The backbone of these weights (the engine's own when None). Raises `WeightsError`."""
        return self._backbone_of(self._asked(weights)[0])

    def _backbone_of(self, asked: tuple[str, str, bool]) -> Backbone:
        from inspector.features.runtimes import choice

        if self._held is None or asked != self._held[0]:
            self.forget()
            other = self.beside() if self.beside else None
            lent = other._held if other else None
            self._held = lent if lent and lent[0] == asked else (asked, choice.load(*asked))
        return self._held[1]

    def _asked(self, weights: str | Path | None) -> tuple[tuple[str, str, bool], str]:
        """((weights, device, whether what computes scores wants full precision), what computes scores)."""
        chosen, said = settings.load(), os.environ.get("INSPECTOR_RUNTIME", "")
        names = str(weights or self.weights or chosen.weights), self.device or chosen.device
        runtime = self.runtime or (said if said in settings.RUNTIMES else chosen.runtime)
        return (*names, runtime == "onnx"), runtime

    def scoring(self, weights: str | Path | None = None) -> Backbone:
        """The same backbone as it computes scores: by another runtime where that is wanted and pays, see `runtimes.choice`. Raises
        `WeightsError`."""
        from inspector.features.runtimes import choice

        asked, wanted = self._asked(weights)
        found = self._backbone_of(asked)
        if self._scoring is None or self._scoring[0] is not found or self._scoring[1] != wanted:
            other = self.beside() if self.beside else None
            lent = other._scoring if other else None
            same = lent is not None and lent[0] is found and lent[1] == wanted
            self._scoring = lent if lent and same else (found, wanted, choice.scoring(found, wanted))
        return self._scoring[2]

    def exact(self, weights: str | Path | None = None) -> Backbone:
        """The same in full precision on the processor, whoever computes it: what detectors say on it is the same on every computer,
        within a thousandth. Raises `WeightsError`."""
        from inspector.features.runtimes import choice

        found = self.scoring(weights)
        full = found.full()
        return found if full is found else choice.scoring(full, found.runtime)

    @property
    def rounding(self) -> float:
        """By how much, in parts of a score, what one detector says may differ from one computation to another: other processors and
        runtimes round otherwise, and where three digits are computed with, in all of them."""
        loaded = self.loaded
        return 1e-3 if loaded is None or str(loaded.dtype) == "torch.float32" else 1e-2

    def identity(self) -> dict[str, Any]:
        """What a detector row says of the backbone in use, in plain JSON values."""
        found = self.backbone()
        assert self._held is not None
        return {**found.identity.as_json(), "weights": self._held[0][0]}

    def detector(self, project: Project, row: DetectorRow, *, exact: bool = False) -> Detector:
        """A detector of a project, ready to score, on the backbone it was taught on; `exact`: on that of `exact`. Raises
        `DetectorError`, `WeightsError`."""
        from inspector.methods import storage

        if row.problem:
            raise DetectorError(f"The detector “{row.title}” can't be used: {row.problem}", "Teach it again.")
        weights = row.backbone.get("weights")
        found = self.exact(weights) if exact else self.scoring(weights)
        computed = (found.identity.key, found.device, found.dtype, found.device_note)
        of = (project.folder, row.id, row.created, *computed)
        if self._detector is None or of != self._detector_of:
            self._detector, self._detector_of = None, None
            made = storage.load(row.folder, found)
            check_ranges(made, row)
            self._detector = made
            self._detector_of = of
        return self._detector

    def forget(self) -> None:
        """Free the memory."""
        self._held = self._scoring = None
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
