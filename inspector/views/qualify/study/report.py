"""What came out of a study: figures of each person and of the detector, and the parts on which they differed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QTableWidget, QVBoxLayout, QWidget

from inspector.domain import Deed
from inspector.exports.study import HEADINGS
from inspector.views.look import icons
from inspector.views.look.kit import centred_column, fill, word_table
from inspector.views.look.labels import wrapped
from inspector.views.qualify.study.disputed import Disputed

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.qualification.outcome import Outcome
    from inspector.records.qualification.studies import StudyRow
    from inspector.views.shared.context import WindowContext

_KINDS = "Report to print or send (*.html);;Table of all words (*.csv);;Everything (*.json)"


class StudyReport(QWidget):
    left = Signal()

    def __init__(self, context: WindowContext) -> None:
        super().__init__()
        self.context = context
        self.outcome: Outcome | None = None
        self.back = QPushButton(icons.icon("left"), "Studies")
        self.back.setToolTip("Back to the studies")
        self.title = wrapped("title")
        self.export_button = QPushButton(icons.icon("export"), "Export…")
        self.export_button.setToolTip("As a page to print or send, or as a table (Ctrl+E)")
        self.notes = wrapped()
        self.figures = word_table(HEADINGS, "Who judges how", 0)
        self.limits = wrapped("small")
        self.between = word_table(("How people agree", "Figure"), "How people agree", 0)
        self.differ = wrapped("heading")
        self.disputed = Disputed(context)
        self._build()
        self.back.clicked.connect(self.left)
        self.export_button.clicked.connect(self.export)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.back)
        top.addWidget(self.title, 1)
        top.addWidget(self.export_button)
        column: QVBoxLayout = centred_column(self, "Report of the study", 1180, 12)
        column.addLayout(top)
        for widget in (self.notes, self.figures, self.limits, self.between, self.differ, self.disputed):
            column.addWidget(widget)
        self.between.setMaximumWidth(620)
        column.addStretch(1)
        for table in (self.figures, self.between):
            table.setStyleSheet("QTableView::item { padding: 0 8px; border: none; }")  # as the headings
            table.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
            table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_study(self, study: StudyRow) -> None:
        """Read it and show it."""
        self.outcome = None
        self.title.setText(study.title)
        self.notes.setText("Reading…")
        for widget in (self.figures, self.limits, self.between, self.differ, self.disputed):
            widget.hide()
        self.export_button.setEnabled(False)
        self.context.query(self, partial(_read, study.id), self._show, failed=self._failed, latest="outcome")

    def stop(self) -> None:
        """Another project is open."""
        self.outcome = None
        self.disputed.show_parts(())

    def _failed(self, error: BaseException) -> None:
        self.notes.setText(str(error))

    def _show(self, found: Outcome) -> None:
        from inspector.exports.study import LIMITS, between_rows, figure_rows, notes

        self.outcome = found
        self.notes.setText("\n".join(notes(found)))
        self.limits.setText(LIMITS)
        rows, between = figure_rows(found), between_rows(found)
        fill(self.figures, rows)
        fill(self.between, between)
        for table in (self.figures, self.between):
            table.setFixedHeight(table.horizontalHeader().sizeHint().height() + 30 * table.rowCount() + 4)
        count = len(found.disputed)
        self.differ.setText(
            f"Parts that were judged differently ({count})"
            if count
            else "Everybody said of every part what it is known to be."
        )
        self.disputed.show_parts(found.disputed)
        self.figures.setVisible(bool(rows))
        self.limits.setVisible(bool(rows))
        self.between.setVisible(bool(between))
        self.differ.setVisible(bool(found.agreement.people))
        self.disputed.setVisible(count > 0)
        self.export_button.setEnabled(True)

    def export(self) -> bool:
        """Ask for a name, and write it off the GUI thread; False where there is nothing to export."""
        found, project = self.outcome, self.context.project
        if found is None or project is None:
            return False
        if not self.context.may(Deed.EXPORT):
            return True
        from inspector.exports.files import safe_name

        start = project.folder if not project.read_only else Path.home()
        offered = str(start / f"{safe_name(found.study.title)}.html")
        name, kind = QFileDialog.getSaveFileName(self, "Export the study", offered, _KINDS)
        if name:
            target = Path(name)
            if not target.suffix:
                target = target.with_suffix(
                    f".{kind.partition('*.')[2].rstrip(')')}" if "*." in kind else ".html"
                )
            self._write(found, target)
        return True

    def _write(self, found: Outcome, target: Path) -> None:
        def write(project: Project) -> list[str]:
            from inspector.exports.study import export_study
            from inspector.records.audit import ActKind, record

            problems = export_study(found, target)
            record(project, ActKind.STUDY_EXPORTED, found.study.title, new=str(target))
            return problems

        def done(problems: list[str]) -> None:
            self.export_button.setEnabled(True)
            left = f" {len(problems)} pictures are missing." if problems else ""
            self.context.toast(f"Exported to {target}.{left}")

        def failed(error: BaseException) -> None:
            self.export_button.setEnabled(True)
            self.context.show_error(error)

        self.export_button.setEnabled(False)
        self.context.query(self, write, done, failed=failed)


def _read(study_id: int, project: Project) -> Outcome:
    from inspector.records.qualification.outcome import outcome

    return outcome(project, study_id)
