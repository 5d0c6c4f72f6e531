"""Evaluations on disk as the window reads them: which there are, one whole, what a threshold does to its images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.errors import InspectorError
from inspector.methods import catalogue
from inspector.verdicts.metrics import FIGURES

MEAN = ""
"""The class name of a row that is the mean over all classes."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One method at one number of shots."""

    method: str
    shots: int

    @property
    def words(self) -> str:
        return f"{method_title(self.method)}, {self.shots} shot{'s' if self.shots != 1 else ''}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `means`, `stds`: in the order of FIGURES, 0–1, None where undefined."""

    candidate: Candidate
    class_name: str
    means: tuple[float | None, ...]
    stds: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One detector on one class: per test image its key, defect, mask (or ""), and score; curves by kind as (x, y)."""

    candidate: Candidate
    seed: int
    class_name: str
    keys: tuple[str, ...]
    defects: tuple[str, ...]
    masks: tuple[str, ...]
    scores: Floats
    defective: NDArray[np.bool_]
    curves: Mapping[str, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Listed:
    """An evaluation in a list. `when`: as people read it, local time."""

    folder: Path
    data: str
    when: str
    methods: str
    counts: str


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """`source`: where the images were. `speed`: milliseconds an image by method."""

    listed: Listed
    about: str
    source: Path
    classes: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    readings: Mapping[Candidate, tuple[Reading, ...]]
    speed: Mapping[str, float]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(r.seed for own in self.readings.values() for r in own))

    def row(self, candidate: Candidate, class_name: str) -> Row | None:
        return next((r for r in self.rows if (r.candidate, r.class_name) == (candidate, class_name)), None)

    def find(self, candidate: Candidate, class_name: str, seed: int | None = None) -> list[Reading]:
        """The readings of a candidate on one class, or on all where the class is MEAN."""
        return [
            r
            for r in self.readings.get(candidate, ())
            if class_name in (MEAN, r.class_name) and seed in (None, r.seed)
        ]


def method_title(method: str) -> str:
    try:
        return catalogue.parse(method).title
    except InspectorError:  # measured by another version
        return method


def class_words(class_name: str) -> str:
    return class_name or "Mean of classes"


def percent(value: float | None) -> str:
    """A figure of 0–1 with one decimal of a per cent."""
    return "–" if value is None else f"{100 * value:.1f}"


def cell(mean: float | None, std: float | None) -> str:
    return percent(mean) if mean is None else f"{percent(mean)} ± {percent(std or 0.0)}"


def listed(root: Path) -> list[Listed]:
    """The evaluations in a folder, the newest first; what can't be read is left out. For a worker."""
    found = []
    for file in root.glob("*/results.json"):
        try:
            when, entry = _listed(file.parent, _results(file.parent)["provenance"])
        except (InspectorError, KeyError, TypeError, ValueError, AttributeError):
            continue
        found.append((when, entry))
    return [
        entry for _, entry in sorted(found, key=lambda pair: (pair[0], pair[1].folder.name), reverse=True)
    ]


def load(folder: Path) -> Evaluation:
    """A whole evaluation. Raises InspectorError when a file is missing or damaged. For a worker."""
    try:
        results = _results(folder)
        about = results["provenance"]
        _, entry = _listed(folder, about)
        rows = tuple(_rows(results))
        readings: dict[Candidate, tuple[Reading, ...]] = {}
        for candidate, group in groupby(_readings(folder / "details.json"), lambda r: r.candidate):
            readings[candidate] = (*readings.get(candidate, ()), *group)
        speed = {str(name): float(value) for name, value in about.get("ms_per_image", {}).items()}
        classes = tuple(dict.fromkeys(row.class_name for row in rows if row.class_name))
        made = Evaluation(
            entry,
            _about(about),
            _source(folder, about),
            classes,
            tuple(dict.fromkeys(row.candidate for row in rows)),
            rows,
            readings,
            speed,
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(folder) from error
    if not rows or not readings:
        raise _damaged(folder)
    return made


def _damaged(folder: Path) -> InspectorError:
    return InspectorError(
        f"The evaluation in {folder.name} can't be read.",
        "Choose a folder with the results.json and details.json of an evaluation, or run it again.",
    )


def _results(folder: Path) -> dict[str, Any]:
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder) from error
    if not isinstance(results, dict):
        raise _damaged(folder)
    return results


