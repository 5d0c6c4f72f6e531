"""Which part of a picture is inspected: regions of interest, and places to ignore, drawn on a shot of a class."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from inspector.errors import ImageError
from inspector.text import printable

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) in shares of a picture's width and height, 0–1."""
LEAST = 0.001
"""Share of a picture that is inspected at least."""
MOST_POLYGONS, MOST_CORNERS = 100, 1000
FINER, FINE = 4, 1 << 20
"""A pixel on a border is looked at in so many parts a side, in pictures of fewer pixels than that: in larger ones a border of one
pixel is nothing."""
GREY = 128
"""What is not inspected is painted over with, in shots and pictures alike, so that no method sees a difference there."""


@dataclass(frozen=True, slots=True)
class Area:
    """The polygons in `inspected` (the whole picture where there is none) without those in `ignored`. In shares, so that it
    suits the same view at any size."""

    inspected: tuple[Polygon, ...] = ()
    ignored: tuple[Polygon, ...] = ()

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """What `as_json` gave. Raises ImageError for anything else, and where less than a thousandth is inspected."""
        if not isinstance(value, dict) or value.keys() - {"inspect", "ignore"}:
            raise _wrong("it must hold “inspect” and “ignore” alone")
        found = cls(_polygons(value.get("inspect", [])), _polygons(value.get("ignore", [])))
        if found.share < LEAST:
            raise ImageError(
                "Nearly nothing of the picture would be inspected.",
                "Draw a larger region, or ignore less.",
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """{"inspect": [[[x, y], …], …], "ignore": …}."""
        return {
            "inspect": [[list(corner) for corner in polygon] for polygon in self.inspected],
            "ignore": [[list(corner) for corner in polygon] for polygon in self.ignored],
        }

    @property
    def key(self) -> str:
        """The same for equal areas only."""
        return hashlib.sha256(json.dumps(self.as_json()).encode()).hexdigest()[:16]

    @property
    def share(self) -> float:
        """How much of a picture is inspected, 0–1."""
        return float(self.mask((500, 500)).mean())

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Which pixels, or cells of a map, (rows, columns), are inspected: bool, not to be written to."""
        return _mask(self, shape)

    def painted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (h, w, 3) → the same with grey where it is not inspected; a pixel on the border is partly grey, so that the
        border doesn't jump with the size of the picture."""
        inside = _cover(self, (pixels.shape[0], pixels.shape[1]))[..., None]
        return np.asarray(np.round(pixels * inside + GREY * (1 - inside)), np.uint8)


def load(path: Path, classes: Iterable[str]) -> dict[str, Area]:
    """The areas in a file of regions, {class: area as JSON, …}, by the names of `classes` as they are spelt here, whatever the
    file's upper and lower case. Raises ImageError for what isn't one, or names another class."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(f"“{printable(path.name)}” is no readable JSON file") from error
    if not isinstance(found, dict):
        raise _wrong(f"“{printable(path.name)}” must hold the areas of classes by name")
    names = {name.casefold(): name for name in classes}
    strange = next((name for name in found if name.strip().casefold() not in names), None)
    if strange is not None:
        known = ", ".join(names.values())
        raise ImageError(
            f"“{printable(path.name)}” has regions of “{printable(strange, 40)}”, which is no class here.",
            f"The classes are: {known}.",
        )
    return {names[name.strip().casefold()]: Area.from_json(value) for name, value in found.items()}


def as_file(areas: Mapping[str, Area]) -> bytes:
    """What `load` reads."""
    text = json.dumps({name: area.as_json() for name, area in areas.items()}, ensure_ascii=False, indent=1)
    return text.encode()


@lru_cache(maxsize=8)
def _mask(area: Area, shape: tuple[int, int]) -> NDArray[np.bool_]:
    import cv2

    def filled(polygons: tuple[Polygon, ...]) -> NDArray[np.bool_]:
        found = np.zeros(shape, np.uint8)
        for polygon in polygons:
            # sixteenths of a pixel; whole numbers are the middles of pixels
            corners = np.round((np.array(polygon) * shape[::-1] - 0.5) * 16).astype(np.int32)
            cv2.fillPoly(found, [corners], 1, shift=4)
        return found.astype(bool)

    inspected = filled(area.inspected) if area.inspected else np.ones(shape, bool)
    inspected &= ~filled(area.ignored)
    inspected.flags.writeable = False
    return inspected


@lru_cache(maxsize=2)
def _cover(area: Area, shape: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel is inspected, 0–1."""
    import cv2

    finer = FINER if shape[0] * shape[1] < FINE else 1
    fine = _mask(area, (finer * shape[0], finer * shape[1])).astype(np.float32)
    return np.asarray(cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _polygons(value: Any) -> tuple[Polygon, ...]:
    if not isinstance(value, list) or len(value) > MOST_POLYGONS:
        raise _wrong(f"it must hold lists of up to {MOST_POLYGONS} polygons")
    return tuple(_polygon(one) for one in value)


def _polygon(value: Any) -> Polygon:
    if not isinstance(value, list) or not 3 <= len(value) <= MOST_CORNERS:
        raise _wrong(f"a polygon has from 3 to {MOST_CORNERS:,} corners")
    return tuple(_corner(one) for one in value)


def _corner(value: Any) -> tuple[float, float]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(one) in (int, float) and math.isfinite(one) and 0 <= one <= 1 for one in value)
    ):
        raise _wrong("a corner is two shares of the picture's width and height, from 0 to 1")
    return float(value[0]), float(value[1])


def _wrong(why: str) -> ImageError:
    return ImageError(f"The regions can't be read: {why}.", "Draw them anew and export them.")
