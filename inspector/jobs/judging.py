"""From score maps to results as they will be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inspector.domain import Image, ScoreMap
from inspector.errors import DetectorError, ImageError, InspectorError
from inspector.records.detectors import DetectorRow
from inspector.records.files import ImageFacts, as_stored
from inspector.records.inspected.new_results import NewResult
from inspector.records.project import Project
from inspector.records.shots import list_shots
from inspector.records.thresholds import ThresholdRow

if TYPE_CHECKING:
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
    ids_by_name: Mapping[str, int],
    class_id: int | None,
    shapes: Mapping[int, Sequence[float]],
) -> list[NewResult]:
    """A batch as it will be stored; `maps`: of those `items` that could be read, in order; `shapes`: see `drawn_on`. Whether one shows
    another product is decided when it is stored."""
    from inspector.verdicts.judge import judge

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
                product_distance=score_map.product_distance,
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
