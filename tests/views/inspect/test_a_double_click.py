"""An impatient hand presses twice."""

from PySide6.QtCore import Qt

from inspector.records.inspected.results import find_result


def test_a_double_click_on_accept_signs_one_image_and_the_next_click_the_next(hand, choose, idle, qtbot):
    page = choose(hand.ids[0])
    accept = page.panel.accept
    left = Qt.MouseButton.LeftButton

    def signed():
        return [find_result(hand.project, key).row.reviewed is not None for key in hand.ids[:3]]

    qtbot.mouseClick(accept, left)
    qtbot.waitUntil(lambda: page.queue.list.result_id == hand.ids[1])
    qtbot.mouseDClick(accept, left)  # its second half
    qtbot.mouseRelease(accept, left)
    idle()
    assert signed() == [True, False, False]
    assert page.queue.list.result_id == hand.ids[1]
    qtbot.mouseClick(accept, left)
    idle()
    assert signed() == [True, True, False]
