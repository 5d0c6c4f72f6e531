"""The golden set of the project: parts whose verdict must never change, how they are judged now, and every record of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Deed, JobKind
from inspector.views.look import theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import fill, switch, word_table
from inspector.views.look.labels import wrapped
from inspector.views.look.sections import Section
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.qualify.golden.table import GoldenTable
from inspector.views.shared.undo import Steps
from inspector.views.viewer.image_dialog import ImageDialog

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.project import Project
    from inspector.records.qualification.checks import GoldenCheck
    from inspector.records.qualification.golden import GoldenWord
    from inspector.views.shared.context import WindowContext

_RECORDS = ("When", "Who", "What for", "Found", "Signed for")


@dataclass(frozen=True)
class Found:
    """`said`: how the golden set is judged now, in a sentence."""

    words: list[GoldenWord]
    checks: list[GoldenCheck]
    said: str


def read_golden(project: Project) -> Found:
    """Parts that are judged otherwise than they must be first. For a worker."""
    from inspector.jobs.golden import said
    from inspector.records.qualification.checks import list_checks
    from inspector.records.qualification.golden import judge_golden

    words = sorted(judge_golden(project), key=lambda word: word.kept)
    return Found(words, list_checks(project), said(words))


class GoldenSection(Section):
    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.found = Found([], [], "")
        self._steps = Steps(context, lambda _value: context.golden_changed.emit(), self)
        self.empty = EmptyState(
            "golden",
            "No golden parts yet. They are good and defective parts of which everybody is sure; whatever is changed later, their "
            "verdict must stay.",
            "Go to Results",
            "There, right click a part: Golden set, Must always be OK or NG.",
        )
        self.empty.button.clicked.connect(lambda: context.go("results"))
        self.heading = wrapped("heading")
        self.last = wrapped("small")
        self.check_button = QPushButton("Check now")
        theme.set_role(self.check_button, "primary")
        self.check_button.setToolTip(
            "Score every golden part anew with the detector in charge, and keep the record"
        )
        self.check_button.clicked.connect(self.check)
        self.remove_button = QPushButton("Remove")
        self.remove_button.setToolTip("Take the chosen parts out of the golden set (can be undone)")
        self.remove_button.clicked.connect(self.remove)
        self.export_button = QPushButton("Export records…")
        self.export_button.setToolTip("Every record, a line for each part, as CSV (Ctrl+E)")
        self.export_button.clicked.connect(self.export)
        self.table = GoldenTable(Thumbnails(context.runner, 2 * GoldenTable.PICTURE, self))
        self.table.itemSelectionChanged.connect(self._switch)
        self.table.opened.connect(self._open)
        self.table.remove_requested.connect(self.remove)
        self.records = word_table(_RECORDS, "Records of the golden set", 4)
        self.records.setMaximumHeight(190)
        title = QLabel("Records")
        theme.set_role(title, "heading")
        head = QHBoxLayout()
        head.setSpacing(8)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.heading)
        words.addWidget(self.last)
        head.addLayout(words, 1)
        for button in (self.remove_button, self.export_button, self.check_button):
            head.addWidget(button)
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(16, 8, 16, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        column.addWidget(title)
        column.addWidget(self.records)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(full)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        context.golden_changed.connect(self._follow)
        context.detectors_changed.connect(self._follow)
        context.thresholds_moved.connect(lambda _move: self._follow())
        context.classes_changed.connect(self._follow)
        context.runner.busy_changed.connect(lambda _busy: self._switch())
        context.runner.ended.connect(lambda job, _event: self._ended(job.kind))
        self._switch()

    def refresh(self) -> None:
        if not self.context.query(self, read_golden, self._show, latest="golden"):
            self._show(Found([], [], ""))

    def export(self) -> bool:
        """Ask for a file, and write every record."""
        if not self.context.may(Deed.EXPORT):
            return True
        name, _ = QFileDialog.getSaveFileName(self, "Export records", "golden set.csv", "CSV (*.csv)")
        if name:
            self.export_to(Path(name))
        return True

    def export_to(self, target: Path) -> None:
        def write(project: Project) -> None:
            from inspector.exports.golden import export_checks
            from inspector.records.audit import ActKind, record
            from inspector.records.qualification.checks import list_checks

            checks = list_checks(project, None)
            export_checks(checks, target)
            record(project, ActKind.GOLDEN_EXPORTED, f"{len(checks)} records", new=str(target))

        self.context.query(self, write, lambda _none: self.context.toast(f"Written: {target.name}"))

    def check(self) -> None:
        project = self.context.writable()
        if project is None:
            return
        who = self.context.who

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.golden import check_golden

            check_golden(project, engine, who=who, emit=emit, cancel=cancel)

        self.context.runner.start(JobKind.CHECK, "Check the golden set", work)

    def remove(self) -> None:
        from inspector.records.qualification.golden import switch_golden

        ids = [word.part.id for word in self.table.chosen()]
        if not ids or self.context.writable() is None:
            return
        what = "a golden part" if len(ids) == 1 else f"{len(ids)} golden parts"
        self._steps.do(
            f"remove {what}",
            lambda project: switch_golden(project, off=ids),
            lambda project: switch_golden(project, on=ids),
            f"Removed {what}; the records stay.",
            partial(self.context.go, "qualify"),
        )

    def _follow(self) -> None:
        if self.isVisible():
            self.refresh()

    def _ended(self, kind: JobKind) -> None:
        if kind in (JobKind.CHECK, JobKind.TEACH):
            self._follow()

    def _show(self, found: Found) -> None:
        self.found = found
        self._stack.setCurrentIndex(bool(found.words or found.checks))
        missed = sum(word.scored and not word.kept for word in found.words)
        unscored = sum(not word.scored and word.detector_id is not None for word in found.words)
        said = "" if unscored and not missed else found.said
        if unscored:
            parts = "1 part was" if unscored == 1 else f"{unscored} parts were"
            said = f"{said} {parts} not scored yet by the detector in charge: press Check now.".strip()
        self.heading.setText(said)
        theme.set_role(self.heading, "error" if missed else "heading")
        self.last.setText(
            f"Last record: {_when(found.checks[0])}{_by(found.checks[0])}, {found.checks[0].occasion[:1].lower()}"
            f"{found.checks[0].occasion[1:]}."
            if found.checks
            else "A good part must be OK; a defective one must be held back, as NG or for review. Nothing was recorded yet."
        )
        self.table.show_words(found.words)
        fill(
            self.records,
            [
                (_when(check), check.who, check.occasion, _result(check), check.signed)
                for check in found.checks
            ],
        )
        self._switch()

    def _switch(self) -> None:
        why = self.context.viewing_only
        busy = "A job is running." if self.context.runner.busy else ""
        switch(self.check_button, why or busy or ("" if self.found.words else "There are no golden parts."))
        switch(self.remove_button, why or ("" if self.table.chosen() else "Choose parts."))
        switch(self.export_button, "" if self.found.checks else "Nothing was recorded yet.")

    def _open(self, word: GoldenWord) -> None:
        part = word.part
        ImageDialog(self.context, part.path, f"{part.class_name}: {part.name}", self).open()


def _when(check: GoldenCheck) -> str:
    return f"{check.created.astimezone():%d %b %Y, %H:%M}"


def _by(check: GoldenCheck) -> str:
    return f" by {check.who}" if check.who else ""


def _result(check: GoldenCheck) -> str:
    missed = check.missed
    if not missed:
        return f"✓ all {len(check.parts)} as they must be"
    names = ", ".join(part.name for part in missed[:4]) + (" …" if len(missed) > 4 else "")
    return f"✕ {len(missed)} of {len(check.parts)} not: {names}"
