"""What a method knows after teaching, and how images travel through it to score maps: the flow that all methods share."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Self, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspector.domain import CancelToken, Image, Progress, ScoreMap
from inspector.errors import DetectorError
from inspector.features.backbone import Backbone, Features, joined
from inspector.features.framing import resized
from inspector.features.places import inside, piece_boxes
from inspector.features.tiles import Tiles, View, tiles
from inspector.images.area import Polygon
from inspector.methods.memory_bank import MemoryBank
from inspector.methods.products.looks import Look, ProductLooks, look_of
from inspector.methods.products.poses import pose_maps
from inspector.methods.single_shot_views import altered_views

BORDER = 0.05
"""Share of a map's side from the border of an area that altered views of a single shot don't tell anything of."""
BATCH = 8
"""Images looked at together; an accelerator scores eight times as many."""
FINE = (64, 64)
"""Rows and columns in which it is looked for whether a piece shows a box."""
Item = TypeVar("Item")


@dataclass(frozen=True, eq=False, kw_only=True)
class Taught(ABC):
    """All that scoring, saving and adding shots need. Nothing of it changes: more shots make another one, so several threads
    may score with it and a teaching that is stopped leaves the one before.

    `memory`: the patches of every class's shots. `proportions`: whether images are looked at in their proportions rather than
    as squares, where the backbone can; detectors of earlier versions know squares. `views`: how images of a class are looked
    at; those of other classes wholly and as a whole. `looks`: what its shots look like as a whole (in tiles: on average).
    """

    backbone: Backbone
    memory: MemoryBank
    proportions: bool = False
    views: Mapping[str, View] = field(default_factory=dict)
    looks: ProductLooks = field(default_factory=ProductLooks)

    # What a method gives

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the taught classes, in teaching order."""

    @abstractmethod
    def features(self, pixels: Tensor) -> Features:
        """Prepared images [B,3,h,w] → what `maps_and_scores` and the memory read; the memory keeps every tap."""

    @abstractmethod
    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Anomaly maps [B, rows, columns] and image scores [B], float32.

        `without[b]`: the shot of its class that image b must not be compared with.
        """

    def nearest_classes(self, features: Features) -> tuple[list[str], list[float]]:
        """The class each image most resembles and how sure that is, 0–1."""
        return self.memory.find(features)

    def turns(self, class_name: str) -> Sequence[int]:
        """By how many degrees (see `turning`) a class's shots are turned to be remembered; 0 is the shot as it is."""
        return (0,)

    def shot_features(self, class_name: str, images: Sequence[Image]) -> Features:
        """What is remembered of shots [B] of one frame."""
        return self.features_of(images)

    def remembering(self, class_name: str, features: Features, together: bool = False) -> Self:
        """The same, with every image in `features` as a further shot of the class; `together`: as the tiles of one."""
        seen = look_of(features, self.looks.scales)
        poses = None if together else pose_maps(features, self.looks.poses.fitted.basis)
        if seen is not None and together:
            seen = seen.mean(0, keepdims=True)
        return dataclasses.replace(
            self,
            memory=self.memory.with_shots(class_name, features, together),
            looks=self.looks.with_shots(class_name, seen, poses, self.memory.count(class_name)),
        )

    def with_place(self, class_name: str, image: Image, outline: Polygon) -> Self:
        """The same, with what an image shows within an outline, in shares of its sides, as normal for a class. Only the memory
        learns of it. Raises DetectorError for a class that the memory doesn't know, and where nothing is inspected."""
        view = self.views.get(class_name)
        covered = inside(outline, (0.0, 0.0, 1.0, 1.0), FINE).numpy().reshape(FINE)
        if view is not None and view.area is not None and not (view.area.mask(FINE) & covered).any():
            raise DetectorError("Nothing is inspected at this place.", "Choose one inside the class's area.")
        found: dict[str, list[Tensor]] = {}
        pieces = self.cut(class_name, image)
        for piece, where in zip(pieces, piece_boxes(self.tiles(class_name, image)), strict=True):
            if inside(outline, where, FINE).any():
                features = self.features_of([piece])
                for tap, patches in self.memory.patches(features).items():
                    own = inside(outline, where, features.grids[tap])
                    found.setdefault(tap, []).append(patches[0, own.to(patches.device)])
        kept = {tap: self.memory.few(torch.cat(own)) for tap, own in found.items()}
        if not kept or not all(map(len, kept.values())):
            raise DetectorError("Nothing is inspected at this place.", "Choose one inside the class's area.")
        return dataclasses.replace(self, memory=self.memory.with_place(class_name, kept))

    # The flow

    def with_shots(self, class_name: str, images: Sequence[Image]) -> Self:
        """The same, with further normal shots of a class. Raises DetectorError for a class it can't take."""
        if not images:
            raise DetectorError(
                f"The class “{class_name}” has no normal shots.", "Add at least one image of a good part."
            )
        grown = self
        for batch in self._shot_batches(class_name, images):
            grown = grown._with_batch(class_name, batch)
        return grown

    def with_all(self, shots: Mapping[str, Sequence[Image]], progress: Progress, cancel: CancelToken) -> Self:
        """The same, with the shots of all classes, none of which it knows yet. Raises Cancelled between batches."""
        grown = dataclasses.replace(self, looks=ProductLooks.new(self.backbone))
        done, total = 0, sum(map(len, shots.values()))
        for name, images in shots.items():
            for batch in self._shot_batches(name, images):
                cancel.check()
                grown = grown._with_batch(name, batch)
                done += len(batch)
                progress(done / total, f"{name}: {grown.memory.count(name)} of {len(images)} shots", {})
        return grown

    def score(self, images: Sequence[Image], class_names: Sequence[str | None]) -> list[ScoreMap]:
        """One ScoreMap an image, in order; None lets the detector find the class."""
        return self._score(images, class_names, [None] * len(images))

    def held_out(self, shots: Mapping[str, Sequence[Image]]) -> dict[str, list[ScoreMap]]:
        """Each shot scored against the other shots of its class, or altered views of a class's only shot.

        `shots` are those that were taught, in the same order. Raises DetectorError if their number differs.
        """
        result: dict[str, list[ScoreMap]] = {}
        for name, images in shots.items():
            self._check_count(name, images)
            if len(images) == 1:
                result[name] = self._altered(name, images[0])
            else:
                result[name] = self._score(images, [name] * len(images), range(len(images)))
        return result

    def held_out_singly(self, class_name: str, images: Sequence[Image]) -> Iterator[ScoreMap]:
        """The same of one class, one after the other, for who may want to stop in between."""
        self._check_count(class_name, images)
        if len(images) == 1:
            yield from self._altered(class_name, images[0])
        else:
            for number, image in enumerate(images):
                yield from self._score([image], [class_name], [number])

    def _check_count(self, class_name: str, images: Sequence[Image]) -> None:
        if self.memory.count(class_name) != len(images):
            raise DetectorError(
                f"The class “{class_name}” was taught on {self.memory.count(class_name)} shots, not on {len(images)}.",
                "Teach the detector again.",
            )

    def _altered(self, class_name: str, image: Image) -> list[ScoreMap]:
        """Altered views of a class's only shot.

        What is not inspected of it is painted over before it is altered: its places would be others afterwards. A mirrored
        border between paint and part resembles nothing that the memory knows, so views count by what lies inside.
        """
        view = self.views.get(class_name)
        if view is None or view.area is None:
            seen = altered_views(image)
            return self._score(seen, [class_name] * len(seen), [None] * len(seen))
        image = painted(image, view, self.backbone, self.proportions, self.memory.map_size)
        taught = dataclasses.replace(self, views={**self.views, class_name: View(view.resolution)})
        seen = altered_views(image)
        maps = taught._score(seen, [class_name] * len(seen), [None] * len(seen))
        cover = np.repeat(np.uint8(255) * view.area.mask(image.pixels.shape[:2])[..., None], 3, axis=2)
        inside = altered_views(dataclasses.replace(image, pixels=cover))
        return [_within(one, mark.pixels[..., 0]) for one, mark in zip(maps, inside, strict=True)]

    def batches(self, images: Sequence[Image]) -> Iterator[Sequence[Image]]:
        """Images in order, in batches that go through the backbone together because they have one frame."""
        return framed_batches(images, self.backbone, self.proportions)

    def tiles(self, class_name: str, image: Image) -> Tiles | None:
        """How an image of a class is cut; None where it is looked at as a whole."""
        view, cells = self.views.get(class_name, View()), self.memory.map_size
        return tiles(image.pixels.shape, view, self.backbone.image_size, cells)

    def cut(self, class_name: str, image: Image) -> list[Image]:
        """What is looked at of an image of a class: its tiles, or itself, without what is not inspected."""
        view = self.views.get(class_name, View())
        return pieces(image, view, self.backbone, self.proportions, self.memory.map_size)

    def _shot_batches(self, class_name: str, images: Sequence[Image]) -> Iterator[Sequence[Image]]:
        """Shots that are remembered at a time: one that may be cut into tiles by itself."""
        if class_name in self.views:
            return ([image] for image in images)
        return self.batches(images)

    def _with_batch(self, class_name: str, images: Sequence[Image]) -> Self:
        pieces = self.cut(class_name, images[0]) if class_name in self.views else [*images]
        if len(pieces) == len(images):
            return self.remembering(class_name, self.shot_features(class_name, pieces))
        seen = [self.shot_features(class_name, batch) for batch in self.batches(pieces)]
        return self.remembering(class_name, joined(seen), together=True)

    def features_of(self, images: Sequence[Image]) -> Features:
        """What the backbone says of images of one frame, without gradient."""
        with torch.no_grad():
            return self.features(self.backbone.prepare([image.pixels for image in images], self.proportions))

    def _frame(self, image: Image) -> tuple[int, int]:
        """Rows and columns of pixels at which an image is looked at."""
        return self.backbone.frame(image.pixels.shape, self.proportions)

    def _score(
        self,
        images: Sequence[Image],
        class_names: Sequence[str | None],
        without: Sequence[int | None],
    ) -> list[ScoreMap]:
        """One ScoreMap an image, in order. Tiles, and images of one frame, are looked at together."""
        if not self.views:
            return [one for one, _ in self._score_pieces(images, class_names, without)]
        cuts = [self.cut(name or "", image) for image, name in zip(images, class_names, strict=True)]
        pieces = [piece for own in cuts for piece in own]
        names = [name for name, own in zip(class_names, cuts, strict=True) for _ in own]
        left_out = [shot for shot, own in zip(without, cuts, strict=True) for _ in own]
        coming = iter(self._score_pieces(pieces, names, left_out))
        return [
            self._whole(name or "", image, list(islice(coming, len(own))), shot)
            for image, name, own, shot in zip(images, class_names, cuts, without, strict=True)
        ]

    def _whole(
        self, class_name: str, image: Image, seen: Sequence[tuple[ScoreMap, Look | None]], without: int | None
    ) -> ScoreMap:
        """What was found in the pieces of an image, as one: the highest image score, the maps joined, 0 where it is not
        inspected."""
        found, pieces, (whole, _) = self.tiles(class_name, image), [piece for piece, _ in seen], seen[0]
        if found is not None:
            values = found.joined(np.stack([piece.values for piece in pieces]))
            score = float(np.max([piece.image_score for piece in pieces]))
            looks = [look for _, look in seen if look is not None]
            far = self.looks.distance(class_name, np.mean(looks, axis=0), without) if looks else None
            whole = dataclasses.replace(
                whole, values=values, image_score=score, product_distance=far, lie=None
            )
        view = self.views.get(class_name)
        if view is None or view.area is None:
            return whole
        rows, columns = whole.values.shape
        inside = view.area.mask((rows, columns))
        return dataclasses.replace(whole, values=np.where(inside, whole.values, np.float32(0)))

    def _score_pieces(
        self,
        images: Sequence[Image],
        class_names: Sequence[str | None],
        without: Sequence[int | None],
    ) -> list[tuple[ScoreMap, Look | None]]:
        """Of each image what was found, and what it looks like as a whole."""
        size = BATCH if self.backbone.device.type == "cpu" else 8 * BATCH
        groups: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(self._frame(image), []).append(index)
        found: dict[int, tuple[ScoreMap, Look | None]] = {}
        for group in groups.values():
            for batch in batches(group, size):
                features = self.features_of([images[index] for index in batch])
                names, left_out = [class_names[i] for i in batch], [without[i] for i in batch]
                found.update(zip(batch, self._score_maps(features, names, left_out), strict=True))
        return [found[index] for index in range(len(images))]

    def _score_maps(
        self, features: Features, class_names: Sequence[str | None], without: Sequence[int | None]
    ) -> list[tuple[ScoreMap, Look | None]]:
        with torch.inference_mode():
            given = [name for name in class_names if name is not None]
            sure = [1.0] * len(class_names)
            if len(given) < len(class_names):
                nearest, confidence = self.nearest_classes(features)
                sure = [1.0 if n is not None else c for n, c in zip(class_names, confidence, strict=True)]
                given = [f if n is None else n for n, f in zip(class_names, nearest, strict=True)]
            maps, scores = self.maps_and_scores(features, given, without)
            values = maps.float().cpu().numpy()
            seen = look_of(features, self.looks.scales)
            lies = self.looks.poses.lies(features, given)
        looks: Sequence[Look | None] = [None] * len(given) if seen is None else [*seen]
        far = [
            None if look is None else self.looks.distance(name, look, shot)
            for look, name, shot in zip(looks, given, without, strict=True)
        ]
        maps_found = map(ScoreMap, values, scores.tolist(), given, sure, far, lies)
        return list(zip(maps_found, looks, strict=True))


