"""The current result large beside the others."""

import pytest
from PySide6.QtCore import Qt

from inspector.domain import Decision, Thresholds
from inspector.records.reviews import add_review
from inspector.records.thresholds import set_thresholds
from inspector.views.results.page import ResultsPage


@pytest.fixture
def page(context, stock, qtbot):
    made = ResultsPage(context)
    qtbot.addWidget(made)
    made.resize(1280, 720)
    with qtbot.waitExposed(made):
        made.show()
    context.set_project(stock.project)
    qtbot.waitUntil(lambda: made.model.rowCount() == 4)
    return made


def choose(qtbot, page, result_id):
    page.selection.choose([result_id])
    qtbot.waitUntil(lambda: page.preview.shown is not None and page.preview.shown.detail.row.id == result_id)


def test_the_current_result_stands_beside_the_table_with_its_heat_and_follows_what_changes(
    page, context, stock, qtbot
):
    assert page.preview.isVisible()
    choose(qtbot, page, stock.ids[2])
    view = page.preview.view
    qtbot.waitUntil(lambda: view.overlay_on)
    assert (view.heat.threshold, view.picture.width) == (0.4, 96)
    assert view.values.max() == pytest.approx(0.8)
    assert (page.preview.name.text(), page.preview.score.text()) == ("part 2.png", "0.800")
    assert page.preview.chip.words == "✕ NG"
    add_review(stock.project, [stock.ids[2]], Decision.OK, who="Bo", reason="dust")
    context.results_changed.emit()
    qtbot.waitUntil(lambda: page.preview.chip.words == "✓ OK")
    assert "Bo" in page.preview.facts.text()
    move = set_thresholds(stock.project, stock.detector_id, stock.class_id, Thresholds(0.7, 0.9, 0.4))
    context.thresholds_moved.emit(move)
    assert view.heat.threshold == 0.7
    choose(qtbot, page, stock.ids[3])
    assert "truncated" in view.message
    page.preview.opened.emit(stock.ids[3])
    assert context.wanted_result == stock.ids[3]


def test_a_narrow_window_has_no_preview_unless_somebody_asks_and_that_is_remembered(
    page, context, stock, qtbot
):
    page.resize(1040, 700)
    assert not page.preview.isVisible()
    assert not page.bar.preview.isChecked()
    page.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_P)
    assert page.preview.isVisible()
    choose(qtbot, page, stock.ids[1])
    page.resize(1280, 720)
    page.bar.preview.click()
    assert page.preview.isHidden()
    again = ResultsPage(context)
    qtbot.addWidget(again)
    again.resize(1400, 800)
    again.show()
    assert again.preview.isHidden()
