"""Which images in dropped files and folders are good shots, and of which class: one rule for window and command line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inspector.images import read
from inspector.text import printable

GOOD = frozenset(
    ["good", "goods", "ok", "normal", "normals", "train", "training", "image", "images", "rgb", "shots"]
)
"""Folders that name what their images are, not the part: their class is named by the folder above."""
NOT_GOOD = frozenset(
    [
        "test",
        "tests",
        "testing",
        "val",
        "valid",
        "validation",
        "ground_truth",
        "groundtruth",
        "gt",
        "mask",
        "masks",
        "label",
        "labels",
        "annotation",
        "annotations",
        "ng",
        "nok",
        "bad",
        "reject",
        "rejected",
        "anomaly",
        "anomalous",
        "defect",
        "defects",
        "defective",
        "faulty",
    ]
)
"""Folders of data sets whose images aren't good shots, or needn't be."""


@dataclass(slots=True)
class SortedShots:
    """`classes`: class name → image files, in order; `loose`: single files, of whichever class is meant.
    `left_out`: a sentence for each folder whose images were not taken."""

    classes: dict[str, list[Path]] = field(default_factory=dict)
    loose: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def sort_shots(paths: Iterable[Path]) -> SortedShots:
    """A folder with images is a class of its name, and so is each subfolder of one that has none itself. Of a data set
    in the manner of MVTec AD, `cookie/train/good` is class `cookie`; its tests and masks are left out, and said to be.

    Looks at the disk, so not for the GUI thread.
    """
    sorted_shots = SortedShots()
    for path in paths:
        if path.is_dir():
            _sort_folder(path, class_name(path), sorted_shots, top=True)
        else:
            sorted_shots.loose.append(path)
    return sorted_shots


def class_name(folder: Path) -> str:
    """What a folder's parts are called: by itself, or by the nearest folder above that names a part."""
    for part in (folder, *folder.parents):
        if part.name and _plain(part.name) not in GOOD | NOT_GOOD:
            return part.name
    return folder.name or "Part"


def _sort_folder(folder: Path, name: str, into: SortedShots, *, top: bool = False) -> None:
    try:
        entries = sorted((entry for entry in os.scandir(folder) if not entry.name.startswith(".")), key=_name)
    except OSError as error:
        into.left_out.append(f"“{printable(folder.name)}” can't be read: {error.strerror}.")
        return
    folders = [Path(entry.path) for entry in entries if entry.is_dir() and entry.name != "__MACOSX"]
    images = [
        Path(entry.path)
        for entry in entries
        if not entry.is_dir() and Path(entry.name).suffix.lower() in read.SUFFIXES
    ]
    if images:
        into.classes.setdefault(name, []).extend(images)
    for inner in folders:
        plain = _plain(inner.name)
        if plain in NOT_GOOD:
            into.left_out.append(f"“{printable(inner.name)}” of {printable(name)}: no good shots.")
        elif plain in GOOD or images or not top:
            _sort_folder(inner, name, into)
        else:
            _sort_folder(inner, inner.name, into)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
