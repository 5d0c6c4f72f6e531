"""Labelled image sets, the shots that are drawn from them, and the split that was used."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from inspector import paths
from inspector.errors import InspectorError
from inspector.jobs.evaluation.layouts import LAYOUTS, Sample, storable


@dataclass(frozen=True, slots=True)
class Dataset:
    """`train`: good parts to draw shots from, `test`: good
    and defective ones; by class, both sorted by key."""

    name: str
    layout: str
    folder: Path
    train: Mapping[str, tuple[Sample, ...]]
    test: Mapping[str, tuple[Sample, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(self.train)

    def unmarked(self, class_name: str) -> int:
        """Defective test images that no mask belongs to; they count per image only."""
        return sum(sample.anomalous and not sample.masks for sample in self.test[class_name])

    def only(self, classes: Sequence[str]) -> "Dataset":
        """The set with some of its classes. Raises InspectorError for one that it doesn't have."""
        for name in classes:
            if name not in self.train:
                raise InspectorError(
                    f"{self.name} has no class “{name}”.", f"Choose among: {', '.join(self.classes)}."
                )
        return replace(
            self,
            train={name: own for name, own in self.train.items() if name in classes},
            test={name: own for name, own in self.test.items() if name in classes},
        )


def read(folder: Path) -> Dataset:
    """The set in a folder, whichever of the layouts it has.

    Raises InspectorError when there is none of these, a
    list has a mistake, or nothing can be measured with it.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise InspectorError(
            f"There is no folder {folder.name}.", "Choose the folder of a labelled image set."
        )
    for layout, reader in LAYOUTS:
        samples = reader(folder)
        if samples:
            return _dataset(folder, layout, *samples)
    raise InspectorError(
        f"The folder {folder.name} is not an image set in MVTec AD, VisA or Real-IAD layout.",
        "A class needs train/good with good parts and test/ with a folder of good parts and one per defect type.",
    )


Draws = dict[str, dict[int, tuple[Sample, ...]]]
"""Class → seed → shots."""


def draw(
    dataset: Dataset,
    seeds: Sequence[int],
    shots: int,
    readable: Callable[[Sample], bool] = lambda sample: True,
) -> Draws:
    """The first `shots` good parts in the order the seed shuffles
    the sorted list into, leaving out what isn't `readable`.

    Fewer shots with the same seed are the beginning of more.
    """
    found: Draws = {}
    for name, samples in dataset.train.items():
        found[name] = {}
        for seed in seeds:
            order = (samples[i] for i in np.random.default_rng(seed).permutation(len(samples)))
            found[name][seed] = tuple(islice(filter(readable, order), shots))
    return found


def write_split(target: Path, dataset: Dataset, draws: Draws) -> None:
    """The shots and test images of an evaluation as JSON, readable back by `read_split`."""
    split = {
        "format": 1,
        "layout": dataset.layout,
        "shots": {
            name: {str(seed): [sample.key for sample in samples] for seed, samples in by_seed.items()}
            for name, by_seed in draws.items()
        },
        "test": {name: [sample.key for sample in samples] for name, samples in dataset.test.items()},
    }
    paths.write_atomic(target, json.dumps(split, indent=1, ensure_ascii=False).encode())


def read_split(source: Path, dataset: Dataset) -> tuple[Dataset, Draws]:
    """(the set restricted to the split's classes and test images, the split's shots).

    Raises InspectorError when the file can't be read or names images that the set doesn't have.
    """
    try:
        split = json.loads(source.read_text(encoding="utf-8"))
        shots, test = split["shots"], split["test"]
        wanted = {
            name: {int(seed): list(map(str, keys)) for seed, keys in d.items()} for name, d in shots.items()
        }
        tested = {name: list(map(str, test[name])) for name in wanted}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InspectorError(
            f"The split {source.name} can't be read.", "Choose a split.json that an evaluation wrote."
        ) from error
    known = {s.key: s for part in (dataset.train, dataset.test) for samples in part.values() for s in samples}
    keys = {key for d in wanted.values() for keys in d.values() for key in keys}
    missing = sorted((keys | {key for keys in tested.values() for key in keys}) - known.keys())
    if missing or not set(wanted) <= set(dataset.classes):
        first = missing[0] if missing else next(iter(set(wanted) - set(dataset.classes)))
        raise InspectorError(
            f"The split {source.name} belongs to another image set: there is no {first}.",
            "Choose the set that the split was made on.",
        )
    restricted = Dataset(
        dataset.name,
        dataset.layout,
        dataset.folder,
        {name: dataset.train[name] for name in wanted},
        {name: tuple(known[key] for key in keys) for name, keys in tested.items()},
    )
    draws = {
        name: {seed: tuple(known[key] for key in keys) for seed, keys in d.items()}
        for name, d in wanted.items()
    }
    return restricted, draws


def _dataset(folder: Path, layout: str, train: list[Sample], test: list[Sample]) -> Dataset:
    def by_class(samples: Iterable[Sample]) -> dict[str, tuple[Sample, ...]]:
        ordered = sorted(samples, key=lambda sample: sample.key)
        return {name: tuple(s for s in ordered if s.class_name == name) for name in names}

    names = sorted({sample.class_name for sample in train})
    dataset = Dataset(storable(folder.name), layout, folder, by_class(train), by_class(test))
    for name in names:
        if {sample.anomalous for sample in dataset.test[name]} != {True, False}:
            raise InspectorError(
                f"The class “{name}” needs good and defective test images to be measured.",
                "Add the missing kind, or take the class out of the folder.",
            )
    return dataset
