"""Reports of stations on paper: what the HTML holds, laid out by Qt, on a page of A4. For any thread once there is an application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextDocument,
)

from inspector.errors import ExportError

if TYPE_CHECKING:
    from inspector.exports.line.content import ReportOf
    from inspector.records.project import Project

SUFFIXES = (".pdf", ".html")
_started: list[QGuiApplication] = []


def start() -> None:
    """Let pages be laid out where there is no window: an application that lives as long as the process."""
    if QGuiApplication.instance() is None:
        _started.append(QGuiApplication(["inspector"]))


def print_page(page: str, target: Path) -> None:
    """A page of HTML as PDF, with page numbers. Raises `ExportError`, also when there is something at `target` already."""
    from inspector.exports.files import writing

    if QGuiApplication.instance() is None:
        raise ExportError(
            "A PDF can't be laid out without Qt's application.", "Choose a name that ends in .html."
        )
    with writing(target) as temporary:
        writer = QPdfWriter(str(temporary))
        writer.setCreator("Inspector")
        writer.setResolution(96)  # a px of the page is one of the paper; text stays outlines
        writer.setPageLayout(
            QPageLayout(
                QPageSize(QPageSize.PageSizeId.A4),
                QPageLayout.Orientation.Portrait,
                QMarginsF(14, 12, 14, 10),
                QPageLayout.Unit.Millimeter,
            )
        )
        document = QTextDocument()
        document.setDefaultFont(QFont("Sans Serif", 9))
        document.setUseDesignMetrics(True)
        document.setDocumentMargin(0)
        document.documentLayout().setPaintDevice(writer)
        document.setHtml(page)
        title = document.metaInformation(QTextDocument.MetaInformation.DocumentTitle)
        writer.setTitle(title)
        _paint(document, writer, title)
        if not temporary.stat().st_size:
            raise ExportError(
                f"“{target.name}” can't be written: nothing was printed.", "Choose another folder."
            )


_FOOT = 24  # px


def _paint(document: QTextDocument, writer: QPdfWriter, title: str) -> None:
    wide, high = writer.width(), writer.height() - _FOOT
    document.setPageSize(QSizeF(wide, high))
    painter = QPainter(writer)
    try:
        painter.setFont(QFont("Sans Serif", 7))
        count = document.pageCount()
        for number in range(count):
            if number:
                writer.newPage()
            painter.save()
            painter.translate(0, -number * high)
            document.drawContents(painter, QRectF(0, number * high, wide, high))
            painter.restore()
            foot = QRectF(0, high + 6, wide, _FOOT - 6)
            painter.setPen(QColor("#59616a"))
            painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, title)
            painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{number + 1} / {count}")
    finally:
        painter.end()


def write_report(project: Project, what: ReportOf, target: Path) -> list[str]:
    """A report as PDF or HTML, as the suffix of `target` says; a sentence for each picture that is missing. Notes it in the audit.
    For a worker. Raises `ExportError`."""
    from inspector.exports.line.content import gather
    from inspector.exports.line.report import export_line_report, render
    from inspector.records.audit import ActKind, record

    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ExportError(
            f"“{target.name}” is none of the kinds that a report is written as.",
            "Let the name end in .pdf or .html.",
        )
    found = gather(project, what)
    if suffix == ".pdf":
        page, problems = render(found)
        print_page(page, target)
    else:
        problems = export_line_report(found, target)
    record(project, ActKind.REPORTED, f"{what.station.name}, {what.title}", new=str(target))
    return problems
