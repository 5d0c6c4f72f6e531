"""Rows of results as exports get them, drawn and judged without a project."""

import hashlib
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from inspector.domain import Decision, Region, Thresholds
from inspector.exports.overlay import mask
from inspector.exports.rows import ExportRow
from inspector.images.demo.parts import draw
from inspector.records.inspected.results import ResultRow

THRESHOLDS = Thresholds(0.40, 0.60, 0.5, {"method": "leave one out", "scores": [0.1, 0.2], "wanted": 0.05})
TIME = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


EMPTY = ResultRow(
    id=0,
    run_id=3,
    detector_id=7,
    class_id=None,
    class_name="",
    class_confidence=None,
    product_distance=None,
    name="",
    sha256="",
    size=(0, 0),
    image_score=None,
    decision=None,
    override=None,
    verdict=None,
    reviewed=None,
    reviewer="",
    reason="",
    defect_type="",
    regions=0,
    is_shot=False,
    white=None,
    error="",
    hint="",
    created=TIME,
    files=SimpleNamespace(path=None, missing=False, map_path=None),  # type: ignore[arg-type]
)
OF_RESULT = {field.name for field in fields(ResultRow)} - {"regions"}
OF_FILES = ("path", "missing", "map_path")


def change(row: ExportRow, **changes: Any) -> ExportRow:
    """`row` with other values, of its result too; a person's verdict counts as it does in the records."""
    files = vars(row.result.files) | {key: changes.pop(key) for key in OF_FILES if key in changes}
    changes["files"] = SimpleNamespace(**files)
    own = {key: changes.pop(key) for key in list(changes) if key in OF_RESULT}
    result = replace(row.result, **own)
    verdict = result.override or result.decision
    return replace(row, result=replace(result, verdict=verdict), **changes)


def make_row(
    folder: Path, number: int, name: str, kind: str, defect: str | None, **more: object
) -> ExportRow:
    """A demo part on disk with an anomaly map made from its true mask, judged as a detector would."""
    folder.mkdir(exist_ok=True, parents=True)
    pixels, truth = draw(kind, number, defect, size=256)
    path = folder / f"{number:064x}.png"
    cv2.imwrite(str(path), pixels[..., ::-1])
    soft = cv2.GaussianBlur(cv2.resize(truth, (64, 64), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    values = (0.1 + soft.astype(np.float32) / max(int(soft.max()), 1) * 0.8).astype(np.float16)
    np.save(folder / f"{number}.npy", values)
    drawn = mask(values.astype(np.float32), THRESHOLDS.review, (256, 256))
    count, _, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    regions = tuple(
        Region(tuple(map(int, stats[i, :4])), int(stats[i, 4]), float(values.max())) for i in range(1, count)
    )
    score = float(values.max())
    row = ExportRow(EMPTY, THRESHOLDS, regions, "#3 Monday shift", "#7 memory", TIME, (0.5, 1.0))
    return change(
        row,
        id=number,
        name=name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=(256, 256),
        class_name=kind,
        class_confidence=0.98,
        image_score=score,
        decision=Decision.NG if score >= 0.6 else Decision.OK,
        path=path,
        map_path=folder / f"{number}.npy",
        **more,
    )
