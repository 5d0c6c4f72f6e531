"""Steps that can be taken back. The work is a write in the background; the stack only keeps the order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from inspector.views.shared.context import WindowContext
from inspector.views.shared.undo_stack import Asks, StackedStep

if TYPE_CHECKING:
    from inspector.records.project import Project

Work = Callable[["Project"], Any]


def _nothing() -> None:
    pass


class Step(StackedStep):
    """Push it after the step was done: the first redo, which the stack asks for at once, does nothing.

    `redo_work` and `undo_work` run as `context.change`, `changed` afterwards on the GUI thread with what they returned,
    and `place` brings what was changed in sight. If one fails, the error is shown. `asks`: before it is undone or done
    again.
    """

    def __init__(
        self,
        text: str,
        steps: Steps,
        redo_work: Work,
        undo_work: Work,
        place: Callable[[], None],
        asks: Asks | None,
    ) -> None:
        super().__init__(text, asks)
        self._steps, self._redo, self._undo, self._place = steps, redo_work, undo_work, place
        self._fresh = True

    def redo(self) -> None:
        if self._fresh:
            self._fresh = False
            return
        self._run(self._redo)

    def undo(self) -> None:
        self._run(self._undo)

    def _run(self, work: Work) -> None:
        def done(value: object) -> None:
            self._steps.changed(value)
            self._place()

        self._steps.write(work, done)


class Steps(QObject):
    """Steps of one kind, which all change the same things: they tell about it with `changed`, which gets what the work
    returned, or None after it failed."""

    def __init__(self, context: WindowContext, changed: Callable[[Any], None], parent: QObject) -> None:
        super().__init__(parent)
        self.context, self.changed = context, changed

    def done(
        self,
        text: str,
        redo: Work,
        undo: Work,
        place: Callable[[], None] = _nothing,
        asks: Asks | None = None,
    ) -> None:
        """Something that was done already and can be undone. `place`: brings it in sight after undo or redo."""
        self.context.undo.push(Step(text, self, redo, undo, place, asks))

    def do(
        self,
        text: str,
        redo: Work,
        undo: Work,
        toast: str = "",
        place: Callable[[], None] = _nothing,
        asks: Asks | None = None,
    ) -> None:
        """Do it now, with Undo in the menu, and in the toast if there is something to say."""

        def written(value: object) -> None:
            self.done(text, redo, undo, place, asks)
            self.changed(value)
            if toast:
                self.context.toast(toast, self.context.undo.undo)

        self.write(redo, written)

    def write(self, work: Work, done: Callable[[object], None]) -> None:
        def failed(error: BaseException) -> None:
            self.context.show_error(error)
            self.changed(None)  # what is on screen goes back to what is stored

        self.context.change(self, work, done, failed)
