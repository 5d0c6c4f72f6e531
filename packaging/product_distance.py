"""From which distance on a picture shows another product, and when the camera has moved: fits what `verdicts/product` and
`methods/products` know of a backbone, and measures it.

    python packaging/product_distance.py DATA…            writes resources/product_distance.json
    python packaging/product_distance.py DATA… --measure [--json]

DATA: folders that `inspector evaluate` reads; the demo's products, drawn anew, join them. Fitting looks at training images only:
at good ones, and at copies of them that we harm ourselves, among them by defects of up to LARGEST of the short side; these must
not be called another product. Every number of a mean patch is put in units of its standard deviation over all products, each
counting alike. Over draws of 1, 2 and 4 shots, `spread` is the root mean square by which the logarithm of own distances differs
from the held-out shots' mean, median over the products; `other` the distance from a single shot that a share WRONG of the parts
of the product that varies most exceed; `own` the smallest with which, of several shots, no product has more than WRONG of its
parts called another one. What other products look like is not asked. How parts lie: see `fixed_poses.py`.
`--measure` calls the same rule on test images, every product with what was fitted on the others.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import fixed_poses
import numpy as np
from fixed_poses import Cells
from harmed_parts import HARMS
from harmed_parts import harmed as harmed_by
from numpy.typing import NDArray

from inspector import paths
from inspector.domain import Image
from inspector.features import loading
from inspector.features.backbone import Backbone
from inspector.images import harm, read
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import least_side
from inspector.jobs.evaluation import datasets
from inspector.methods.products import fitted
from inspector.methods.products.looks import distance
from inspector.methods.single_shot_views import altered_views
from inspector.verdicts.product import Usual, is_other, limit

SHOTS, MEASURED, DRAWS = (1, 2, 4), (1, 2, 4, 8), 5
LARGEST, CONTRAST = (0.2, 0.4), 0.5
SEED, WRONG = 7, 0.01
GRID = np.arange(0.30, 2.0, 0.01)

Pixels = NDArray[np.uint8]
Means = tuple[NDArray[np.float64], ...]
"""The mean patch of every tap."""


@dataclass(frozen=True)
class Seen:
    """A picture: its mean patches, and its cells."""

    means: Means
    cells: Cells


@dataclass(frozen=True)
class Product:
    """Pictures: `good[i]` of training image i, `harmed[i]` of its harmed copies, `views[i]` of the altered views that a
    single shot is held out by; `tests` by kind: "good", "defective", and what the camera does."""

    good: list[Seen]
    harmed: list[list[Seen]]
    views: list[list[Seen]]
    tests: dict[str, list[Seen]]

    @property
    def cells(self) -> list[Cells]:
        return [one.cells for one in self.good]

    @property
    def harmed_cells(self) -> list[list[Cells]]:
        return [[one.cells for one in own[:: fixed_poses.EVERY]] for own in self.harmed]


def seen(backbone: Backbone, pictures: Sequence[Pixels]) -> list[Seen]:
    found = []
    for pixels in pictures:
        given = backbone.prepare([pixels], True)
        features = backbone.forward(given, taps=backbone.default_taps, joint=False)
        means = (features.taps[tap][0].float().mean(0).double().numpy() for tap in backbone.default_taps)
        (cells,) = fixed_poses.cells_of(features, backbone.default_taps)
        found.append(Seen(tuple(means), cells))
    return found


def harmed_copies(pixels: Pixels, rng: np.random.Generator) -> Iterator[Pixels]:
    height, width = pixels.shape[:2]
    for kind in HARMS:
        yield harmed_by(pixels, kind, rng)[0]
    for share in LARGEST:
        for name in harm.KINDS:
            at = (int(rng.uniform(0.25, 0.75) * width), int(rng.uniform(0.25, 0.75) * height))
            yield harm.harmed(pixels, name, share * min(height, width), CONTRAST, at, rng)


def turned(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels))


def shifted(pixels: Pixels) -> Pixels:
    """By a fifth of both sides; the border's usual colour comes in."""
    height, width = (round(side / 5) for side in pixels.shape[:2])
    moved = _ground(pixels)
    moved[height:, width:] = pixels[: len(pixels) - height, : pixels.shape[1] - width]
    return moved


