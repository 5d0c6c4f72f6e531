"""The Inspect page on a real project."""

import sqlite3

import pytest
from PySide6.QtCore import QPoint, Qt

from inspector.domain import Decision, JobItem
from inspector.errors import InspectorError
from inspector.exports.heat import Mode
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import find_result, list_results
from inspector.records.inspected.runs import start_run
from inspector.records.reviews import list_reviews
from inspector.records.thresholds import list_thresholds
from inspector.views.inspect.page import InspectPage
from inspector.views.review.result_model import VERDICT


@pytest.fixture
def empty_page(context, qtbot):
    page = InspectPage(context)
    qtbot.addWidget(page)
    page.resize(1280, 720)
    with qtbot.waitExposed(page):
        page.show()
    return page


@pytest.fixture
def page(empty_page, context, stock, qtbot):
    """The first result is shown and everything about it is known."""
    context.set_project(stock.project)
    shows(qtbot, empty_page, stock.ids[0])
    qtbot.waitUntil(lambda: empty_page.live.scores is not None)
    return empty_page


def shows(qtbot, page, result_id):
    qtbot.waitUntil(lambda: page.at_hand.shown is not None and page.at_hand.shown.detail.row.id == result_id)


def verdicts(page):
    return [page.model.index(place, 0).data(VERDICT) for place in range(page.model.rowCount())]


def test_without_a_project_one_button_leads_to_start(empty_page, context, qtbot):
    assert empty_page.pages.currentWidget() is empty_page.closed
    with qtbot.waitSignal(context.page_requested) as asked:
        empty_page.closed.button.click()
    assert asked.args == ["start"]


def test_without_a_detector_one_button_leads_to_teach(empty_page, context, project, qtbot):
    context.set_project(project)
    qtbot.waitUntil(lambda: empty_page.pages.currentWidget() is empty_page.untaught)
    with qtbot.waitSignal(context.page_requested) as asked:
        empty_page.untaught.button.click()
    assert asked.args == ["teach"]


def test_without_results_the_middle_asks_for_images(empty_page, context, stock, qtbot):
    with sqlite3.connect(stock.project.folder / "project.sqlite") as database:
        database.execute("DELETE FROM regions")
        database.execute("DELETE FROM results")
    database.close()
    context.set_project(stock.project)
    qtbot.waitUntil(lambda: empty_page.pages.currentWidget() is empty_page.split)
    qtbot.waitUntil(lambda: empty_page.centre.currentWidget() is empty_page.nothing)
    assert empty_page.queue.add_button.isEnabled()


def test_opening_a_project_shows_its_newest_run_and_the_first_result(page, stock):
    assert page.queue.run.currentText().startswith("#1 Monday · ")
    assert page.queue.judge.text().startswith("Judged by #1 PatchCore · washer · ")
    assert page.queue.run.currentText().endswith(" (4)")
    assert page.model.ids.tolist() == list(stock.ids)
    assert page.viewer.name.text() == "part 0.png"
    assert (page.viewer.view.picture.width, page.viewer.view.picture.height) == (96, 64)
    assert page.panel.chip.words == "✓ OK"
    assert page.panel.score.text() == "0.200"
    assert page.panel.class_line.text() == "washer (found, 90\u00a0% sure), judged by #1"
    assert page.panel.scores.histogram.normal.tolist() == [0.15, 0.2, 0.3]
    assert page.panel.scores.histogram.scores.tolist() == pytest.approx([0.2, 0.5, 0.8])


def test_arrow_keys_walk_through_the_queue(page, stock, qtbot):
    qtbot.keyClick(page, Qt.Key.Key_Right)
    shows(qtbot, page, stock.ids[1])
    assert page.panel.chip.words == "? Review"
    qtbot.keyClick(page, Qt.Key.Key_Left)
    shows(qtbot, page, stock.ids[0])
    qtbot.keyClick(page, Qt.Key.Key_Left)
    assert page.queue.list.result_id == stock.ids[0]


def test_a_neighbour_that_was_read_ahead_is_shown_in_the_same_turn(page, stock, qtbot):
    qtbot.waitUntil(
        lambda: stock.ids[1] in page.at_hand.loader._pixels and stock.ids[1] in page.at_hand.loader._details
    )
    qtbot.keyClick(page, Qt.Key.Key_Right)
    assert page.at_hand.shown.detail.row.id == stock.ids[1]


def test_keys_change_the_overlay(page, qtbot):
    view = page.viewer.view
    qtbot.keyClick(page, Qt.Key.Key_Space)
    assert not view.overlay_on
    for key, mode in ((Qt.Key.Key_2, Mode.CONTOUR), (Qt.Key.Key_3, Mode.MASK), (Qt.Key.Key_1, Mode.HEAT)):
        qtbot.keyClick(page, key)
        assert view.heat.mode is mode
    assert view.overlay_on
    scale = view.scale
    qtbot.keyClick(page, Qt.Key.Key_Plus)
    assert view.scale > scale
    qtbot.keyClick(page, Qt.Key.Key_0)
    assert view.scale == pytest.approx(scale)


