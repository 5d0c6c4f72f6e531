"""Results as rows of a Qt model."""

import sqlite3
import time
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QTableView

from inspector.domain import Decision
from inspector.records.result_filter import EVERYTHING, ResultFilter, ResultSort
from inspector.records.reviews import add_review
from inspector.views.review.result_list import ResultList
from inspector.views.review.result_model import HEADINGS, ROW, VERDICT, ResultModel
from inspector.views.shared.context import ResultQuery

MANY = 100_000


@pytest.fixture
def model(context, stock, qtbot):
    context.set_project(stock.project)
    return ResultModel(context, context)


def ask(qtbot, model, where=EVERYTHING, sort=ResultSort.TIME, descending=False):
    with qtbot.waitSignal(model.arrived):
        model.ask(ResultQuery(where, sort, descending))


def read(qtbot, model, places):
    qtbot.waitUntil(lambda: None not in [model.row(place) for place in places])


def test_rows_appear_in_the_order_that_was_asked_for(model, stock, qtbot):
    ask(qtbot, model, ResultFilter(failed=False), ResultSort.SCORE, True)
    read(qtbot, model, range(3))
    scores = [model.data(model.index(place, HEADINGS.index("Score"))) for place in range(3)]
    assert scores == ["0.800", "0.500", "0.200"]
    assert [model.place(i) for i in stock.ids[:3]] == [2, 1, 0]


def test_every_row_says_what_became_of_its_image(model, stock, qtbot):
    ask(qtbot, model)
    read(qtbot, model, range(4))
    verdicts = [model.data(model.index(place, HEADINGS.index("Verdict"))) for place in range(4)]
    assert verdicts == ["✓ OK", "? Review", "✕ NG", "! Failed"]
    assert model.index(3, 0).data(ROW).error == "“broken.png” is truncated."
    assert "Copy it again." in model.data(model.index(3, 0), Qt.ItemDataRole.ToolTipRole)
    assert model.index(3, 0).data(VERDICT) is None


def test_new_results_are_appended_and_the_selection_stays(model, stock, context, qtbot):
    view = ResultList(context, model)
    qtbot.addWidget(view)
    ask(qtbot, model)
    view.choose(stock.ids[1])
    resets = []
    model.modelReset.connect(lambda: resets.append(1))
    for number in range(5):
        stock.add(f"new {number}.png", 0.3, 50 + number)
        model.refresh()
    qtbot.waitUntil(lambda: model.rowCount() == 9)
    assert not resets
    assert view.result_id == stock.ids[1]
    assert view.currentIndex().row() == 1


def test_the_selection_follows_its_result_into_another_order(model, stock, context, qtbot):
    view = ResultList(context, model)
    qtbot.addWidget(view)
    ask(qtbot, model)
    view.choose(stock.ids[0])
    chosen = []
    view.chosen.connect(chosen.append)
    ask(qtbot, model, ResultFilter(failed=False), ResultSort.SCORE, True)
    assert view.currentIndex().row() == 2
    assert chosen == []


def test_thresholds_that_move_judge_every_row_anew_but_a_persons_word_stays(model, stock, qtbot):
    add_review(stock.project, [stock.ids[2]], Decision.NG, who="Ada")
    ask(qtbot, model)
    read(qtbot, model, range(4))
    first = model.row(0)
    lenient = replace(stock.thresholds, review=0.85, ng=0.9)
    model.set_live(first.detector_id, first.class_id, lenient)
    assert [model.index(n, 0).data(VERDICT) for n in range(3)] == [Decision.OK, Decision.OK, Decision.NG]
    model.set_live(first.detector_id, first.class_id, None)
    assert model.index(1, 0).data(VERDICT) == Decision.REVIEW


def test_a_filter_narrows_the_rows(model, stock, qtbot):
    ask(qtbot, model, ResultFilter(text="part 2"))
    assert model.ids.tolist() == [stock.ids[2]]
    ask(qtbot, model, ResultFilter(verdict=Decision.REVIEW))
    assert model.ids.tolist() == [stock.ids[1]]


def test_what_was_reviewed_elsewhere_is_read_again(model, stock, qtbot):
    ask(qtbot, model)
    read(qtbot, model, range(4))
    add_review(stock.project, [stock.ids[0]], Decision.NG, who="Ada", defect_type="scratch")
    model.refresh(rows_too=True)
    qtbot.waitUntil(lambda: (row := model.row(0)) is not None and row.override is Decision.NG)
    assert model.data(model.index(0, HEADINGS.index("Verdict"))) == "✕ NG overridden"
    assert model.data(model.index(0, HEADINGS.index("Defect type"))) == "scratch"


def test_closing_the_project_empties_the_model(model, context, qtbot):
    ask(qtbot, model)
    context.set_project(None)
    model.clear()
    assert model.rowCount() == 0


def test_a_hundred_thousand_results_scroll_without_blocking_the_window(model, stock, context, qtbot):
    scores = np.random.default_rng(0).random(MANY)
    with sqlite3.connect(stock.project.folder / "project.sqlite") as database:
        database.executemany(
            "INSERT INTO results (run_id, detector_id, class_id, name, image_score, class_confidence, decision,"
            " defect_type, is_shot, error, hint, created) VALUES (?, ?, ?, ?, ?, 1, 'ok', '', 0, '', '',"
            " '2026-01-01 00:00:00.000000')",
            (
                (stock.run_id, stock.detector_id, stock.class_id, f"part {n:06d}.png", float(score))
                for n, score in enumerate(scores)
            ),
        )
    database.close()
    view = QTableView()
    qtbot.addWidget(view)
    view.setModel(model)
    view.resize(900, 600)
    with qtbot.waitExposed(view):
        view.show()
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(2)
    ask(qtbot, model, ResultFilter(failed=False), ResultSort.SCORE, True)
    assert len(ticks) > 3  # the window lived on while the database sorted
    timer.stop()
    assert model.rowCount() == MANY + 3
    took = []
    random = np.random.default_rng(1)
    for place in random.integers(0, MANY, 20):
        start = time.thread_time()  # of this thread, so that a busy machine does not matter
        view.scrollTo(model.index(int(place), 0))
        view.viewport().repaint()
        took.append(time.thread_time() - start)
        qtbot.wait(1)
    place = int(random.integers(0, MANY))
    view.scrollTo(model.index(place, 0))
    read(qtbot, model, [place])
    assert model.row(place).image_score == pytest.approx(
        np.sort(np.append(scores, (0.2, 0.5, 0.8)))[::-1][place]
    )
    assert np.median(took) < 0.05
    assert len(model._known._rows) <= 4000