def _within(score_map: ScoreMap, cover: NDArray[np.uint8]) -> ScoreMap:
    """A map and its score without what lies outside of `cover`, 0 or 255 as large as the image, or near its border."""
    values = score_map.values
    inside = cv2.resize(cover, values.shape[::-1], interpolation=cv2.INTER_AREA) > 127
    reach = 2 * round(BORDER * min(values.shape)) + 1
    inner = cv2.erode(np.pad(inside, reach, mode="edge").astype(np.uint8), np.ones((reach, reach)))
    kept = np.where(inner[reach:-reach, reach:-reach] > 0, values, np.float32(0))
    if not kept.any():  # too narrow to have an inside
        kept = np.where(inside, values, np.float32(0))
    share = float(kept.max() / values.max()) if values.max() > 0 else 1.0
    return dataclasses.replace(score_map, values=kept, image_score=share * score_map.image_score)


def map_size(backbone: Backbone) -> int:
    """Cells on the side of the map of an image, or of a tile."""
    return max(1, backbone.image_size // 4)


def pieces(image: Image, view: View, backbone: Backbone, proportions: bool, cells: int) -> list[Image]:
    """What is looked at of an image in a view: its tiles, whose maps have `cells` cells a side, or itself; painted over where it
    is not inspected, at the very size at which it is looked at, so that shots and images have the same borders."""
    found = tiles(image.pixels.shape, view, backbone.image_size, cells)
    if found is None and view.area is None:
        return [image]
    seen = painted(image, view, backbone, proportions, cells)
    cut = [seen.pixels] if found is None else found.cut(seen.pixels)
    return [
        dataclasses.replace(seen, pixels=one, sha256=f"{seen.sha256}: {number}")
        for number, one in enumerate(cut)
    ]


def shrunk(
    pixels: NDArray[np.uint8], view: View, backbone: Backbone, proportions: bool, cells: int
) -> NDArray[np.uint8]:
    """uint8 RGB (h, w, 3) at the size at which it is looked at in a view. Releases the GIL."""
    found = tiles(pixels.shape, view, backbone.image_size, cells)
    return backbone.prepare_one(pixels, proportions) if found is None else resized(pixels, found.shape)


def painted(image: Image, view: View, backbone: Backbone, proportions: bool, cells: int) -> Image:
    """An image at the size at which it is looked at in a view, painted over where it is not inspected."""
    pixels = shrunk(image.pixels, view, backbone, proportions, cells)
    if view.area is not None:
        pixels = view.area.painted(pixels)
    # the name says what was done, so that a killed teaching goes on from the same pieces only
    return dataclasses.replace(image, pixels=pixels, sha256=f"{image.sha256} at {view.key}")


def framed_batches(
    images: Sequence[Image], backbone: Backbone, proportions: bool
) -> Iterator[Sequence[Image]]:
    """Images in order, in batches that go through the backbone together because they have one frame."""
    for _, same in groupby(images, lambda image: backbone.frame(image.pixels.shape, proportions)):
        yield from batches(list(same))


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """`items` in order, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
