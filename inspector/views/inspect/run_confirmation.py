"""“This run is good but for those that I marked”: what nobody has judged in it becomes confirmed good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

from inspector.domain import Decision
from inspector.views.look import theme
from inspector.views.review.verdict_edits import Review

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.records.runs import RunRow
    from inspector.views.review.verdict_edits import VerdictEdits
    from inspector.views.shared.context import WindowContext

REASON = "The run is good but for what was marked."


class RunConfirmation:
    """`ask` before parts are confirmed; `box` while it waits for an answer."""

    def __init__(self, context: WindowContext, edits: VerdictEdits, parent: QWidget) -> None:
        self.context, self.edits = context, edits
        self.box: QMessageBox | None = None
        self._parent = parent

    def ask(self, run: RunRow | None) -> None:
        """With the number of parts, by what they are now."""
        if run is None or self.box is not None or self.context.writable() is None:
            return

        def read(project: Project) -> dict[Decision, list[int]]:
            from inspector.records.reviews import unjudged_results

            return unjudged_results(project, run.id)

        self.context.query(self._parent, read, partial(self._counted, run))

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
        said = [f"Nobody has judged {len(ids):,} of them yet; what was marked stays as it is."]
        if held and fine:
            said.append(
                f"Confirm the {len(fine):,} OK ones, and judge the {which} one by one; or confirm all, if "
                "every one of them is good."
            )
        elif held:
            said.append(f"They are {which}: confirm them only if every one of them is good.")
        said.append("Confirmed parts count when thresholds are set.")
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
                self.edits.review([Review(tuple(meant), Decision.OK, REASON)])

        box.finished.connect(answered)
        box.open()
