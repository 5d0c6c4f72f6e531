"""The order of what was done, and what must be asked before it is undone or done again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QUndoCommand, QUndoStack

Asks = Callable[[bool, Callable[[], None], Callable[[], None]], None]
"""Called before undo (True) or redo (False) of a step, with what to call at yes and at no."""


class StackedStep(QUndoCommand):
    """`asks`: before it is undone or done again, None where nothing is to be asked."""

    def __init__(self, text: str, asks: Asks | None = None) -> None:
        super().__init__(text)
        self.asks = asks


class UndoStack(QUndoStack):
    """Where a step asks before it is undone or done again, nothing moves until the answer is yes."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._asking = False
        self._next: Callable[[], None] | None = None

    def undo(self) -> None:
        self._move(self.index() - 1, True, super().undo)

    def redo(self) -> None:
        self._move(self.index(), False, super().redo)

    def clear(self) -> None:
        self._asking, self._next = False, None
        super().clear()

    def createUndoAction(self, parent: QObject, prefix: str = "") -> QAction:
        return self._ours(super().createUndoAction(parent, prefix), self.undo)

    def createRedoAction(self, parent: QObject, prefix: str = "") -> QAction:
        return self._ours(super().createRedoAction(parent, prefix), self.redo)

    def _ours(self, action: QAction, move: Callable[[], None]) -> QAction:
        action.triggered.disconnect()  # Qt's own way past the question
        action.triggered.connect(lambda _checked=False: move())
        return action

    def _move(self, number: int, back: bool, move: Callable[[], None]) -> None:
        if self._asking:  # done once the answer is yes, as a quick hand means it
            self._next = self.undo if back else self.redo
            return
        if not 0 <= number < self.count():
            return
        step = self.command(number)
        if not isinstance(step, StackedStep) or step.asks is None:
            move()
            return
        self._asking, index = True, self.index()

        def yes() -> None:
            self._asking = False
            then, self._next = self._next, None
            if self.index() == index and number < self.count() and self.command(number) is step:
                move()
                if then is not None:
                    then()

        def no() -> None:
            self._asking, self._next = False, None

        step.asks(back, yes, no)
