"""Evaluate: methods on labelled images by the field's protocol; what is finished is kept, so that a long one goes on."""

import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inspector.domain import CancelToken, Emit, JobKind
from inspector.errors import InspectorError
from inspector.jobs.evaluation import datasets
from inspector.jobs.evaluation.datasets import Draws
from inspector.jobs.evaluation.measure import (
    EVALUATION_SIZE,
    PRO_LIMIT,
    Candidate,
    Measured,
    Protocol,
    shots_words,
)
from inspector.jobs.events import Reporter, job

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone

LEARNING = 3
"""A method that learns: each shot counts as much as scoring the test images so many times."""


def evaluate(
    data: Path,
    methods: Sequence[str],
    shots: Sequence[int],
    seeds: int | Sequence[int],
    output: Path,
    *,
    control: bool = False,
    weights: str | Path | None = None,
    device: str = "auto",
    one_for_all: bool = True,
    class_known: bool = True,
    split: Path | None = None,
    false_alarm_rate: float | None = None,
    backbone: "Backbone | None" = None,
    workers: int = 1,
    resume: bool = True,
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Measure every method at every number of shots, and write the results into the folder `output`.

    `methods`: names as `catalogue.parse` reads them, settings and random weights included; `control` adds
    `catalogue.CONTROLS`, the same architecture with random weights.
    `seeds`: how many draws (seeds 0, 1, …) or the seeds themselves; a draw shuffles the sorted good parts.
    `one_for_all`: one detector taught on all classes, else one a class. `class_known`: detectors are told the class.
    `split`: a split.json to take shots and test images from instead of drawing.
    `false_alarm_rate`: also set thresholds from the shots alone for this rate, and count verdicts.
    `backbone`: one that is loaded already, instead of `weights` and `device`; then everything runs in this process.
    `workers`: processes side by side. `resume`: keep every finished candidate in `output`/parts, and take those that
    lie there, if they were measured by the same program on the same images, shots, settings and backbone.

    Writes results.json, results.csv, results.md, details.json (scores of all images, curves), split.json and
    images.json (where the images are on this computer); nothing but the parts when cancelled. `JobEnded.result`:
    `folder`, `summary`. Test labels are used for the figures alone.
    """
    with job(None, JobKind.EVALUATE, emit) as report:
        from inspector.methods import catalogue

        names = list(dict.fromkeys([*methods, *(catalogue.CONTROLS if control else ())]))
        chosen_seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
        wanted = _checked(names, shots, chosen_seeds)
        dataset = datasets.read(data)
        if split is None:
            draws = datasets.draw(dataset, chosen_seeds, max(shots))
        else:
            dataset, draws = datasets.read_split(split, dataset)
            chosen_seeds = sorted(set.intersection(*(set(by_seed) for by_seed in draws.values())))
        _check_draws(draws, chosen_seeds, max(shots))
        protocol = Protocol(dataset, draws, one_for_all, class_known, false_alarm_rate)
        candidates = [Candidate(method, count, seed) for method, count in wanted for seed in chosen_seeds]
        test_images = sum(map(len, dataset.test.values()))
        total = sum(_effort(one) for one in candidates) * test_images
        what = ", ".join(names) if len(names) < 4 else f"{len(names)} methods"
        report.start(f"Evaluate {what} on {dataset.name}", total, window=600)
        report.progress(0, "Loading the backbone")
        cancel.check()

        started = time.perf_counter()
        from inspector.features import loading, random_weights
        from inspector.jobs.evaluation import stored as evaluation_files
        from inspector.jobs.evaluation import workers as evaluation_workers
        from inspector.jobs.evaluation.parts import FOLDER, Parts, program

        chosen = weights or "inspector-tiny"
        loaded = backbone or loading.load(chosen, device)
        parts = Parts(output / FOLDER, protocol, loaded) if resume else None
        known = {one: parts.read(one) for one in candidates} if parts else {}
        measured: dict[Candidate, Measured] = {one: found for one, found in known.items() if found}
        continued = len(measured)
        if continued:
            report.log(f"{continued} of {len(candidates)} are measured already.")
        progress = _Progress(report, test_images, measured)
        missing = sorted((one for one in candidates if one not in measured), key=lambda one: one.seed)
        if workers > 1 and backbone is None and len(missing) > 1:
            missing.sort(key=_effort, reverse=True)  # so that no process is left alone with a long one
            finished = evaluation_workers.side_by_side(
                missing,
                protocol,
                chosen,
                device,
                loaded.dtype,
                workers,
                progress.at,
                progress.failed,
                cancel,
            )
        else:
            finished = evaluation_workers.in_turns(
                missing, protocol, loaded, progress.at, progress.failed, cancel
            )
        for one, found in finished:
            if parts:
                parts.write(one, found)
            measured[one] = found
            progress.at(one, 1.0, 1.0)
            report.log(_line(one, found))

        controls = [name for name in names if catalogue.parse(name).random_weights]
        provenance = {
            "data": dataset.name,
            "folder": dataset.folder.name,
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
            "settings": {name: dict(catalogue.parse(name).settings) for name in names},
            "evaluation_size": EVALUATION_SIZE,
            "aupro_limit": PRO_LIMIT,
            "false_alarm_rate": false_alarm_rate,
            "epoch": "last; no test label chooses anything",
            "backbone": loaded.identity.as_json(),
            "control": {
                "methods": controls,
                "backbone": random_weights.same_as(loaded).identity.as_json(),
                "note": "same architecture and preprocessing, every weight random, the stem's included",
            }
            if controls
            else None,
            "device": str(loaded.device),
            "dtype": str(loaded.dtype),
            "versions": _versions(),
            "programs": {
                one: program(one) for one in dict.fromkeys(catalogue.parse(n).method for n in names)
            },
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
            "workers": workers,
            "taken_from_parts": continued,
            "teach_seconds": {
                f"{one.method}/{one.shots}/{one.seed}": round(measured[one].teach_seconds, 2)
                for one in candidates
            },
            "ms_per_image": _speed(measured),
        }
        cancel.check()
        readings = [reading for one in candidates for reading in measured[one].readings]
        summary = evaluation_files.write(output, readings, provenance)
        datasets.write_split(output / "split.json", dataset, draws)
        evaluation_files.write_place(output, dataset.folder)
        report.result = {"folder": str(output), "summary": summary}
        report.message = f"{len(candidates)} detectors measured on {test_images} images."


class _Progress:
    """Joins what candidates say, in any order, to one figure in units of scored images."""

    def __init__(self, report: Reporter, test_images: int, known: Mapping[Candidate, Measured]) -> None:
        self._report = report
        self._images = test_images
        self._done = {one: float(_effort(one) * test_images) for one in known}
        self._failed: set[str] = set()

    def at(self, one: Candidate, taught: float, scored: float) -> None:
        self._done[one] = ((_effort(one) - 1) * taught + scored) * self._images
        doing = f"teaching, {taught:.0%}" if taught < 1 else f"scoring, {scored:.0%}"
        self._report.progress(sum(self._done.values()), f"{one.words}: {doing}")

    def failed(self, key: str, sentence: str) -> None:
        if key not in self._failed:
            self._failed.add(key)
            self._report.item(key, error=sentence)


def _effort(one: Candidate) -> int:
    from inspector.methods import catalogue

    return 1 + LEARNING * one.shots * catalogue.find(catalogue.parse(one.method).method).learns


def _checked(methods: Sequence[str], shots: Sequence[int], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """(method, shots) to measure, in order."""
    from inspector.methods import catalogue

    if not (methods and shots and seeds):
        raise InspectorError("There is nothing to evaluate.", "Name a method, a number of shots and a seed.")
    for method in methods:
        catalogue.check(catalogue.parse(method))
    if min(shots) < 0 or max(shots) > 1000:
        raise InspectorError(
            "The number of shots must lie between 0 and 1000.", "The field uses 1, 2, 4 and 8."
        )
    wanted = [
        (method, count)
        for method in methods
        for count in dict.fromkeys(shots)
        if count >= catalogue.find(catalogue.parse(method).method).min_shots
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
                    f"The class “{name}” has {len(by_seed[seed])} good parts to draw from, but "
                    f"{shots_words(shots)} {'are' if shots != 1 else 'is'} wanted.",
                    "Ask for fewer shots.",
                )


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
