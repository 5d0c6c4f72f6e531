"""Evaluate: methods on labelled images by the field's protocol; what is finished is kept, so that a long one goes on."""

import hashlib
import json
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.domain import CancelToken, Emit, JobKind
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.evaluation import datasets, stored
from inspector.jobs.evaluation.layouts import Sample, storable
from inspector.jobs.evaluation.lists import GOOD
from inspector.jobs.evaluation.measure import PRO_LIMIT, Measured
from inspector.jobs.evaluation.plan import Candidate, EvaluationPlan, Protocol, check_draws, method_title
from inspector.jobs.evaluation.reading import Reading
from inspector.jobs.evaluation.tested import EVALUATION_SIZE, WITHOUT_MASK
from inspector.jobs.events import Reporter, job
from inspector.methods import catalogue
from inspector.text import printable, reason

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.jobs.evaluation.parts import Parts


def evaluate(
    plan: EvaluationPlan, *, backbone: "Backbone | None" = None, emit: Emit, cancel: CancelToken
) -> None:
    """Measure every method at every number of shots, and write the results into the folder `plan.output`.

    `backbone`: one that is loaded already, instead of the plan's weights and device; then everything runs in this
    process.

    Writes results.json, results.csv, results.md, details.json (scores of all images, curves), maps/ (what detectors
    saw), split.json and images.json (where the images are on this computer); nothing but the parts when cancelled.
    Images and masks that can't be used are named and left out. `JobEnded.result`: `folder`, `summary`. Test labels
    are used for the figures alone.
    """
    with job(None, JobKind.EVALUATE, emit) as report, _all_or_nothing(plan):
        series = plan.checked()
        dataset = datasets.read(plan.data)
        if plan.classes:
            dataset = dataset.only(plan.classes)
        progress = _Progress(report)
        dataset, draws, seeds = _drawn(plan, dataset, progress)
        protocol = Protocol(
            dataset,
            draws,
            plan.one_for_all,
            plan.class_known,
            plan.false_alarm_rate,
            plan.confirmed,
            plan.white,
            plan.resolution,
            plan.areas,
        )
        candidates = [Candidate(one.method, one.shots, seed) for one in series for seed in seeds]
        test_images = sum(map(len, dataset.test.values()))
        what = (
            ", ".join(map(method_title, plan.methods))
            if len(plan.methods) < 4
            else f"{len(plan.methods)} methods"
        )
        total = sum(one.series.effort for one in candidates) * test_images
        report.start(f"Evaluate {what} on {dataset.name}", total, window=600)
        progress.begin(test_images)
        report.progress(0, "Loading the backbone")
        cancel.check()
        for name in dataset.classes:
            if missing := dataset.unmarked(name):
                bad = sum(sample.anomalous for sample in dataset.test[name])
                report.log(
                    f"{name}: {missing} of {bad} defective images have no mask and count per image only."
                )

        started = time.perf_counter()
        from inspector.features import loading

        loaded = backbone or loading.load(_weights(plan), plan.device)
        done = _measure(plan, protocol, candidates, loaded, backbone is None, progress, cancel)
        cancel.check()
        about = _provenance(plan, protocol, loaded, done)
        about["seconds"] = round(time.perf_counter() - started, 1)
        about["failed"] = progress.failed_names
        readings = [reading for one in candidates for reading in done.measured[one].readings]
        summary = stored.write(plan.output, readings, about, plan.comparison)
        datasets.write_split(plan.output / "split.json", dataset, draws)
        stored.write_place(plan.output, dataset.folder)
        report.result = {"folder": str(plan.output), "summary": summary}
        report.message = f"{_count(len(candidates), 'detector')} measured on {_count(test_images, 'image')}."
        if progress.failures:
            report.message += f" {_count(progress.failures, 'image')} named above had a problem."


