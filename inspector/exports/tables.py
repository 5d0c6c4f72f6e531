"""Results as tables: CSV, XLSX and JSON lines. Text stays text, whatever it begins with."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspector.domain import CancelToken, Progress, Region
from inspector.errors import ExportError
from inspector.exports.files import explain, writing
from inspector.exports.rows import ExportRow, each

Cell = str | float | int | datetime | None
FAILED = "failed"

COLUMNS: tuple[tuple[str, Callable[[ExportRow], Cell]], ...] = (
    ("image", lambda r: r.name),
    ("class", lambda r: r.class_name),
    ("verdict", lambda r: r.verdict or FAILED),
    ("image score", lambda r: r.image_score),
    ("review from", lambda r: r.thresholds.review if r.thresholds else None),
    ("NG from", lambda r: r.thresholds.ng if r.thresholds else None),
    ("pixel threshold", lambda r: r.thresholds.pixel if r.thresholds else None),
    ("regions", lambda r: len(r.regions) if r.decision else None),
    ("anomalous pixels", lambda r: sum(g.area for g in r.regions) if r.decision else None),
    ("boxes (x y width height)", lambda r: "; ".join(" ".join(map(str, g.box)) for g in r.regions)),
    ("detector's verdict", lambda r: r.decision or FAILED),
    ("reviewer's verdict", lambda r: r.override or ""),
    ("reason", lambda r: r.reason),
    ("defect type", lambda r: r.defect_type),
    ("reviewer", lambda r: r.reviewer),
    ("reviewed (UTC)", lambda r: r.reviewed),
    ("class confidence", lambda r: r.class_confidence),
    ("width", lambda r: r.size[0] or None),
    ("height", lambda r: r.size[1] or None),
    ("taught from this image", lambda r: "yes" if r.is_shot else "no"),
    ("run", lambda r: r.run),
    ("detector", lambda r: r.detector),
    ("inspected (UTC)", lambda r: r.time),
    ("sha256", lambda r: r.sha256),
    ("error", lambda r: r.error),
)


def export_csv(
    rows: Sequence[ExportRow],
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One line a result, comma separated, UTF-8 with a byte order mark (Excel needs it), numbers with a dot.

    A text that a spreadsheet would take for a formula begins with an apostrophe. Returns no problems, or raises
    `ExportError`.
    """
    with writing(target) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow([title for title, _ in COLUMNS])
        for row in each(rows, progress, cancel, "Row"):
            table.writerow([_csv_cell(get(row)) for _, get in COLUMNS])
    return []


