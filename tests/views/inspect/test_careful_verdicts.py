"""The window with a project full of results, and a hand that clicks and types too fast."""

import shutil

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton

from inspector.domain import Decision
from inspector.records import project as projects
from inspector.records.inspected.results import find_result, list_results
from inspector.records.reviews import list_reviews
from inspector.records.thresholds import list_thresholds


def type_into(qtbot, field, text):
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def stored(hand):
    return list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds


def verdict(hand, number):
    return find_result(hand.project, hand.ids[number]).row.verdict


def answer(qtbot, page, words):
    """Press a button of the question by its words."""
    asked = page.judging.edits.passing
    qtbot.waitUntil(lambda: asked.box is not None and asked.box.isVisible())
    box = asked.box
    button = next(one for one in box.findChildren(QPushButton) if words in one.text())
    said = f"{box.text()} {box.informativeText()}"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked.box is None)
    return said


# thresholds


def test_thresholds_that_let_ng_pass_say_how_many_parts_and_wait_for_a_yes(hand, choose, idle, qtbot):
    page = choose(hand.ids[2])
    scores = page.panel.scores
    type_into(qtbot, scores.ng_box, "1.2")  # NG becomes review: no part passes
    idle()
    assert page.judging.edits.passing.box is None
    assert verdict(hand, 2) is Decision.REVIEW
    type_into(qtbot, scores.ng_box, "0.6")
    idle()
    type_into(qtbot, scores.ng_box, "1.2")
    idle()
    page.context.undo.undo()
    idle()
    scores.move_to(1.0, 1.2)
    scores.histogram.released.emit()
    said = answer(qtbot, page, "Leave")
    assert "1 of 3 parts would turn from NG to OK." in said
    assert "NG from 0.600 becomes 1.200" in said
    idle()
    assert stored(hand) == hand.thresholds
    assert verdict(hand, 2) is Decision.NG
    assert scores.ng_box.text() == "0.600"
    assert page.panel.chip.words == "✕ NG"
    scores.move_to(1.0, 1.2)
    scores.histogram.released.emit()
    answer(qtbot, page, "Let them pass")
    qtbot.waitUntil(lambda: verdict(hand, 2) is Decision.OK)
    idle()
    assert scores.provenance.text().startswith("Moved by hand by Ada")


def test_a_review_threshold_typed_above_ng_changes_no_verdict(hand, choose, idle, qtbot):
    page = choose(hand.ids[2])
    type_into(qtbot, page.panel.scores.review_box, "0.9")
    idle()
    assert stored(hand) == hand.thresholds
    assert "can't lie above NG" in page.panel.scores.said.text()
    assert verdict(hand, 2) is Decision.NG


def test_undo_takes_a_threshold_back_while_its_field_has_the_focus(hand, choose, idle, window, qtbot):
    page = choose(hand.ids[2])
    before = page.viewer.view.regions
    field = page.panel.scores.ng_box
    type_into(qtbot, page.panel.scores.review_box, "0.45")
    idle()
    type_into(qtbot, field, "0.7")
    idle()
    assert stored(hand).ng == 0.7
    assert field.hasFocus()
    qtbot.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    idle()
    qtbot.waitUntil(lambda: stored(hand).ng == 0.6)
    idle()
    qtbot.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    idle()
    assert stored(hand) == hand.thresholds
    assert field.text() == "0.600"
    assert page.viewer.view.regions == before


def test_two_quick_moves_of_a_threshold_are_taken_back_one_by_one(hand, choose, idle, window, qtbot):
    page = choose(hand.ids[0])
    for text in ("0.65", "0.7"):
        type_into(qtbot, page.panel.scores.ng_box, text)  # without waiting for the first to be written
    idle()
    assert stored(hand).ng == 0.7
    window.menus.undo.trigger()
    idle()
    assert stored(hand).ng == 0.65
    window.menus.undo.trigger()
    idle()
    assert stored(hand) == hand.thresholds
    assert page.panel.scores.ng_box.text() == "0.600"


# a person's word


def test_enter_in_the_dialog_on_results_saves_and_opens_nothing(hand, window, idle, qtbot):
    window.show_page("results")
    idle()
    page = window.page
    page.selection.choose([hand.ids[2]])
    idle()
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.chosen is Decision.OK
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)  # without a reason, NG doesn't become OK
    assert page.popup.isVisible()
    assert page.popup.missing.text() == "Say why NG becomes OK."
    qtbot.keyClicks(page.popup.reason, "reflection")
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)
    idle()
    assert window.page_name == "results"
    assert list_reviews(hand.project, hand.ids[2])[-1].reason == "reflection"
    row = page.model.row(page.model.place(hand.ids[2]))
    assert (row.reason, row.reviewer, row.verdict) == ("reflection", "Ada", Decision.OK)