class _Progress:
    """Joins what candidates say, in any order, to one figure in units of scored images. What goes wrong before the job
    has begun is said once it has."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._images = 0
        self._done: dict[Candidate, float] = {}
        self._failed: dict[str, str] = {}
        self._noted = ""

    @property
    def failures(self) -> int:
        return len(self._failed)

    @property
    def failed_names(self) -> list[str]:
        """What could not be read or scored."""
        return sorted(key for key, sentence in self._failed.items() if not sentence.endswith(WITHOUT_MASK))

    @property
    def first_failure(self) -> str:
        """Of what went wrong, the first in words, "" where nothing did."""
        if not self._failed:
            return ""
        key, sentence = next(iter(self._failed.items()))
        return f" {_count(len(self._failed), 'good part')} can't be read, the first {key}: {sentence}"

    def begin(self, test_images: int) -> None:
        self._images = test_images
        for key, sentence in self._failed.items():
            self._report.item(key, error=sentence)
        if self._noted:
            self._report.log(self._noted)

    def noted(self, key: str, note: str) -> None:
        """What is to be known of how good parts are read, by the first of them."""
        advice = " Choose the range of values with --white." if "grey levels" in note else ""
        self._noted = self._noted or f"{key}: {note}{advice}"

    def known(self, one: Candidate) -> None:
        self._done[one] = float(one.series.effort * self._images)

    def at(self, one: Candidate, taught: float, scored: float) -> None:
        self._done[one] = ((one.series.effort - 1) * taught + scored) * self._images
        doing = f"teaching, {taught:.0%}" if taught < 1 else f"scoring, {scored:.0%}"
        self._report.progress(sum(self._done.values()), f"{one.words}: {doing}")

    def log(self, sentence: str) -> None:
        self._report.log(sentence)

    def failed(self, key: str, sentence: str) -> None:
        if key not in self._failed:
            self._failed[key] = sentence
            if self._images:
                self._report.item(key, error=sentence)


@dataclass(frozen=True, slots=True)
class _Done:
    """`continued`: how many were measured before."""

    measured: Mapping[Candidate, Measured]
    continued: int


@contextmanager
def _all_or_nothing(plan: EvaluationPlan) -> Iterator[None]:
    """What stops before its end leaves nothing behind but the parts."""
    new = not (plan.output / stored.MAPS).exists()
    try:
        yield
    except BaseException:
        if new and not plan.resume:
            shutil.rmtree(plan.output / stored.MAPS, ignore_errors=True)
            if plan.output.is_dir() and not any(plan.output.iterdir()):
                plan.output.rmdir()
        raise


def _drawn(
    plan: EvaluationPlan, dataset: datasets.Dataset, progress: _Progress
) -> tuple[datasets.Dataset, datasets.Draws, tuple[int, ...]]:
    """The set to measure, its shots, and the draws' seeds. A good part that can't be read is named, and the next one
    is drawn in its place. Raises InspectorError when there are too few."""
    if plan.split is not None:
        dataset, draws = datasets.read_split(plan.split, dataset)
        seeds = tuple(sorted(set.intersection(*(set(by_seed) for by_seed in draws.values()))))
    else:
        seen: dict[Path, bool] = {}

        def readable(sample: Sample) -> bool:
            if sample.path not in seen:
                note, problem = _looked_at(sample, plan.white)
                seen[sample.path] = not problem
                if problem:
                    progress.failed(sample.key, problem)
                if note:
                    progress.noted(sample.key, note)
            return seen[sample.path]

        seeds = plan.seeds
        draws = datasets.draw(dataset, seeds, max(plan.shots), readable)
    try:
        check_draws(draws, seeds, max(plan.shots))
    except InspectorError as error:
        error.message += progress.first_failure
        raise
    return dataset, draws, seeds


def _looked_at(sample: Sample, white: int | None) -> tuple[str, str]:
    """What people should know of how a good part is read, and why it can't be."""
    try:
        return read.read(sample.path, EVALUATION_SIZE, white).note, ""
    except Exception as error:  # of whatever kind: one image does not end an evaluation
        return "", reason(error)


def _measure(
    plan: EvaluationPlan,
    protocol: Protocol,
    candidates: Sequence[Candidate],
    backbone: "Backbone",
    apart: bool,
    progress: _Progress,
    cancel: CancelToken,
) -> _Done:
    """Every candidate, from the parts or measured now. `apart`: other processes may load the same backbone."""
    from inspector.jobs.evaluation import workers
    from inspector.jobs.evaluation.parts import FOLDER, Parts

    parts = Parts(plan.output / FOLDER, protocol, backbone) if plan.resume else None
    known = {one: parts.read(one) for one in candidates} if parts else {}
    measured: dict[Candidate, Measured] = {one: found for one, found in known.items() if found}
    continued = len(measured)
    if continued:
        progress.log(f"{continued} of {len(candidates)} are measured already.")
    for one in measured:
        progress.known(one)
    missing = sorted((one for one in candidates if one not in measured), key=lambda one: one.seed)
    listener = workers.Listener(progress.at, progress.failed)
    if plan.workers > 1 and apart and len(missing) > 1:
        missing.sort(
            key=lambda one: one.series.effort, reverse=True
        )  # so that none is left alone with a long one
        loading = workers.Loading(_weights(plan), plan.device, backbone.dtype)
        finished = workers.side_by_side(missing, protocol, loading, plan.workers, listener, cancel)
    else:
        finished = workers.in_turns(missing, protocol, backbone, listener, cancel)
    for one, found in finished:
        measured[one] = _kept(plan.output, one, found, parts)
        progress.at(one, 1.0, 1.0)
        progress.log(_line(one, found))
    return _Done(measured, continued)


