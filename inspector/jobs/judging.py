"""From files over score maps to results as they will be stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inspector import settings
from inspector.domain import Image, ScoreMap
from inspector.errors import DetectorError, ImageError, InspectorError, ProjectError, ProjectFullError
from inspector.images import read
from inspector.jobs.engine import Engine, least_side, with_size_noted
from inspector.records.detectors import DetectorRow
from inspector.records.files import ImageFacts, as_stored, keep_image
from inspector.records.inspected.new_results import NewResult
from inspector.records.names import class_key
from inspector.records.project import Project
from inspector.records.shots import list_shots
from inspector.records.thresholds import ThresholdRow, list_thresholds
from inspector.verdicts.product import Limit

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

_UNCLEAR = "It resembles no class in the range of values that this class was taught with."
_NAME_IT = "Name its class, or teach the classes with one range."
_ALIKE = 0.02
"""By how much width against height may differ from a shot's, so that regions still lie where they were drawn."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it leaves a reader: shrunk for the backbone, its copy kept; or the error that says why not.

    `images`: by the end of the range that it was read in; one, unless its class is to be found among classes of several
    ranges and it has more than 8 bits.
    """

    name: str
    images: Mapping[int | None, Image] = field(default_factory=dict)
    facts: ImageFacts | None = None
    error: InspectorError | None = None


class Judge:
    """One detector of a project, loaded, and how it judges pictures of one class, or (`class_id` None) finds the class of each.
    Raises `DetectorError`, `WeightsError`.

    `batch_size`: how many pictures are scored together. `at_line`: one of which no copy can be kept, as the disk is full, is judged
    all the same; `record_arrivals` says so in its result.
    """

    def __init__(
        self,
        project: Project,
        engine: Engine,
        row: DetectorRow,
        class_id: int | None,
        *,
        at_line: bool = False,
    ) -> None:
        self.row, self.class_id, self._at_line = row, class_id, at_line
        self.detector = engine.detector(project, row)
        self.backbone = self.detector.backbone
        self._project = project
        self._given = None if class_id is None else row.taught_names[class_id]
        self._side = self.detector.least_side(self._given)
        wanted = engine.batch_size or settings.load().batch_size
        self.batch_size = _batch_size(wanted, self._side, self.backbone)
        names = list(row.taught_names.values()) if self._given is None else [self._given]
        self._whites = list(dict.fromkeys(self.detector.whites.get(name) for name in names))
        self._ids = {name: key for key, name in row.taught_names.items()}
        self._shapes = drawn_on(project, row, self.detector)

    def read(
        self,
        name: str,
        load: Callable[[], bytes],
        path: Path | None = None,
        look: Callable[[NDArray[np.uint8]], None] | None = None,
    ) -> ReadFile:
        """Read a picture, shrink it for the backbone and keep a copy in the project. Any thread. `load`: gives the bytes of its file,
        or raises InspectorError. `look`: is shown its pixels, uint8 RGB (h, w, 3)."""
        images: dict[int | None, Image] = {}
        try:
            data = load()
            for white in self._whites:
                image = read.decode(data, path.name if path else name, path, at_least=self._side, white=white)
                if look is not None and not images:
                    look(image.pixels)
                small = self.detector.prepare_one(image.pixels, class_name=self._given)
                images[white] = with_size_noted(
                    replace(image, pixels=small, original_size=image.size), small.shape
                )
                if image.white is None:  # of 8 bits: all ranges are the same
                    break
        except InspectorError as error:
            return ReadFile(name, error=error)
        facts = ImageFacts.of(image, data)
        try:
            keep_image(self._project, facts, data, lasting=False)  # with the others of its batch
        except ProjectFullError:
            if not self._at_line:
                raise
        return ReadFile(name, images, facts)

    def scored(self, items: Sequence[ReadFile]) -> list[ScoreMap | None]:
        """A score map for each of those that could be read, see `scored`."""
        return scored(self.detector, self._given, [item.images for item in items if item.images])

    def results(self, items: Sequence[ReadFile], maps: Sequence[ScoreMap | None]) -> list[NewResult]:
        """A batch as it will be stored, by the newest thresholds; `maps`: what `scored` gave for it."""
        thresholds = list_thresholds(self._project, self.row.id)
        return judged(items, maps, thresholds, self.row.products, self._ids, self.class_id, self._shapes)


def drawn_on(project: Project, row: DetectorRow, detector: "Detector") -> dict[int, list[float]]:
    """Class id → width / height of its shots, of classes of which only an area is inspected."""
    return shapes_of(project, detector, row.taught_names)


def shapes_of(project: Project, detector: "Detector", names: Mapping[int, str]) -> dict[int, list[float]]:
    """The same of a detector that may have no row yet. `names`: class id → what the detector calls it."""
    found = {}
    for class_id, name in names.items():
        view = detector.views.get(name)
        if view is not None and view.area is not None:
            sizes = {shot.size for shot in list_shots(project, class_id)}
            found[class_id] = [width / height for width, height in sizes]
    return found


def judged(
    items: Sequence[ReadFile],
    maps: Sequence[ScoreMap | None],
    thresholds: Mapping[int, ThresholdRow],
    limits: Mapping[int, Limit],
    ids_by_name: Mapping[str, int],
    class_id: int | None,
    shapes: Mapping[int, Sequence[float]],
) -> list[NewResult]:
    """A batch as it will be stored; `maps`: of those `items` that could be read, in order; `shapes`: see `drawn_on`. Whether one shows
    another product is decided when it is stored; `limits`: by class, from where on it does."""
    from inspector.verdicts.judge import judge
    from inspector.verdicts.product import far, why_moved

    scored = iter(maps)
    results = []
    for item in items:
        if item.error is not None or item.facts is None:
            error = item.error or ImageError(f"“{item.name}” can't be read.")
            results.append(NewResult(item.name, class_id=class_id, error=error.message, hint=error.hint))
            continue
        score_map = next(scored)
        if score_map is None:
            unclear = NewResult(item.name, item.facts, class_id=class_id, error=_UNCLEAR, hint=_NAME_IT)
            results.append(unclear)
            continue
        found = ids_by_name[score_map.class_name]
        try:
            if found not in thresholds:
                raise DetectorError(
                    f"“{score_map.class_name}” has no thresholds.", "Teach the detector again."
                )
            check_shape(item.facts.size, shapes.get(found, ()))
            kept = replace(score_map, values=as_stored(score_map.values))  # regions as they'll be cut again
            verdict = judge(kept, thresholds[found].thresholds, item.facts.size)
        except InspectorError as error:
            failed = NewResult(item.name, item.facts, class_id=found, error=error.message, hint=error.hint)
            results.append(failed)
            continue
        results.append(
            NewResult(
                item.name,
                item.facts,
                class_id=found,
                class_confidence=score_map.class_confidence,
                image_score=score_map.image_score,
                product_distance=far(score_map, limits.get(found)),
                hint=why_moved(score_map, limits.get(found)),
                values=score_map.values,
                regions=verdict.regions,
                threshold_id=thresholds[found].id,
            )
        )
    return results


def check_shape(size: tuple[int, int], shapes: Sequence[float]) -> None:
    """Raises ImageError for an image on which regions would lie elsewhere."""
    width, height = size
    if shapes and all(abs(width / height / shape - 1) > _ALIKE for shape in shapes):
        raise ImageError(
            f"It has {width:,} × {height:,} pixels, another shape than the shots on which its regions were drawn.",
            "Take it as the shots were taken, or teach its class with regions that suit it.",
        )


def class_id_of(row: DetectorRow, class_name: str) -> int:
    """A detector's class by name, whatever its case and spaces. Raises `ProjectError` for one that it doesn't know."""
    key = class_key(class_name)
    for class_id, name in row.classes.items():
        if class_key(name) == key:
            return class_id
    names = ", ".join(row.classes.values())
    raise ProjectError(
        f"The detector “{row.title}” does not know the class “{class_name}”.", f"It knows: {names}."
    )


def _batch_size(wanted: int, side: int, backbone: "Backbone") -> int:
    """Images of a batch whose short side has at most `side` pixels: fewer of larger ones, which take more memory each."""
    return max(1, round(wanted * (least_side(backbone) / side) ** 2))


def scored(
    detector: "Detector", given: str | None, readings: Sequence[Mapping[int | None, Image]]
) -> list[ScoreMap | None]:
    """A score map an image; `given`: the class of all of them.

    An image that was read in several ranges is of a class that it resembles in the range of that very class, the one
    that is surest; None where there is none.
    """
    flat = [(number, white, image) for number, own in enumerate(readings) for white, image in own.items()]
    if not flat:
        return []
    found: list[ScoreMap | None] = [None] * len(readings)
    maps = detector.score([image for *_, image in flat], [given] * len(flat))
    for (number, white, _), score_map in zip(flat, maps, strict=True):
        if len(readings[number]) > 1 and detector.whites.get(score_map.class_name) != white:
            continue
        before = found[number]
        if before is None or score_map.class_confidence > before.class_confidence:
            found[number] = score_map
    return found
