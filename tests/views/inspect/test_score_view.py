"""The histogram with its two thresholds."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from inspector.domain import Decision, ScoreMap, Thresholds
from inspector.verdicts.calibrate import thresholds
from inspector.verdicts.provenance import moved_by_hand
from inspector.views.inspect.scores.score_view import ScoreView, moved
from inspector.views.look import theme

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


def type_into(qtbot, box, text):
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, text) if text else qtbot.keyClick(box, Qt.Key.Key_Delete)
    qtbot.keyClick(box, Qt.Key.Key_Return)


def test_a_dragged_line_stops_at_the_other_and_says_so(view, qtbot):
    drag(qtbot, view, 0.4, 0.9)()
    assert (view.thresholds.review, view.thresholds.ng) == (CALIBRATED.ng, CALIBRATED.ng)
    assert view.said.text() == "Review stops at NG (0.600). Move NG first."
    view.set_thresholds(CALIBRATED, CALIBRATED)
    drag(qtbot, view, 0.6, 0.1)()
    assert (view.thresholds.review, view.thresholds.ng) == (CALIBRATED.review, CALIBRATED.review)
    assert view.said.text() == "NG stops at review (0.400). Move review first."


def test_an_exact_value_can_be_typed(view, qtbot):
    with qtbot.waitSignal(view.chosen) as seen:
        type_into(qtbot, view.ng_box, "0,725")
    assert seen.args[0].ng == 0.725
    assert seen.args[0].review == CALIBRATED.review
    assert view.histogram.ng == 0.725


def test_a_threshold_typed_past_the_other_is_refused_in_words(view, qtbot):
    kept = []
    view.chosen.connect(kept.append)
    type_into(qtbot, view.review_box, "0.9")
    assert view.said.text() == "Review 0.9 isn't taken: it can't lie above NG (0.600). Move NG first."
    type_into(qtbot, view.ng_box, "0.3")
    assert view.said.text() == "NG 0.3 isn't taken: it can't lie below review (0.400). Move review first."
    assert kept == []
    assert view.thresholds == CALIBRATED
    assert (view.review_box.text(), view.ng_box.text()) == ("0.400", "0.600")


@pytest.mark.parametrize("typed", ["-5", "99999", "abc", "abc-5", "1e400", "nan", "0x1", ""])
def test_what_is_no_threshold_is_refused_with_the_range(view, qtbot, typed):
    kept = []
    view.chosen.connect(kept.append)
    type_into(qtbot, view.ng_box, typed)
    assert view.said.isVisible()
    assert view.said.text().endswith("a number from 0 to 2.")
    assert typed in view.said.text()
    assert kept == []
    assert view.ng_box.text() == "0.600"
    assert view.histogram.span()[1] < 3


def test_arrow_keys_step_a_threshold(view, qtbot):
    view.ng_box.setFocus()
    with qtbot.waitSignal(view.chosen) as seen:
        qtbot.keyClick(view.ng_box, Qt.Key.Key_Up)
    assert seen.args[0].ng == pytest.approx(0.601)


def test_reset_brings_the_calibrated_thresholds_back(view, qtbot):
    assert not view.reset.isEnabled()
    type_into(qtbot, view.ng_box, "0.9")
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


def test_the_panel_says_where_the_thresholds_in_force_came_from(view):
    shots = [ScoreMap(np.array([[0.1, top]], np.float32), top, "washer") for top in (0.3, 0.31, 0.32, 0.33)]
    found = thresholds(shots, 0.05, 4)
    view.set_thresholds(found, found)
    assert view.provenance.text().startswith("From 4 normal shots, each left out once.")
    view.set_thresholds(moved_by_hand(moved(found, found.review, found.ng * 2), found, "Ada"), found)
    assert view.provenance.text().startswith("Moved by hand by Ada")
    assert f"NG {found.ng:.3f}" in view.provenance.text()


def test_what_is_moved_and_moved_back_is_the_same():
    stricter = moved(CALIBRATED, 0.3, 0.6)
    assert (stricter.review, stricter.ng) == (0.3, 0.6)
    assert stricter.provenance == CALIBRATED.provenance
    assert moved(CALIBRATED, 0.4, 0.6) == CALIBRATED


def columns(histogram, decision):
    """Where a line in a verdict's colour crosses the room above the bars."""
    image, ink = histogram.grab().toImage(), QColor(theme.VERDICTS[decision]).rgb()
    ratio = image.width() / histogram.width()
    return [x / ratio for x in range(image.width()) if image.pixel(x, round(17 * ratio)) == ink]


def test_a_line_is_drawn_where_the_mouse_takes_it(view, qtbot):
    line = view.histogram
    for size in ((300, 420), (500, 600)):
        view.resize(*size)
        for decision in (Decision.REVIEW, Decision.NG):
            at = line.x_of(line.ng if decision is Decision.NG else line.review)
            assert columns(line, decision) == pytest.approx([at] * len(columns(line, decision)), abs=2)
            assert columns(line, decision)
    drag(qtbot, view, 0.6, 0.8)()
    assert columns(line, Decision.NG)[0] == pytest.approx(line.x_of(0.8), abs=2)


def test_the_axis_starts_at_zero_and_keeps_its_width_whatever_the_scores(view, qtbot):
    assert view.histogram.span() == pytest.approx((0, 1.06))
    view.set_scores([0.2, np.inf, np.nan, 0.9], [0.1])
    assert view.histogram.span()[0] >= 0
    assert view.histogram.span()[1] < 1
    for _ in range(5):  # to the end and back
        drag(qtbot, view, view.thresholds.ng, view.histogram.span()[1])()
    drag(qtbot, view, view.thresholds.ng, 0.6)()
    assert view.histogram.span()[1] < 1
    view.set_scores([-0.5, 0.3], [])
    assert view.histogram.span()[0] < -0.5


def test_scores_are_counted_in_whatever_order_they_come(view):
    view.set_scores([0.9, 0.1, np.nan, 0.6, 0.5, 0.4, 0.1], [0.3, 0.2])
    assert view.counts.text() == "✓ 2 OK   ? 2 review   ✕ 2 NG"  # a score at a threshold reaches it
    assert view.histogram.span()[0] < 0.1
    assert view.histogram.span()[1] > 0.9
