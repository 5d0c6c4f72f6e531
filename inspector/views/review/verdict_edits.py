"""Reviews and thresholds: written off the GUI thread one after the other, each can be undone."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoStack

from inspector.domain import Decision, Thresholds
from inspector.views.look import theme
from inspector.views.shared.undo import Step

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
    """`review` and `set_thresholds` write and then put a step on `stack`; `undo` takes the last one back."""

    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.stack = QUndoStack(context.undo_group)
        context.project_changed.connect(self.stack.clear)

    def review(
        self,
        result_ids: Sequence[int],
        decision: Decision,
        reason: str = "",
        defect_type: str = "",
        text: str = "",
    ) -> None:
        """A person's word on results. `text`: what the toast says."""
        project, name, ids = self.context.project, who(self.context), tuple(result_ids)
        if project is None or not ids:
            return
        reviews: list[int] = []  # the rows that count now

        def add() -> None:
            from inspector.records.reviews import add_review

            reviews[:] = add_review(project, ids, decision, who=name, reason=reason, defect_type=defect_type)

        def withdraw() -> None:
            from inspector.records.reviews import withdraw_review

            withdraw_review(project, reviews, who=name)

        many = f"{len(ids):,} results" if len(ids) > 1 else "a result"
        self._do(
            f"Review of {many} as {theme.WORDS[decision]}",
            add,
            withdraw,
            self.context.results_changed.emit,
            text or f"{many.capitalize()} reviewed as {theme.WORDS[decision]}.",
        )

    def set_thresholds(self, detector_id: int, class_id: int, before: Thresholds, after: Thresholds) -> None:
        project, name = self.context.project, who(self.context)
        if project is None or before == after:
            return

        def told() -> None:
            self.context.detectors_changed.emit()
            self.context.results_changed.emit()

        self._do(
            "Move of the thresholds",
            partial(_set, project, detector_id, class_id, after, name),
            partial(_set, project, detector_id, class_id, before, name),
            told,
        )

    def undo(self) -> None:
        if self.stack.canUndo():
            text = self.stack.undoText()
            self.stack.undo()
            self.context.toast(f"Undone: {text[0].lower()}{text[1:]}.")

    def _do(
        self,
        words: str,
        redo: Callable[[], None],
        undo: Callable[[], None],
        changed: Callable[[], None],
        toast: str = "",
    ) -> None:
        project = self.context.project

        def done(_none: None) -> None:
            if project is self.context.project:
                self.stack.push(Step(words, self.context, self, redo, undo, changed))
                if toast:
                    self.context.toast(toast, self.undo)
                changed()

        def failed(error: BaseException) -> None:
            self.context.show_error(error)
            changed()  # what is on screen goes back to what is stored

        self.context.runner.write(self, redo, done, failed)


def _set(project: Project, detector_id: int, class_id: int, thresholds: Thresholds, name: str) -> None:
    from inspector.records.thresholds import set_thresholds

    set_thresholds(project, detector_id, class_id, thresholds, who=name)
