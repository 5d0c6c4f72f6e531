"""Steps that can be taken back. The work is a write in the background; the stack only keeps the order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoStack

from inspector.views.shared.context import WindowContext


class Step(QUndoCommand):
    """Push it after the step was done: the first redo, which the stack asks for at once, does nothing.

    `redo_work` and `undo_work` run as `runner.write`, `changed` afterwards on the GUI thread. If one fails, the error
    is shown and the step can't be repeated.
    """

    def __init__(
        self,
        text: str,
        context: WindowContext,
        owner: QObject,
        redo_work: Callable[[], Any],
        undo_work: Callable[[], Any],
        changed: Callable[[], None],
    ) -> None:
        super().__init__(text)
        self._context, self._owner = context, owner
        self._redo, self._undo, self._changed = redo_work, undo_work, changed
        self._fresh = True

    def redo(self) -> None:
        if self._fresh:
            self._fresh = False
            return
        self._run(self._redo)

    def undo(self) -> None:
        self._run(self._undo)

    def _run(self, work: Callable[[], Any]) -> None:
        self._context.runner.write(self._owner, work, lambda _value: self._changed(), self._failed)

    def _failed(self, error: BaseException) -> None:
        self._context.show_error(error)
        self._changed()


class Steps:
    """The steps of one page: all of them change the same things."""

    def __init__(
        self, context: WindowContext, owner: QObject, stack: QUndoStack, changed: Callable[[], None]
    ) -> None:
        self._context, self._owner, self._stack, self._changed = context, owner, stack, changed

    def done(self, text: str, redo: Callable[[], Any], undo: Callable[[], Any]) -> None:
        """Something that was done already and can be undone."""
        self._stack.push(Step(text, self._context, self._owner, redo, undo, self._changed))

    def do(self, text: str, redo: Callable[[], Any], undo: Callable[[], Any], toast: str = "") -> None:
        """Do it now, with Undo in the menu, and in the toast if there is something to say."""

        def written(_value: object) -> None:
            self.done(text, redo, undo)
            self._changed()
            if toast:
                self._context.toast(toast, self._stack.undo)

        self._context.runner.write(self._owner, redo, written, self._context.show_error)
