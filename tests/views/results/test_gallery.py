"""Results as pictures: the table's model and selection, other looks."""

import sqlite3
import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from inspector.domain import Decision
from inspector.records.inspected.results import list_results
from inspector.views.results.heat_thumbnails import make
from inspector.views.results.page import ResultsPage
from inspector.views.review.result_model import ResultModel


@pytest.fixture
def page(context, stock, qtbot):
    made = ResultsPage(context)
    qtbot.addWidget(made)
    made.resize(1280, 720)
    with qtbot.waitExposed(made):
        made.show()
    context.set_project(stock.project)
    qtbot.waitUntil(lambda: made.model.rowCount() == 4 and "✓" in made.counts.text())
    made.bar.gallery.click()
    qtbot.waitUntil(lambda: made.middle.currentWidget() is made.gallery)
    return made


def spot(page, result_id):
    return page.gallery.visualRect(page.model.index(page.model.place(result_id), 0)).center()


def click(qtbot, page, result_id, keys=Qt.KeyboardModifier.NoModifier):
    qtbot.mouseClick(page.gallery.viewport(), Qt.MouseButton.LeftButton, keys, spot(page, result_id))


def fill(stock, count):
    with sqlite3.connect(stock.project.folder / "project.sqlite") as database:
        database.executemany(
            "INSERT INTO results (run_id, detector_id, class_id, name, image_score, class_confidence, decision,"
            " defect_type, is_shot, error, hint, created) VALUES (?, ?, ?, ?, 0.1, 1, 'ok', '', 0, '', '',"
            " '2026-01-01 00:00:00.000000')",
            ((stock.run_id, stock.detector_id, stock.class_id, f"part {n:06d}.png") for n in range(count)),
        )
    database.close()


def test_heat_is_drawn_where_the_map_reaches_review_and_a_good_part_is_untouched(page, stock, qtbot):
    good, _, bad, _ = list_results(stock.project, stock.ids)
    qtbot.waitUntil(lambda: page.heats.ready(bad))
    heat = page.heats.get(bad)
    assert (heat.threshold, heat.low) == (0.4, 0.4)
    hot, cold = QPoint(36, 24), QPoint(80, 50)
    for row, spots in ((good, ()), (bad, (hot,))):
        plain, drawn = make(row, 160, None), make(row, 160, heat)
        for place in (hot, cold):
            assert (drawn.pixel(place) != plain.pixel(place)) is (place in spots)
    bad.map_path.unlink()
    assert make(bad, 160, heat).textKeys()  # it is said to be without its map


def test_pictures_come_and_follow_a_move_of_thresholds(page, stock, qtbot):
    rows = list_results(stock.project, stock.ids)
    qtbot.waitUntil(lambda: page.pictures.get(rows[2], page.update) is not None)
    assert page.pictures.failed(rows[3])  # a broken file has none
    before = page.pictures.get(rows[2], page.update).toImage()
    page.context.settings.overlay_opacity = 1.0
    page.context.settings_changed.emit()
    qtbot.waitUntil(lambda: page.pictures.get(rows[2], page.update) is not None)
    assert page.pictures.get(rows[2], page.update).toImage() != before


def test_selecting_in_the_gallery_is_selecting_in_the_table(page, stock, qtbot):
    newest = list(reversed(stock.ids))
    click(qtbot, page, newest[0])
    click(qtbot, page, newest[2], Qt.KeyboardModifier.ShiftModifier)
    assert page.selection.ids().tolist() == newest[:3]
    click(qtbot, page, newest[1], Qt.KeyboardModifier.ControlModifier)
    assert page.selection.ids().tolist() == [newest[0], newest[2]]
    qtbot.keyClick(page.gallery, Qt.Key.Key_G)
    assert page.middle.currentWidget() is page.table
    assert page.selection.ids().tolist() == [newest[0], newest[2]]
    assert {index.row() for index in page.table.selectionModel().selectedRows()} == {0, 2}
    qtbot.keyClick(page.table, Qt.Key.Key_G)
    qtbot.keyClick(page.gallery, Qt.Key.Key_Home)
    qtbot.keyClick(page.gallery, Qt.Key.Key_Right)
    assert page.selection.ids().tolist() == [newest[1]]


def test_results_are_judged_and_opened_from_the_gallery(page, context, stock, qtbot):
    click(qtbot, page, stock.ids[0])
    qtbot.waitUntil(page.accept_button.isEnabled)
    page.gallery.setFocus()
    qtbot.keyClick(page.gallery, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: list_results(stock.project, stock.ids[:1])[0].override is Decision.OK)
    with qtbot.waitSignal(context.page_requested) as asked:
        qtbot.mouseDClick(page.gallery.viewport(), Qt.MouseButton.LeftButton, pos=spot(page, stock.ids[0]))
    assert asked.args == ["inspect"]
    assert context.wanted_result == stock.ids[0]


def test_the_order_of_the_gallery_is_the_tables(page, stock, qtbot):
    page.bar.order.setCurrentText("Highest score first")
    page.bar.order.activated.emit(page.bar.order.currentIndex())
    qtbot.waitUntil(lambda: page.model.ids.tolist()[0] == stock.ids[2])
    assert page.question.sort == "score"


def test_how_results_were_shown_is_remembered(page, context, qtbot):
    page.bar.slider.setValue(240)
    page.bar.slider.sliderReleased.emit()
    again = ResultsPage(context)
    qtbot.addWidget(again)
    assert again.bar.as_gallery
    assert again.gallery.side == 240
    assert again.view is again.gallery


def test_scrolling_a_hundred_thousand_results_asks_only_for_those_in_sight(
    page, context, stock, qtbot, monkeypatch
):
    asked: set[int] = set()
    row = ResultModel.row
    monkeypatch.setattr(ResultModel, "row", lambda model, place: asked.add(place) or row(model, place))
    fill(stock, 100_000)
    context.results_changed.emit()
    qtbot.waitUntil(lambda: page.model.rowCount() == 100_004)
    bar = page.gallery.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 100_000)
    took = []
    for share in (*np.linspace(0.1, 0.9, 9), 1.0):
        asked.clear()
        start = time.thread_time()  # of this thread, so that a busy machine does not matter
        bar.setValue(round(bar.maximum() * share))
        page.gallery.viewport().repaint()
        took.append(time.thread_time() - start)
        seen = page.gallery.places(page.gallery.viewport().rect())
        assert asked <= set(seen)
        assert 0 < len(seen) < 100
    assert seen.stop == 100_004
    assert np.median(took) < 0.05
    asked.clear()
    page.gallery.selectAll()
    page.gallery.viewport().repaint()
    assert page.selection.count == 100_004
    assert len(asked) <= len(seen)
    qtbot.waitUntil(lambda: "100,004" in page.accept_button.toolTip())