def _kept(output: Path, one: Candidate, found: Measured, parts: "Parts | None") -> Measured:
    """The candidate with its maps on disk instead of in memory."""
    readings: list[Reading] = []
    name = re.sub(r"[^A-Za-z0-9=@]+", "-", one.method)[:60]
    for number, reading in enumerate(found.readings):
        # Named by what was measured, so that another protocol's maps in the same folder never take their place.
        content = (
            json.dumps([one.method, reading.class_name, reading.keys]).encode() + reading.scores.tobytes()
        )
        digest = hashlib.sha256(content).hexdigest()[:12]
        file = f"{stored.MAPS}/{name}-{one.shots}-{one.seed}-{number}-{digest}.npz"
        stored.write_maps(output, file, found.maps[reading.class_name])
        readings.append(replace(reading, maps=file))
    kept = replace(found, readings=readings, maps={})
    if parts:
        parts.write(one, kept)
    return kept


def _weights(plan: EvaluationPlan) -> str | Path:
    return plan.weights or "inspector-tiny"


def _provenance(
    plan: EvaluationPlan, protocol: Protocol, backbone: "Backbone", done: _Done
) -> dict[str, Any]:
    """How the figures came about, in plain JSON values."""
    from inspector.features import random_weights
    from inspector.jobs.evaluation.parts import program

    dataset, names = protocol.dataset, list(dict.fromkeys(plan.methods))
    controls = [name for name in names if catalogue.parse(name).random_weights]
    first = next(iter(done.measured.values()))
    return {
        "data": dataset.name,
        "folder": storable(dataset.folder.name),
        "layout": dataset.layout,
        "classes": {
            reading.class_name: {
                "test_good": sum(not sample.anomalous for sample in dataset.test[reading.class_name]),
                "test_defective": sum(sample.anomalous for sample in dataset.test[reading.class_name]),
                "unmarked": sum(
                    defect != GOOD and not masks
                    for defect, masks in zip(reading.defects, reading.masks, strict=True)
                ),
            }
            for reading in first.readings
        },
        "shots": sorted(set(plan.shots)),
        "seeds": sorted({one.seed for one in done.measured}),
        "split": "drawn" if plan.split is None else printable(plan.split.name),
        "one_for_all": plan.one_for_all,
        "class_known": plan.class_known,
        "settings": {name: dict(catalogue.parse(name).settings) for name in names},
        "evaluation_size": EVALUATION_SIZE,
        "aupro_limit": PRO_LIMIT,
        "false_alarm_rate": plan.false_alarm_rate,
        "confirmed": list(plan.confirmed),
        "white": plan.white,
        "resolution": plan.resolution,
        "areas": {name: area.as_json() for name, area in plan.areas.items()},
        "epoch": "last; no test label chooses anything",
        "backbone": backbone.identity.as_json(),
        "control": {
            "methods": controls,
            "backbone": random_weights.same_as(backbone).identity.as_json(),
            "note": "same architecture and preprocessing, every weight random, the stem's included",
        }
        if controls
        else None,
        "device": str(backbone.device),
        "dtype": str(backbone.dtype),
        "versions": _versions(),
        "programs": {one: program(one) for one in dict.fromkeys(catalogue.parse(n).method for n in names)},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers": plan.workers,
        "taken_from_parts": done.continued,
        "teach_seconds": {
            f"{one.method}/{one.shots}/{one.seed}": round(found.teach_seconds, 2)
            for one, found in done.measured.items()
        },
        "losses": {
            f"{one.method}/{one.shots}/{one.seed}": [
                [round(first, 4), round(last, 4)] for first, last in found.losses
            ]
            for one, found in done.measured.items()
            if found.losses
        },
        "ms_per_image": _speed(done.measured),
    }


def _speed(measured: Mapping[Candidate, Measured]) -> dict[str, float]:
    """The fastest of all candidates of a method, and of the bare backbone beside them."""
    found: dict[str, list[float]] = {}
    for one, values in measured.items():
        if values.ms_per_image:
            found.setdefault("backbone", []).append(values.ms_per_image["backbone"])
            found.setdefault(one.method, []).append(values.ms_per_image["own"])
    return {name: round(min(values), 2) for name, values in found.items()}


def _line(one: Candidate, measured: Measured) -> str:
    """Image AUROC / AUPRO, mean over the classes, for the log."""
    means = []
    for key in ("image_auroc", "aupro"):
        values = [r.figures[key] for r in measured.readings if not np.isnan(r.figures[key])]
        means.append(f"{np.mean(values):.1%}" if values else "–")
    return f"{one.words}: image AUROC {means[0]}, AUPRO {means[1]}, taught in {measured.teach_seconds:.1f} s"


def _versions() -> dict[str, str]:
    names = ("inspector", "numpy", "scipy", "opencv-python-headless", "torch", "open_clip_torch", "timm")
    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' if number != 1 else ''}"
