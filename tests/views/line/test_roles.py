"""Roles: an operator really can't do what she may not, whichever way she tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLineEdit
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


def test_who_signed_in_by_her_pin_signs_for_golden_parts_and_jobs_and_not_whoever_the_preferences_name(
    qtbot: QtBot, guarded: MainWindow, hand: Stock, choose: Callable[[int], object], idle: Callable[[], None]
) -> None:
    from inspector.domain import Decision
    from inspector.records.qualification.checks import list_checks
    from inspector.records.qualification.golden import add_golden

    add_golden(hand.project, {hand.ids[0]: Decision.OK}, who="Ada")
    context = guarded.context
    context.settings.reviewer = "Ada"
    context.sign_in(Role.ENGINEER, "Bea")
    page = choose(hand.ids[0])
    qtbot.waitUntil(lambda: page.live.scores is not None)  # type: ignore[attr-defined]
    scores, gate = page.panel.scores, page.judging.edits.golden  # type: ignore[attr-defined]
    scores.move_to(0.1, 0.15)
    scores._released()
    qtbot.waitUntil(lambda: gate.box is not None)
    assert (gate.box.name.text(), gate.box.name.isReadOnly()) == ("Bea", True)
    qtbot.keyClicks(gate.box.name, "Cleo")
    gate.box.reason.setText("stricter")
    gate.box.sign.click()
    idle()
    check = list_checks(hand.project)[0]
    assert (check.who, check.signed) == ("Bea", "stricter")
    assert context.settings.reviewer == "Ada"


def test_an_operator_takes_nothing_over_hands_nothing_over_tests_and_exports_nothing_and_restores_no_backup(
    qtbot: QtBot,
    guarded: MainWindow,
    hand: Stock,
    idle: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from inspector.records.audit import list_acts
    from inspector.records.detectors import list_detectors
    from inspector.views.teach.detector_history import DetectorHistory

    asked: list[object] = []
    monkeypatch.setattr(
        QFileDialog,
        "getSaveFileName",
        lambda *given, **_: (asked.append(given), (str(tmp_path / "x"), ""))[1],
    )
    acts = len(list_acts(hand.project))

    def refused(words: str) -> None:
        assert words in _dialog(guarded).findChild(type(_dialog(guarded).said)).text()
        _dialog(guarded).reject()
        idle()
        assert not guarded.context.runner.active

    guarded.drops.taking_over.take(tmp_path / "a.inspector")
    refused("Only an engineer may change what is taught")
    guarded.show_page("teach")
    teach = guarded.pages["teach"]
    history = DetectorHistory(guarded.context, teach.decisions, teach)  # type: ignore[attr-defined]
    history.open()
    idle()
    history.hand_over(list_detectors(hand.project)[0], tmp_path / "out.inspector")
    refused("Only an inspector may export")
    history.close()
    guarded.show_page("qualify")
    idle()
    qualify = guarded.pages["qualify"]
    qualify.show_section("smallest")  # type: ignore[attr-defined]
    idle()
    smallest = qualify.sections["smallest"]  # type: ignore[attr-defined]
    assert smallest.chosen_class is not None
    smallest.run()
    refused("Only an inspector may set up studies")
    qualify.show_section("audit")  # type: ignore[attr-defined]
    idle()
    audit = qualify.sections["audit"]  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: bool(audit.model.rows))
    assert audit.export()
    refused("Only an inspector may export")
    guarded.projects._restore(hand.project.folder, tmp_path / "old.sqlite")
    refused("Only an engineer may remove results")
    assert asked == []
    assert not (tmp_path / "out.inspector").exists()
    assert len(list_acts(hand.project)) == acts
    assert guarded.context.project is hand.project


def test_the_operator_view_takes_back_what_was_said_there_and_nothing_that_was_done_before(
    qtbot: QtBot, window: MainWindow, hand: Stock, choose: Callable[[int], object], idle: Callable[[], None]
) -> None:
    from inspector.domain import Decision
    from inspector.records.line.stations import Part, StationSettings, add_station, find_station
    from inspector.records.reviews import list_reviews
    from inspector.views.line.edits import StationEdits
    from inspector.views.line.operator.view import OperatorView
    from inspector.views.review.verdict_edits import Review

    window.context.settings.reviewer = "Ada"

    def numbers() -> tuple[float, ...]:
        return list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds.numbers

    page = choose(hand.ids[1])
    scores = page.panel.scores  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: page.live.scores is not None)  # type: ignore[attr-defined]
    before = numbers()
    scores.move_to(0.3, 0.55)
    scores._released()
    qtbot.waitUntil(lambda: numbers() != before)
    idle()
    moved = numbers()
    add_station(hand.project, "Press 3", StationSettings(Part("folder")))
    row = find_station(hand.project, "Press 3")
    view = OperatorView(window.context, StationEdits(window.context, window), row, window)
    view.open()
    idle()
    qtbot.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    idle()
    assert numbers() == moved
    assert "Nothing was said here" in view.notice.text()
    view.edits.review([Review((hand.ids[2],), Decision.OK, "False alarm")])
    qtbot.waitUntil(lambda: len(list_reviews(hand.project, hand.ids[2])) == 1)
    idle()
    for _ in range(3):
        qtbot.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        idle()
    said = [one.decision for one in list_reviews(hand.project, hand.ids[2])]
    assert None in said  # withdrawn
    assert numbers() == moved
    view.leave()
    window.menus.undo.trigger()  # the engineer's own window still can
    qtbot.waitUntil(lambda: numbers() == before)
