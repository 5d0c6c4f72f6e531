"""Roles: an operator really can't do what she may not, whichever way she tries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from inspector.domain import Deed, Role
from inspector.records.line.roles import set_pin
from inspector.records.thresholds import list_thresholds
from inspector.views.window.main_window import MainWindow
from inspector.views.window.sign_in import SignInDialog

if TYPE_CHECKING:
    from conftest import Stock


@pytest.fixture
def guarded(hand: Stock, window: MainWindow) -> MainWindow:
    """Engineer and inspector ask for a PIN, so that whoever is there is an operator."""
    set_pin(hand.project, Role.ENGINEER, "4711")
    set_pin(hand.project, Role.INSPECTOR, "2580")
    window.context.role_changed.emit()
    return window


def _dialog(window: MainWindow) -> SignInDialog:
    dialog = window.door.dialog
    assert dialog is not None
    return dialog


def _sign_in(qtbot: QtBot, window: MainWindow, pin: str) -> None:
    dialog = _dialog(window)
    qtbot.keyClicks(dialog.pin, pin)
    qtbot.keyClick(dialog.pin, Qt.Key.Key_Return)


def test_setting_the_first_pin_in_preferences_turns_roles_on_and_signing_out_makes_an_operator_of_whoever_is_there(
    qtbot: QtBot, window: MainWindow, hand: Stock, idle: Callable[[], None]
) -> None:
    window.show_page("preferences")
    form = window.pages["preferences"].roles  # type: ignore[attr-defined]
    assert not window.tab_row.role.isVisible()
    for role, pin in ((Role.ENGINEER, "4711"), (Role.INSPECTOR, "2580")):
        qtbot.mouseClick(form.buttons[role], Qt.MouseButton.LeftButton)
        for field in form.dialog.findChildren(QLineEdit):
            qtbot.keyClicks(field, pin)
        qtbot.keyClick(form.dialog.again, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: form.dialog is None)
    assert window.tab_row.role.text() == "Engineer"
    qtbot.mouseClick(window.tab_row.role, Qt.MouseButton.LeftButton)
    assert window.tab_row.role.text() == "Operator"
    assert not window.context.may(Deed.THRESHOLDS)
    _dialog(window).reject()


def test_an_operator_moves_no_threshold_by_mouse_key_undo_or_past_the_window(
    qtbot: QtBot, guarded: MainWindow, hand: Stock, choose: Callable[[int], object], idle: Callable[[], None]
) -> None:
    context = guarded.context
    before = list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers

    def moved() -> bool:
        idle()
        return list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers != before

    page = choose(hand.ids[1])
    scores = page.panel.scores  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: page.live.scores is not None)  # type: ignore[attr-defined]
    scores.move_to(0.3, 0.55)  # what a drag of the lines does, and their release
    scores._released()
    assert not moved()
    assert (
        "Only an engineer may move thresholds"
        in _dialog(guarded).findChild(type(_dialog(guarded).said)).text()
    )
    _dialog(guarded).reject()

    guarded.door.ask("Sign in.")
    _sign_in(qtbot, guarded, "4711")
    qtbot.waitUntil(lambda: context.signed_in is Role.ENGINEER)
    scores.move_to(0.3, 0.55)
    scores._released()
    qtbot.waitUntil(moved)
    context.sign_in(None)
    after = list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers
    qtbot.keyClick(guarded, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    guarded.menus.undo.trigger()
    idle()
    assert list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers == after

    from inspector.records.thresholds import set_thresholds

    errors: list[BaseException] = []
    context.change(
        guarded,
        lambda project: set_thresholds(project, hand.detector_id, hand.class_id, hand.thresholds, who="Bob"),
        failed=errors.append,
    )
    qtbot.waitUntil(lambda: bool(errors))
    assert "Only an engineer" in str(errors[0])
    assert list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers == after


def test_an_operator_reviews_but_adds_no_class_teaches_nothing_and_touches_no_golden_part(
    qtbot: QtBot, guarded: MainWindow, hand: Stock, choose: Callable[[int], object], idle: Callable[[], None]
) -> None:
    from inspector.domain import Decision
    from inspector.records.classes import list_classes
    from inspector.records.qualification.golden import list_golden
    from inspector.records.reviews import list_reviews

    page = choose(hand.ids[2])
    page.judging.edits.call_golden([hand.ids[2]], Decision.NG)  # type: ignore[attr-defined]
    _dialog(guarded).reject()
    idle()
    assert list_golden(hand.project) == []
    guarded.show_page("teach")
    idle()
    teach = guarded.pages["teach"]
    teach.teach()  # type: ignore[attr-defined]
    assert not guarded.context.runner.active
    _dialog(guarded).reject()
    teach.edits.add("tablet", lambda _id: None)  # type: ignore[attr-defined]
    idle()
    assert [row.name for row in list_classes(hand.project)] == ["washer"]
    _dialog(guarded).reject()
    page.judging.edits.review([])  # type: ignore[attr-defined]
    from inspector.views.review.verdict_edits import Review

    page.judging.edits.review([Review((hand.ids[2],), Decision.OK)])  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(list_reviews(hand.project, hand.ids[2])) == 1)


def test_wrong_pins_are_told_and_after_some_nobody_is_heard_for_a_while(
    qtbot: QtBot, guarded: MainWindow
) -> None:
    guarded.door.ask("Sign in.")
    dialog = _dialog(guarded)
    for _ in range(3):
        _sign_in(qtbot, guarded, "1111")
        qtbot.waitUntil(lambda: dialog.sign.isEnabled() and not dialog.pin.text())
    assert "Wait" in dialog.said.text()
    _sign_in(qtbot, guarded, "4711")  # the right one, too early
    qtbot.waitUntil(lambda: "Too many" in dialog.said.text())
    assert guarded.context.signed_in is None
    dialog.reject()
