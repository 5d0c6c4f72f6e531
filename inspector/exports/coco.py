"""Results as COCO JSON: what annotation tools and detectors' trainers read."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Region
from inspector.errors import InspectorError
from inspector.exports.files import json_values, writing
from inspector.exports.overlay import mask
from inspector.exports.pictures import UNNAMED_DEFECT
from inspector.exports.rows import Rows, drawable_size, each, load_map


def export_coco(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One COCO file: every inspected image, one annotation for each region of a part that is not OK.

    Category: the defect type, with the class as supercategory (named `class/type` where two classes share a type).
    Boxes in pixels of the original; polygons follow pixel edges (holes are not cut out; `area` counts without them);
    `score` is the region's peak. Returns a sentence for each part whose map is missing (its boxes stay) or whose stored
    size is no image's (left out), raises `ExportError` or `Cancelled`.
    """
    problems: list[str] = []
    kinds: dict[tuple[str, str], int] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names: set[str] = set()
    with writing(target) as temporary:
        for row in each(rows, progress, cancel, "Image"):
            if row.result.decision is None or row.thresholds is None:
                continue
            try:
                width, height = drawable_size(row)
            except InspectorError as error:
                problems.append(str(error))
                continue
            images.append(
                {
                    "id": len(images) + 1,
                    "file_name": unique(row.result.name, row.result.id, names),
                    "width": width,
                    "height": height,
                    "result": row.result.id,
                    "run": json_values(row.result.run_id),
                    "detector": json_values(row.result.detector_id),
                    "source_file": row.source,
                    "sha256": row.result.sha256,
                    "class": row.result.class_name,
                    "verdict": row.verdict,
                    "image_score": row.result.image_score,
                }
            )
            if row.verdict is Decision.OK or not row.regions:
                continue
            kind = kinds.setdefault(
                (row.result.class_name, row.result.defect_type or UNNAMED_DEFECT), len(kinds) + 1
            )
            try:
                drawn = mask(load_map(row), row.thresholds.pixel, (width, height))
            except InspectorError as error:
                problems.append(str(error))
                drawn = None
            for region in row.regions:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": len(images),
                        "category_id": kind,
                        "bbox": list(region.box),
                        "area": region.area,
                        "segmentation": polygons(drawn, region) if drawn is not None else [],
                        "iscrowd": 0,
                        "score": region.peak,
                    }
                )
        types = [defect for _, defect in kinds]
        kind_names: set[str] = set()
        categories = [
            {
                "id": number,
                "name": unique(
                    defect if types.count(defect) == 1 else f"{product}/{defect}", number, kind_names
                ),
                "supercategory": product,
            }
            for (product, defect), number in kinds.items()
        ]
        whole = {
            "info": {
                "description": "Results of a visual inspection",
                "version": version("inspector"),
                "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            "licenses": [],
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False)
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return problems


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
