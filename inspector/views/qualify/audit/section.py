"""The audit of the project: who did what, and whether the list is as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
)
from superqt.utils import QSignalDebouncer, QSignalThrottler

from inspector.domain import Deed, JobEnded
from inspector.views.look import icons, theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import narrow_combo, quiet_table, switch
from inspector.views.look.labels import plain, wrapped
from inspector.views.look.sections import Section
from inspector.views.qualify.audit.model import ActModel

if TYPE_CHECKING:
    from inspector.records.audit import ActFilter, Chain
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

_WIDTHS = (146, 90, 150, 170, 336)
_SOON = 250  # ms from an act to its line, at least


class AuditSection(Section):
    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._project: Project | None = None
        self._chain: Chain | None = None  # what was found last, None before
        self.model = ActModel(context, self)
        self.text = QLineEdit()
        self.text.setPlaceholderText("Search the audit")
        self.text.setAccessibleName("Search")
        self.text.setClearButtonEnabled(True)
        self.text.addAction(icons.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.kind = narrow_combo("What was done")
        self.who = narrow_combo("Who did it")
        self.export_button = QPushButton(icons.icon("export"), "Export…")
        self.export_button.setToolTip("Write the acts shown to a file (Ctrl+E)")
        self.table = QTableView()
        self.table.setModel(self.model)
        quiet_table(self.table, "Acts", 28)
        self.table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.table.setStyleSheet("QTableView::item { padding: 0 5px; border: none; }")
        header = self.table.horizontalHeader()
        header.setStretchLastSection(True)
        for column, wide in enumerate(_WIDTHS):
            header.resizeSection(column, wide)
        self.none_yet = EmptyState(
            "audit", "Nobody has done anything in this project yet. Every act is listed here.", "Go to Teach"
        )
        self.none_match = EmptyState("filter", "No act matches these filters.", "Show all acts")
        self.chain = wrapped("quiet")
        self._build()
        self._connect()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(16, 8, 16, 12)
        top.setSpacing(8)
        top.addWidget(self.text, 2)
        top.addWidget(self.kind, 1)
        top.addWidget(self.who, 1)
        top.addWidget(self.export_button)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 8)
        foot.addWidget(self.chain, 1)
        self.middle = QStackedWidget()
        for widget in (self.table, self.none_match, self.none_yet):
            self.middle.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.middle, 1)
        column.addLayout(foot)

    def _connect(self) -> None:
        typing = QSignalDebouncer(parent=self)
        typing.setTimeout(200)
        typing.triggered.connect(self._ask)
        self.text.textChanged.connect(typing.throttle)
        for combo in (self.kind, self.who):
            combo.activated.connect(lambda _: self._ask())
        self.export_button.clicked.connect(lambda: self.export())
        self.none_match.button.clicked.connect(self._show_all)
        self.none_yet.button.clicked.connect(lambda: self.context.go("teach"))
        self.model.arrived.connect(self._arrived)
        self._soon = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing, self)
        self._soon.setTimeout(_SOON)
        self._soon.triggered.connect(self._something_done)
        context = self.context
        for signal in (context.classes_changed, context.detectors_changed, context.results_changed):
            signal.connect(self._soon.throttle)
        context.thresholds_moved.connect(lambda _move: self._soon.throttle())
        context.job_event.connect(
            lambda event: self._soon.throttle() if isinstance(event, JobEnded) else None
        )

    # what is shown

    def refresh(self) -> None:
        project = self.context.project
        self._chain = None  # all of it is looked at again
        if project is not self._project:
            self._project = project
            self.chain.setText("")
            self._show_all()
        else:
            self.model.refresh()
        self._look()

    def filter(self) -> ActFilter:
        from inspector.records.audit import ActFilter

        return ActFilter(
            kind=self.kind.currentData(), who=self.who.currentData(), text=self.text.text().strip()
        )

    def _show_all(self) -> None:
        with QSignalBlocker(self.text):
            self.text.clear()
        for combo in (self.kind, self.who):
            combo.setCurrentIndex(0)
        self._ask()

    def _ask(self) -> None:
        self.model.ask(self.filter() if self.context.project is not None else None)

    def _something_done(self) -> None:
        """Out of sight, it waits until the section is shown."""
        if self.isVisible():
            self.model.refresh()
            self._look()

    def _arrived(self) -> None:
        from inspector.records.audit import EVERY_ACT

        some, every = bool(self.model.rows), self.filter() == EVERY_ACT
        self.middle.setCurrentWidget(self.table if some else self.none_yet if every else self.none_match)
        switch(self.export_button, "" if some else "There are no acts to export.")

    def _look(self) -> None:
        """Whether the chain is whole, and who and what can be chosen."""
        known = self._chain

        def read(project: Project) -> tuple[Chain, tuple[list[str], list[str]]]:
            from inspector.records import audit

            return audit.verify(project, known or audit.NO_ACTS), audit.list_choices(project)

        def done(found: tuple[Chain, tuple[list[str], list[str]]]) -> None:
            self._chain, (people, kinds) = found
            _fill(self.who, "Everybody", people)
            _fill(self.kind, "Everything", kinds)
            self._say(self._chain)

        self.context.query(self, read, done, latest="chain")

    def _say(self, chain: Chain) -> None:
        if chain.broken is None:
            theme.set_role(self.chain, "good")
            acts = f"{chain.acts:,} act{'' if chain.acts == 1 else 's'}"
            self.chain.setText(f"✓ Chain is whole: {acts}" if chain.acts else "")
            self.chain.setToolTip(f"Checksum of the last act: {chain.head or 'none'}")
        else:
            theme.set_role(self.chain, "error")
            self.chain.setText(
                f"✕ The audit isn't as it was written: {chain.broken.what} Hold it against an exported copy or a backup."
            )
            self.chain.setToolTip("")

    # export

    def export(self) -> bool:
        project = self.context.project
        if project is None or not self.model.rows:
            return False
        if not self.context.may(Deed.EXPORT):
            return True
        offered = project.folder / "exports" / f"audit {datetime.now():%Y-%m-%d %H.%M.%S}.csv"
        name, chosen = QFileDialog.getSaveFileName(
            self,
            "Export the audit",
            str(offered),
            "CSV (*.csv);;JSON (*.json)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if name:
            target = Path(name)
            if not target.suffix:
                target = target.with_suffix(".json" if "json" in chosen else ".csv")
            self._write(target, self.filter(), project.read_only)
        return True

    def _write(self, target: Path, where: ActFilter, read_only: bool) -> None:
        def work(project: Project) -> int:
            from inspector.exports.audit import export_audit

            return export_audit(project, target, where)

        def done(count: int) -> None:
            self.context.toast(f"Exported {count:,} act{'' if count == 1 else 's'} to {target.name}.")
            self._soon.throttle()

        if read_only:
            self.context.query(self, work, done)
        else:
            self.context.change(self, work, done)


def _fill(combo: QComboBox, every: str, words: Sequence[str]) -> None:
    chosen = combo.currentData()
    with QSignalBlocker(combo):
        combo.clear()
        combo.addItem(every, None)
        for number, said in enumerate(words, 1):
            combo.addItem(said, said)
            combo.setItemData(number, plain(said), Qt.ItemDataRole.ToolTipRole)
        combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)
