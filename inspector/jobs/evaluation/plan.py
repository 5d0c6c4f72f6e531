"""What an evaluation is to measure, and in which pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector.errors import InspectorError
from inspector.images.area import Area
from inspector.jobs.evaluation.datasets import Dataset, Draws
from inspector.methods import catalogue

LEARNING = 3
"""A method that learns: each shot counts as much as scoring the test images so many times."""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What to measure, and how.

    `methods`: names as `catalogue.parse` reads them, settings and random weights included.
    `seeds`: of the draws; a draw shuffles the sorted good parts. `classes`: all when empty.
    `one_for_all`: one detector taught on all classes, else one a class. `class_known`: detectors are told the class.
    `split`: a split.json to take shots and test images from instead of drawing.
    `false_alarm_rate`: also set thresholds from the shots alone for this rate, and count verdicts. `confirmed`: and again
    for each of these numbers of parts that are confirmed good, see `false_alarms.when_confirmed`.
    `white`: the end of the range in which images of more than 8 bits are read, see `images.read`.
    `resolution`: pixels of the short side at which images are looked at, tile by tile; 0: as a whole.
    `areas`: what is inspected of a class's images, where that isn't all.
    `workers`: processes side by side. `resume`: keep every finished candidate in `output`/parts, and take those that
    lie there, if they were measured by the same program on the same images, shots, settings and backbone.
    `comparison`: published figures to set beside ours, as `paper.Comparison.as_json`.
    """

    data: Path
    methods: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    output: Path
    classes: tuple[str, ...] = ()
    one_for_all: bool = True
    class_known: bool = True
    split: Path | None = None
    false_alarm_rate: float | None = None
    confirmed: tuple[int, ...] = ()
    weights: str | Path | None = None
    device: str = "auto"
    workers: int = 1
    resume: bool = True
    white: int | None = None
    resolution: int = 0
    areas: Mapping[str, Area] = field(default_factory=dict)
    comparison: Mapping[str, Any] | None = None

    def series(self) -> "list[Series]":
        """Every method at every number of shots that it can take, in order. Loads no method's code."""
        return [
            Series(method, count)
            for method in dict.fromkeys(self.methods)
            for count in dict.fromkeys(self.shots)
            if count >= catalogue.find(catalogue.parse(method).method).min_shots
        ]

    def checked(self) -> "list[Series]":
        """The same. Raises InspectorError when there is nothing to measure, or a method or setting that doesn't
        exist."""
        if not (self.methods and self.shots and self.seeds):
            raise InspectorError(
                "There is nothing to evaluate.", "Name a method, a number of shots and a seed."
            )
        for method in self.methods:
            catalogue.check(catalogue.parse(method))
        if min(self.shots) < 0 or max(self.shots) > 1000:
            raise InspectorError(
                "The number of shots must lie between 0 and 1000.", "The field uses 1, 2, 4 and 8."
            )
        if self.confirmed and self.false_alarm_rate is None:
            raise InspectorError(
                "Confirmed parts set thresholds, which need a false-alarm rate.",
                "Add --false-alarm-rate 0.05.",
            )
        if not self.series():
            raise InspectorError("These methods need at least one normal shot.", "Choose 1 shot or more.")
        return self.series()


@dataclass(frozen=True, slots=True)
class Series:
    """One method at one number of shots, over all draws: a line of the tables."""

    method: str
    shots: int

    @property
    def title(self) -> str:
        """The method, for people."""
        return method_title(self.method)

    @property
    def words(self) -> str:
        """For people: method and number of shots."""
        return f"{self.title}, {shots_words(self.shots)}"

    @property
    def effort(self) -> int:
        """What teaching one draw and scoring costs, in passes over the test images."""
        try:
            learns = catalogue.find(catalogue.parse(self.method).method).learns
        except InspectorError:  # measured by another version
            learns = False
        return 1 + LEARNING * self.shots * learns


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series with one draw: what is taught and measured in one piece."""

    method: str
    shots: int
    seed: int

    @property
    def series(self) -> Series:
        """What it is one draw of."""
        return Series(self.method, self.shots)

    @property
    def words(self) -> str:
        """For people: method, number of shots and draw."""
        return f"{self.series.words}, {draw_words(self.seed)}"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is the same for all candidates, see `EvaluationPlan`. `false_alarm_rate`: None measures no verdicts."""

    dataset: Dataset
    draws: Draws
    one_for_all: bool = True
    class_known: bool = True
    false_alarm_rate: float | None = None
    confirmed: tuple[int, ...] = ()
    white: int | None = None
    resolution: int = 0
    areas: Mapping[str, Area] = field(default_factory=dict)


def check_draws(draws: Draws, seeds: Sequence[int], shots: int) -> None:
    """Raises InspectorError when a class has fewer good parts than `shots`."""
    if not seeds:
        raise InspectorError("The split has no seed that all classes share.", "Draw a new split.")
    for name, by_seed in draws.items():
        for seed in seeds:
            if len(by_seed[seed]) < shots:
                raise InspectorError(
                    f"The class “{name}” has {len(by_seed[seed])} good parts to draw from, but "
                    f"{shots_words(shots)} {'are' if shots != 1 else 'is'} wanted.",
                    "Ask for fewer shots, or leave the class out.",
                )


def method_title(method: str) -> str:
    """As people read it; the name itself where this version doesn't know it."""
    try:
        return catalogue.parse(method).title
    except InspectorError:
        return method


def shots_words(shots: int) -> str:
    """“1 shot”, “4 shots”."""
    return f"{shots} shot{'s' if shots != 1 else ''}"


def draw_words(seed: int) -> str:
    """The draw as people count, from 1."""
    return f"draw {seed + 1}"
