"""Which part of a picture is inspected: regions of interest, and places to ignore, drawn on a shot of a class."""

import hashlib
import json
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
FINE = 1024
"""Areas are drawn with at least so many pixels a side."""
PAINT = (255, 0, 255)
"""What is not inspected is painted over with, in shots and pictures alike, so that no method sees a difference there. A colour
that no part has: what is painted is remembered as normal, and would excuse a defect of that colour."""


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
        found.check()
        return found

    def check(self) -> None:
        """Raises ImageError for what no class can have: nearly nothing inspected, or more polygons or corners than are read."""
        for polygons in (self.inspected, self.ignored):
            if len(polygons) > MOST_POLYGONS or any(len(one) > MOST_CORNERS for one in polygons):
                raise ImageError(
                    f"There are more than {MOST_POLYGONS} regions, or one has more than {MOST_CORNERS:,} corners.",
                    "Remove some.",
                )
        if self.share < LEAST:
            raise ImageError(
                "Nearly nothing of the picture would be inspected.",
                "Draw a larger region, or ignore less.",
            )

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
        return float(self._cover((FINE, FINE)).mean())

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Which pixels, or cells of a map, (rows, columns), are inspected, and be it a part of them: bool."""
        return self._cover(shape) > 0

    def painted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (h, w, 3) → the same, painted over where it is not inspected; a pixel on the border is partly so, lest the
        border jump with the size of the picture."""
        cover, made = self._cover((pixels.shape[0], pixels.shape[1])), pixels.copy()
        made[cover == 0] = PAINT
        border = (cover > 0) & (cover < 1)
        share = cover[border][:, None]
        made[border] = np.round(pixels[border] * share + np.array(PAINT) * (1 - share)).astype(np.uint8)
        return made

    def _cover(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """How much of each pixel is inspected, 0–1; what is small, and asked for with every image, is kept."""
        return _cover(self, shape) if max(shape) <= FINE else _drawn(self, shape)


def load(path: Path, classes: Iterable[str]) -> dict[str, Area]:
    """The areas in a file of regions, {class: area as JSON, …}, by the names of `classes` as they are spelt here; upper and lower
    case count only between classes that nothing else tells apart. Raises ImageError for what isn't one, names another
    class, or names one twice."""
    shown = printable(path.name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(f"“{shown}” is no readable JSON file, or says something twice") from error
    if not isinstance(found, dict):
        raise _wrong(f"“{shown}” must hold the areas of classes by name")
    known = list(classes)
    areas: dict[str, Area] = {}
    for said, value in found.items():
        alike = [name for name in known if name.strip().casefold() == said.strip().casefold()]
        exact = [name for name in alike if name == said]
        if len(exact or alike) != 1:
            raise ImageError(
                f"“{shown}” has regions of “{printable(said, 40)}”, which is "
                f"{'one of several classes' if alike else 'no class'} here.",
                f"The classes are: {', '.join(known)}.",
            )
        (name,) = exact or alike
        if name in areas:
            raise ImageError(f"“{shown}” says twice what is inspected of “{name}”.", "Leave one of them.")
        areas[name] = Area.from_json(value)
    return areas


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def as_file(areas: Mapping[str, Area]) -> bytes:
    """What `load` reads."""
    text = json.dumps({name: area.as_json() for name, area in areas.items()}, ensure_ascii=False, indent=1)
    return text.encode()


@lru_cache(maxsize=8)
def _cover(area: Area, shape: tuple[int, int]) -> NDArray[np.float32]:
    cover = _drawn(area, shape)
    cover.flags.writeable = False
    return cover


def _drawn(area: Area, shape: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each pixel is inspected: read off a finer drawing, so that thin stripes don't get lost."""
    import cv2

    rows, columns = (max(FINE, length) for length in shape)
    fine = _filled(area, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _filled(area: Area, shape: tuple[int, int]) -> NDArray[np.bool_]:
    import cv2

    def filled(polygons: tuple[Polygon, ...]) -> NDArray[np.bool_]:
        found = np.zeros(shape, np.uint8)
        for polygon in polygons:
            # sixteenths of a pixel; whole numbers are the middles of pixels
            corners = np.round((np.array(polygon) * shape[::-1] - 0.5) * 16).astype(np.int32)
            cv2.fillPoly(found, [corners], 1, shift=4)
        return found.astype(bool)

    inspected = filled(area.inspected) if area.inspected else np.ones(shape, bool)
    return inspected & ~filled(area.ignored)


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
        or not all(type(one) in (int, float) and 0 <= one <= 1 for one in value)
    ):
        raise _wrong("a corner is two shares of the picture's width and height, from 0 to 1")
    return float(value[0]), float(value[1])


def _wrong(why: str) -> ImageError:
    return ImageError(f"The regions can't be read: {why}.", "Draw them anew and export them.")
