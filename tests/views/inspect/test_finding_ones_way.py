"""From one result to the next: filters, menus, focus and the queue."""

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from inspector.views.inspect.scores.score_view import ScoreView


def test_a_filter_of_results_is_stepped_through_on_inspect_until_it_is_cleared(hand, window, idle, qtbot):
    window.show_page("results")
    idle()
    results = window.page
    results.filters.reviewed.setCurrentIndex(1)
    results.filters.verdict.setCurrentIndex(3)
    results.filters.verdict.activated.emit(3)
    idle()
    assert results.model.ids.tolist() == [hand.ids[2]]
    cell = results.table.visualRect(results.model.index(0, 0)).center()
    qtbot.mouseClick(results.table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    qtbot.mouseDClick(results.table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    idle()
    page = window.page
    assert window.page_name == "inspect"
    assert page.model.ids.tolist() == [hand.ids[2]]
    assert page.queue.chip.isVisible()
    assert page.queue.chip.text() == "NG · Not reviewed"
    qtbot.mouseClick(page.queue.chip, Qt.MouseButton.LeftButton)
    idle()
    assert page.model.ids.tolist() == list(hand.ids)
    assert not page.queue.chip.isVisible()
    assert page.queue.list.result_id == hand.ids[2]  # the image stays


def test_a_right_click_offers_what_can_be_done_with_a_result(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[2])
    page.viewer.view.customContextMenuRequested.emit(QPoint(10, 10))
    menu = QApplication.activePopupWidget()
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == [
        "Draw the defects…",
        "Accept",
        "Override…",
        "Golden set",
        "Show in folder",
        "Copy name",
    ]
    menu.actions()[-1].trigger()
    menu.close()
    assert QApplication.clipboard().text() == "part 2.png"
    window.show_page("results")
    idle()
    page = window.page
    page.selection.choose([hand.ids[1]])
    idle()
    cell = page.table.visualRect(page.model.index(page.model.place(hand.ids[1]), 0)).center()
    page.table.customContextMenuRequested.emit(cell)
    menu = QApplication.activePopupWidget()
    assert menu.actions()[0].text() == "Open in Inspect"
    menu.actions()[0].trigger()
    menu.close()
    idle()
    assert window.page_name == "inspect"
    assert window.page.queue.list.result_id == hand.ids[1]


def test_while_an_image_is_being_opened_no_other_verdict_stands_under_its_name(hand, choose, window, qtbot):
    page = choose(hand.ids[2])
    asked = []
    page.at_hand.loader.fetch = lambda *given: asked.append(given)  # a large image takes its time
    page.queue.list.choose(hand.ids[0])
    qtbot.waitUntil(lambda: page.viewer.view.message == "Opening…")
    assert asked
    assert page.viewer.name.text() == "part 0.png"
    assert page.panel.score.text() == ""
    assert page.panel.regions.rowCount() == 0
    assert not page.panel.accept.isEnabled()


def test_results_of_one_detector_are_found(hand, window, idle, qtbot):
    window.show_page("results")
    idle()
    page = window.page
    assert page.filters.detector.itemText(1).startswith("#1 PatchCore · washer")
    page.filters.detector.setCurrentIndex(1)
    page.filters.detector.activated.emit(1)
    idle()
    assert page.model.rowCount() == 4
    assert not page.filters.empty


def test_the_queue_is_wider_in_a_wide_window_and_stays_as_it_was_dragged(hand, window, qtbot):
    page = window.page
    window.resize(1920, 1080)
    qtbot.waitUntil(lambda: page.queue.width() > 280)
    page.split.moveSplitter(400, 1)
    assert page.split._dragged[0] == page.queue.width()
    wide = page.queue.width()
    window.resize(1700, 1000)
    qtbot.waitUntil(lambda: page.split.width() == window.width())
    assert page.queue.width() == wide

    def kept():
        return type(page.split)("inspect", page.split._sides)._dragged

    qtbot.waitUntil(lambda: kept() is not None)
    assert kept()[0] == wide


def test_the_regions_are_reached_by_tab_and_enter_shows_one(hand, choose, qtbot):
    page = choose(hand.ids[2])
    table = page.panel.regions
    assert table.focusPolicy() & Qt.FocusPolicy.TabFocus
    table.setFocus()
    table.setCurrentCell(0, 0)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert page.viewer.view.selected == 0


def test_one_sees_that_the_keyboard_is_in_the_queue(hand, choose, window, idle, qtbot):
    page = choose(hand.ids[1])
    page.viewer.view.setFocus()
    idle()
    without = page.queue.list.grab().toImage()
    page.queue.list.setFocus()
    qtbot.waitUntil(page.queue.list.hasFocus)
    assert page.queue.list.grab().toImage() != without
    qtbot.keyClick(page.queue.list, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [hand.ids[2]])


def test_views_of_a_single_shot_are_not_called_shots_and_no_room_is_left_below_zero(qtbot):
    from inspector.domain import ScoreMap
    from inspector.verdicts.calibrate import thresholds

    view = ScoreView()
    qtbot.addWidget(view)
    found = thresholds([ScoreMap(np.full((2, 2), 0.01, np.float32), 0.01, "washer")] * 8, 0.05, 1)
    view.set_scores([0.0, 0.02], [0.01] * 8)
    view.set_thresholds(found, found)
    assert view.histogram.one_shot
    assert view.histogram.span()[0] == 0
    view.grab()


def test_regions_say_on_which_scale_they_are_marked(hand, choose, qtbot):
    page = choose(hand.ids[2])
    assert page.panel.regions_title.text() == "Regions (1)"
    assert page.panel.regions_note.text().startswith("Marked from review (0.400) on.")
    page = choose(hand.ids[0])
    assert page.panel.regions_title.text() == "No regions"
    assert page.panel.regions_note.isHidden()
