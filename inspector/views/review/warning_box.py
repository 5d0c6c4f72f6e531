"""A question whose safe answer is to leave everything as it is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QMessageBox, QWidget


def ask(
    parent: QWidget,
    words: tuple[str, str, str],
    answers: tuple[str, str],
    answered: Callable[[bool], None],
) -> QMessageBox:
    """Open it over the window of `parent`. `words`: title, what would happen, what that means; `answers`: to do it, to leave it (the
    default, and Esc). `answered(whether to do it)` once it is closed."""
    title, what, more = words
    box = QMessageBox(QMessageBox.Icon.Warning, title, what, parent=parent.window())
    box.setInformativeText(more)
    let = box.addButton(answers[0], QMessageBox.ButtonRole.AcceptRole)
    leave = box.addButton(answers[1], QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(leave)
    box.setEscapeButton(leave)

    def finished(_result: int) -> None:
        parent.window().activateWindow()
        done = box.clickedButton() is let
        box.deleteLater()
        answered(done)

    box.finished.connect(finished)
    box.open()
    return box
