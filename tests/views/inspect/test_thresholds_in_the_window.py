"""Numbers that are typed into the open window, and what the panel says of where thresholds came from."""

from threading import Event

import pytest
from PySide6.QtCore import Qt

from inspector.domain import Decision
from inspector.records.inspected.results import find_result
from inspector.records.thresholds import list_thresholds
from inspector.views.inspect.scores import class_scores
from inspector.views.inspect.scores.score_view import moved


def type_into(qtbot, field, text):
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton)
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def stored(hand):
    return list_thresholds(hand.project, hand.detector_id)[hand.class_id].thresholds


@pytest.mark.parametrize("typed", ["-5", "99999", "abc", "abc-5", "1e400", "nan", "", "0.9"])
def test_a_threshold_that_can_not_be_is_refused_in_words_and_nothing_moves(hand, choose, idle, qtbot, typed):
    page = choose(hand.ids[2])
    scores = page.panel.scores
    span = scores.histogram.span()
    type_into(qtbot, scores.review_box, typed)
    idle()
    assert scores.said.isVisible()
    assert not typed or typed in scores.said.text()
    assert "number from" in scores.said.text() or "can't lie above NG" in scores.said.text()
    assert stored(hand) == hand.thresholds
    assert scores.review_box.text() == "0.400"
    assert scores.histogram.span() == span
    assert find_result(hand.project, hand.ids[2]).row.verdict is Decision.NG
    assert not page.context.undo.canUndo()
    type_into(qtbot, scores.review_box, "0,45")  # a comma is as good as a point
    idle()
    assert stored(hand).review == 0.45
    assert not scores.said.isVisible()


def test_a_refusal_does_not_stay_under_the_next_image(hand, choose, idle, qtbot):
    page = choose(hand.ids[2])
    said = page.panel.scores.said
    type_into(qtbot, page.panel.scores.ng_box, "0.05")
    page.panel.show_detail(page.panel._detail)  # the same image, read again
    assert said.isVisible()
    choose(hand.ids[1])
    idle()
    assert not said.isVisible()


def test_keys_of_the_page_are_letters_in_a_field(hand, choose, idle, window, qtbot):
    page = choose(hand.ids[0])
    type_into(qtbot, page.panel.scores.ng_box, "xad 12")
    idle()
    assert not page.popup.isVisible()
    assert find_result(hand.project, hand.ids[0]).row.reviewed is None
    assert stored(hand) == hand.thresholds


def test_the_panel_says_moved_by_hand_until_the_thresholds_are_the_calibrated_ones_again(
    hand, choose, window, idle, qtbot
):
    page = choose(hand.ids[0])
    scores = page.panel.scores
    calibrated = scores.provenance.text()
    type_into(qtbot, scores.ng_box, "0.7")
    idle()
    for other in (1, 0):  # also after another image was looked at
        assert scores.provenance.text().startswith("Moved by hand by Ada")
        choose(hand.ids[other])
    window.menus.undo.trigger()
    idle()
    assert scores.provenance.text() == calibrated
    window.menus.redo.trigger()
    idle()
    assert scores.provenance.text().startswith("Moved by hand by Ada")
    qtbot.mouseClick(scores.reset, Qt.MouseButton.LeftButton)
    idle()
    assert stored(hand) == hand.thresholds
    assert scores.provenance.text() == calibrated


def test_regions_stand_beside_the_threshold_that_they_were_cut_with_while_a_hand_moves_on(
    hand, choose, idle, qtbot, monkeypatch
):
    page = choose(hand.ids[2])
    cut, begun, go_on, cut_with, said = class_scores.cut, Event(), Event(), [], []

    def slow(values, score, class_name, thresholds, size):
        begun.set()
        assert go_on.wait(60)
        cut_with.append(thresholds.review)
        return cut(values, score, class_name, thresholds, size)

    show = page.panel.show_regions
    monkeypatch.setattr(class_scores, "cut", slow)
    monkeypatch.setattr(page.panel, "show_regions", lambda *told: (said.append(told[1]), show(*told)))
    scores = page.panel.scores
    scores.moved.emit(moved(hand.thresholds, 0.3, 0.6))
    qtbot.waitUntil(begun.is_set)
    scores.moved.emit(moved(hand.thresholds, 0.1, 0.6))
    go_on.set()
    qtbot.waitUntil(lambda: 0.1 in said)
    idle()
    assert cut_with[0] == 0.3
    assert set(said) <= set(cut_with)
    assert [value for value in said if value == 0.1] == [value for value in cut_with if value == 0.1]
    assert "Marked from review (0.100) on" in page.panel.regions_note.text()
