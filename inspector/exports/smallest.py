"""What a test of the smallest defect found, as a table for others."""

import csv
from pathlib import Path

from inspector.exports.files import writing
from inspector.exports.tables import shown
from inspector.records.qualification.smallest import SmallestTest

_HEAD = (
    "date",
    "by",
    "class",
    "detector",
    "review from",
    "NG from",
    "defect",
    "contrast",
    "size (px)",
    "size (mm)",
    "NG",
    "NG or review",
)


def export_smallest(test: SmallestTest, scale: float | None, target: Path) -> None:
    """One line for every kind, contrast and size, as CSV (UTF-8 with a mark, so that Excel reads it); shares from 0 to 1. `scale`:
    millimetres of a pixel. Raises `ExportError`, also when there is something at `target` already."""
    found = test.found
    with writing(target) as file, file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text)
        table.writerow(_HEAD)
        for curve in found.curves:
            for size, ng, seen in zip(curve.sizes, curve.ng, curve.seen, strict=True):
                table.writerow(
                    (
                        test.created.isoformat(timespec="seconds"),
                        shown(test.who),
                        shown(test.class_name),
                        shown(test.detector),
                        found.review,
                        "" if found.ng is None else found.ng,
                        curve.kind,
                        "" if curve.contrast is None else curve.contrast,
                        size,
                        f"{size * scale:.6g}" if scale else "",
                        ng,
                        seen,
                    )
                )
