"""One candidate of an evaluation: teach it, score every test image, read off the figures."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Image, ScoreMap, Thresholds
from inspector.errors import ImageError, InspectorError
from inspector.images import read
from inspector.jobs.engine import least_side
from inspector.jobs.evaluation.datasets import Dataset, Draws, Sample

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

EVALUATION_SIZE = 256
"""Side of the square at which maps and masks are compared."""
PRO_LIMIT = 0.3
BATCH = 8
KEPT_BYTES = 2**31
"""Prepared test images that are kept for the next candidate, in all processes together."""
VERDICTS = ("false_alarms", "good_to_review", "detected", "missed")
"""Good parts called NG, good parts sent to review, defective ones called NG, defective ones called OK."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One method (a variant's name, see `catalogue.parse`) at one number of shots with one draw."""

    method: str
    shots: int
    seed: int

    @property
    def words(self) -> str:
        return f"{self.method}, {shots_words(self.shots)}, draw {self.seed}"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is the same for all candidates. `false_alarm_rate`: None measures no verdicts."""

    dataset: Dataset
    draws: Draws
    one_for_all: bool = True
    class_known: bool = True
    false_alarm_rate: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one candidate measured on one class: the figures, per-image rows and curves for drawing; `verdicts`: the
    shares of `VERDICTS`, empty without thresholds."""

    method: str
    shots: int
    seed: int
    class_name: str
    figures: dict[str, float]
    images: list[dict[str, Any]]
    curves: dict[str, list[list[float]]]
    verdicts: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; a figure that is undefined is None."""
        figures = {key: None if math.isnan(value) else value for key, value in self.figures.items()}
        values = {**asdict(self), "figures": figures}
        return {"class" if key == "class_name" else key: value for key, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reading":
        """Raises KeyError or TypeError for what `as_json` never wrote."""
        figures = {key: math.nan if value is None else value for key, value in values["figures"].items()}
        rest = {key: values[key] for key in ("method", "shots", "seed", "images", "curves", "verdicts")}
        return cls(class_name=values["class"], figures=figures, **rest)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A finished candidate. `ms_per_image`: "own" of the method alone, "backbone" of the bare one (its detector taps)
    beside it; empty for all draws but the first."""

    readings: list[Reading]
    teach_seconds: float
    ms_per_image: dict[str, float]


def shots_words(shots: int) -> str:
    return f"{shots} shot{'s' if shots != 1 else ''}"


class Bench:
    """Measures candidates one after another on one backbone; test images are decoded once for all of them.

    `failed(key, sentence)` is told of every test image that can't be read. For one thread.
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

    def backbone(self, random_weights: bool) -> "Backbone":
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
            detectors, thresholds, seconds = self._teach(one, lambda done: progress(done, 0.0), cancel)
            dataset, done = self._protocol.dataset, 0
            total = sum(map(len, dataset.test.values()))
            with ThreadPoolExecutor(2, "figures") as pool:
                waiting: list[Future[Reading]] = []
                for name in dataset.classes:
                    samples: list[Sample] = []
                    truth: list[NDArray[np.bool_] | None] = []
                    maps: list[ScoreMap] = []
                    for batch in self._batches(name, detectors[name].proportions, cancel):
                        ready = [row for row in batch if isinstance(row[1], Image)]
                        pictures = [image for _, image, _ in ready if isinstance(image, Image)]
                        known = name if self._protocol.class_known else None
                        maps += detectors[name].score(pictures, [known] * len(pictures))
                        samples += [sample for sample, _, _ in ready]
                        truth += [mask for _, _, mask in ready]
                        done += len(batch)
                        progress(1.0, done / total)
                    own = (one, name, dataset.folder, samples, truth, maps, thresholds.get(name))
                    waiting.append(pool.submit(_read_off, *own))
                readings = [future.result() for future in waiting]
            timed = one.seed == min(next(iter(self._protocol.draws.values())))  # other draws are as fast
            return Measured(readings, seconds, self._speed(detectors, cancel) if timed else {})
        except InspectorError as error:
            if not cancel.cancelled:
                error.message = f"{one.words}: {error.message}"
            raise

    def _teach(
        self, one: Candidate, progress: Callable[[float], None], cancel: CancelToken
    ) -> tuple[dict[str, "Detector"], dict[str, Thresholds], float]:
        """Detectors by class (the same one for all if one-for-all), thresholds where verdicts are wanted, seconds."""
        from inspector.methods import catalogue
        from inspector.verdicts import calibrate

        variant, rate = catalogue.parse(one.method), self._protocol.false_alarm_rate
        backbone = self.backbone(variant.random_weights)
        at_least = least_side(backbone)
        shots = {
            name: [read.read(sample.path, at_least) for sample in by_seed[one.seed][: one.shots]]
            for name, by_seed in self._protocol.draws.items()
        }
        cancel.check()
        started = time.perf_counter()
        detectors: dict[str, Detector] = {}
        thresholds: dict[str, Thresholds] = {}
        groups = [shots] if self._protocol.one_for_all else [{name: own} for name, own in shots.items()]
        for number, group in enumerate(groups):

            def heard(done: float, message: str, values: Mapping[str, float], number: int = number) -> None:
                cancel.check()
                progress((number + done) / len(groups))

            made = catalogue.make(variant.method, **variant.settings)
            made.fit(group, backbone, progress=heard, cancel=cancel)
            detectors |= dict.fromkeys(group, made)
            if rate is not None and one.shots:
                for name, held_out in made.held_out(group).items():
                    thresholds[name] = calibrate.thresholds(held_out, rate, one.shots)
        return detectors, thresholds, time.perf_counter() - started

    def _batches(self, name: str, proportions: bool, cancel: CancelToken) -> Iterator[list["Loaded"]]:
        """A class's test images in order, from memory or read again. Raises InspectorError when too few can be read."""
        if kept := self._kept.get((name, proportions)):
            for start in range(0, len(kept), BATCH):
                cancel.check()
                yield kept[start : start + BATCH]
            return
        side = self._backbone.image_size
        room = len(self._protocol.dataset.test[name]) * (3 * side * side + EVALUATION_SIZE**2)
        keeps = room <= self._left
        seen: list[Loaded] = []
        kinds: set[bool] = set()
        prepare = partial(self._backbone.prepare_one, proportions=proportions)
        for batch in _load(self._protocol.dataset.test[name], prepare, least_side(self._backbone), cancel):
            for sample, image, _ in batch:
                if isinstance(image, ImageError):
                    self._failed(sample.key, str(image))
                else:
                    kinds.add(sample.anomalous)
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
        """The fastest of three passes over a batch that is decoded already."""
        name = self._protocol.dataset.classes[0]
        first = next(self._batches(name, detectors[name].proportions, cancel))
        images = [image for _, image, _ in first if isinstance(image, Image)]
        if not images:
            return {}
        squares = [self._backbone.prepare_one(image.pixels) for image in images]

        def fastest(action: Callable[[], object]) -> float:
            spent = []
            for _ in range(3):
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
    samples: Sequence[Sample],
    truth: Sequence[NDArray[np.bool_] | None],
    maps: Sequence[ScoreMap],
    thresholds: Thresholds | None,
) -> Reading:
    """Figures and curves of one candidate on one class. Defective images without a mask count per image only."""
    from inspector.verdicts import metrics

    labels = [sample.anomalous for sample in samples]
    scores = [score_map.image_score for score_map in maps]
    ranking = metrics.rank(scores, labels)
    masked = [(_enlarged(m.values), mask) for m, mask in zip(maps, truth, strict=True) if mask is not None]
    pixels = metrics.read_pixels([m for m, _ in masked], [mask for _, mask in masked], PRO_LIMIT)
    curves = {
        "image_roc": metrics.roc_curve(ranking),
        "image_pr": metrics.pr_curve(ranking),
        "pixel_roc": metrics.roc_curve(pixels.ranking),
        "pixel_pr": metrics.pr_curve(pixels.ranking),
        "pro": metrics.thin(*pixels.pro),
    }
    rows = [
        {
            "image": sample.key,
            "defect": sample.defect,
            "mask": sample.mask.relative_to(folder).as_posix() if sample.mask else None,
            "score": round(score_map.image_score, 6),
            "class": score_map.class_name,
        }
        for sample, score_map in zip(samples, maps, strict=True)
    ]
    return Reading(
        one.method,
        one.shots,
        one.seed,
        name,
        metrics.image_figures(scores, labels) | pixels.figures,
        rows,
        {key: [np.round(axis, 5).tolist() for axis in curve] for key, curve in curves.items()},
        _verdicts(scores, labels, thresholds),
    )


