"""Reviews and thresholds: written off the GUI thread one after the other, each can be undone."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from inspector.domain import Decision, Thresholds
from inspector.views.look import theme
from inspector.views.shared.undo import Steps, Work

if TYPE_CHECKING:
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext


def who(context: WindowContext) -> str:
    """The name that reviews are signed with: the one in the preferences, else the one of the account."""
    if context.settings.reviewer:
        return context.settings.reviewer
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


class Changes(QObject):
    """`review` and `set_thresholds` write and then put a step on the project's undo stack."""

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self._reviews = Steps(context, context.results_changed.emit, self)
        self._thresholds = Steps(context, self._thresholds_changed, self)

    def review(
        self,
        result_ids: Sequence[int],
        decision: Decision,
        reason: str = "",
        defect_type: str = "",
        text: str = "",
    ) -> None:
        """A person's word on results. `text`: what the toast says."""
        name, ids = who(self.context), tuple(result_ids)
        if not ids:
            return
        reviews: list[int] = []  # the rows that count now

        def add(project: Project) -> None:
            from inspector.records.reviews import add_review

            reviews[:] = add_review(project, ids, decision, who=name, reason=reason, defect_type=defect_type)

        def withdraw(project: Project) -> None:
            from inspector.records.reviews import withdraw_review

            withdraw_review(project, reviews, who=name)

        many = f"{len(ids):,} results" if len(ids) > 1 else "a result"
        self._reviews.do(
            f"Review of {many} as {theme.WORDS[decision]}",
            add,
            withdraw,
            text or f"{many.capitalize()} reviewed as {theme.WORDS[decision]}.",
        )

    def set_thresholds(self, detector_id: int, class_id: int, before: Thresholds, after: Thresholds) -> None:
        if before == after:
            return
        name = who(self.context)

        def put(thresholds: Thresholds) -> Work:
            def write(project: Project) -> None:
                from inspector.records.thresholds import set_thresholds

                set_thresholds(project, detector_id, class_id, thresholds, who=name)

            return write

        self._thresholds.do("Move of the thresholds", put(after), put(before))

    def undo(self) -> None:
        stack = self.context.undo
        if stack.canUndo():
            text = stack.undoText()
            stack.undo()
            self.context.toast(f"Undone: {text[0].lower()}{text[1:]}.")

    def _thresholds_changed(self) -> None:
        self.context.detectors_changed.emit()
        self.context.results_changed.emit()