def _source(folder: Path, about: Mapping[str, Any]) -> Path:
    """Where the images were when it was measured on this computer; results that came from elsewhere don't say."""
    try:
        return Path(json.loads((folder / "images.json").read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path(str(about.get("folder") or folder / "images"))  # whole in older evaluations


def _listed(folder: Path, about: Mapping[str, Any]) -> tuple[datetime, Listed]:
    when = datetime.fromisoformat(about["date"])
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    methods = ", ".join(method_title(str(name)) for name in about["settings"])
    shots = ", ".join(str(count) for count in about["shots"])
    classes, seeds = len(about["classes"]), len(about["seeds"])
    words = (
        f"{shots} shot{'s' if shots != '1' else ''} · {seeds} draw{'s' if seeds != 1 else ''}"
        f" · {classes} class{'es' if classes != 1 else ''}"
    )
    return when, Listed(folder, str(about["data"]), f"{when.astimezone():%d %b %Y, %H:%M}", methods, words)


def _about(about: Mapping[str, Any]) -> str:
    good = sum(count["test_good"] for count in about["classes"].values())
    bad = sum(count["test_defective"] for count in about["classes"].values())
    return (
        f"{good} good and {bad} defective test images · "
        f"{'one detector for all classes' if about['one_for_all'] else 'one detector a class'} · "
        f"class {'known' if about['class_known'] else 'found'} · {about['backbone']['architecture']} on"
        f" {about['device']} · mean ± standard deviation over draws, in per cent"
    )


def _rows(results: Mapping[str, Any]) -> Iterable[Row]:
    for method, by_shots in results["summary"].items():
        for shots, means in by_shots.items():
            candidate = Candidate(method, int(shots))
            spread = results["summary_std"][method][shots]
            yield Row(candidate, MEAN, _figures(means), _figures(spread))
            for name, figures in results["classes"][method][shots].items():
                yield Row(
                    candidate,
                    name,
                    _figures({key: value["mean"] for key, value in figures.items()}),
                    _figures({key: value["std"] for key, value in figures.items()}),
                )


def _figures(values: Mapping[str, float | None]) -> tuple[float | None, ...]:
    return tuple(None if (value := values[key]) is None else float(value) for key in FIGURES)


def _readings(file: Path) -> Iterable[Reading]:
    with file.open(encoding="utf-8") as lines:  # a line at a time, so that the window goes on drawing
        for line in lines:
            text = line.strip().rstrip(",")
            if text not in ("[", "]", ""):
                yield _reading(json.loads(text))


def _reading(stored: Mapping[str, Any]) -> Reading:
    images = stored["images"]
    return Reading(
        Candidate(str(stored["method"]), int(stored["shots"])),
        int(stored["seed"]),
        str(stored["class"]),
        tuple(str(image["image"]) for image in images),
        tuple(str(image["defect"]) for image in images),
        tuple(str(image.get("mask") or "") for image in images),
        np.array([image["score"] for image in images], np.float64),
        np.array([image["defect"] != "good" for image in images], np.bool_),
        {
            str(kind): (np.array(x, np.float64), np.array(y, np.float64))
            for kind, (x, y) in stored["curves"].items()
        },
    )


def mean_curve(readings: Iterable[Reading], kind: str) -> tuple[Floats, Floats] | None:
    """The vertical average of the readings' curves: at every x of any of them the mean of their heights, before and
    after a step. None where no reading has such a curve."""
    curves = [r.curves[kind] for r in readings if kind in r.curves and r.curves[kind][0].size]
    if not curves:
        return None
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    heights = np.zeros((grid.size, 2))
    for x, y in curves:
        after = np.interp(grid, x, y)  # at a step: its upper end
        before = after.copy()
        own, first = np.unique(x, return_index=True)
        before[np.searchsorted(grid, own)] = y[first]
        heights += np.column_stack([before, after]) / len(curves)
    return np.repeat(grid, 2), heights.ravel()


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Test images of one or several classes with one draw's scores, pooled."""

    keys: tuple[str, ...]
    defects: tuple[str, ...]
    masks: tuple[str, ...]
    scores: Floats
    defective: NDArray[np.bool_]

    def cell(self, defective: bool, ng: bool, threshold: float) -> NDArray[np.intp]:
        """Which images lie in a cell of the confusion matrix: the worst mistakes or the closest calls first."""
        found = np.flatnonzero((self.defective == defective) & ((self.scores >= threshold) == ng))
        own = self.scores[found]
        return found[np.argsort(own if defective else -own, kind="stable")]

    def best_threshold(self) -> float:
        """Where F1 is highest."""
        from inspector.verdicts import metrics

        if not self.defective.any():
            return float(self.scores.max()) if self.scores.size else 0.0
        best = metrics.best_f1(metrics.rank(self.scores, self.defective))[1]  # among scores as float32
        return float(self.scores[self.scores.astype(np.float32) >= best].min())


def pool(readings: Iterable[Reading]) -> Scores:
    found = list(readings)
    return Scores(
        tuple(key for r in found for key in r.keys),
        tuple(defect for r in found for defect in r.defects),
        tuple(mask for r in found for mask in r.masks),
        np.concatenate([r.scores for r in found]) if found else np.empty(0),
        np.concatenate([r.defective for r in found]) if found else np.empty(0, np.bool_),
    )
