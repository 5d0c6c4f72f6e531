"""Patch memory: the patches of the normal shots per class, and how far an image's patches lie from them.

PatchCore (Roth et al., CVPR 2022) on any backbone tap: 3×3 neighbourhoods, whole memory (few shots need no
coreset). Deviation: a patch is described by its vector relative to the class's usual length, beside its
direction alone. The first sees dull and bright spots, the second doesn't mind contrast and exposure; both lie
on one scale for all classes and taps.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from inspector.errors import DetectorError
from inspector.features.backbone import Features
from inspector.methods.coreset import coreset
from inspector.methods.settings import checked
from inspector.methods.smoothing import MEMORY_CUT, along, blur
from inspector.methods.stored_tensors import TEACH_AGAIN, StoredTensors

CHUNK = 1 << 19
"""Similarities computed at a time: 2 MB stay in a processor's
cache. An accelerator takes a hundred times as many."""
LARGEST = 2048
"""Patches of a tap that are kept of a shot which was cut into tiles."""
SHORTLIST = 8
"""With more classes than this, only the most similar ones are compared patch by patch."""
SAMPLE = 16
"""Patches of an image that the shortlist looks at."""
DOUBT = 0.1
"""A class that lies this share farther away than the nearest is e times less likely."""
PLACE = "place"
"""Before the number of a place, in the name of what is kept of it."""

Joined = tuple[Tensor, ...]


class MemoryBank:
    """What is kept of the patches of every class, tap and shot.
    With more shots there is another memory; none changes.

    `map_size`: side of the maps. `neighbourhood`: odd side of the square of patches that are averaged.
    `sigma`: Gaussian smoothing in cells of a 60×60 map of a square image, whatever the map's size; the same
    distance in both directions of an elongated one.
    """

    def __init__(self, map_size: int = 60, neighbourhood: int = 3, sigma: float = 1.0) -> None:
        if neighbourhood < 1 or neighbourhood % 2 == 0:
            raise ValueError("neighbourhood must be odd and at least 1")
        if sigma < 0:
            raise ValueError("sigma can't be negative")
        self.map_size, self.neighbourhood, self.sigma = map_size, neighbourhood, sigma
        self._shots: dict[str, list[dict[str, Tensor]]] = {}  # class → shots → tap → what is kept of it
        self._places: dict[str, list[dict[str, Tensor]]] = {}  # the same of single places of further images
        self._joined: dict[tuple[str, str], Joined] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Those with a shot, in the order in which they came."""
        return tuple(self._shots)

    def count(self, class_name: str) -> int:
        """How many shots the class has."""
        return len(self._shots.get(class_name, ()))

    def patch_counts(self, class_name: str) -> list[int]:
        """Patches of every shot of the class on its coarsest tap, where each is kept."""
        return [min(map(len, shot.values())) for shot in self._shots.get(class_name, ())]

    def with_shots(self, class_name: str, features: Features, together: bool = False) -> Self:
        """The same memory with every image in `features` as a further normal shot of the class; this one stays as it is.

        `together`: the images are tiles of one shot, of whose patches `few` are kept.
        """
        patches = self.patches(features)
        if together:
            patches = {tap: self.few(values.flatten(0, 1))[None] for tap, values in patches.items()}
        kept = {tap: self.keep(values) for tap, values in patches.items()}
        count = next(iter(kept.values())).shape[0]
        fresh = [{tap: values[index].clone() for tap, values in kept.items()} for index in range(count)]
        grown = copy.copy(self)
        grown._shots = {**self._shots, class_name: [*self._shots.get(class_name, ()), *fresh]}
        grown._joined = self._others(class_name)
        return grown

    def with_place(self, class_name: str, patches: Mapping[str, Tensor]) -> Self:
        """The same memory with some patches of an image, [N, 2 d] of every tap, as normal ones of a class that it knows. They are
        compared with always, and count as no shot. Raises DetectorError for an unknown class."""
        if class_name not in self._shots:
            raise self._unknown(class_name)
        fresh = {tap: self.keep(values[None])[0].clone() for tap, values in patches.items()}
        grown = copy.copy(self)
        grown._places = {**self._places, class_name: [*self._places.get(class_name, ()), fresh]}
        grown._joined = self._others(class_name)
        return grown

    def without(self, class_name: str, shot: int) -> Self:
        """The same memory without one shot of a class, which has another."""
        kept = [one for number, one in enumerate(self._shots[class_name]) if number != shot]
        grown = copy.copy(self)
        grown._shots, grown._joined = {**self._shots, class_name: kept}, self._others(class_name)
        return grown

    def patches(self, features: Features) -> dict[str, Tensor]:
        """Every tap of `features` as patch descriptions [B, N, 2 d] float32; see `describe`."""
        return {
            tap: self.describe(values, features.grids[tap]) for tap, values in sorted(features.taps.items())
        }

    def maps(
        self,
        features: Features,
        class_names: Sequence[str],
        without: Sequence[int | None] | None = None,
    ) -> Tensor:
        """Anomaly maps [B, map_size, map_size] float32, in 0–1.

        `without[b]`: the shot of its class that image b must not be compared with.
        Raises DetectorError for an unknown class, or when nothing is left to compare with.
        """
        without = without or [None] * len(class_names)
        patches = self.patches(features)
        result: Tensor | None = None
        for tap, values in patches.items():
            distance = self.distances(tap, values, class_names, without)
            smooth = self.spread(distance, features.grids[tap])
            result = smooth if result is None else result + smooth
        if result is None:
            raise ValueError("the features hold no taps")
        return (result / len(patches)).clamp(0, 1)

    def between(self, tap: str, class_name: str, patch: Tensor, others: Tensor) -> Tensor:
        """How far one described patch of a tap, [2 d], lies from others, [M, 2 d], as patches of a class are compared: [M]."""
        return self.apart(patch[None], others, self._joint(class_name, tap))[0]

    def spread(self, distances: Tensor, grid: tuple[int, int]) -> Tensor:
        """Distances of patches on `grid`, [B, N], as smooth maps [B, map_size, map_size] float32."""
        rows, columns = (
            _spread(cells, self.map_size, sigma).to(distances.device)
            for cells, sigma in zip(grid, along(grid, self.sigma), strict=True)
        )
        smooth: Tensor = rows @ distances.reshape(-1, *grid) @ columns.T
        return smooth

    def find(self, features: Features) -> tuple[list[str], list[float]]:
        """(the class each image most resembles, how sure that is in 0–1), by the coarsest tap.

        Most patches of a defective part are still normal, so the median patch decides.
        """
        if len(self._shots) == 1:
            return [self.classes[0]] * len(self._any(features)), [1.0] * len(self._any(features))
        tap = min(features.taps, key=lambda name: features.taps[name].shape[1])
        values = self.describe(features.taps[tap], features.grids[tap])
        candidates = self._candidates(tap, values)
        distance = torch.full((len(values), len(self.classes)), torch.inf)
        for number, name in enumerate(self.classes):
            rows = candidates[:, number].nonzero().flatten()
            if len(rows):
                found = self.distance(values[rows.to(values.device)], self._joint(name, tap))
                distance[rows, number] = found.median(dim=1).values.cpu()
        nearest = distance.amin(dim=1, keepdim=True).clamp_min(1e-6)
        sure, best = torch.softmax(-distance / (DOUBT * nearest), dim=1).max(dim=1)
        return [self.classes[index] for index in best.tolist()], sure.tolist()

    # What a patch memory keeps and compares; subclasses keep and compare something else.

    dtype: ClassVar[torch.dtype] = torch.float32
    distance_name: ClassVar[str] = "chord"
    """Says how patches are compared, in the settings of a memory that has one of its own."""

    @staticmethod
    def shape(width: int) -> tuple[int | None, ...]:
        """The shape of what is kept of one shot, where a token holds `width` numbers."""
        return None, 2 * width

    def describe(self, values: Tensor, grid: tuple[int, int]) -> Tensor:
        """Patch tokens of one tap, [B, N, d], → what is compared of each, [B, N, 2 d] float32; see `describe`."""
        return describe(values, grid, self.neighbourhood)

    def few(self, patches: Tensor) -> Tensor:
        """Of the patches of many tiles, [N, 2 d], those that are worth keeping: a coreset of LARGEST."""
        return patches[coreset(patches, LARGEST)]

    def keep(self, patches: Tensor) -> Tensor:
        """[B, N, 2 d] → what is kept of each shot, [B, …]."""
        return patches

    def join(self, kept: Sequence[Tensor]) -> Joined:
        """What is kept of some shots → what `distance` compares with: rows [M, d + 2], of which the last number is minus half
        the squared length of the others; usual length of a patch vector; centre [2 d] and main directions [2 d, d] of
        the patches."""
        described = torch.cat(list(kept))
        width = described.shape[1] // 2
        usual = described[:, :width].square().sum(1).mean().sqrt().clamp_min(1e-6)
        described = relative(described, usual)
        centre = described.mean(0)
        described = described - centre
        basis = torch.linalg.eigh(described.T @ described)[1][:, -width:].contiguous()
        rows = compact(described, basis)
        return torch.cat([rows, -rows.square().sum(1, keepdim=True) / 2], dim=1), usual, centre, basis

    def distance(self, patches: Tensor, joined: Joined) -> Tensor:
        """[B, N, 2 d] → [B, N], 0–1: distance to the nearest
        remembered patch, about 0.5 for unrelated ones."""
        rows, usual, centre, basis = joined
        flat = compact(relative(patches.flatten(0, 1), usual) - centre, basis)
        # max of q·m - |m|²/2 over the memory finds the nearest m in one matrix product
        squared = flat.square().sum(1) - 2 * highest(F.pad(flat, (0, 1), value=1.0), rows)
        return on_scale(squared).reshape(patches.shape[:2])

    def apart(self, patches: Tensor, others: Tensor, joined: Joined) -> Tensor:
        """[n, 2 d], [M, 2 d] → [n, M]: how far patches lie from others, as `distance` measures it."""
        _, usual, centre, basis = joined
        left, right = (compact(relative(one, usual) - centre, basis) for one in (patches, others))
        return on_scale(torch.cdist(left, right).square())

    # State

    def tensors(self) -> dict[str, Tensor]:
        """What is kept of every shot and tap, [N, width] or as a subclass shapes it, as "CLASS NUMBER.SHOT.TAP"; of every place
        as "CLASS NUMBER.placeN.TAP"."""
        numbers = {name: number for number, name in enumerate(self._shots)}
        return {
            f"{numbers[name]}.{mark}{one}.{tap}": values
            for mark, kept in (("", self._shots), (PLACE, self._places))
            for name, own in kept.items()
            for one, taps in enumerate(own)
            for tap, values in taps.items()
        }

    def settings(self) -> dict[str, Any]:
        """In plain JSON values, the classes in the order of their numbers."""
        return {
            "classes": list(self._shots),
            "map_size": self.map_size,
            "neighbourhood": self.neighbourhood,
            "sigma": self.sigma,
        }

    @classmethod
    def from_state(
        cls,
        stored: StoredTensors,
        settings: Mapping[str, Any],
        widths: Mapping[str, int],
        largest: int = 1024,
    ) -> Self:
        """What `tensors` and `settings` gave, taken out of `stored`.

        `widths`: numbers a token of every tap holds; `largest` map side. Raises DetectorError for values that
        no memory of these taps holds: shots of a class are numbered without a gap, and all have every tap.
        """
        classes, size = settings["classes"], settings["map_size"]
        if not isinstance(classes, list) or len({str(name) for name in classes}) < len(classes):
            raise DetectorError("The detector's memory names its classes wrongly.", TEACH_AGAIN)
        if type(size) is not int or not 1 <= size <= largest:
            raise DetectorError(
                f"The detector's maps can't have a side of {str(size)[:20]} cells.", TEACH_AGAIN
            )
        own = {name: settings[name] for name in ("neighbourhood", "sigma")}
        bank = cls(size, **checked(own, {"neighbourhood": 3, "sigma": 1.0}, {}))
        for mark, own in (("", bank._shots), (PLACE, bank._places)):
            counts = [0] * len(classes)
            for full in stored.names():
                place, one, tap = (*full.split(".", 2), "", "")[:3]
                counted = one.startswith(mark) and one.removeprefix(mark).isdecimal()
                if counted and tap in widths and place.isdecimal() and int(place) < len(classes):
                    counts[int(place)] += tap == min(widths)
            for number, name in enumerate(classes):
                found = [
                    {
                        tap: stored.take(f"{number}.{mark}{one}.{tap}", *cls.shape(width), dtype=cls.dtype)
                        for tap, width in sorted(widths.items())
                    }
                    for one in range(counts[number])
                ]
                if found or not mark:
                    own[str(name)] = found
        return bank

    # Parts

    def _others(self, class_name: str) -> dict[tuple[str, str], Joined]:
        """What is joined of other classes."""
        return {key: value for key, value in self._joined.copy().items() if key[0] != class_name}

    def _unknown(self, class_name: str) -> DetectorError:
        return DetectorError(
            f"This detector does not know the class “{class_name}”.",
            f"It knows: {', '.join(self.classes)}.",
        )

    def _any(self, features: Features) -> Tensor:
        return next(iter(features.taps.values()))

    def _joint(self, class_name: str, tap: str, without: int | None = None) -> Joined:
        shots = self._shots.get(class_name)
        if not shots:
            raise self._unknown(class_name)
        places = [place[tap] for place in self._places.get(class_name, ())]
        if without is not None:
            rest = [shot[tap] for index, shot in enumerate(shots) if index != without]
            if not rest:
                raise DetectorError(
                    f"The class “{class_name}” has a single shot, which can't be left out.",
                    "Add a normal shot.",
                )
            return self.join([*rest, *places])
        if (class_name, tap) not in self._joined:
            self._joined[class_name, tap] = self.join([*(shot[tap] for shot in shots), *places])
        return self._joined[class_name, tap]

    def distances(
        self, tap: str, values: Tensor, class_names: Sequence[str], without: Sequence[int | None]
    ) -> Tensor:
        """What `patches` gives of one tap, [B, N, d], →
        `distance` of every patch to its class's shots, [B, N]."""
        pairs = list(zip(class_names, without, strict=True))
        if len(set(pairs)) == 1:
            return self.distance(values, self._joint(pairs[0][0], tap, pairs[0][1]))
        result = values.new_empty(values.shape[:2])
        for pair in dict.fromkeys(pairs):
            rows = [index for index, other in enumerate(pairs) if other == pair]
            result[rows] = self.distance(values[rows], self._joint(pair[0], tap, pair[1]))
        return result

    def _candidates(self, tap: str, values: Tensor) -> Tensor:
        """[B, classes] bool: which classes are worth comparing patch by patch."""
        everyone = torch.ones(len(values), len(self.classes), dtype=torch.bool)
        if len(self.classes) <= SHORTLIST:
            return everyone
        few = values[:, :: max(1, values.shape[1] // SAMPLE)]
        known = torch.stack(
            [self.distance(few, self._joint(name, tap)).median(dim=1).values for name in self.classes], 1
        )
        chosen = known.topk(SHORTLIST, dim=1, largest=False).indices.cpu()
        return torch.zeros_like(everyone).scatter_(1, chosen, True)


def describe(values: Tensor, grid: tuple[int, int], neighbourhood: int) -> Tensor:
    """Patch tokens [B, N, d] → [B, N, 2 d] float32: each averaged with its neighbours, then its direction.

    Neighbours outside the image count as zero, in the direction's length too: a border patch is described by
    less, and resembles other border patches.
    """
    values = values.float()
    if neighbourhood == 1:
        return torch.cat([values, F.normalize(values, dim=-1)], dim=-1)
    reach = neighbourhood // 2
    square = values.transpose(1, 2).reshape(len(values), -1, *grid)
    pooled = F.avg_pool2d(square, neighbourhood, stride=1, padding=reach)
    inside = F.avg_pool2d(square.new_ones(1, 1, *grid), neighbourhood, stride=1, padding=reach)
    both = torch.cat([pooled, F.normalize(pooled, dim=1) * inside], dim=1)
    return both.flatten(2).transpose(1, 2)


def relative(described: Tensor, usual: Tensor) -> Tensor:
    """`describe`d patches [..., 2 d] with the first half in units of a class's usual vector length."""
    vectors, directions = described.chunk(2, dim=-1)
    return torch.cat([vectors / usual, directions], dim=-1)


def compact(described: Tensor, basis: Tensor) -> Tensor:
    """[n, 2 d] → [n, d + 1]: the share in the main directions `basis` [2 d, d], and the length of the rest.

    Vector and direction of a patch say much the same, so half the numbers hold nearly all; distances can only
    shrink, and that by the angle between two small rests. Half the work.
    """
    main = described @ basis
    rest = (described.square().sum(1, keepdim=True) - main.square().sum(1, keepdim=True)).clamp_min(0)
    return torch.cat([main, rest.sqrt()], dim=1)


def on_scale(squared: Tensor) -> Tensor:
    """Squared distances of `relative` patches, of any shape → 0–1: mean over both halves, half the chord."""
    return (squared.clamp_min(0) / 8).sqrt().clamp_max(1)


def highest(queries: Tensor, rows: Tensor) -> Tensor:
    """[n, d], [M, d] → [n]: each query's highest product with a row.

    Few products lie in memory at a time, always in the same place: fresh memory for each part costs more than the products.
    """
    step = max(1, CHUNK * (1 if queries.device.type == "cpu" else 100) // len(rows))
    products = queries.new_empty(min(step, len(queries)), len(rows))
    parts = torch.split(queries, step)
    return torch.cat([torch.mm(part, rows.T, out=products[: len(part)]).amax(dim=1) for part in parts])


@lru_cache(maxsize=64)
def _spread(side: int, map_size: int, sigma: float) -> Tensor:
    """[map_size, side]: bilinear enlargement, then Gaussian smoothing, as one matrix."""
    enlarge = F.interpolate(torch.eye(side)[None], size=map_size, mode="linear", align_corners=False)[0].T
    return blur(map_size, sigma, MEMORY_CUT) @ enlarge
