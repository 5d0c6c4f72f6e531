"""Steps that ask before they are undone."""

from collections.abc import Callable

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from inspector.views.shared.undo_stack import StackedStep, UndoStack


class Asked:
    """Two steps, the newer of which asks; what was undone, and the answers that wait."""

    def __init__(self) -> None:
        self.undone: list[str] = []
        self.answers: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.parent = QObject()
        self.stack = UndoStack(self.parent)
        for text, asks in (("older", None), ("newer", lambda _back, yes, no: self.answers.append((yes, no)))):
            step = StackedStep(text, asks)
            step.undo = lambda text=text: self.undone.append(text)  # type: ignore[method-assign]
            self.stack.push(step)


def test_a_second_undo_while_the_first_asks_follows_it_once_the_answer_is_yes(qtbot: QtBot) -> None:
    asked = Asked()
    asked.stack.undo()
    asked.stack.undo()
    assert asked.undone == []
    ((yes, _),) = asked.answers
    yes()
    assert asked.undone == ["newer", "older"]


def test_at_no_neither_is_undone(qtbot: QtBot) -> None:
    asked = Asked()
    asked.stack.undo()
    asked.stack.undo()
    ((_, no),) = asked.answers
    no()
    assert asked.undone == []
    asked.stack.undo()
    asked.answers[-1][0]()
    assert asked.undone == ["newer"]
