"""The histogram with its two thresholds."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from inspector.domain import ScoreMap, Thresholds
from inspector.verdicts.calibrate import thresholds
from inspector.views.inspect.score_histogram import ScoreView, moved, provenance_text

CALIBRATED = Thresholds(0.4, 0.6, 0.5, {"method": "leave-one-out", "shots": 4})


@pytest.fixture
def view(qtbot):
    made = ScoreView()
    qtbot.addWidget(made)
    made.resize(300, 420)
    with qtbot.waitExposed(made):
        made.show()
    made.set_scores(np.linspace(0, 1, 101), [0.1, 0.2, 0.3])
    made.set_thresholds(CALIBRATED, CALIBRATED)
    return made


def drag(qtbot, view, start, end):
    line = view.histogram
    points = [QPoint(round(line.x_of(score)), line.height() // 2) for score in (start, end)]
    qtbot.mousePress(line, Qt.MouseButton.LeftButton, pos=points[0])
    qtbot.mouseMove(line, points[1])
    return lambda: qtbot.mouseRelease(line, Qt.MouseButton.LeftButton, pos=points[1])


def test_dragging_a_line_moves_at_once_and_counts_on_release(view, qtbot):
    live, kept = [], []
    view.moved.connect(live.append)
    view.chosen.connect(kept.append)
    release = drag(qtbot, view, 0.6, 0.8)
    assert live
    assert live[-1].ng == pytest.approx(0.8, abs=0.01)
    assert live[-1].review == CALIBRATED.review
    assert not kept
    assert "✕ 21 NG" in view.counts.text() or "✕ 20 NG" in view.counts.text()
    release()
    assert kept == [live[-1]]


def test_one_line_pushes_the_other_so_review_never_lies_above_ng(view, qtbot):
    release = drag(qtbot, view, 0.4, 0.9)
    release()
    assert view.thresholds.review == pytest.approx(0.9, abs=0.01)
    assert view.thresholds.ng >= view.thresholds.review


def test_an_exact_value_can_be_typed(view, qtbot):
    with qtbot.waitSignal(view.chosen) as seen:
        view.ng_box.setValue(0.725)
    assert seen.args[0].ng == pytest.approx(0.725)
    assert view.histogram.ng == pytest.approx(0.725)


def test_reset_brings_the_calibrated_thresholds_back(view, qtbot):
    assert not view.reset.isEnabled()
    view.ng_box.setValue(0.9)
    assert view.reset.isEnabled()
    with qtbot.waitSignal(view.chosen) as seen:
        view.reset.click()
    assert seen.args[0] == CALIBRATED
    assert not view.reset.isEnabled()


def test_a_click_without_a_move_stores_nothing(view, qtbot):
    kept = []
    view.chosen.connect(kept.append)
    drag(qtbot, view, 0.6, 0.6)()
    drag(qtbot, view, 0.2, 0.9)()  # no line there
    assert kept == []


def test_without_thresholds_nothing_can_be_dragged(view, qtbot):
    view.set_thresholds(None, None)
    view.set_scores([], [])
    assert not view.review_box.isEnabled()
    assert view.histogram._line_at(view.histogram.x_of(0.5)) is None
    view.grab()


def test_the_panel_says_where_the_thresholds_came_from_and_what_they_promise():
    held_out = [
        ScoreMap(np.array([[0.1, score]], np.float32), score, "washer") for score in (0.3, 0.32, 0.35, 0.31)
    ]
    few = provenance_text(thresholds(held_out, 0.05, 4))
    assert few.startswith("From 4 normal shots, each left out once.")
    assert "20 % is the best that can be promised; 15 more shots let you promise 5 %." in few
    many = provenance_text(thresholds(held_out * 5, 0.05, 20))
    assert many.endswith("At most 5 % of good parts are called NG.")
    single = provenance_text(thresholds(held_out, 0.05, 1))
    assert single.startswith("From altered views of one normal shot.")


def test_a_stricter_review_threshold_also_marks_more_of_the_image():
    stricter = moved(CALIBRATED, 0.3, 0.6)
    assert stricter.pixel == pytest.approx(0.375)
    assert moved(CALIBRATED, 0.4, 0.9).pixel == CALIBRATED.pixel
    assert moved(Thresholds(-0.2, 0.1, 0.0), -0.3, 0.1).pixel == pytest.approx(-0.1)
    assert stricter.provenance == CALIBRATED.provenance
