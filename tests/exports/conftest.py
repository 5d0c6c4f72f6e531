from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.domain import Decision, Region, Thresholds
from inspector.exports.overlay import mask
from inspector.exports.rows import ExportRow
from inspector.images.demo_parts import draw

THRESHOLDS = Thresholds(0.40, 0.60, 0.5, {"method": "leave one out", "scores": [0.1, 0.2], "wanted": 0.05})
TIME = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


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
    drawn = mask(values.astype(np.float32), THRESHOLDS.pixel, (256, 256))
    count, _, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    regions = tuple(Region(tuple(map(int, stats[i, :4])), int(stats[i, 4]), 0.9) for i in range(1, count))
    score = float(values.max())
    fields: dict = {
        "result_id": number,
        "name": name,
        "time": TIME,
        "run": "Monday shift",
        "detector": "memory 1",
        "sha256": f"{number:064x}",
        "size": (256, 256),
        "class_name": kind,
        "class_confidence": 0.98,
        "image_score": score,
        "decision": Decision.NG if score >= 0.6 else Decision.OK,
        "thresholds": THRESHOLDS,
        "regions": regions,
        "scale": (0.5, 1.0),
        "path": path,
        "map_path": folder / f"{number}.npy",
    }
    return ExportRow(**{**fields, **more})


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[ExportRow]:
    folder = tmp_path_factory.mktemp("project")
    return [
        make_row(folder, 1, "washer_1.png", "washer", None),
        make_row(
            folder,
            2,
            '=HYPERLINK("x")<b>.png',
            "washer",
            "stain",
            defect_type="scratch",
            reviewer="@eve",
        ),
        make_row(folder, 3, "washer_1.jpg", "washer", "missing"),
        make_row(folder, 4, "Größe 部品\nzwei.png", "cloth", "missing", defect_type="scratch"),
        make_row(
            folder,
            5,
            "../../etc/passwd",
            "cloth",
            "stain",
            override=Decision.OK,
            reason="-water only",
            reviewer="Ana",
            reviewed=TIME,
        ),
        ExportRow(
            6, "broken.png", TIME, "Monday shift", "memory 1", error="“broken.png” is empty (0 bytes)."
        ),
    ]
