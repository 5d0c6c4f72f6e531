"""A file that carries a detector: what is in it, what its classes are to be called here, and the job that takes it over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from inspector.domain import Deed, JobKind
from inspector.errors import HandOverError
from inspector.views.look.labels import wrapped
from inspector.views.look.theme import set_role

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit, JobEnded
    from inspector.jobs.engine import Engine
    from inspector.jobs.handover.take import Offer
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext
    from inspector.views.shared.job_runner import Job

SUFFIX = ".inspector"


class TakingOver(QObject):
    """`take` a file into the open project, or into the next one that is opened."""

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._jobs: list[Job] = []
        self._waiting: Path | None = None  # for a project to be open
        context.project_changed.connect(self._take_waiting)
        context.runner.ended.connect(self._ended)

    def take(self, file: Path) -> None:
        """Read what it holds, ask, and take it over."""
        if self._context.project is None:
            self._waiting = file
            self._context.show_error(
                HandOverError(
                    f"“{file.name}” carries a detector, and no project is open to take it over.",
                    "Open a project, or make a new one: then you are asked what is to be taken over.",
                )
            )
            return
        if self._context.writable() is None or not self._context.may(Deed.TEACH):
            return

        def read(project: Project) -> tuple[Offer, list[str]]:
            from inspector.jobs.handover.take import read_offer
            from inspector.records.classes import list_classes

            known = [row.name for row in list_classes(project)]
            return read_offer(file, known), known

        self._context.query(self, read, lambda found: self._ask(file, *found))

    def _take_waiting(self) -> None:
        file = self._waiting
        if file is not None and self._context.project is not None:
            self._waiting = None
            self.take(file)

    def _ask(self, file: Path, offer: Offer, known: Sequence[str]) -> None:
        parent = self.parent()
        dialog = TakeOverDialog(file, offer, known, parent if isinstance(parent, QWidget) else None)
        dialog.accepted.connect(lambda: self._begin(file, dialog.names()))
        dialog.open()

    def _begin(self, file: Path, names: dict[str, str]) -> None:
        project = self._context.writable()
        if project is None or not self._context.may(Deed.TEACH):  # another may sit there by now
            return
        who = self._context.who

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs.handover.take import take_over

            take_over(project, engine, file, names=names, who=who, emit=emit, cancel=cancel)

        self._jobs.append(self._context.runner.start(JobKind.TEACH, f"Take over {file.name}", work))

    def _ended(self, job: Job, _event: JobEnded) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            self._context.golden_changed.emit()
            self._context.go("teach")


class TakeOverDialog(QDialog):
    """What a file holds, and a name for each class; those that the project has need another."""

    def __init__(self, file: Path, offer: Offer, known: Sequence[str], parent: QWidget | None) -> None:
        super().__init__(parent)
        from inspector.jobs.handover.container import spoken
        from inspector.records.names import class_key

        self._key = class_key
        self._known = {class_key(name) for name in known}
        self.setWindowTitle("Take over a detector")
        self.setMinimumWidth(440)
        self.said = wrapped()
        golden = (
            "no golden part" if not offer.golden else f"{offer.golden} golden part{'s' * (offer.golden > 1)}"
        )
        self.said.setText(
            f"“{file.name}” holds detector #{offer.detector} of the project “{offer.project}”, with {golden}. It scores them here, "
            "and judges only if it says what it said there."
        )
        mark = wrapped("small")
        mark.setText(
            f"Fingerprint {spoken(offer.fingerprint)}. If it is the same where the file was made, nothing in it was changed since; who "
            "made it, it can't tell."
        )
        form = QFormLayout()
        self.fields: dict[str, QLineEdit] = {}
        for name in offer.classes:
            field = QLineEdit("" if name in offer.taken else name)
            field.setPlaceholderText(f"{name} is taken here" if name in offer.taken else name)
            field.setAccessibleName(f"Name of {name}")
            field.textChanged.connect(lambda _text: self._look())
            self.fields[name] = field
            form.addRow(name, field)
        self.why = wrapped("error")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.ok = self.buttons.addButton("Take over", QDialogButtonBox.ButtonRole.AcceptRole)
        set_role(self.ok, "primary")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(self.deleteLater)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.said)
        column.addLayout(form)
        column.addWidget(self.why)
        column.addWidget(mark)
        column.addWidget(self.buttons)
        self._look()

    def names(self) -> dict[str, str]:
        """Class of the file → what it is called here."""
        return {name: field.text().strip() for name, field in self.fields.items()}

    def _look(self) -> None:
        keys = [self._key(name) for name in self.names().values()]
        why = ""
        if not all(keys):
            why = "Give each class a name that no class here has: classes are never merged."
        elif taken := [
            name for name, key in zip(self.names().values(), keys, strict=True) if key in self._known
        ]:
            why = f"There is a class “{taken[0]}” here already, and classes are never merged."
        elif len({*keys}) < len(keys):
            why = "Two classes would have the same name."
        self.why.setText(why)
        self.why.setVisible(bool(why))
        self.ok.setEnabled(not why)
        self.ok.setToolTip(why)