def _verdicts(
    scores: Sequence[float], labels: Sequence[bool], thresholds: Thresholds | None
) -> dict[str, float]:
    from inspector.verdicts.judge import decide_all

    if thresholds is None:
        return {}
    decided, bad = decide_all(scores, thresholds), np.asarray(labels)
    good, bad = decided[~bad], decided[bad]
    shares = (good == 2).mean(), (good == 1).mean(), (bad == 2).mean(), (bad == 0).mean()
    return dict(zip(VERDICTS, map(float, shares), strict=True))


Loaded = tuple[Sample, Image | ImageError, NDArray[np.bool_] | None]


def _load(
    samples: Sequence[Sample],
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    at_least: int,
    cancel: CancelToken,
) -> Iterator[list[Loaded]]:
    """Batches in order, read ahead and shrunk to the backbone's size by threads."""

    def load(sample: Sample) -> Loaded:
        try:
            image = read.read(sample.path, at_least)
            mask = _mask(sample)
        except ImageError as error:
            return sample, error, None
        small = replace(image, pixels=prepare(image.pixels), original_size=image.size)
        return sample, small, mask

    coming = iter(samples)
    with ThreadPoolExecutor(2, "read") as readers:
        ahead: deque[Future[Loaded]] = deque()
        try:
            while not cancel.cancelled:
                ahead.extend(readers.submit(load, s) for s in islice(coming, 2 * BATCH - len(ahead)))
                if not ahead:
                    return
                yield [ahead.popleft().result() for _ in range(min(BATCH, len(ahead)))]
        finally:
            for future in ahead:
                future.cancel()
    cancel.check()


_NOTHING = np.zeros((EVALUATION_SIZE, EVALUATION_SIZE), np.bool_)
_NOTHING.flags.writeable = False


def _mask(sample: Sample) -> NDArray[np.bool_] | None:
    """The defect's pixels at EVALUATION_SIZE (nearest); all false for a good part, None where nobody marked them."""
    if not sample.anomalous:
        return _NOTHING
    if sample.mask is None:
        return None
    pixels = read.read(sample.mask).pixels
    rows, columns = (
        ((np.arange(EVALUATION_SIZE) + 0.5) * side / EVALUATION_SIZE).astype(int) for side in pixels.shape[:2]
    )
    return np.asarray(pixels[np.ix_(rows, columns)].any(axis=2))


def _enlarged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    size = (EVALUATION_SIZE, EVALUATION_SIZE)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _bare(backbone: "Backbone", squares: Sequence[NDArray[np.uint8]]) -> None:
    features = backbone.forward(backbone.prepare(squares), taps=backbone.default_taps, joint=False)
    next(iter(features.taps.values())).cpu()  # waits for an accelerator
