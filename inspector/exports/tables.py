"""Results as tables: CSV, XLSX and JSON lines. Text stays text, whatever it begins with."""

import csv
import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from inspector.domain import CancelToken, Progress, Region
from inspector.errors import ExportError
from inspector.exports.files import explain, json_values, writing
from inspector.exports.rows import ExportRow, Rows, each
from inspector.text import one_line

Cell = str | float | int | datetime | None
FAILED = "failed"

COLUMNS = (
    "image",
    "class",
    "verdict",
    "image score",
    "review from",
    "NG from",
    "regions",
    "anomalous pixels",
    "boxes (x y width height)",
    "detector's verdict",
    "reviewer's verdict",
    "reason",
    "defect type",
    "reviewer",
    "reviewed (UTC)",
    "class confidence",
    "product distance",
    "width",
    "height",
    "taught from this image",
    "run id",
    "run",
    "detector id",
    "detector",
    "detector taught (UTC)",
    "inspected (UTC)",
    "source file",
    "sha256",
    "result id",
    "error",
)


def cells(row: ExportRow) -> tuple[Cell, ...]:
    """The values of a row, one for each of `COLUMNS`."""
    own, limits, regions = row.result, row.thresholds, row.regions
    judged = own.decision is not None
    return (
        own.name,
        own.class_name,
        own.verdict or FAILED,
        own.image_score,
        limits.review if limits else None,
        limits.ng if limits and limits.calls_ng else None,
        len(regions) if judged else None,
        sum([region.area for region in regions]) if judged else None,
        "; ".join(["%d %d %d %d" % region.box for region in regions]),  # noqa: UP031  (twice as fast)
        own.decision or FAILED,
        own.override or "",
        own.reason,
        own.defect_type,
        own.reviewer,
        own.reviewed,
        own.class_confidence,
        own.product_distance,
        own.size[0] or None,
        own.size[1] or None,
        "yes" if own.is_shot else "no",
        own.run_id,
        row.run,
        own.detector_id,
        row.detector,
        row.taught,
        own.created,
        row.source,
        own.sha256,
        own.id,
        row.error,
    )