def export_jsonl(
    rows: Sequence[ExportRow],
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One JSON object a line, UTF-8; regions and the provenance of thresholds in full. Raises `ExportError`."""
    with writing(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in each(rows, progress, cancel, "Row"):
            file.write(json.dumps(as_json(row), ensure_ascii=False, allow_nan=False) + "\n")
    return []


def export_xlsx(
    rows: Sequence[ExportRow],
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """A workbook with the sheets Results and Regions. Raises `ExportError`."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    if len(rows) >= 2**20 or sum(len(r.regions) for r in rows) >= 2**20:
        raise ExportError("An Excel sheet has room for 1,048,575 rows.", "Filter the results, or export CSV.")
    options = {
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "constant_memory": True,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with writing(target) as temporary:
        book = xlsxwriter.Workbook(str(temporary), options)
        try:
            bold = book.add_format({"bold": True, "bottom": 1})
            chips = {
                name: book.add_format({"font_color": colour, "bold": True})
                for name, colour in (("ok", "#1f9e89"), ("review", "#b37b14"), ("ng", "#d1495b"))
            }
            sheet = book.add_worksheet("Results")
            _head(sheet, [title for title, _ in COLUMNS], bold)
            for line, row in enumerate(each(rows, progress, cancel, "Row"), 1):
                for column, (title, get) in enumerate(COLUMNS):
                    style = chips.get(row.verdict or "") if title == "verdict" else None
                    _xlsx_cell(sheet, line, column, get(row), style)
            sheet.autofilter(0, 0, max(len(rows), 1), len(COLUMNS) - 1)
            sheet = book.add_worksheet("Regions")
            _head(sheet, ["image", "class", "x", "y", "width", "height", "area", "peak", "sha256"], bold)
            line = 0
            for row in rows:
                for region in row.regions:
                    line += 1
                    box = region.box
                    cells: tuple[Cell, ...] = (
                        row.name,
                        row.class_name,
                        *box,
                        region.area,
                        region.peak,
                        row.sha256,
                    )
                    for column, value in enumerate(cells):
                        _xlsx_cell(sheet, line, column, value)
            sheet.autofilter(0, 0, max(line, 1), 8)
            book.close()
        except FileCreateError as error:
            cause = (
                error.args[0] if error.args and isinstance(error.args[0], OSError) else OSError(str(error))
            )
            raise explain(cause, target) from error
        finally:
            if not book.fileclosed:
                _abandon(book)
    return []


def as_json(row: ExportRow) -> dict[str, Any]:
    """A row in plain JSON values."""
    return {
        "image": _plain(row.name),
        "sha256": row.sha256,
        "width": row.size[0],
        "height": row.size[1],
        "class": _plain(row.class_name),
        "class_confidence": _finite(row.class_confidence),
        "image_score": _finite(row.image_score),
        "verdict": row.verdict or FAILED,
        "detector_verdict": row.decision or FAILED,
        "thresholds": row.thresholds
        and {
            "review": _finite(row.thresholds.review),
            "ng": _finite(row.thresholds.ng),
            "pixel": _finite(row.thresholds.pixel),
            "provenance": _json_values(row.thresholds.provenance),
        },
        "regions": [region_json(region) for region in row.regions],
        "review": {
            "verdict": row.override,
            "reason": _plain(row.reason),
            "defect_type": _plain(row.defect_type),
            "reviewer": _plain(row.reviewer),
            "time": row.reviewed and row.reviewed.isoformat(),
        }
        if row.override or row.reviewed or row.defect_type
        else None,
        "taught_from_this_image": row.is_shot,
        "run": _plain(row.run),
        "detector": _plain(row.detector),
        "time": row.time.isoformat(),
        "error": _plain(row.error),
    }


def region_json(region: Region) -> dict[str, Any]:
    return {"box": list(region.box), "area": region.area, "peak": _finite(region.peak)}


_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def _csv_cell(value: Cell) -> str | float | int:
    if value is None:
        return ""
    if isinstance(value, str):
        text = _plain(str(value))
        return f"'{text}" if text.startswith(_FORMULA) else text
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value if math.isfinite(value) else ""


def _head(sheet: Any, titles: Sequence[str], style: Any) -> None:
    for column, title in enumerate(titles):
        sheet.set_column(column, column, 30 if title == "image" else max(10, len(title) + 3))
        sheet.write_string(0, column, title, style)
    sheet.freeze_panes(1, 1)


def _xlsx_cell(sheet: Any, line: int, column: int, value: Cell, style: Any = None) -> None:
    if isinstance(value, str):
        text = _plain(str(value))
        if text:
            sheet.write_string(line, column, text[:32767], style)
    elif isinstance(value, datetime):
        sheet.write_datetime(line, column, value.astimezone(UTC).replace(tzinfo=None))
    elif value is not None and math.isfinite(value):
        sheet.write_number(line, column, value, style)


def _abandon(book: Any) -> None:
    """Let go of the temporary files of a workbook that will not be written."""
    for sheet in book.worksheets():
        if sheet.row_data_fh and not sheet.row_data_fh.closed:
            sheet.row_data_fh.close()
            Path(sheet.row_data_filename).unlink(missing_ok=True)
    book.fileclosed = True


def _plain(text: str) -> str:
    """Text that can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _json_values(value: Any) -> Any:
    """Provenance as JSON: numbers that JSON has no word for become null, unknown things their text."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _json_values(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_values(part) for part in value]
    if isinstance(value, float):
        return _finite(value)
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
