"""Evaluate: methods on labelled images by the field's protocol, every detector scored in one pass over the images."""

import platform
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Emit, Image, JobKind, ScoreMap, Thresholds
from inspector.errors import ImageError, InspectorError
from inspector.images import read
from inspector.jobs import datasets
from inspector.jobs.datasets import Dataset, Draws, Sample
from inspector.jobs.engine import least_side
from inspector.jobs.events import Reporter, job

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

EVALUATION_SIZE = 256
"""Side of the square at which maps and masks are compared."""
PRO_LIMIT = 0.3
BATCH = 8
VERDICTS = ("false_alarms", "good_to_review", "detected", "missed")
"""Good parts called NG, good parts sent to review, defective ones called NG, defective ones called OK."""


@dataclass(slots=True, eq=False)
class Candidate:
    """One method at one number of shots with one draw. `detectors`: by class, the same one for all if one-for-all;
    `thresholds`: by class, where verdicts are measured too."""

    method: str
    shots: int
    seed: int
    detectors: dict[str, "Detector"] = field(default_factory=dict)
    thresholds: dict[str, Thresholds] = field(default_factory=dict)
    teach_seconds: float = 0.0


@dataclass(slots=True, eq=False)
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


def evaluate(
    data: Path,
    methods: Sequence[str],
    shots: Sequence[int],
    seeds: int | Sequence[int],
    output: Path,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    one_for_all: bool = True,
    class_known: bool = True,
    split: Path | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    false_alarm_rate: float | None = None,
    backbone: "Backbone | None" = None,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Measure every method at every number of shots, and write the results into the folder `output`.

    `seeds`: how many draws (seeds 0, 1, …) or the seeds themselves; a draw shuffles the sorted good parts.
    `one_for_all`: one detector taught on all classes, else one a class. `class_known`: detectors are told the class.
    `split`: a split.json to take shots and test images from instead of drawing. `settings`: options by method.
    `false_alarm_rate`: also set thresholds from the shots alone for this rate, and count verdicts.
    `backbone`: one that is loaded already, instead of `weights` and `device`.

    Writes results.json, results.csv, results.md, details.json (scores of all images, curves) and split.json; nothing
    when cancelled. `JobEnded.result`: `folder`, `summary`. Test labels are used for the figures alone.
    """
    with job(None, JobKind.EVALUATE, emit) as report:
        chosen_seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
        wanted = _checked(methods, shots, chosen_seeds)
        dataset = datasets.read(data)
        if split is None:
            draws = datasets.draw(dataset, chosen_seeds, max(shots))
        else:
            dataset, draws = datasets.read_split(split, dataset)
            chosen_seeds = sorted(set.intersection(*(set(by_seed) for by_seed in draws.values())))
        _check_draws(draws, chosen_seeds, max(shots))
        candidates = [Candidate(method, count, seed) for method, count in wanted for seed in chosen_seeds]
        test_images = sum(map(len, dataset.test.values()))
        report.start(f"Evaluate {', '.join(methods)} on {dataset.name}", len(candidates) * test_images)
        report.progress(0, "Loading the backbone")

        started = time.perf_counter()
        from inspector.features import backbone as backbones
        from inspector.features.shared_pass import SharedPass

        loaded = backbone or backbones.load(weights or "inspector-tiny", device)
        shared = SharedPass(loaded)
        _teach(candidates, draws, shared, one_for_all, settings or {}, false_alarm_rate, report, cancel)
        readings: list[Reading] = []
        done = 0
        for name in dataset.classes:
            readings += _measure(name, dataset, candidates, shared, class_known, done, report, cancel)
            done += len(candidates) * len(dataset.test[name])
            report.log(f"{name}: " + "; ".join(_line(candidates, readings, name)))
        speed = _speed(dataset, candidates, loaded, cancel)

        from inspector.jobs import evaluation_files

        provenance = {
            "data": dataset.name,
            "folder": str(dataset.folder),
            "layout": dataset.layout,
            "classes": {
                name: {
                    "test_good": sum(not sample.anomalous for sample in samples),
                    "test_defective": sum(sample.anomalous for sample in samples),
                }
                for name, samples in dataset.test.items()
            },
            "shots": sorted(set(shots)),
            "seeds": chosen_seeds,
            "split": "drawn" if split is None else split.name,
            "one_for_all": one_for_all,
            "class_known": class_known,
            "settings": {method: dict((settings or {}).get(method, {})) for method in methods},
            "evaluation_size": EVALUATION_SIZE,
            "aupro_limit": PRO_LIMIT,
            "false_alarm_rate": false_alarm_rate,
            "epoch": "last; no test label chooses anything",
            "backbone": {**loaded.identity.as_json(), "key": loaded.identity.key},
            "device": str(loaded.device),
            "dtype": str(loaded.dtype),
            "versions": _versions(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
            "teach_seconds": {
                f"{one.method}/{one.shots}/{one.seed}": round(one.teach_seconds, 2) for one in candidates
            },
            "ms_per_image": speed,
        }
        cancel.check()
        summary = evaluation_files.write(output, readings, provenance)
        datasets.write_split(output / "split.json", dataset, draws)
        report.result = {"folder": str(output), "summary": summary}
        report.message = f"{len(candidates)} detectors measured on {test_images} images."


def _checked(methods: Sequence[str], shots: Sequence[int], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """(method, shots) to measure, in order."""
    from inspector.methods import catalogue

    if not (methods and shots and seeds):
        raise InspectorError("There is nothing to evaluate.", "Name a method, a number of shots and a seed.")
    for method in methods:
        catalogue.implementation(method)
    if min(shots) < 0 or max(shots) > 1000:
        raise InspectorError(
            "The number of shots must lie between 0 and 1000.", "The field uses 1, 2, 4 and 8."
        )
    wanted = [
        (method, count)
        for method in dict.fromkeys(methods)
        for count in dict.fromkeys(shots)
        if count >= catalogue.find(method).min_shots
    ]
    if not wanted:
        raise InspectorError("These methods need at least one normal shot.", "Choose 1 shot or more.")
    return wanted


def _check_draws(draws: Draws, seeds: Sequence[int], shots: int) -> None:
    if not seeds:
        raise InspectorError("The split has no seed that all classes share.", "Draw a new split.")
    for name, by_seed in draws.items():
        for seed in seeds:
            if len(by_seed[seed]) < shots:
                raise InspectorError(
                    f"The class “{name}” has {len(by_seed[seed])} good parts to draw from, but {shots} shots are wanted.",
                    "Ask for fewer shots.",
                )


def _teach(
    candidates: Sequence[Candidate],
    draws: Draws,
    backbone: "Backbone",
    one_for_all: bool,
    settings: Mapping[str, Mapping[str, Any]],
    false_alarm_rate: float | None,
    report: Reporter,
    cancel: CancelToken,
) -> None:
    from inspector.methods import catalogue
    from inspector.verdicts import calibrate

    known: dict[Path, Image] = {}
    at_least = least_side(backbone)

    def images(samples: Sequence[Sample]) -> list[Image]:
        for sample in samples:
            if sample.path not in known:
                known[sample.path] = read.read(sample.path, at_least)
        return [known[sample.path] for sample in samples]

    for number, one in enumerate(candidates):
        cancel.check()
        what = (
            f"Teaching {one.method}, {one.shots} shots, draw {one.seed} ({number + 1} of {len(candidates)})"
        )
        report.progress(0, what)
        shots = {name: images(by_seed[one.seed][: one.shots]) for name, by_seed in draws.items()}

        def progress(done: float, message: str, values: Mapping[str, float], what: str = what) -> None:
            cancel.check()
            report.progress(0, f"{what}: {done:.0%}")

        started = time.perf_counter()
        for group in [shots] if one_for_all else [{name: own} for name, own in shots.items()]:
            made = catalogue.make(one.method, **settings.get(one.method, {}))
            made.fit(group, backbone, progress=progress, cancel=cancel)
            one.detectors |= dict.fromkeys(group, made)
            if false_alarm_rate is not None and one.shots:
                for name, held_out in made.held_out(group).items():
                    one.thresholds[name] = calibrate.thresholds(held_out, false_alarm_rate, one.shots)
        one.teach_seconds = time.perf_counter() - started


def _measure(
    name: str,
    dataset: Dataset,
    candidates: Sequence[Candidate],
    backbone: "Backbone",
    class_known: bool,
    done: int,
    report: Reporter,
    cancel: CancelToken,
) -> list[Reading]:
    """Every candidate on one class: images are decoded once, and frozen features computed once for all of them."""
    samples: list[Sample] = []
    truth: list[NDArray[np.bool_] | None] = []
    maps: list[list[ScoreMap]] = [[] for _ in candidates]
    for batch in _batches(dataset.test[name], backbone, cancel):
        ready = [(sample, image, mask) for sample, image, mask in batch if not isinstance(image, ImageError)]
        for sample, image, _ in batch:
            if isinstance(image, ImageError):
                report.item(sample.key, error=str(image))
        samples += [sample for sample, _, _ in ready]
        truth += [mask for _, _, mask in ready]
        pictures = [image for _, image, _ in ready if isinstance(image, Image)]
        for index, one in enumerate(candidates):
            cancel.check()
            maps[index] += one.detectors[name].score(
                pictures, [name if class_known else None] * len(pictures)
            )
            report.progress(done + len(batch) * (index + 1), name)
        done += len(batch) * len(candidates)
    if {sample.anomalous for sample in samples} != {True, False}:
        raise InspectorError(
            f"Too few test images of “{name}” can be read.", "Check the images of this class."
        )
    with ThreadPoolExecutor(2, "figures") as pool:
        waiting = [
            pool.submit(_read_off, one, name, dataset.folder, samples, truth, own)
            for one, own in zip(candidates, maps, strict=True)
        ]
        return [future.result() for future in waiting]


def _read_off(
    one: Candidate,
    name: str,
    folder: Path,
    samples: Sequence[Sample],
    truth: Sequence[NDArray[np.bool_] | None],
    maps: Sequence[ScoreMap],
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
        _verdicts(scores, labels, one.thresholds.get(name)),
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


def _batches(samples: Sequence[Sample], backbone: "Backbone", cancel: CancelToken) -> Iterator[list[Loaded]]:
    """Batches in order, read ahead and shrunk to the backbone's size by threads."""
    at_least = least_side(backbone)

    def load(sample: Sample) -> Loaded:
        try:
            image = read.read(sample.path, at_least)
            mask = _mask(sample)
        except ImageError as error:
            return sample, error, None
        small = replace(image, pixels=backbone.prepare_one(image.pixels), original_size=image.size)
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


def _mask(sample: Sample) -> NDArray[np.bool_] | None:
    """The defect's pixels at EVALUATION_SIZE (nearest); all false for a good part, None where nobody marked them."""
    if not sample.anomalous:
        return np.zeros((EVALUATION_SIZE, EVALUATION_SIZE), np.bool_)
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


def _speed(
    dataset: Dataset, candidates: Sequence[Candidate], backbone: "Backbone", cancel: CancelToken
) -> dict[str, float]:
    """Milliseconds an image of the bare backbone (its detector taps alone) and of each method by itself, on a batch
    that is decoded already: the fastest of three."""
    name = dataset.classes[0]
    samples = dataset.test[name][:BATCH]
    images = [image for _, image, _ in next(_batches(samples, backbone, cancel)) if isinstance(image, Image)]
    if not images:
        return {}

    def fastest(action: Any) -> float:
        spent = []
        for _ in range(3):
            cancel.check()
            started = time.perf_counter()
            action()
            spent.append((time.perf_counter() - started) / len(images) * 1000)
        return round(min(spent), 2)

    found = {"backbone": fastest(lambda: _bare(backbone, images))}
    for one in {candidate.method: candidate for candidate in candidates}.values():
        detector = one.detectors[name]

        def alone(detector: "Detector" = detector) -> None:
            # New arrays, so that the shared pass has nothing to remember.
            fresh = [replace(image, pixels=image.pixels.copy()) for image in images]
            detector.score(fresh, [name] * len(fresh))

        found[one.method] = fastest(alone)
    return found


def _bare(backbone: "Backbone", images: Sequence[Image]) -> None:
    features = backbone.forward(
        backbone.prepare([image.pixels for image in images]), taps=backbone.default_taps, joint=False
    )
    next(iter(features.taps.values())).cpu()  # waits for an accelerator


def _line(candidates: Sequence[Candidate], readings: Sequence[Reading], name: str) -> list[str]:
    """Image AUROC / AUPRO of a class per method and number of shots, for the log."""
    lines = []
    for method, shots in dict.fromkeys((one.method, one.shots) for one in candidates):
        own = [r.figures for r in readings if (r.method, r.shots, r.class_name) == (method, shots, name)]
        mean = [float(np.mean([figures[key] for figures in own])) for key in ("image_auroc", "aupro")]
        lines.append(f"{method} {shots} shots: image AUROC {mean[0]:.1%}, AUPRO {mean[1]:.1%}")
    return lines


def _versions() -> dict[str, str]:
    names = ("inspector", "numpy", "scipy", "opencv-python-headless", "torch", "open_clip_torch", "timm")
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
