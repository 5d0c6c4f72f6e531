"""What a place of an image is compared with: the patch of the normal shots that resembles it most, and how unusual it is.

Asked of the memory inside a method, whatever the method makes of it. For a patch p and the patches m of a class's shots: the m
with the least mean over the taps of the memory's own distance d(p, m), each tap enlarged to the finest one. How unusual a
place is: the share of all places of the shots, each shot compared with the others (a single one with altered views of it), at
which the memory's map is lower.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from inspector.domain import CancelToken, Image
from inspector.errors import DetectorError
from inspector.features.backbone import Features
from inspector.features.places import (
    Box,
    cell,
    depth,
    in_image,
    in_piece,
    index,
    inside,
    piece_boxes,
)
from inspector.images.area import Polygon
from inspector.images.turning import before_turning, turned
from inspector.methods.taught import Taught

KEPT = 1 << 28
"""Bytes of the shots' patches that are kept for the next question; further ones are computed anew each time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`patch`: where the place that was asked about was compared, `nearest`: what resembles it most, in the shot of this number.
    `distance`: between both, on the memory's scale. `unusual`: 0–1, see above."""

    patch: Box
    shot: int
    nearest: Box
    distance: float
    unusual: float


@dataclass(frozen=True, eq=False, kw_only=True)
class _MemoryAlone(Taught):
    """What a method would say if it had its memory and nothing else."""

    inner: Taught

    @property
    def classes(self) -> tuple[str, ...]:
        return self.memory.classes

    def features(self, pixels: Tensor) -> Features:
        return self.inner.features(pixels)

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        maps = self.memory.maps(features, class_names, without)
        return maps, maps.flatten(1).amax(1)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Of a shot, turned by `angle`: where it lies in the shot, the shape of its pixels, and by tap (rows, columns) and patches
    [N, …]."""

    shot: int
    box: Box
    shape: tuple[int, ...]
    angle: int
    grids: Mapping[str, tuple[int, int]]
    patches: Mapping[str, Tensor]


class NormalPatches:
    """The patches of a class's normal shots: what it was taught on, in the order of its memory; and of `places`, which are
    numbered after them. Raises DetectorError where the number of shots isn't the memory's, and Cancelled, later too."""

    def __init__(
        self,
        taught: Taught,
        class_name: str,
        shots: Sequence[Image],
        places: Sequence[tuple[Image, Polygon]] = (),
        cancel: CancelToken | None = None,
    ) -> None:
        self._name = class_name
        self._cancel = cancel or CancelToken()
        self._shots: list[tuple[Image, Polygon | None]] = [*((shot, None) for shot in shots), *places]
        fields = ("backbone", "memory", "proportions", "views")
        self._taught = _MemoryAlone(inner=taught, **{name: getattr(taught, name) for name in fields})
        self._turns = taught.turns(class_name)
        usual = []
        for one in self._taught.held_out_singly(class_name, shots):
            self._cancel.check()
            usual.append(one.values[self._inside(one.values)])
        self._usual = np.sort(np.concatenate(usual))
        self._kept: dict[tuple[int, int, int], _Piece] = {}
        self._room = KEPT

    def find(self, image: Image, x: float, y: float) -> Evidence:
        """Of the place of an image at (x, y), in shares of its sides, 0–1. Raises DetectorError for one that isn't inspected."""
        (score_map,) = self._taught.score([image], [self._name])
        values = score_map.values
        at = divmod(index(x, y, (values.shape[0], values.shape[1])), values.shape[1])
        if not self._inside(values)[at]:
            raise DetectorError("This place is not inspected.", "Ask about one inside the class's area.")
        unusual = np.searchsorted(self._usual, values[at]) / max(len(self._usual), 1)

        boxes = piece_boxes(self._taught.tiles(self._name, image))
        number = max(range(len(boxes)), key=lambda one: depth(boxes[one], x, y))
        x, y = in_piece(boxes[number], x, y)
        features = self._taught.features_of([self._taught.cut(self._name, image)[number]])
        asked = {
            tap: patches[0, index(x, y, features.grids[tap])]
            for tap, patches in self._taught.memory.patches(features).items()
        }
        patch = in_image(boxes[number], cell(x, y, min(features.grids[tap] for tap in asked)))

        best: tuple[float, int, Box] | None = None
        with torch.inference_mode():
            for piece in self._pieces():
                distances = self._apart(asked, piece)
                at, (rows, columns) = int(distances.argmin()), distances.shape
                distance = float(distances.flatten()[at])
                if best is None or distance < best[0]:
                    place = (at % columns + 0.5) / columns, (at // columns + 0.5) / rows
                    place = before_turning(*place, piece.shape, piece.angle)
                    nearest = in_image(piece.box, cell(*place, min(piece.grids.values())))
                    best = distance, piece.shot, nearest
        assert best is not None
        distance, shot, nearest = best
        return Evidence(patch, shot, nearest, distance, float(unusual))

    def _inside(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        view = self._taught.views.get(self._name)
        if view is None or view.area is None:
            return np.ones(values.shape, bool)
        rows, columns = values.shape
        return view.area.mask((rows, columns))

    def _apart(self, asked: Mapping[str, Tensor], piece: _Piece) -> Tensor:
        """How far what is asked about lies from every patch of a piece: (rows, columns) of its finest tap."""
        finest = max(piece.grids.values())
        planes = []
        for tap, patch in asked.items():
            apart = self._taught.memory.between(tap, self._name, patch, piece.patches[tap].float())
            plane = apart.reshape(1, 1, *piece.grids[tap])
            planes.append(F.interpolate(plane, finest, mode="bilinear", align_corners=False))
        apart = torch.cat(planes).mean(0)[0]
        kept = self._shots[piece.shot][1]
        if kept is not None:
            outside = ~inside(kept, piece.box, finest).reshape(finest)
            apart = apart.masked_fill(outside.to(apart.device), torch.inf)
        return apart

    def _pieces(self) -> Iterator[_Piece]:
        """Of all shots, as turned as they are remembered."""
        for number, (shot, place) in enumerate(self._shots):
            pieces = self._taught.cut(self._name, shot)
            boxes = piece_boxes(self._taught.tiles(self._name, shot))
            for part, (image, box) in enumerate(zip(pieces, boxes, strict=True)):
                for angle in self._turns if place is None else (0,):
                    self._cancel.check()
                    key = number, part, angle
                    yield self._kept.get(key) or self._seen(key, image, box)

    def _seen(self, key: tuple[int, int, int], image: Image, box: Box) -> _Piece:
        shot, _, angle = key
        features = self._taught.features_of([dataclasses.replace(image, pixels=turned(image.pixels, angle))])
        patches = {tap: one[0].half() for tap, one in self._taught.memory.patches(features).items()}
        grids = {tap: features.grids[tap] for tap in patches}
        found = _Piece(shot, box, image.pixels.shape, angle, grids, patches)
        size = sum(one.nbytes for one in patches.values())
        if size <= self._room:
            self._room -= size
            self._kept[key] = found
        return found