def export_csv(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One line a result, comma separated, UTF-8 with a byte order mark (Excel needs it), numbers with a dot.

    Where a spreadsheet would begin a formula inside a text, an apostrophe comes first. Returns no problems, or raises
    `ExportError`.
    """
    with writing(target) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in each(rows, progress, cancel, "Row"):
            table.writerow(map(csv_cell, cells(row)))
    return []


def export_jsonl(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """One JSON object a line, UTF-8; regions and the provenance of thresholds in full. Raises `ExportError`."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with writing(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in each(rows, progress, cancel, "Row"):
            file.write(encode(as_json(row)) + "\n")
    return []


def export_xlsx(
    rows: Rows,
    target: Path,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> list[str]:
    """A workbook with the sheets Results and Regions. Raises `ExportError`."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    if len(rows) >= 2**20:
        raise _too_many()
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
                for name, colour in (
                    ("ok", "#1f9e89"),
                    ("review", "#b37b14"),
                    ("ng", "#d1495b"),
                    ("other", "#7a5fb0"),
                )
            }
            results, regions = book.add_worksheet("Results"), book.add_worksheet("Regions")
            _head(results, COLUMNS, bold)
            _head(regions, ["image", "class", "x", "y", "width", "height", "area", "peak", "sha256"], bold)
            line = below = 0
            for line, row in enumerate(each(rows, progress, cancel, "Row"), 1):
                for column, value in enumerate(cells(row)):
                    style = chips.get(row.verdict or "") if column == 2 else None
                    _xlsx_cell(results, line, column, value, style)
                own = row.result
                for region in row.regions:
                    below += 1
                    of_region: tuple[Cell, ...] = (
                        own.name,
                        own.class_name,
                        *region.box,
                        region.area,
                        region.peak,
                        own.sha256,
                    )
                    for column, value in enumerate(of_region):
                        _xlsx_cell(regions, below, column, value)
                if below >= 2**20:
                    raise _too_many()
            results.autofilter(0, 0, max(line, 1), len(COLUMNS) - 1)
            regions.autofilter(0, 0, max(below, 1), 8)
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
    """A row in plain JSON values; of the parts that thresholds were set from, only their number."""
    told = (
        {key: value for key, value in row.thresholds.provenance.items() if key != "good"}
        if row.thresholds
        else {}
    )
    return {
        "image": _plain(row.result.name),
        "source_file": _plain(row.source),
        "sha256": row.result.sha256,
        "width": row.result.size[0],
        "height": row.result.size[1],
        "class": _plain(row.result.class_name),
        "class_confidence": _finite(row.result.class_confidence),
        "product_distance": _finite(row.result.product_distance),
        "image_score": _finite(row.result.image_score),
        "verdict": row.verdict or FAILED,
        "detector_verdict": row.result.decision or FAILED,
        "thresholds": row.thresholds
        and {
            "review": _finite(row.thresholds.review),
            "ng": _finite(row.thresholds.ng) if row.thresholds.calls_ng else None,
            "provenance": json_values(told),
        },
        "regions": [region_json(region) for region in row.regions],
        "review": {
            "verdict": row.result.override,
            "reason": _plain(row.result.reason),
            "defect_type": _plain(row.result.defect_type),
            "reviewer": _plain(row.result.reviewer),
            "time": row.result.reviewed and row.result.reviewed.isoformat(),
        }
        if row.result.override or row.result.reviewed or row.result.defect_type
        else None,
        "taught_from_this_image": row.result.is_shot,
        "result_id": row.result.id,
        "run_id": json_values(row.result.run_id),
        "run": _plain(row.run),
        "detector_id": json_values(row.result.detector_id),
        "detector": _plain(row.detector),
        "detector_taught": row.taught and row.taught.isoformat(),
        "time": row.result.created.isoformat(),
        "error": _plain(row.error),
    }


def region_json(region: Region) -> dict[str, Any]:
    """A region in plain JSON values: box [x, y, width, height], area in pixels, peak."""
    return {"box": list(region.box), "area": region.area, "peak": _finite(region.peak)}


_SIGN = re.compile(r"[=+\-@＝＋－＠]")
_FORMULA = re.compile(r"""(^|[;,|'"])(\s*)(?=[=+\-@＝＋－＠])""")
"""Where a spreadsheet begins a formula: at the start of a cell, of which a text is several where another sign separates."""


def shown(text: str) -> str:
    """Text for a cell of a spreadsheet: one line without signs that are obeyed instead of shown, and no formula."""
    if text.isalnum() or not text:
        return text
    text = one_line(str(text))
    return _defused(text) if _SIGN.search(text) else text


@lru_cache(1000)  # labels come back in every row
def _defused(text: str) -> str:
    return _FORMULA.sub(r"\1'\2", text)


def csv_cell(value: Cell) -> str | float | int:
    """A value as a CSV file holds it: text as `shown`, moments in UTC, nothing for what is no number."""
    if value is None:
        return ""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "seconds")[:19]
    return value if math.isfinite(value) else ""


def _head(sheet: Any, titles: Sequence[str], style: Any) -> None:
    for column, title in enumerate(titles):
        sheet.set_column(column, column, 30 if title == "image" else max(10, len(title) + 3))
        sheet.write_string(0, column, title, style)
    sheet.freeze_panes(1, 1)


def _xlsx_cell(sheet: Any, line: int, column: int, value: Cell, style: Any = None) -> None:
    if isinstance(value, str):
        text = shown(value)
        if text:
            sheet.write_string(line, column, text[:32767], style)
    elif isinstance(value, datetime):
        sheet.write_datetime(line, column, value.astimezone(UTC).replace(tzinfo=None))
    elif value is not None and math.isfinite(value):
        sheet.write_number(line, column, value, style)


def _too_many() -> ExportError:
    return ExportError("An Excel sheet has room for 1,048,575 rows.", "Filter the results, or export CSV.")


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
