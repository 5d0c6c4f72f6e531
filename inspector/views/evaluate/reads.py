"""What the setup reads: the image set in a folder, and how long measuring may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.jobs.evaluation.plan import EvaluationPlan, method_title
from inspector.jobs.evaluation.stored import Listed


@dataclass(frozen=True, slots=True)
class ClassFound:
    """A class of an image set, counted: good parts to draw from, to test, defective ones, those with a mask."""

    name: str
    train: int
    good: int
    defective: int
    masked: int

    @property
    def tests(self) -> int:
        return self.good + self.defective


@dataclass(frozen=True, slots=True)
class Found:
    """An image set as it was recognised."""

    folder: Path
    layout: str
    classes: tuple[ClassFound, ...]

    @property
    def words(self) -> str:
        count, tests = len(self.classes), sum(one.tests for one in self.classes)
        text = f"{self.layout} layout · {count} class{'es' if count != 1 else ''} · {tests:,} test images"
        missing = sum(one.defective - one.masked for one in self.classes)
        if missing:
            text += f" · {missing:,} defective without a mask: they count per image only"
        return text


def look(folder: Path) -> Found:
    """Recognise an image set. Raises InspectorError. For a worker."""
    from inspector.jobs.evaluation import datasets

    found = datasets.read(folder)
    return Found(
        found.folder,
        found.layout,
        tuple(
            ClassFound(
                name,
                len(found.train[name]),
                sum(not s.anomalous for s in found.test[name]),
                sum(s.anomalous for s in found.test[name]),
                sum(bool(s.masks) for s in found.test[name]),
            )
            for name in found.classes
        ),
    )


def too_few(classes: Sequence[ClassFound], shots: int) -> str:
    """Why so many shots can't be had, "" where they can."""
    poor = sorted((one for one in classes if one.train < shots), key=lambda one: one.train)
    if not poor:
        return ""
    first, more = poor[0], len(poor) - 1
    others = f" and {more} other class{'es' if more > 1 else ''} too few" if more else ""
    return (
        f"{shots} shots can't be drawn: “{first.name}” has only {first.train} good part"
        f"{'s' if first.train != 1 else ''}{others}. Untick {'them to leave them' if more else 'it to leave it'} out."
    )


def duration(plan: EvaluationPlan, tests: int, earlier: Sequence[Listed]) -> str:
    """About how long a plan takes, going by what earlier evaluations took here, the newest first in `earlier`."""
    seconds = 0.0
    for one in plan.series():
        known = [entry for entry in earlier if entry.pace > 0 and one.method in entry.tried]
        if not known:
            return f"How long isn't known yet: {method_title(one.method)} was not measured here before."
        pace = min(
            known, key=lambda entry: len(entry.tried)
        ).pace  # of few methods it says most about this one
        seconds += pace * one.effort * tests * len(plan.seeds)
    if seconds < 20:
        return "Takes some seconds, going by earlier evaluations."
    if seconds < 90:
        return "Takes about a minute, going by earlier evaluations."
    if seconds < 5400:
        return f"Takes about {round(seconds / 60)} minutes, going by earlier evaluations."
    return f"Takes about {round(seconds / 3600)} hours, going by earlier evaluations."


def folder_of(paths: Sequence[Path]) -> Path | None:
    """The folder that a drop is about: the first one, or the one of a results.json."""
    for path in paths:
        if path.name == "results.json":
            return path.parent
        if path.is_dir():
            return path
    return None