def test_typing_a_threshold_does_not_press_keys_of_the_page(page, qtbot):
    box = page.panel.scores.ng_box
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "0.5")
    assert page.viewer.view.heat.mode is Mode.HEAT
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert page.panel.scores.thresholds.ng == pytest.approx(0.5)


def test_regions_are_listed_and_a_click_brings_one_into_view(page, stock, qtbot):
    page.queue.list.choose(stock.ids[2])
    shows(qtbot, page, stock.ids[2])
    table = page.panel.regions
    assert [table.item(0, column).text() for column in range(4)] == ["1", "24×16", "384", "0.800"]
    before = page.viewer.view.scale
    table.cellClicked.emit(0, 1)
    assert page.viewer.view.scale > before
    assert page.viewer.view.selected == 0
    assert page.viewer.view.view()[1:] == pytest.approx((36 / 96, 24 / 64))


def drag(qtbot, page, start, end):
    line = page.panel.scores.histogram
    places = [QPoint(round(line.x_of(score)), line.height() // 2) for score in (start, end)]
    qtbot.mousePress(line, Qt.MouseButton.LeftButton, pos=places[0])
    qtbot.mouseMove(line, places[1])
    return lambda: qtbot.mouseRelease(line, Qt.MouseButton.LeftButton, pos=places[1])


def test_a_moving_threshold_judges_the_list_the_chip_and_the_mask_at_once(page, stock, qtbot):
    page.queue.list.choose(stock.ids[1])
    shows(qtbot, page, stock.ids[1])
    qtbot.waitUntil(lambda: verdicts(page)[:3] == [Decision.OK, Decision.REVIEW, Decision.NG])
    drag(qtbot, page, 0.6, 0.45)
    assert verdicts(page)[:3] == [Decision.OK, Decision.NG, Decision.NG]
    assert page.panel.chip.words == "✕ NG"
    threshold = page.viewer.view.heat.threshold
    page.panel.scores.move_to(0.55, 0.7)
    assert page.viewer.view.heat.threshold > threshold
    assert page.panel.chip.words == "✓ OK"
    assert find_result(stock.project, stock.ids[1]).row.decision is Decision.REVIEW  # not stored yet


def test_a_released_threshold_is_stored_and_undo_brings_the_old_one_back(page, stock, qtbot):
    def decision():
        return find_result(stock.project, stock.ids[1]).row.decision

    drag(qtbot, page, 0.6, 0.45)()
    qtbot.waitUntil(lambda: decision() is Decision.NG)
    stored = list_thresholds(stock.project, stock.detector_id)[stock.class_id]
    assert stored.who == "Ada"
    assert stored.thresholds.ng == pytest.approx(0.45, abs=0.02)
    qtbot.waitUntil(lambda: page.context.undo.canUndo() and page.panel.scores.reset.isEnabled())
    page.context.undo.undo()
    qtbot.waitUntil(lambda: decision() is Decision.REVIEW)
    qtbot.waitUntil(lambda: page.panel.scores.thresholds.ng == stock.thresholds.ng)


def test_a_lower_threshold_cuts_new_regions(page, stock, qtbot):
    assert page.viewer.view.regions == ()
    page.panel.scores.move_to(0.15, 0.6)
    qtbot.waitUntil(lambda: len(page.viewer.view.regions) == 1)
    assert page.panel.regions.rowCount() == 1
    page.panel.scores.move_to(0.3, 0.6)
    qtbot.waitUntil(lambda: page.viewer.view.regions == ())


def test_the_nearest_good_shot_moves_with_the_image(page, qtbot):
    qtbot.keyClick(page, Qt.Key.Key_C)
    good = page.viewer.good
    qtbot.waitUntil(lambda: good.view.picture is not None)
    assert good.view.note.startswith("Nearest good shot: shot ")
    page.viewer.view.set_view(3.0, 0.3, 0.6)
    assert good.view.view() == pytest.approx((3.0, 0.3, 0.6))
    good.view.zoom(2)
    assert page.viewer.view.view() == pytest.approx(good.view.view())
    qtbot.keyClick(page, Qt.Key.Key_C)
    assert good.isHidden()


def test_accepting_signs_the_verdict_and_goes_on(page, stock, qtbot):
    qtbot.keyClick(page, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: len(list_reviews(stock.project, stock.ids[0])) == 1)
    review = list_reviews(stock.project, stock.ids[0])[0]
    assert (review.decision, review.who) == (Decision.OK, "Ada")
    shows(qtbot, page, stock.ids[1])


def test_an_override_keeps_reason_and_type_and_can_be_undone(page, stock, qtbot):
    qtbot.keyClick(page, Qt.Key.Key_X)
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.choices.checkedButton().text() == "✕ NG"
    page.popup.reason.setText("hair crack")
    page.popup.defect_type.setEditText("crack")
    qtbot.keyClick(page.popup.reason, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.panel.chip.words == "✕ NG")
    assert "NG instead of OK by Ada" in page.panel.remark.text()
    assert "hair crack" in page.panel.remark.text()
    row = find_result(stock.project, stock.ids[0]).row
    assert (row.override, row.defect_type) == (Decision.NG, "crack")
    qtbot.waitUntil(page.context.undo.canUndo)
    qtbot.keyClick(page, Qt.Key.Key_U)
    qtbot.waitUntil(lambda: page.panel.chip.words == "✓ OK")
    history = list_reviews(stock.project, stock.ids[0])
    assert [review.withdrawn for review in history] == [True, False]  # nothing was deleted


def test_a_file_that_failed_shows_why(page, stock, qtbot):
    page.queue.list.choose(stock.ids[3])
    shows(qtbot, page, stock.ids[3])
    assert page.viewer.view.picture is None
    assert page.viewer.view.message == "“broken.png” is truncated.\nCopy it again."
    assert page.panel.chip.words == "! Failed"
    assert not page.panel.accept.isEnabled()


def test_a_lost_map_is_called_unavailable_and_the_image_still_shown(page, stock, qtbot):
    row = list_results(stock.project, [stock.ids[2]])[0]
    row.map_path.write_bytes(b"not a map")
    page.at_hand.loader.clear()
    page.queue.list.choose(stock.ids[2])
    shows(qtbot, page, stock.ids[2])
    assert page.viewer.view.note == "heatmap unavailable"
    assert page.viewer.view.picture is not None


def test_an_image_missing_from_the_project_gives_a_sentence(page, stock, qtbot):
    list_results(stock.project, [stock.ids[2]])[0].path.unlink()
    page.at_hand.loader.clear()
    page.queue.list.choose(stock.ids[2])
    shows(qtbot, page, stock.ids[2])
    assert page.viewer.view.picture is None
    assert len(page.viewer.view.message) > 20


def test_results_stream_in_while_a_job_runs(page, stock, context, qtbot):
    page.queue.list.choose(stock.ids[1])
    for number in range(3):
        new = stock.add(f"new {number}.png", 0.7, 60 + number)
        context.job_event.emit(JobItem(1, f"new {number}.png", new))
    qtbot.waitUntil(lambda: page.model.rowCount() == 7)
    assert page.queue.list.result_id == stock.ids[1]
    qtbot.waitUntil(lambda: "✕ 4" in page.queue.counts.text())


def test_a_result_of_another_run_is_found_and_shown(page, stock, context, qtbot):
    empty = start_run(stock.project, stock.detector_id, "Tuesday")
    context.results_changed.emit()
    page._read_holdings()
    qtbot.waitUntil(lambda: page.queue.run.count() == 3)
    page.queue.run.setCurrentIndex(page.queue.run.findData(empty))
    page.queue.question_changed.emit()
    qtbot.waitUntil(lambda: page.model.rowCount() == 0)
    context.wanted_result = stock.ids[2]
    page.activated()
    shows(qtbot, page, stock.ids[2])
    assert page.queue.run.currentText() == "All results"


def test_a_detector_that_lost_its_files_is_not_offered(empty_page, context, stock, qtbot):
    find_detector(stock.project).folder.joinpath("detector.json").unlink()
    context.set_project(stock.project)
    shows(qtbot, empty_page, stock.ids[0])  # old results can still be looked at
    qtbot.waitUntil(lambda: not empty_page.queue.add_button.isEnabled())
    assert empty_page.queue.detector.count() == 0


def test_an_unwritable_review_is_told_and_changes_nothing(page, stock, context, qtbot):
    stock.project.read_only = True
    with qtbot.waitSignal(context.error_raised) as told:
        page.accept()
    assert isinstance(told.args[0], InspectorError)
    stock.project.read_only = False
    assert list_reviews(stock.project, stock.ids[0]) == []
    assert not page.context.undo.canUndo()


def test_the_image_has_most_of_a_small_window(page):
    assert page.centre.width() >= 0.6 * page.width()
    page.toggle_panels()
    assert page.queue.isHidden()
    page.toggle_panels()
    assert not page.panel.isHidden()


def test_the_colour_scale_follows_the_detector_and_not_the_image(page, stock, qtbot):
    ends = set()
    for result_id in stock.ids[:3]:
        page.queue.list.choose(result_id)
        shows(qtbot, page, result_id)
        ends.add((page.viewer.view.heat.low, page.viewer.view.heat.high))
    assert len(ends) == 1


def test_the_queue_in_order_of_doubt_leads_from_one_doubtful_part_to_the_next(
    hand, choose, window, idle, qtbot
):
    good, doubtful, bad, broken = hand.ids
    page = choose(good)
    order = page.queue.order
    order.setCurrentIndex(order.findText("Most doubtful first"))
    order.activated.emit(order.currentIndex())
    idle()
    assert page.model.ids.tolist() == [doubtful, good, bad, broken]
    page.queue.list.choose(good)
    idle()
    page.viewer.view.setFocus()
    qtbot.keyClick(page.viewer.view, Qt.Key.Key_A)
    idle()
    qtbot.waitUntil(lambda: page.model.ids.tolist() == [doubtful, bad, good, broken])
    assert page.queue.list.result_id == bad
