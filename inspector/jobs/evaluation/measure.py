"""One candidate of an evaluation: teach it, score every test image, read off the figures."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, ScoreMap, Thresholds
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.engine import least_side
from inspector.jobs.evaluation import false_alarms
from inspector.jobs.evaluation.layouts import key
from inspector.jobs.evaluation.plan import Candidate, Protocol
from inspector.jobs.evaluation.reading import Reading
from inspector.jobs.evaluation.tested import BATCH, EVALUATION_SIZE, Loaded, load

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

PRO_LIMIT = 0.3
PASSES = 3
"""Of which the fastest says how long an image takes."""
KEPT_BYTES = 2**31
"""Prepared test images that are kept for the next candidate, in all processes together."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A finished candidate. `losses`: the training loss of the first and of the last epoch, by what is learned one after
    the other, mean over the detectors; empty where nothing is. `ms_per_image`: "own" of the method alone, "backbone" of the
    bare one (its detector taps) beside it; empty for all draws but the first. `maps`: by class, in the order of the
    reading's images."""

    readings: list[Reading]
    teach_seconds: float
    ms_per_image: dict[str, float]
    losses: tuple[tuple[float, float], ...] = ()
    maps: dict[str, list[NDArray[np.float16]]] = field(default_factory=dict)


class Bench:
    """Measures candidates one after another on one backbone; test images are decoded once for all of them.

    `failed(key, sentence)` is told of every test image that can't be read or whose mask can't be used. For one thread.
    """

    def __init__(
        self,
        protocol: Protocol,
        backbone: "Backbone",
        failed: Callable[[str, str], None],
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._protocol = protocol
        self._backbone = backbone
        self._random: Backbone | None = None
        self._failed = failed
        self._left = kept_bytes
        self._kept: dict[tuple[str, bool], list[Loaded]] = {}
        self._told: set[str] = set()

    def backbone(self, random_weights: bool) -> "Backbone":
        """The backbone, or the same architecture with random weights."""
        if not random_weights:
            return self._backbone
        if self._random is None:
            from inspector.features.random_weights import same_as

            self._random = same_as(self._backbone)
        return self._random

    def measure(
        self, one: Candidate, progress: Callable[[float, float], None], cancel: CancelToken
    ) -> Measured:
        """`progress(taught, scored)`, both 0–1. Raises Cancelled, and InspectorError with the candidate's name."""
        try:
            detectors, thresholds, losses, seconds = self._teach(
                one, lambda done: progress(done, 0.0), cancel
            )
            dataset, done = self._protocol.dataset, 0
            total = sum(map(len, dataset.test.values()))
            with ThreadPoolExecutor(2, "figures") as pool:
                waiting: list[Future[Reading]] = []
                kept: dict[str, list[NDArray[np.float16]]] = {}
                for name in dataset.classes:
                    scored: list[Loaded] = []
                    maps: list[ScoreMap] = []
                    for batch in self._batches(name, detectors[name], cancel):
                        ready = [row for row in batch if row.image is not None]
                        pictures = [row.image for row in ready if row.image is not None]
                        known = name if self._protocol.class_known else None
                        found = detectors[name].score(pictures, [known] * len(pictures))
                        for row, score_map in zip(ready, found, strict=True):
                            if score_map.finite:
                                scored.append(row)
                                maps.append(score_map)
                            else:
                                self._failed(row.sample.key, f"{one.words}: its score is not a number.")
                        done += len(batch)
                        progress(1.0, done / total)
                    kept[name] = [score_map.values.astype(np.float16) for score_map in maps]
                    further = self._further(one, name, detectors[name], cancel)
                    own = (one, name, dataset.folder, scored, maps, thresholds.get(name))
                    waiting.append(pool.submit(_read_off, *own, further, self._protocol.confirmed))
                readings = [future.result() for future in waiting]
            timed = one.seed == min(next(iter(self._protocol.draws.values())))  # other draws are as fast
            speed = self._speed(detectors, cancel) if timed else {}
            return Measured(readings, seconds, speed, losses, kept)
        except InspectorError as error:
            if not cancel.cancelled:
                error.message = f"{one.words}: {error.message}"
            raise

    def _teach(
        self, one: Candidate, progress: Callable[[float], None], cancel: CancelToken
    ) -> tuple[dict[str, "Detector"], dict[str, Thresholds], tuple[tuple[float, float], ...], float]:
        """Detectors by class (the same one for all if one-for-all), thresholds where verdicts are wanted, losses as in
        `Measured`, seconds."""
        from inspector.features.tiles import View
        from inspector.methods import catalogue
        from inspector.verdicts import calibrate
        from inspector.verdicts.usual_spread import usual_spread

        variant, rate = catalogue.parse(one.method), self._protocol.false_alarm_rate
        backbone = self.backbone(variant.random_weights)
        info = catalogue.find(variant.method)
        spread = usual_spread(variant.method, backbone.identity.as_json())
        look, white = self._protocol.resolution, self._protocol.white
        at_least = least_side(backbone, look)
        shots = {
            name: [read.read(sample.path, at_least, white) for sample in by_seed[one.seed][: one.shots]]
            for name, by_seed in self._protocol.draws.items()
        }
        cancel.check()
        started = time.perf_counter()
        detectors: dict[str, Detector] = {}
        thresholds: dict[str, Thresholds] = {}
        losses: list[list[list[float]]] = []
        groups = [shots] if self._protocol.one_for_all else [{name: own} for name, own in shots.items()]
        for number, group in enumerate(groups):
            losses.append([])

            def heard(done: float, message: str, values: Mapping[str, float], number: int = number) -> None:
                cancel.check()
                if "loss" in values:
                    if values["epoch"] == 1:
                        losses[-1].append([])
                    losses[-1][-1].append(values["loss"])
                progress((number + done) / len(groups))

            made = catalogue.make(variant.method, **variant.settings)
            tiled = look if look > backbone.image_size else 0
            made.views = {name: View(tiled, self._protocol.areas.get(name)) for name in group}
            made.fit(group, backbone, progress=heard, cancel=cancel)
            detectors |= dict.fromkeys(group, made)
            if rate is not None and one.shots:
                for name, held_out in made.held_out(group).items():
                    thresholds[name] = calibrate.thresholds(
                        held_out, rate, one.shots, independent=info.independent, spread=spread
                    )
        seconds = time.perf_counter() - started
        ends = [
            (fmean(one[0] for one in stage), fmean(one[-1] for one in stage))
            for stage in zip(*losses, strict=True)
        ]
        return detectors, thresholds, tuple(ends), seconds

    def _further(self, one: Candidate, name: str, detector: "Detector", cancel: CancelToken) -> list[float]:
        """Scores of the good training images that are no shots, where parts are to be confirmed."""
        if not self._protocol.confirmed:
            return []
        shots = {sample.path for sample in self._protocol.draws[name][one.seed][: one.shots]}
        left = [sample for sample in self._protocol.dataset.train[name] if sample.path not in shots]
        prepare, found = partial(detector.prepare_one, class_name=name), list[float]()
        for batch in load(left, prepare, detector.least_side(name), self._protocol.white, cancel):
            ready = []
            for row in batch:
                if row.image is not None:
                    ready.append((row.sample, row.image))
                elif row.sample.key not in self._told:
                    self._told.add(row.sample.key)
                    self._failed(row.sample.key, row.problem)
            maps = detector.score([image for _, image in ready], [name] * len(ready))
            for (sample, _), score_map in zip(ready, maps, strict=True):
                if score_map.finite:
                    found.append(float(score_map.image_score))
                else:
                    self._failed(sample.key, f"{one.words}: its score is not a number.")
        return found

    def _batches(self, name: str, detector: "Detector", cancel: CancelToken) -> Iterator[list["Loaded"]]:
        """A class's test images in order, from memory or read again. Raises InspectorError when too few can be read."""
        proportions = detector.proportions
        if kept := self._kept.get((name, proportions)):
            for start in range(0, len(kept), BATCH):
                cancel.check()
                yield kept[start : start + BATCH]
            return
        side = max(self._backbone.image_size, self._protocol.resolution)
        room = len(self._protocol.dataset.test[name]) * (3 * side * side + EVALUATION_SIZE**2)
        keeps = room <= self._left
        seen: list[Loaded] = []
        kinds: set[bool] = set()
        prepare, at_least = partial(detector.prepare_one, class_name=name), detector.least_side(name)
        for batch in load(self._protocol.dataset.test[name], prepare, at_least, self._protocol.white, cancel):
            for row in batch:
                if row.problem and row.sample.key not in self._told:
                    self._told.add(row.sample.key)
                    self._failed(row.sample.key, row.problem)
                if row.image is not None:
                    kinds.add(row.sample.anomalous)
            if keeps:
                seen += batch
            yield batch
        if kinds != {True, False}:
            raise InspectorError(
                f"Too few test images of “{name}” can be read.", "Check the images of this class."
            )
        if keeps:
            self._kept[name, proportions] = seen
            self._left -= room

    def _speed(self, detectors: Mapping[str, "Detector"], cancel: CancelToken) -> dict[str, float]:
        """The fastest of some passes over a batch that is decoded already."""
        name = self._protocol.dataset.classes[0]
        first = next(self._batches(name, detectors[name], cancel))
        images = [row.image for row in first if row.image is not None]
        if not images:
            return {}
        squares = [self._backbone.prepare_one(image.pixels) for image in images]

        def fastest(action: Callable[[], object]) -> float:
            spent = []
            for _ in range(PASSES):
                cancel.check()
                started = time.perf_counter()
                action()
                spent.append((time.perf_counter() - started) / len(images) * 1000)
            return min(spent)

        return {
            "own": fastest(lambda: detectors[name].score(images, [name] * len(images))),
            "backbone": fastest(lambda: _bare(self._backbone, squares)),
        }


def _read_off(
    one: Candidate,
    name: str,
    folder: Path,
    scored: Sequence[Loaded],
    maps: Sequence[ScoreMap],
    thresholds: Thresholds | None,
    further: Sequence[float],
    confirmed: Sequence[int],
) -> Reading:
    """Figures and curves of one candidate on one class. Defective images without a mask count per image only. `further`:
    scores of good parts that are neither shots nor test images; `confirmed`: see `false_alarms.when_confirmed`."""
    from inspector.verdicts import metrics

    samples = [row.sample for row in scored]
    labels = [sample.anomalous for sample in samples]
    scores = [score_map.image_score for score_map in maps]
    ranking = metrics.rank(scores, labels)
    masked = [
        (_enlarged(m.values), row.mask) for m, row in zip(maps, scored, strict=True) if row.mask is not None
    ]
    pixels = metrics.read_pixels([m for m, _ in masked], [mask for _, mask in masked], PRO_LIMIT)
    curves = {
        "image_roc": metrics.roc_curve(ranking),
        "image_pr": metrics.pr_curve(ranking),
        "pixel_roc": metrics.roc_curve(pixels.ranking),
        "pixel_pr": metrics.pr_curve(pixels.ranking),
        "pro": metrics.thin(*pixels.pro),
    }
    return Reading(
        one.method,
        one.shots,
        one.seed,
        name,
        metrics.image_figures(scores, labels) | pixels.figures,
        tuple(sample.key for sample in samples),
        tuple(sample.defect for sample in samples),
        tuple(tuple(key(folder, mask) for mask in sample.masks) for sample in samples),
        tuple(score_map.class_name for score_map in maps),
        np.array([round(score, 6) for score in scores], np.float64),
        {kind: (np.round(x, 5), np.round(y, 5)) for kind, (x, y) in curves.items()},
        false_alarms.verdicts(scores, labels, thresholds) if thresholds else {},
        scale=_scale(maps, labels),
        confirmed=false_alarms.when_confirmed(
            thresholds,
            [*further, *(score for score, bad in zip(scores, labels, strict=True) if not bad)],
            [score for score, bad in zip(scores, labels, strict=True) if bad],
            confirmed,
            one.seed,
        )
        if thresholds
        else {},
    )


def _scale(maps: Sequence[ScoreMap], labels: Sequence[bool]) -> tuple[float, float]:
    """(from where, up to where) maps of a class are coloured: what no more than 1 % of the pixels of good parts
    reach, and the highest value of all."""
    good = np.concatenate(
        [m.values.ravel() for m, bad in zip(maps, labels, strict=True) if not bad]
        or [np.zeros(1, np.float32)]
    )
    low, high = float(np.quantile(good, 0.99)), max((float(m.values.max()) for m in maps), default=1.0)
    return round(low, 6), round(high, 6)


def _enlarged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    size = (EVALUATION_SIZE, EVALUATION_SIZE)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _bare(backbone: "Backbone", squares: Sequence[NDArray[np.uint8]]) -> None:
    features = backbone.forward(backbone.prepare(squares), taps=backbone.default_taps, joint=False)
    next(iter(features.taps.values())).cpu()  # waits for an accelerator
