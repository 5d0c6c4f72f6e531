"""What moving a threshold for good asks of the database, in the real window with every page open."""

import shutil
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from sqlalchemy import event

from inspector.domain import Decision
from inspector.records.inspected.results import find_result
from inspector.records.result_filter import ResultFilter, ResultSort
from inspector.views.review.result_model import VERDICT
from inspector.views.shared.context import ResultQuery

# The class's name and the last act are read; an act is added, and how many there are.
AUDIT = 4
# It is a part of what is stored together with its record.
TOGETHER = 2
# Shots called good, earlier thresholds and what is another product are read; a row is added, results are judged anew.
WRITES = 5 + AUDIT + TOGETHER
# What is filtered away with removed runs, and the counts.
COUNTS = 3
# Whether there are golden parts of the class: before it is asked for, and when it is written.
GOLDEN = 2
# Whether undoing lets parts pass: what is in force and what teaching found.
ASKED = 2


@pytest.fixture
def hand(window, stocked, tmp_path, qtbot, idle):
    """The stocked project on Inspect at its review result, after every other page was open."""
    window.context.settings.reviewer = "Ada"
    folder = shutil.copytree(stocked[0], tmp_path / "stock")
    window.open_project(folder, "teach")
    qtbot.waitUntil(lambda: window.context.project is not None)
    for name in ("results", "evaluate", "inspect"):
        idle()
        window.show_page(name)
    idle()
    window.page.queue.list.choose(stocked[1].ids[1])
    qtbot.waitUntil(lambda: [row.id for row in window.page.at_hand.rows] == [stocked[1].ids[1]])
    idle()
    return replace(stocked[1], project=window.context.project)


@pytest.fixture
def statements(hand):
    """Everything that the database is asked from now on, but where transactions begin."""
    said = []

    def note(_connection, _cursor, statement, *_rest):
        if statement != "BEGIN":
            said.append(statement)

    event.listen(hand.project._engine, "before_cursor_execute", note)
    return said


def typed(qtbot, field, text):
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def dragged(qtbot, histogram, start, end):
    """Pull the line at a score to another one, and let go."""
    y = histogram.height() // 2
    x = [round(histogram.x_of(value)) for value in (start, end)]
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(x[0], y))
    for at in (sum(x) // 2, x[1]):
        qtbot.mouseMove(histogram, QPoint(at, y))
    qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=QPoint(x[1], y))


def verdicts(page):
    return [page.model.index(place, 0).data(VERDICT) for place in range(page.model.rowCount())]


def same_as_stored(page, hand):
    """What the page knows of its results is what a fresh reading says."""
    for place, result_id in enumerate(hand.ids):
        fresh = find_result(hand.project, result_id)
        row = page.model.row(place)
        assert (row.decision, row.verdict) == (fresh.row.decision, fresh.row.verdict)
    fresh = find_result(hand.project, page.queue.list.result_id)
    assert page.at_hand.shown.detail == fresh
    assert page.live.scores.current == fresh.thresholds
    return True


def test_a_typed_threshold_that_flips_a_verdict_costs_few_statements(hand, statements, window, idle, qtbot):
    page = window.page
    typed(qtbot, page.panel.scores.ng_box, "0.45")
    idle()
    assert len(statements) <= WRITES + COUNTS + GOLDEN, "\n".join(statements)
    assert verdicts(page) == [Decision.OK, Decision.NG, Decision.NG, None]
    assert page.panel.chip.words == "✕ NG"
    assert page.queue.counts.text() == "✓ 1   ? 0   ✕ 2   ! 1"
    assert same_as_stored(page, hand)
    statements.clear()
    window.menus.undo.trigger()
    idle()
    assert len(statements) <= ASKED + WRITES + COUNTS + GOLDEN, "\n".join(statements)
    assert verdicts(page) == [Decision.OK, Decision.REVIEW, Decision.NG, None]
    assert same_as_stored(page, hand)


def test_a_dragged_threshold_that_flips_nothing_costs_its_writing_only(hand, statements, window, idle, qtbot):
    page = window.page
    dragged(qtbot, page.panel.scores.histogram, 0.6, 0.7)
    idle()
    assert page.live.scores.current.ng == pytest.approx(0.7, abs=0.02)
    assert len(statements) <= WRITES + GOLDEN, "\n".join(statements)
    assert same_as_stored(page, hand)


def test_a_list_of_one_verdict_loses_what_a_moved_threshold_flips(hand, window, idle, qtbot):
    page = window.page
    among = ResultQuery(ResultFilter(verdict=Decision.NG), ResultSort.TIME)
    window.context.show_result(hand.ids[2], among=among)
    idle()
    assert page.model.ids.tolist() == [hand.ids[2]]
    typed(qtbot, page.panel.scores.ng_box, "0.9")
    idle()
    assert page.model.ids.tolist() == []


def test_results_read_again_when_they_are_shown_after_a_threshold_moved(hand, window, idle, qtbot):
    typed(qtbot, window.page.panel.scores.ng_box, "0.45")
    idle()
    window.show_page("results")
    idle()
    assert sorted(map(str, verdicts(window.page))) == ["None", "ng", "ng", "ok"]
    assert "✕ 2 NG" in window.page.counts.text()
