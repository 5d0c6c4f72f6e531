"""The records of the golden set for others: all as a table, one as a page to print and to sign."""

import csv
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from inspector.exports.files import writing
from inspector.exports.pages import page
from inspector.exports.tables import shown
from inspector.records.qualification.checks import GoldenCheck

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


def export_check(check: GoldenCheck, said: str, project: str, target: Path) -> None:
    """One record as an HTML page to print. `said`: what came of it, for people; `project`: what that is called. Raises `ExportError`,
    also when there is something at `target` already."""
    template = page("golden_check.html")
    text = template.generate(
        title=check.occasion,
        occasion="Golden set",
        when=f"{check.created.astimezone():%Y-%m-%d %H:%M %Z}",
        who=check.who,
        number=check.id,
        project=project,
        version=version("inspector"),
        said=said,
        signed=check.signed,
        lines=[
            (
                part.name,
                part.class_name,
                part.expected.upper(),
                part.said.upper() if part.said else part.error or "not judged",
                "✓" if part.kept else "✕ not as it must be",
                "" if part.score is None else f"{part.score:.4g}",
                "" if part.detector_id is None else f"#{part.detector_id}",
            )
            for part in sorted(check.parts, key=lambda one: one.kept)
        ],
    )
    with writing(target) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(text)
