"""How small a defect a taught class finds with its present thresholds: painted into its own shots, each compared with the others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Image
from inspector.errors import DetectorError, ImageError, ProjectError
from inspector.images import harm, part, read
from inspector.images.area import Area
from inspector.jobs.engine import Engine
from inspector.jobs.judging import class_id_of
from inspector.records.detectors import find_detector, list_memory
from inspector.records.project import Project
from inspector.records.shots import list_shots
from inspector.records.thresholds import list_thresholds

SIZES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
"""Shares of the short side that defects are across."""
CONTRASTS = (0.15, 0.4)
"""Faint and clear, as shares of the whole range of values."""
PLACES = 3
"""Where on each shot a defect of a kind, size and contrast is painted."""
SURE = 0.9
"""Share found from which a size counts as found."""


def smallest_defect(
    project: Project,
    engine: Engine,
    class_name: str,
    *,
    kinds: Sequence[str] = tuple(harm.KINDS),
    cancel: CancelToken | None = None,
) -> dict[str, Any]:
    """`curves`: of every kind and contrast the sizes in pixels of the picture, the shares (0–1) called NG, and NG or review
    (`seen`), and `size_90`, the smallest size from which on at least nine of ten are called NG, None where there is none.

    Defects lie in the class's area and, where the part stands out from its background, on the part. Each harmed shot is
    scored without itself. `good`: the same for the shots as they are. A missing piece has no contrast (None). Raises
    ProjectError for a class that isn't taught or whose shots can't be read any more, Cancelled.
    """
    from inspector.verdicts.judge import decide

    cancel = cancel or CancelToken()
    row = find_detector(project, class_name=class_name)
    class_id = class_id_of(row, class_name)
    name = row.taught_names[class_id]
    detector = engine.detector(project, row)
    thresholds = list_thresholds(project, row.id)[class_id].thresholds
    shots = {shot.id: shot for shot in list_shots(project, class_id)}
    wanted = list_memory(project, row.id)[class_id]
    try:
        at_least, white = 2 * detector.least_side(name), row.whites.get(class_id)
        images = [read.read(shots[key].path, at_least, white) for key in wanted]
    except (KeyError, ImageError) as error:
        raise ProjectError(
            f"A shot that “{class_name}” was taught on is gone or can't be read.", "Teach it again."
        ) from error
    view = detector.views.get(name)
    where = [_places(image.pixels, view.area if view else None) for image in images]
    short = min(min(image.size) for image in images)
    sizes = [max(1, round(short * share)) for share in SIZES]

    def called(made: Sequence[Image]) -> list[Decision]:
        cancel.check()
        small = [replace(one, pixels=detector.prepare_one(one.pixels, name)) for one in made]
        found = detector.held_out({name: small})[name]
        if not all(one.finite for one in found):
            raise DetectorError("A score is no number, so nothing can be told.", "Teach the class again.")
        return [decide(one.image_score, thresholds) for one in found]

    series = [(kind, one) for kind in kinds for one in (CONTRASTS if kind != "missing" else (None,))]
    good = called(images)
    curves = []
    for number, (kind, contrast) in enumerate(series):
        ng, seen = [], []
        for size in sizes:
            decisions: list[Decision] = []
            for place in range(PLACES):
                rng = np.random.default_rng([number, size, place])
                made = [
                    _harmed(*one, kind, size, contrast or 0.0, rng) for one in zip(images, where, strict=True)
                ]
                decisions += called(made)
            ng.append(round(decisions.count(Decision.NG) / len(decisions), 3))
            seen.append(round(1 - decisions.count(Decision.OK) / len(decisions), 3))
        curves.append(
            {
                "kind": kind,
                "contrast": contrast,
                "sizes": sizes,
                "ng": ng,
                "seen": seen,
                "size_90": _sure(sizes, ng),
            }
        )
    return {
        "class": name,
        "detector": row.label,
        "thresholds": {"review": thresholds.review, "ng": thresholds.ng if thresholds.calls_ng else None},
        "short_side": short,
        "shots": len(images),
        "good": {"ng": good.count(Decision.NG) / len(good), "seen": 1 - good.count(Decision.OK) / len(good)},
        "curves": curves,
    }


def _places(pixels: NDArray[np.uint8], area: Area | None) -> NDArray[np.intp]:
    """Where a defect may lie: (row, column) of a grid of part.GRID cells a side, [n, 2]."""
    shape = (part.GRID, part.GRID)
    inside = np.ones(shape, bool) if area is None else area.mask(shape)
    try:
        on_part = inside & part.mask_of(pixels)
    except ImageError:  # no background to tell it from
        on_part = inside
    return np.argwhere(on_part if on_part.any() else inside)


def _harmed(
    image: Image,
    places: NDArray[np.intp],
    kind: str,
    size: int,
    contrast: float,
    rng: np.random.Generator,
) -> Image:
    """`size` in pixels of the picture as it was taken, which may have been read smaller."""
    height, width = image.pixels.shape[:2]
    row, column = (places[rng.integers(len(places))] + 0.5) / part.GRID
    scale = height / image.size[1]
    pixels = harm.harmed(
        image.pixels, kind, size * scale, contrast, (int(column * width), int(row * height)), rng
    )
    return replace(image, pixels=pixels, original_size=image.size)


def _sure(sizes: Sequence[int], shares: Sequence[float]) -> int | None:
    """The smallest size from which on each share is SURE."""
    found = None
    for size, share in zip(reversed(sizes), reversed(shares), strict=True):
        if share < SURE:
            break
        found = size
    return found
