"""Where a report is to be written, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

if TYPE_CHECKING:
    from inspector.exports.line.content import ReportOf
    from inspector.views.line.trend.reading import Shown


def report_of(shown: Shown) -> ReportOf:
    """Of what is shown: the order, the shift, or the time."""
    from inspector.exports.line.content import ReportOf
    from inspector.records.line.shifts import Shift
    from inspector.records.line.trends import TrendOf

    assert shown.trend is not None
    assert shown.station is not None
    since, until = shown.trend.edges[0].astimezone(), shown.trend.edges[-1].astimezone()
    asked = shown.asked
    if asked.lot is not None:
        title = f"Order {asked.lot}"
    elif asked.span == "shift":
        title = f"Shift {Shift(since, until).words}"
    else:
        title = "Station report"
    of = TrendOf(asked.station_id, asked.class_id, asked.lot)
    return ReportOf(shown.station, of, since, until, title)


def choose_report(parent: QWidget, folder: Path, shown: Shown) -> Path | None:
    """The file that somebody chose, ending in .pdf or .html; None where nobody did."""
    from inspector.exports.files import safe_name

    what = report_of(shown)
    stem = safe_name(
        f"{what.station.name}, {what.title} {what.since:%Y-%m-%d %H.%M}".replace(":", "."), limit=120
    )
    name, chosen = QFileDialog.getSaveFileName(
        parent,
        "Write a report",
        str(folder / "reports" / f"{stem}.pdf"),
        "PDF (*.pdf);;HTML (*.html)",
        options=QFileDialog.Option.DontConfirmOverwrite,
    )
    if not name:
        return None
    target = Path(name)
    return (
        target
        if target.suffix.lower() in (".pdf", ".html")
        else Path(f"{name}{'.html' if 'html' in chosen else '.pdf'}")
    )
