"""Labelled image sets on disk: MVTec AD's folders, VisA's CSV, Real-IAD's JSON; and the split that was used."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inspector import paths
from inspector.errors import InspectorError
from inspector.images.read import SUFFIXES

GOOD = "good"


@dataclass(frozen=True, slots=True)
class Sample:
    """`defect`: its type, "good" for a good part. `mask`: image whose non-zero pixels are the defect, if there is one.
    `key`: path from the set's folder, with slashes."""

    path: Path
    key: str
    class_name: str
    defect: str = GOOD
    mask: Path | None = None

    @property
    def anomalous(self) -> bool:
        return self.defect != GOOD


@dataclass(frozen=True, slots=True)
class Dataset:
    """`train`: good parts to draw shots from, `test`: good and defective ones; by class, both sorted by key."""

    name: str
    layout: str
    folder: Path
    train: Mapping[str, tuple[Sample, ...]]
    test: Mapping[str, tuple[Sample, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.train)


def read(folder: Path) -> Dataset:
    """The set in a folder, whichever of the layouts it has.

    MVTec AD: `train/good`, `test/<good or defect type>`, `ground_truth/<defect type>/<stem>_mask.png`, one class or a
    folder of classes. VisA: `split_csv/*.csv` or `*.csv` with object, split, label, image, mask. Real-IAD: JSON files
    with meta, train and test beside the image folders. Raises InspectorError when there is none of these or nothing
    can be measured with it.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise InspectorError(
            f"There is no folder {folder.name}.", "Choose the folder of a labelled image set."
        )
    for layout, reader in (("MVTec AD", _mvtec), ("VisA", _visa), ("Real-IAD", _real_iad)):
        samples = reader(folder)
        if samples:
            return _dataset(folder, layout, *samples)
    raise InspectorError(
        f"The folder {folder.name} is not an image set in MVTec AD, VisA or Real-IAD layout.",
        "A class needs train/good with good parts and test/ with a folder of good parts and one per defect type.",
    )


def draw(dataset: Dataset, seeds: Sequence[int], shots: int) -> dict[str, dict[int, tuple[Sample, ...]]]:
    """Class → seed → the first `shots` good parts in the order the seed shuffles the sorted list into.

    Fewer shots with the same seed are the beginning of more.
    """
    return {
        name: {
            seed: tuple(samples[i] for i in np.random.default_rng(seed).permutation(len(samples))[:shots])
            for seed in seeds
        }
        for name, samples in dataset.train.items()
    }


Draws = dict[str, dict[int, tuple[Sample, ...]]]


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


Found = tuple[list[Sample], list[Sample]]
"""Good parts to draw shots from; test images."""


def _dataset(folder: Path, layout: str, train: list[Sample], test: list[Sample]) -> Dataset:
    def by_class(samples: Iterable[Sample]) -> dict[str, tuple[Sample, ...]]:
        ordered = sorted(samples, key=lambda sample: sample.key)
        return {name: tuple(s for s in ordered if s.class_name == name) for name in names}

    names = sorted({sample.class_name for sample in train})
    dataset = Dataset(folder.name, layout, folder, by_class(train), by_class(test))
    for name in names:
        if {sample.anomalous for sample in dataset.test[name]} != {True, False}:
            raise InspectorError(
                f"The class “{name}” needs good and defective test images to be measured.",
                "Add the missing kind, or take the class out of the folder.",
            )
    return dataset


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _mvtec(folder: Path) -> Found | None:
    if (folder / "train" / GOOD).is_dir():
        places = [folder]
    else:
        places = sorted(d for d in folder.iterdir() if d.is_dir() and (d / "train" / GOOD).is_dir())
    train, test = [], []
    for place in places:
        name = place.name
        train += [Sample(p, _key(folder, p), name) for p in _images(place / "train" / GOOD)]
        for kind in sorted(d for d in (place / "test").glob("*") if d.is_dir()):
            truth = place / "ground_truth" / kind.name
            for path in _images(kind):
                masks = (truth / f"{path.stem}_mask.png", truth / f"{path.stem}.png")
                mask = next((m for m in masks if kind.name != GOOD and m.is_file()), None)
                test.append(Sample(path, _key(folder, path), name, kind.name, mask))
    return (train, test) if train else None


def _visa(folder: Path) -> Found | None:
    wanted = {"object", "split", "label", "image"}
    for table in sorted([*(folder / "split_csv").glob("*.csv"), *folder.glob("*.csv")]):
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not wanted <= set(rows.fieldnames or ()):
                continue
            samples = []
            for row in rows:
                path, mask = _inside(folder, row["image"]), row.get("mask")
                defect = GOOD if row["label"] in ("normal", GOOD) else row["label"]
                found = _inside(folder, mask) if mask and defect != GOOD else None
                samples.append((row["split"], Sample(path, _key(folder, path), row["object"], defect, found)))
        train = [sample for split, sample in samples if split == "train" and not sample.anomalous]
        if train:
            return train, [sample for split, sample in samples if split == "test"]
    return None


def _real_iad(folder: Path) -> Found | None:
    train: list[Sample] = []
    test: list[Sample] = []
    for file in sorted([*folder.glob("*.json"), *folder.glob("*json*/**/*.json")]):
        try:
            content: Any = json.loads(file.read_text(encoding="utf-8"))
            meta, parts = content["meta"], (content["train"], content["test"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        prefix = str(meta.get("prefix") or file.stem).strip("/") or file.stem
        places = [folder / prefix, folder / file.stem, *sorted(folder.glob(f"*/{file.stem}"))]
        place = next((p for p in places if p.is_dir()), folder)
        normal = meta.get("normal_class", "OK")
        for part, into in zip(parts, (train, test), strict=True):
            for row in part:
                path = _inside(place, row["image_path"])
                defect = GOOD if row["anomaly_class"] in (normal, "OK") else row["anomaly_class"]
                mask = _inside(place, row["mask_path"]) if row.get("mask_path") and defect != GOOD else None
                sample = Sample(path, _key(folder, path), row.get("category") or file.stem, defect, mask)
                if into is test or not sample.anomalous:
                    into.append(sample)
    return (train, test) if train else None


def _inside(folder: Path, relative: str) -> Path:
    """A path that a file of the set names, if it stays within the set."""
    path = paths.inside(folder, relative.replace("\\", "/"))
    if path is None:
        raise InspectorError(
            f"The image set lists “{relative}”, which lies outside its folder.", "Correct the list."
        )
    return path


def _key(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