def test_a_click_beside_the_dialog_throws_no_word_away(hand, choose, window, qtbot):
    page = choose(hand.ids[2])
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    qtbot.keyClicks(page.popup.reason, "hair")
    qtbot.mouseClick(window.tab_row, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert page.popup.isVisible()
    assert page.popup.isModal()
    assert page.popup.reason.text() == "hair"
    page.popup.reject()


def test_accepting_what_was_overridden_keeps_reason_and_defect_type(hand, choose, idle, qtbot):
    page = choose(hand.ids[0])
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    qtbot.keyClicks(page.popup.reason, "hair crack")
    page.popup.defect_type.setEditText("crack")
    page.popup.save_button.click()
    idle()
    assert page.panel.chip.words == "✕ NG"
    place = page.panel.accept.mapTo(page, QPoint(0, 0))
    qtbot.keyClick(page, Qt.Key.Key_A)
    idle()
    row = find_result(hand.project, hand.ids[0]).row
    assert (row.verdict, row.reason, row.defect_type) == (Decision.NG, "hair crack", "crack")
    choose(hand.ids[0])
    assert page.panel.accept.mapTo(page, QPoint(0, 0)) == place


def test_a_part_that_is_ok_carries_no_defect_type(hand, choose, idle, window, qtbot):
    page = choose(hand.ids[2])
    qtbot.keyClick(page, Qt.Key.Key_D)
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.chosen is Decision.NG
    page.popup.defect_type.setEditText("dent")
    page.popup.save_button.click()
    idle()
    assert "is now" not in window.toast.label.text()
    assert "defect type “dent”" in window.toast.label.text()
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.chosen is Decision.OK
    assert not page.popup.defect_type.isEnabled()
    qtbot.keyClicks(page.popup.reason, "polished out")
    page.popup.save_button.click()
    idle()
    row = find_result(hand.project, hand.ids[2]).row
    assert (row.verdict, row.defect_type) == (Decision.OK, "")


def test_several_ng_are_not_made_ok_by_two_keys(hand, window, idle, qtbot):
    window.show_page("results")
    idle()
    page = window.page
    page.table.selectAll()
    idle()
    qtbot.keyClick(page.table, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)
    assert page.popup.isVisible()
    assert page.popup.missing.text() == "Choose a verdict."
    page.popup.reject()
    assert [row.override for row in list_results(hand.project, hand.ids)] == [None] * 4


def test_undo_on_another_page_takes_back_the_newest_word_and_shows_its_image(
    hand, choose, window, idle, qtbot
):
    page = choose(hand.ids[1])
    qtbot.keyClick(page, Qt.Key.Key_A)
    idle()
    assert page.queue.list.result_id == hand.ids[2]
    window.show_page("results")
    idle()
    window.menus.undo.trigger()
    idle()
    assert window.page_name == "inspect"
    assert page.queue.list.result_id == hand.ids[1]
    assert find_result(hand.project, hand.ids[1]).row.override is None


def test_the_first_word_asks_for_a_name_once_and_never_signs_for_the_account(
    hand, choose, window, idle, qtbot
):
    window.context.settings.reviewer = ""
    page = choose(hand.ids[0])
    qtbot.keyClick(page, Qt.Key.Key_A)
    edits = page.judging.edits
    qtbot.waitUntil(lambda: edits.asking is not None and edits.asking.isVisible())
    edits.asking.name.clear()
    edits.asking.accept()
    assert edits.asking.said.text()  # a name is needed
    edits.asking.reject()
    idle()
    assert list_reviews(hand.project, hand.ids[0]) == []
    assert page.queue.list.result_id == hand.ids[0]  # nothing was accepted, so nothing moved on
    qtbot.keyClick(page, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: edits.asking is not None)
    edits.asking.name.setText(" Grace  Hopper ")
    qtbot.keyClick(edits.asking.name, Qt.Key.Key_Return)
    idle()
    assert list_reviews(hand.project, hand.ids[0])[0].who == "Grace Hopper"
    assert page.queue.list.result_id == hand.ids[1]
    qtbot.keyClick(page, Qt.Key.Key_A)
    idle()
    assert list_reviews(hand.project, hand.ids[1])[0].who == "Grace Hopper"


def test_accepted_and_overridden_are_told_apart(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[0])
    qtbot.keyClick(page, Qt.Key.Key_A)
    idle()
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    page.popup.save_button.click()
    idle()
    window.show_page("results")
    idle()
    words = {
        row: window.page.model.index(window.page.model.place(hand.ids[row]), 3).data() for row in (0, 1, 2)
    }
    assert words == {0: "✓ OK accepted", 1: "✕ NG overridden", 2: "✕ NG"}


def test_viewing_only_accepts_nothing_moves_nowhere_and_says_why(stocked, window, idle, tmp_path, qtbot):
    folder = shutil.copytree(stocked[0], tmp_path / "stock")
    with projects.open(folder):
        window.projects.open(folder, "inspect", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        page = window.page
        for button in (page.panel.accept, page.panel.override, page.queue.add_button):
            assert not button.isEnabled()
            assert button.toolTip().startswith("Open for viewing only.")
        qtbot.keyClick(page, Qt.Key.Key_A)
        idle()
        assert page.queue.list.result_id == stocked[1].ids[0]
        assert "viewing only" in window.banner.message.text()
        window.show_page("results")
        idle()
        window.page.table.selectAll()
        idle()
        assert window.page.accept_button.toolTip().startswith("Open for viewing only.")
