"""“This run is good but for those that I marked”: what nobody has judged in it becomes confirmed good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.review.verdict_edits import Review

if TYPE_CHECKING:
    from inspector.records.inspected.runs import RunRow
    from inspector.records.project import Project
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext

REASON = "The run is good but for what was marked."


class RunConfirmation:
    """`ask` before parts are confirmed; `box` while it waits for an answer."""

    def __init__(self, context: WindowContext, edits: VerdictEdits, parent: QWidget) -> None:
        self.context, self.edits = context, edits
        self.box: QMessageBox | None = None
        self._parent = parent
        context.project_changed.connect(self._leave)

    def ask(self, run: RunRow | None) -> None:
        """With the number of parts, by what they are now."""
        if run is None or self.box is not None or self.context.writable() is None:
            return
        self.context.query(self._parent, partial(_unjudged, run_id=run.id), partial(self._counted, run))

    def _leave(self) -> None:
        if self.box is not None:
            self.box.reject()

    def _counted(self, run: RunRow, found: dict[Decision, list[int]]) -> None:
        ids = sorted(result_id for own in found.values() for result_id in own)
        if not ids:
            self.context.toast("Every part of this run has been judged.")
            return
        if self.box is not None:
            return
        fine = found.get(Decision.OK, [])
        held = {decision: len(own) for decision, own in found.items() if decision is not Decision.OK}
        which = " and ".join(f"{count:,} {theme.WORDS[decision]}" for decision, count in held.items())
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Confirm the run",
            f"Are the parts of run #{run.id} good?",
            parent=self._parent.window(),
        )
        said = [
            f"So far {_parts(len(ids))} of it {'is' if len(ids) == 1 else 'are'} not judged ({_by(found)})."
        ]
        if held and fine:
            said.append(
                f"Confirm those that are OK and judge the others ({which}) one by one; or confirm all, if every one is good."
            )
        elif held:
            said.append("Confirm only if every one is good.")
        said.append("What was marked stays as it is. Confirmed parts count when thresholds are set.")
        box.setInformativeText(" ".join(said))
        some = box.addButton(f"Confirm {len(fine):,} OK", QMessageBox.ButtonRole.AcceptRole) if fine else None
        every = (
            box.addButton(f"Confirm all {len(ids):,}", QMessageBox.ButtonRole.AcceptRole) if held else some
        )
        no = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(some or no)
        box.setEscapeButton(no)
        self.box = box

        def answered(_result: int) -> None:
            self.box = None
            self._parent.window().activateWindow()
            chosen = box.clickedButton()
            meant = ids if chosen is every else fine if chosen is some else []
            box.deleteLater()
            if meant:
                self._confirm(run, set(meant))

        box.finished.connect(answered)
        box.open()

    def _confirm(self, run: RunRow, meant: set[int]) -> None:
        """Those of them that nobody has judged since they were counted."""

        def counted(found: dict[Decision, list[int]]) -> None:
            left = tuple(sorted(one for own in found.values() for one in own if one in meant))
            if left:
                self.edits.review([Review(left, Decision.OK, REASON)])

        self.context.query(self._parent, partial(_unjudged, run_id=run.id), counted)


def _unjudged(project: Project, run_id: int) -> dict[Decision, list[int]]:
    from inspector.records.reviews import unjudged_results

    return unjudged_results(project, run_id)


def _parts(count: int) -> str:
    return f"{count:,} part{'' if count == 1 else 's'}"


def _by(found: dict[Decision, list[int]]) -> str:
    return ", ".join(f"{len(own):,} {theme.WORDS[decision]}" for decision, own in found.items())
