"""However thresholds are moved, no part that was NG passes without a yes to how many."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from inspector.domain import Decision
from inspector.records.inspected.results import find_result
from inspector.records.thresholds import list_thresholds


def type_into(qtbot, field, text):
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def numbers(hand):
    found = list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds
    return found.review, found.ng


def verdict(hand, number):
    return find_result(hand.project, hand.ids[number]).row.verdict


def asked(qtbot):
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    return QApplication.activeModalWidget()


def press(qtbot, words):
    box = asked(qtbot)
    said = box.text()
    button = next(one for one in box.findChildren(QPushButton) if one.text().startswith(words))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    return said


def key(qtbot, window, letter, modifier=Qt.KeyboardModifier.ControlModifier):
    qtbot.keyClick(QApplication.focusWidget() or window, letter, modifier)


def stricter(page, qtbot, idle):
    """Review from 0.1, NG from 0.15: all three parts are NG."""
    type_into(qtbot, page.panel.scores.review_box, "0.1")
    idle()
    type_into(qtbot, page.panel.scores.ng_box, "0.15")
    idle()


def looser(page, qtbot, idle):
    """NG from 1.2, review from 1.0, with a yes to the question."""
    type_into(qtbot, page.panel.scores.ng_box, "1.2")
    idle()
    type_into(qtbot, page.panel.scores.review_box, "1.0")
    press(qtbot, "Let them pass")
    idle()


def test_undo_and_redo_that_let_ng_parts_pass_ask_as_the_move_itself_does(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[0])
    stricter(page, qtbot, idle)
    assert [verdict(hand, number) for number in range(3)] == [Decision.NG] * 3
    window.menus.undo.trigger()  # NG from 0.6 again: 0.2 becomes review, nothing passes
    idle()
    assert numbers(hand) == (0.1, 0.6)
    window.menus.undo.trigger()  # review from 0.4 again: 0.2 passes, which the calibrated thresholds allow
    idle()
    assert numbers(hand) == (0.4, 0.6)
    type_into(qtbot, page.panel.scores.review_box, "0.6")
    idle()
    type_into(qtbot, page.panel.scores.ng_box, "0.9")
    idle()
    type_into(qtbot, page.panel.scores.review_box, "0.9")
    assert press(qtbot, "Let them pass") == (
        "1 of 3 parts, NG by the calibrated thresholds, would turn to OK."
    )
    idle()
    assert verdict(hand, 2) is Decision.OK
    key(qtbot, window, Qt.Key.Key_Z)  # stricter again: no question
    idle()
    assert numbers(hand) == (0.6, 0.9)
    for answer, then in (("Leave", (0.6, 0.9)), ("Let them pass", (0.9, 0.9))):
        key(qtbot, window, Qt.Key.Key_Y)
        assert "1 of 3 parts" in press(qtbot, answer)
        idle()
        assert numbers(hand) == then
    assert verdict(hand, 2) is Decision.OK


def test_an_undo_that_would_pass_parts_waits_for_its_answer_however_often_it_is_pressed(
    hand, choose, window, idle, qtbot
):
    page = choose(hand.ids[2])
    scores = page.panel.scores
    looser(page, qtbot, idle)
    type_into(qtbot, scores.review_box, "0.7")
    idle()
    type_into(qtbot, scores.ng_box, "0.75")
    idle()
    assert verdict(hand, 2) is Decision.NG
    window.show_page("results")  # from another page, too
    idle()
    window.menus.undo.trigger()  # NG from 1.2: review
    idle()
    assert numbers(hand) == (0.7, 1.2)
    window.show_page("results")
    idle()
    place = window.context.undo.index()
    for _ in range(3):
        window.menus.undo.trigger()
    box = asked(qtbot)
    assert "1 of 3 parts" in box.text()
    assert len([one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox)]) == 1
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    idle()
    assert window.context.undo.index() == place
    assert numbers(hand) == (0.7, 1.2)
    assert verdict(hand, 2) is Decision.REVIEW
    window.menus.undo.trigger()  # asked anew, not swallowed
    press(qtbot, "Let them pass")
    idle()
    assert numbers(hand) == (1.0, 1.2)
    assert window.context.undo.index() == place - 1


def test_the_key_for_undo_does_not_say_undone_before_the_answer(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[2])
    type_into(qtbot, page.panel.scores.ng_box, "1.2")
    idle()
    type_into(qtbot, page.panel.scores.review_box, "1.0")
    press(qtbot, "Let them pass")
    idle()
    type_into(qtbot, page.panel.scores.review_box, "0.4")
    idle()
    page.viewer.view.setFocus()
    qtbot.keyClick(page.viewer.view, Qt.Key.Key_U)
    press(qtbot, "Leave")
    idle()
    assert "Undone" not in window.toast.label.text()
    assert numbers(hand) == (0.4, 1.2)


def test_reset_to_calibrated_asks_where_it_lets_parts_pass(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[0])
    stricter(page, qtbot, idle)
    qtbot.mouseClick(page.panel.scores.reset, Qt.MouseButton.LeftButton)
    assert press(qtbot, "Leave") == "1 of 3 parts would turn from NG to OK."
    idle()
    assert numbers(hand) == (0.1, 0.15)
    assert page.panel.scores.ng_box.text() == "0.150"


def test_a_dragged_line_asks_when_it_is_let_go(hand, choose, idle, qtbot):
    page = choose(hand.ids[2])
    line = page.panel.scores.histogram
    type_into(qtbot, page.panel.scores.ng_box, "1.0")
    idle()
    from PySide6.QtCore import QPoint

    start, end = (QPoint(round(line.x_of(score)), line.height() // 2) for score in (0.4, 0.95))
    qtbot.mousePress(line, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(line, end)
    assert QApplication.activeModalWidget() is None
    qtbot.mouseRelease(line, Qt.MouseButton.LeftButton, pos=end)
    press(qtbot, "Leave")
    idle()
    assert numbers(hand) == (0.4, 1.0)
    assert page.panel.scores.review_box.text() == "0.400"


def test_an_undo_that_is_overtaken_by_typing_can_be_asked_for_again(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[2])
    scores = page.panel.scores
    looser(page, qtbot, idle)
    type_into(qtbot, scores.review_box, "0.4")
    idle()
    window.menus.undo.trigger()
    type_into(qtbot, scores.review_box, "0.9")  # before it was counted what the undo would let pass
    press(qtbot, "Leave")
    idle()
    assert numbers(hand) == (0.4, 1.2)
    assert scores.review_box.text() == "0.400"
    window.menus.undo.trigger()
    press(qtbot, "Let them pass")
    idle()
    assert numbers(hand) == (1.0, 1.2)
