"""Results as COCO JSON: what annotation tools and detectors' trainers read."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Region
from inspector.errors import InspectorError
from inspector.exports.files import json_values, writing
from inspector.exports.pictures import UNNAMED_DEFECT
from inspector.exports.rows import ExportRow, Rows, drawable_size, each, load_mask


def export_coco(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One COCO file: every inspected image, one annotation for each region of a part that is not OK, as somebody drew it
    or as the map says; none for a picture of another product.

    Category: the defect type, with the class as supercategory (named `class/type` where two classes share a type).
    Boxes in pixels of the original; polygons follow pixel edges (holes are not cut out; `area` counts without them);
    `score` is the region's peak. Returns a sentence for each part whose map is missing (its boxes stay) or whose stored
    size is no image's (left out), raises `ExportError` or `Cancelled`.
    """
    problems: list[str] = []
    kinds: dict[tuple[str, str], int] = {}
    names: set[str] = set()
    head = {
        "info": {
            "description": "Results of a visual inspection",
            "version": version("inspector"),
            "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "licenses": [],
    }
    with (
        writing(target) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace") as file,
        TemporaryFile("w+", encoding="utf-8", errors="replace", dir=temporary.parent) as later,
    ):
        images, annotations = _List(file), _List(later)  # one after the other in the file, made at once
        file.write(_encode(head)[:-1] + ', "images": [')
        for row in each(rows, progress, cancel, "Image"):
            if row.result.decision is None or row.thresholds is None:
                continue
            try:
                size = drawable_size(row)
            except InspectorError as error:
                problems.append(str(error))
                continue
            images.append(_image(row, images.length + 1, size, names))
            if row.verdict in (Decision.OK, Decision.OTHER) or not row.regions:
                continue
            kind = kinds.setdefault(
                (row.result.class_name, row.result.defect_type or UNNAMED_DEFECT), len(kinds) + 1
            )
            try:
                drawn = load_mask(row, size)
            except InspectorError as error:
                problems.append(str(error))
                drawn = None
            for region in row.regions:
                annotations.append(
                    {
                        "id": annotations.length + 1,
                        "image_id": images.length,
                        "category_id": kind,
                        "bbox": list(region.box),
                        "area": region.area,
                        "segmentation": polygons(drawn, region) if drawn is not None else [],
                        "iscrowd": 0,
                        "score": region.peak,
                    }
                )
        file.write('], "annotations": [')
        later.seek(0)
        shutil.copyfileobj(later, file)
        file.write(f'], "categories": {_encode(_categories(kinds))}}}')
    return problems


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class _List:
    """A JSON list that is written while it is made."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.length = 0

    def append(self, value: Any) -> None:
        self._file.write((", " if self.length else "") + _encode(value))
        self.length += 1


def _image(row: ExportRow, number: int, size: tuple[int, int], names: set[str]) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": unique(row.result.name, row.result.id, names),
        "width": size[0],
        "height": size[1],
        "result": row.result.id,
        "run": json_values(row.result.run_id),
        "detector": json_values(row.result.detector_id),
        "source_file": row.source,
        "sha256": row.result.sha256,
        "class": row.result.class_name,
        "verdict": row.verdict,
        "image_score": row.result.image_score,
    }


def _categories(kinds: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    types = Counter(defect for _, defect in kinds)
    names: set[str] = set()
    return [
        {
            "id": number,
            "name": unique(defect if types[defect] == 1 else f"{product}/{defect}", number, names),
            "supercategory": product,
        }
        for (product, defect), number in kinds.items()
    ]


def polygons(drawn: NDArray[np.uint8], region: Region) -> list[list[float]]:
    """Outlines of the region along pixel edges, each [x0, y0, x1, y1, …] in pixels of the original."""
    import cv2

    x, y, width, height = region.box
    piece = np.ascontiguousarray(drawn[y : y + height, x : x + width])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(piece, connectivity=8)
    if count < 2:
        return [[x, y, x + width, y, x + width, y + height, x, y + height]]
    # Another region may reach into this box: ours is the one of the stored area, or else the largest.
    wanted = 1 + int(np.argmin(np.abs(stats[1:, cv2.CC_STAT_AREA] - region.area)))
    ours = (labels == wanted).astype(np.uint8)
    doubled = cv2.resize(ours, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    lines, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # In the doubled picture pixel v covers 2v and 2v + 1, so (k + 1) // 2 is the edge that sample k lies on.
    return [((line.reshape(-1, 2) + 1) // 2 + (x, y)).ravel().tolist() for line in lines]


def unique(name: str, number: int, taken: set[str]) -> str:
    """`name`, with its folders, or, when another has it already, `name` with a number before its ending."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    wanted, tail = name, f"-{number}"
    while wanted.casefold() in taken:
        last = f"{stem}{tail}{dot}{suffix}" if stem else f"{suffix}{tail}"
        wanted, tail = f"{folder}{slash}{last}", tail + f"-{number}"
    taken.add(wanted.casefold())
    return wanted