def halved(pixels: Pixels) -> Pixels:
    """At half the scale, amid the border's usual colour."""
    height, width = (side // 2 for side in pixels.shape[:2])
    moved = _ground(pixels)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    moved[height // 2 : height // 2 + height, width // 2 : width // 2 + width] = small
    return moved


def _ground(pixels: Pixels) -> Pixels:
    ring = [pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]]
    usual = np.median(np.concatenate([one.reshape(-1, 3) for one in ring]), axis=0)
    return np.broadcast_to(usual.round().astype(np.uint8), pixels.shape).copy()


CAMERA: Mapping[str, Callable[[Pixels], Pixels]] = {"turned": turned, "shifted": shifted, "half": halved}


def read_products(backbone: Backbone, folders: Sequence[Path], tests: bool) -> dict[str, Product]:
    found: dict[str, Product] = {}
    for name, train, test in _samples(folders):
        pictures = [read.read(path, least_side(backbone)).pixels for path in train]
        rngs = [np.random.default_rng([index, SEED]) for index in range(len(pictures))]
        kinds: dict[str, list[Seen]] = {}
        for index, (path, anomalous) in enumerate(test if tests else ()):
            pixels = read.read(path, least_side(backbone)).pixels
            kinds.setdefault("defective" if anomalous else "good", []).extend(seen(backbone, [pixels]))
            if not anomalous:
                for kind, moved in CAMERA.items():
                    kinds.setdefault(kind, []).extend(seen(backbone, [moved(pixels)]))
                rng = np.random.default_rng([index, SEED])
                for kind, move in fixed_poses.CAMERA.items():
                    kinds.setdefault(kind, []).extend(seen(backbone, [move(pixels, rng)]))
        copies = [list(harmed_copies(one, rng)) for one, rng in zip(pictures, rngs, strict=True)]
        views = [[view.pixels for view in altered_views(Image(one, "", ""))] for one in pictures]
        found[name] = Product(
            seen(backbone, pictures),
            [seen(backbone, own) for own in copies],
            [seen(backbone, own) for own in views],
            kinds,
        )
    return found


def _samples(folders: Sequence[Path]) -> Iterator[tuple[str, list[Path], list[tuple[Path, bool]]]]:
    with tempfile.TemporaryDirectory() as drawn:
        for folder in (
            *folders,
            demo_parts.write_demo(Path(drawn) / "demo", shots=16, seed=3),
        ):
            data = datasets.read(folder)
            for name in data.classes:
                test = [(one.path, one.anomalous) for one in data.test[name]]
                yield name, [one.path for one in data.train[name]], test


Scales = tuple[NDArray[np.float64], ...]


def scales(products: Mapping[str, Product]) -> Scales:
    found = []
    for tap in range(len(next(iter(products.values())).good[0].means)):
        own = [np.stack([one.means[tap] for one in product.good]) for product in products.values()]
        centre = np.stack([one.mean(0) for one in own])
        found.append(np.sqrt(np.stack([one.var(0) for one in own]).mean(0) + centre.var(0)) + 1e-6)
    return tuple(found)


class Looks:
    """Distances in units of `scales`."""

    def __init__(self, units: Scales) -> None:
        self._units, self._widths = units, [len(one) for one in units]

    def look(self, one: Seen) -> NDArray[np.float32]:
        parts = [means / unit for means, unit in zip(one.means, self._units, strict=True)]
        return np.concatenate(parts).astype(np.float32)

    def far(self, pictures: Sequence[Seen], shots: Sequence[Seen]) -> list[float]:
        known = np.stack([self.look(one) for one in shots])
        return [distance(self.look(one), known, self._widths) for one in pictures]

    def held_out(self, product: Product, shots: Sequence[int]) -> list[float]:
        own = [product.good[index] for index in shots]
        if len(shots) == 1:
            return self.far(product.views[shots[0]], own)
        return [self.far([one], own[:place] + own[place + 1 :])[0] for place, one in enumerate(own)]


def draws(product: Product, count: int) -> list[list[int]]:
    """Which training images are shots, `count` of them, one other at least."""
    every = len(product.good)
    return [
        np.random.default_rng(seed).permutation(every)[: min(count, every - 1)].tolist()
        for seed in range(DRAWS)
    ]


def fit(products: Mapping[str, Product]) -> tuple[Scales, Usual]:
    looks = Looks(scales(products))
    cases: dict[tuple[str, int], list[tuple[list[float], int, list[float]]]] = {}
    off: list[float] = []
    for name, product in products.items():
        squares: list[float] = []
        for count in SHOTS:
            for shots in draws(product, count):
                known = [product.good[index] for index in shots]
                rest = [index for index in range(len(product.good)) if index not in shots]
                own = [product.good[index] for index in rest]
                own += [copy for index in rest for copy in product.harmed[index]]
                held_out, far = looks.held_out(product, shots), looks.far(own, known)
                cases.setdefault((name, count), []).append((held_out, len(shots), far))
                if len(shots) > 1:
                    squares.append(float(np.mean((np.log(far) - np.mean(np.log(held_out))) ** 2)))
        off.append(float(np.mean(squares)))
    spread = round(float(np.sqrt(np.median(off))), 2)

    single = [np.concatenate([far for *_, far in own]) for (_, count), own in cases.items() if count == 1]
    other = round(max(float(np.quantile(far, 1 - WRONG)) for far in single), 2)
    for number in GRID:
        known = Usual(spread, round(float(number), 2), other)
        shares = [
            np.mean([_share(far, limit(held_out, shots, known)) for held_out, shots, far in own])
            for (_, count), own in cases.items()
            if count > 1
        ]
        if max(shares) <= WRONG:
            break
    return scales(products), known


def measure(products: Mapping[str, Product], taps: Sequence[str]) -> dict[str, Any]:
    """By product, shots and kind of picture, the share that is called another product or moved; constants fitted without it."""
    found: dict[str, Any] = {}
    for name, product in products.items():
        others = {other: own for other, own in products.items() if other != name}
        units, known = fit(others)
        poses = fixed_poses.fit(others, taps, units, draws, WRONG)
        told = {"spread": known.spread, "own": known.own, "other": known.other, "poses": poses.spread}
        found[name] = {"fitted": told}
        for count in MEASURED:
            said: dict[str, list[float]] = {}
            for shots in draws(product, count):
                own = [product.good[index] for index in shots]
                looks, laid = Looks(units), fixed_poses.Shots([one.cells for one in own], poses)
                from_on = limit(looks.held_out(product, shots), len(shots), known)
                said.setdefault("limit", []).append(from_on or 0)
                said.setdefault("fixed", []).append(laid.fixed)
                held = partial(_share_other, looks, own, laid, from_on)

                for kind, pictures in product.tests.items():
                    said.setdefault(kind, []).append(held(pictures))
                shares = [held([*one.tests["good"], *one.tests["defective"]]) for one in others.values()]
                said.setdefault("foreign", []).append(float(np.mean(shares)))
                said.setdefault("hardest", []).append(min(shares))
            found[name][str(count)] = {
                kind: round(float(np.mean(values)), 4) for kind, values in said.items()
            }
    return found


def _share_other(
    looks: Looks,
    own: Sequence[Seen],
    laid: fixed_poses.Shots,
    from_on: float | None,
    pictures: Sequence[Seen],
) -> float:
    far, moved = looks.far(pictures, own), laid.moved([one.cells for one in pictures])
    return float(np.mean([is_other(one, from_on) or other for one, other in zip(far, moved, strict=True)]))


def _share(far: Sequence[float], from_on: float | None) -> float:
    return sum(is_other(one, from_on) for one in far) / len(far)


def _show(found: Mapping[str, Any]) -> None:
    columns = ("fixed", "good", "defective", "foreign", "hardest", *CAMERA, *fixed_poses.CAMERA)
    print(f"{'product':14} shots limit " + " ".join(f"{one:>9}" for one in columns))
    for name, own in found.items():
        for count in map(str, MEASURED):
            values = [100 * own[count].get(one, np.nan) for one in columns]
            shown = " ".join(f"{one:8.1f}%" for one in values)
            print(f"{name:14} {count:>5} {own[count]['limit']:5.2f} {shown}")
    for count in map(str, MEASURED):
        values = [np.mean([100 * own[count][one] for own in found.values()]) for one in columns]
        print(f"{'mean':14} {count:>5} {'':5} " + " ".join(f"{one:8.1f}%" for one in values))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("data", type=Path, nargs="+")
    options.add_argument("--measure", action="store_true")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    backbone = loading.load()
    products = read_products(backbone, given.data, given.measure)
    if given.measure:
        found = measure(products, backbone.default_taps)
        print(json.dumps(found, indent=1)) if given.json else _show(found)
        return
    units, known = fit(products)
    poses = fixed_poses.fit(products, backbone.default_taps, units, draws, WRONG)
    target = paths.resources() / fitted.FILE
    stored = json.loads(target.read_text("utf-8")) if target.exists() else {}
    named = zip(backbone.default_taps, units, strict=True)
    stored[backbone.identity.key] = {
        "scales": {tap: [float(f"{one:.4g}") for one in own] for tap, own in named},
        "spread": known.spread,
        "own": known.own,
        "other": known.other,
        "poses": poses.as_json(),
    }
    target.write_text(json.dumps(stored, sort_keys=True) + "\n", "utf-8")
    print(f"spread {known.spread}, own {known.own}, other {known.other}, of poses {poses.spread}")


if __name__ == "__main__":
    main()
