"""The records of the golden set as a table for others."""

import csv
from collections.abc import Iterable
from pathlib import Path

from inspector.exports.files import writing
from inspector.exports.tables import shown
from inspector.records.qualification.golden import GoldenCheck

_HEAD = (
    "date",
    "by",
    "occasion",
    "part",
    "class",
    "must be",
    "judged",
    "as it must be",
    "score",
    "detector",
    "problem",
    "signed for",
)


def export_checks(checks: Iterable[GoldenCheck], target: Path) -> None:
    """One line a part of each record, as CSV (UTF-8 with a mark, so that Excel reads it). Raises `ExportError`, also when there is
    something at `target` already."""
    with writing(target) as file, file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text)
        table.writerow(_HEAD)
        for check in checks:
            for part in check.parts:
                table.writerow(
                    (
                        check.created.isoformat(timespec="seconds"),
                        shown(check.who),
                        shown(check.occasion),
                        shown(part.name),
                        shown(part.class_name),
                        part.expected.value,
                        part.said.value if part.said else "",
                        "yes" if part.kept else "no",
                        "" if part.score is None else f"{part.score:.6g}",
                        "" if part.detector_id is None else part.detector_id,
                        shown(part.error),
                        shown(check.signed),
                    )
                )
