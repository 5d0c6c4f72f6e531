"""Which images in dropped files and folders are good shots,
and of which class: one rule for window and command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inspector.images.find import LeftOut, counted, look
from inspector.records.names import class_key
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
    """`classes`: class name, the first spelling of it → image files, in order; `loose`: single files, of
    whichever class is meant. `left_out`: a sentence for each folder whose images were not taken, and one for
    all files that are no images."""

    classes: dict[str, list[Path]] = field(default_factory=dict)
    loose: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def sort_shots(paths: Iterable[Path]) -> SortedShots:
    """A folder with images is a class of its name, and so is each subfolder of one that has none itself. Of a
    data set in the manner of MVTec AD, `cookie/train/good` is class `cookie`; its tests and masks are left
    out, and said to be.

    Looks at the disk, so not for the GUI thread.
    """
    sorted_shots = SortedShots()
    others: list[LeftOut] = []
    for path in paths:
        if path.is_dir():
            _sort_folder(path, class_name(path), sorted_shots, others, top=True)
        else:
            sorted_shots.loose.append(path)
    if others:
        sorted_shots.left_out.append(f"{counted(others)}.")
    return sorted_shots


def class_name(folder: Path) -> str:
    """What a folder's parts are called: by itself, or by the nearest folder above that names a part."""
    for part in (folder, *folder.parents):
        if part.name and _plain(part.name) not in GOOD | NOT_GOOD:
            return part.name
    return folder.name or "Part"


def _sort_folder(
    folder: Path, name: str, into: SortedShots, others: list[LeftOut], *, top: bool = False
) -> None:
    try:
        inside = look(folder)
    except OSError as error:
        into.left_out.append(f"“{printable(folder.name)}” can't be read: {error.strerror}.")
        return
    others += inside.left_out
    if inside.images:
        same = next((one for one in into.classes if class_key(one) == class_key(name)), name)
        into.classes.setdefault(same, []).extend(inside.images)
    for inner in inside.folders:
        plain = _plain(inner.name)
        if plain in NOT_GOOD:
            into.left_out.append(f"“{printable(inner.name)}” of {printable(name)}: no good shots.")
        elif plain in GOOD or inside.images or not top:
            _sort_folder(inner, name, into, others)
        else:
            _sort_folder(inner, inner.name, into, others)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
