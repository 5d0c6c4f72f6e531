"""What each shot of a class is good for, and the good part that would be the best next one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from inspector.domain import CancelToken
from inspector.errors import Cancelled
from inspector.views.look.kit import fill, switch, word_table
from inspector.views.look.labels import wrapped
from inspector.views.look.words import share_text

if TYPE_CHECKING:
    from inspector.jobs.shot_doctor import Examined, Found
    from inspector.records.classes import ClassRow
    from inspector.records.project import Project
    from inspector.records.shots import AddedShot
    from inspector.views.shared.context import WindowContext
    from inspector.views.teach.edits import ClassEdits

_HEADINGS = ("Shot", "Without itself", "What it is good for")


class ShotDoctorDialog(QDialog):
    """Opens at once and is filled when the shots were examined; closing it stops that."""

    def __init__(self, context: WindowContext, row: ClassRow, edits: ClassEdits, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._class, self._edits = context, row, edits
        self._cancel = CancelToken()
        self.examined: Examined | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Shots of {row.name}")
        self.resize(min(760, parent.window().width() - 40), min(460, parent.window().height() - 80))
        self.said = wrapped("small")
        self.said.setText("Examining the shots…")
        self.table = word_table(_HEADINGS, "Shots", 2)
        self.next = wrapped()
        self.add_button = QPushButton("Add it as a shot")
        self.add_button.setToolTip("The detector then learns it; what would change is shown first")
        self.show_button = QPushButton("Show it")
        self.remove_button = QPushButton("Remove the chosen shot")
        self.remove_button.setToolTip("Teach again afterwards (can be undone)")
        close = QPushButton("Close")
        best = QHBoxLayout()
        best.addWidget(self.next, 1)
        best.addWidget(self.show_button)
        best.addWidget(self.add_button)
        foot = QHBoxLayout()
        foot.addWidget(self.remove_button)
        foot.addStretch(1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.said)
        column.addWidget(self.table, 1)
        column.addLayout(best)
        column.addLayout(foot)
        self.table.itemSelectionChanged.connect(self._chosen)
        self.add_button.clicked.connect(self._add)
        self.show_button.clicked.connect(self._show_best)
        self.remove_button.clicked.connect(self._remove)
        close.clicked.connect(self.close)
        self.finished.connect(lambda _result: self._cancel.cancel())
        context.project_changed.connect(self.close)
        self._offer(None)
        self._chosen()
        context.query(self, self._read, self._show, failed=self._failed)

    def _read(self, project: Project) -> Examined:
        from inspector.jobs.shot_doctor import examine

        return examine(project, self._context.runner.make_engine(self._cancel), self._class.id, self._cancel)

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, Cancelled):
            self.said.setText(str(error))

    def _show(self, examined: Examined) -> None:
        self.examined = examined
        judged = (
            f"{_count(examined.good, 'confirmed good part')} and {_count(examined.defects, 'marked defect')}"
        )
        self.said.setText(
            "Each shot was left out in turn and compared with the others. "
            f"Looked at beside them: {judged}, the newest."
        )
        fill(
            self.table,
            [(one.shot.name, f"{one.finding.score:.3f}", words(one)) for one in examined.findings],
        )
        self._offer(examined)
        self._chosen()

    def _offer(self, examined: Examined | None) -> None:
        best = examined.best if examined else None
        for button in (self.add_button, self.show_button):
            button.setVisible(best is not None)
        switch(self.add_button, self._context.viewing_only)
        if examined is None:
            self.next.setText("")
        elif best is not None:
            row, gain = best
            self.next.setText(
                f"Best next shot: “{Path(row.name).name}”. With it the other {_count(examined.good - 1, 'good part')} would score "
                f"{share_text(gain)} lower."
            )
        elif examined.good < 2:
            self.next.setText(
                "Confirm at least two good parts on Inspect, and the best next shot is found among them."
            )
        else:
            self.next.setText("None of the confirmed good parts would add much as a shot.")

    def _chosen(self) -> None:
        why = self._context.viewing_only or ("" if self.table.selectedItems() else "Choose a shot.")
        switch(self.remove_button, why)

    def _remove(self) -> None:
        if self.examined is not None and self.table.selectedItems():
            self._edits.remove_shots([self.examined.findings[self.table.currentRow()].shot])
            self.close()

    def _show_best(self) -> None:
        if self.examined is not None and self.examined.best is not None:
            self._context.show_result(self.examined.best[0].id)
            self.close()

    def _add(self) -> None:
        if self.examined is None or self.examined.best is None:
            return
        row, path = self.examined.best[0], self.examined.best[0].path
        assert path is not None
        add = partial(_add_shot, class_id=self._class.id, name=Path(row.name).name, path=path)
        self._context.change(self._edits, add, partial(_added, self._context, self._edits))
        self.close()


def examine(row: ClassRow | None, edits: ClassEdits, parent: QWidget) -> None:
    """Open it for the chosen class, if there is one."""
    if row is not None:
        ShotDoctorDialog(edits.context, row, edits, parent).open()


def _add_shot(project: Project, class_id: int, name: str, path: Path) -> AddedShot:
    from inspector.records.shots import add_shots

    return add_shots(project, class_id, [(name, path.read_bytes())])[0]


def _added(context: WindowContext, edits: ClassEdits, added: AddedShot) -> None:
    if added.status == "added" and added.shot_id is not None:
        edits.shots_added([added.shot_id], [])
        context.classes_changed.emit()
        context.detectors_changed.emit()
    else:
        context.toast(added.message)


def words(one: Found) -> str:
    """What a shot is good for, in a sentence."""
    from inspector.jobs.shot_doctor import HIDES

    finding = one.finding
    if one.odd:
        return "Looks unlike the others: is it a good part, and the same view?"
    if finding.hides is not None and finding.hides >= HIDES:
        return f"Makes a marked defect look normal: without it, that would score {share_text(finding.hides)} higher."
    if one.covered is None:
        return "Too few shots to tell."
    if one.covered:
        return "The others show all that it shows: it could go."
    return "Useful: the others don't show all of it."


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
