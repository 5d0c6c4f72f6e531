"""What is shown of a trend, written as a table or as a report."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from inspector.domain import Deed
from inspector.text import printable
from inspector.views.line.trend.report_dialog import choose_report, report_of

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.views.line.trend.reading import Shown
    from inspector.views.shared.context import WindowContext


class TrendFiles:
    """Asks where to, over `parent`."""

    def __init__(self, context: WindowContext, parent: QWidget) -> None:
        self.context, self._parent = context, parent

    def export(self, shown: Shown | None) -> bool:
        """As CSV; False where there is nothing to write."""
        project = self.context.project
        if project is None or shown is None or shown.trend is None or shown.station is None:
            return False
        if not self.context.may(Deed.EXPORT):
            return True
        name, _ = QFileDialog.getSaveFileName(
            self._parent,
            "Export the trend",
            str(
                project.folder
                / "exports"
                / f"trend {printable(shown.station.name, 40)} {datetime.now():%Y-%m-%d %H.%M.%S}.csv"
            ),
            "CSV (*.csv)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if name:
            self._write(Path(name) if Path(name).suffix else Path(f"{name}.csv"), shown)
        return True

    def _write(self, target: Path, shown: Shown) -> None:
        def work(project: Project) -> int:
            from inspector.exports.line.trend import export_trend
            from inspector.records.audit import ActKind, record

            assert shown.trend is not None
            assert shown.station is not None
            of = shown.station.name, shown.classes.get(shown.asked.class_id or 0, ""), shown.asked.lot or ""
            lines = export_trend(shown.trend, shown.limits, target, of=of)
            record(project, ActKind.RESULTS_EXPORTED, f"trend of {of[0]}", new=str(target))
            return lines

        self._do(work, lambda count: self.context.toast(f"Exported {count:,} lines to {target.name}."))

    def report(self, shown: Shown | None) -> None:
        """A report, as PDF or HTML."""
        project = self.context.project
        if project is None or shown is None or shown.trend is None or shown.station is None:
            return
        if not self.context.may(Deed.EXPORT):
            return
        target = choose_report(self._parent, project.folder, shown)
        if target is not None:
            self.write_report(target, shown)

    def write_report(self, target: Path, shown: Shown) -> None:
        """Write it, and say so."""
        from inspector.views.line.report_pdf import write_report

        what = report_of(shown)

        def work(project: Project) -> list[str]:
            return write_report(project, what, target)

        def done(problems: list[str]) -> None:
            missing = f" {len(problems)} pictures are missing." if problems else ""
            self.context.toast(f"Wrote {target.name}.{missing}")

        self._do(work, done)

    def _do(self, work: object, done: object) -> None:
        project = self.context.project
        ask = self.context.query if project is not None and project.read_only else self.context.change
        ask(self._parent, work, done)  # type: ignore[arg-type]
