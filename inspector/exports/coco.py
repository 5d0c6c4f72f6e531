"""Results as COCO JSON: what annotation tools and detectors' trainers read."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import CancelToken, Decision, Progress, Region
from inspector.errors import InspectorError
from inspector.exports.files import writing
from inspector.exports.overlay import mask
from inspector.exports.pictures import UNNAMED_DEFECT
from inspector.exports.rows import ExportRow, each, load_map


def export_coco(
    rows: Sequence[ExportRow],
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One COCO file: every inspected image, one annotation for each region of a part that is not OK.

    Category: the defect type, with the class as supercategory (named `class/type` where two classes share a type).
    Boxes in pixels of the original; polygons follow pixel edges (holes are not cut out; `area` counts without them);
    `score` is the region's peak. Returns a sentence for each part whose map is missing (its boxes stay), raises
    `ExportError` or `Cancelled`.
    """
    problems: list[str] = []
    kinds: dict[tuple[str, str], int] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names: set[str] = set()
    with writing(target) as temporary:
        for row in each(rows, progress, cancel, "Image"):
            if row.decision is None or row.thresholds is None:
                continue
            images.append(
                {
                    "id": len(images) + 1,
                    "file_name": _unique(row, names),
                    "width": row.size[0],
                    "height": row.size[1],
                    "sha256": row.sha256,
                    "class": row.class_name,
                    "verdict": row.verdict,
                    "image_score": row.image_score,
                }
            )
            if row.verdict is Decision.OK or not row.regions:
                continue
            kind = kinds.setdefault((row.class_name, row.defect_type or UNNAMED_DEFECT), len(kinds) + 1)
            try:
                drawn = mask(load_map(row), row.thresholds.pixel, row.size)
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
        categories = [
            {
                "id": number,
                "name": defect if types.count(defect) == 1 else f"{product}/{defect}",
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


def _unique(row: ExportRow, taken: set[str]) -> str:
    """File names in one COCO file must differ; the id of the result tells twins apart."""
    name = row.name
    if name.casefold() in taken:
        stem, dot, suffix = row.name.rpartition(".")
        name = f"{stem or row.name}-{row.result_id}{dot}{suffix if stem else ''}"
    taken.add(name.casefold())
    return name
