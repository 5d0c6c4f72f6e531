"""What can be exported. Imports no library, so that menus and command lines may list it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from inspector.domain import CancelToken, Progress
from inspector.errors import ExportError

if TYPE_CHECKING:
    from inspector.exports.rows import Rows


MANIFEST = "export.json"
"""Beside what was exported: what it was made of."""


@dataclass(frozen=True, slots=True)
class Format:
    """`file`: the name it gets in an export folder; a name
    without a dot is a folder. `where`: module:function."""

    name: str
    title: str
    about: str
    file: str
    where: str

    @property
    def is_folder(self) -> bool:
        """Whether it is many files; else `file` is the only one."""
        return "." not in self.file


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("csv", "CSV table", "One line a result", "results.csv", "tables:export_csv"),
        Format("xlsx", "Excel workbook", "Results and regions", "results.xlsx", "tables:export_xlsx"),
        Format(
            "jsonl",
            "JSON lines",
            "One object a result, with provenance",
            "results.jsonl",
            "tables:export_jsonl",
        ),
        Format(
            "report", "Report", "To print or to send, with pictures", "report.html", "report:export_report"
        ),
        Format(
            "overlays", "Overlays", "Images with their heat, as PNG", "overlays", "pictures:export_overlays"
        ),
        Format("masks", "Masks", "A tree like MVTec AD, as PNG", "masks", "pictures:export_masks"),
        Format("maps", "Anomaly maps", "Raw values, as NPY", "maps", "pictures:export_maps"),
        Format("coco", "COCO", "Boxes and polygons, as JSON", "coco.json", "coco:export_coco"),
    )
}


def dated_folder(parent: Path) -> Path:
    """Where the next export is best written: a folder in
    `parent` that isn't there yet, named by the moment."""
    name = f"Results {datetime.now():%Y-%m-%d %H.%M.%S}"
    wanted, number = parent / name, 1
    while wanted.exists():
        number += 1
        wanted = parent / f"{name} ({number})"
    return wanted


def export(
    name: str,
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """Write `rows` in one format to the file or folder `target`.

    Nothing may be at `target` but an empty folder. Returns a sentence for each result that had to be left
    out; raises `ExportError` when nothing could be written and `Cancelled`; then `target` is as it was.
    """
    if name not in FORMATS:
        raise ExportError(f"There is no export format “{name}”.", f"Choose one of: {', '.join(FORMATS)}.")
    module, function = FORMATS[name].where.split(":")
    write = getattr(import_module(f"inspector.exports.{module}"), function)
    return cast(Callable[..., list[str]], write)(rows, target, progress=progress, cancel=cancel)
