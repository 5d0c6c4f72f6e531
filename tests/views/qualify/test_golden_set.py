"""The golden set in the window: from a right click to the signature that a change needs."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.inspected.results import find_result
from inspector.records.qualification.checks import list_checks
from inspector.records.qualification.golden import list_golden
from inspector.records.thresholds import list_thresholds
from inspector.verdicts.provenance import Basis
from inspector.views.window.main_window import MainWindow
from tests.views.conftest import Stock

Idle = Callable[[], None]


@pytest.fixture
def golden(window: MainWindow, hand: Stock, idle: Idle) -> Stock:
    """The OK part must be OK, the NG part NG; by right clicks on Inspect."""
    for result_id, words in ((hand.ids[0], "OK"), (hand.ids[2], "NG")):
        _call(window, idle, result_id, words)
    return hand


def _call(window: MainWindow, idle: Idle, result_id: int, words: str) -> None:
    page: Any = window.pages["inspect"]
    page.queue.list.choose(result_id)
    idle()
    page._menu(page.queue.list, page.queue.list.visualRect(page.queue.list.currentIndex()).center())
    (menu,) = (one for one in page.findChildren(QMenu) if one.title() == "Golden set")
    (action,) = (one for one in menu.actions() if one.text().endswith(words))
    action.trigger()
    menu.parent().close()
    menu.parent().deleteLater()
    menu.setParent(None)
    idle()


def _typed(qtbot: QtBot, field: Any, text: str) -> None:
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def _move(page: Any, qtbot: QtBot, idle: Idle) -> None:
    """To where every part is OK, with a yes to that."""
    page.panel.scores.move_to(0.9, 0.95)
    page.panel.scores._released()
    idle()
    qtbot.mouseClick(page.judging.edits.passing.box.buttons()[0], Qt.MouseButton.LeftButton)
    idle()


def _ng(stock: Stock) -> float:
    return list_thresholds(stock.project, stock.detector_id)[stock.class_id].thresholds.ng


def test_a_right_click_makes_a_golden_part_and_undo_takes_it_back(
    golden: Stock, window: MainWindow, idle: Idle
) -> None:
    assert [one.expected for one in list_golden(golden.project)] == [Decision.OK, Decision.NG]
    window.show_page("qualify")
    idle()
    section: Any = window.page.section  # type: ignore[attr-defined]
    assert section.table.rowCount() == 2
    assert section.heading.text() == "Golden set: all 2 parts are judged as they must be."
    window.context.undo.undo()
    idle()
    assert [one.expected for one in list_golden(golden.project)] == [Decision.OK]
    assert section.table.rowCount() == 1


def test_thresholds_that_let_a_golden_defect_pass_wait_for_a_signature(
    golden: Stock, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    page: Any = window.page
    before = list_thresholds(golden.project, golden.detector_id)[golden.class_id].thresholds
    page.queue.list.choose(golden.ids[2])
    idle()
    _move(page, qtbot, idle)
    gate = page.judging.edits.golden
    assert "1 golden part of 2 would not be judged as it must be" in gate.box.said.text()
    cells = [gate.box.table.item(0, column).text() for column in range(5)]
    assert cells == ["part 2.png", "washer", "✕ NG", "✓ OK", "0.800"]
    assert not gate.box.sign.isEnabled()
    gate.box.reject()
    idle()
    assert list_thresholds(golden.project, golden.detector_id)[golden.class_id].thresholds == before
    assert list_checks(golden.project) == []

    _move(page, qtbot, idle)
    qtbot.keyClicks(gate.box.reason, "The scratch is allowed since Monday")
    qtbot.mouseClick(gate.box.sign, Qt.MouseButton.LeftButton)
    idle()
    assert _ng(golden) == pytest.approx(0.95)
    (record,) = list_checks(golden.project)
    assert (record.who, record.signed) == ("Ada", "The scratch is allowed since Monday")
    assert [one.name for one in record.missed] == ["part 2.png"]


def test_a_move_that_keeps_the_golden_set_asks_nothing_and_is_recorded(
    golden: Stock, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    page: Any = window.page
    page.queue.list.choose(golden.ids[2])
    idle()
    _typed(qtbot, page.panel.scores.ng_box, "0.7")
    idle()
    assert page.judging.edits.golden.box is None
    assert _ng(golden) == pytest.approx(0.7)
    (record,) = list_checks(golden.project)
    assert (record.signed, record.missed, record.occasion) == (
        "",
        (),
        f"Thresholds moved, detector #{golden.detector_id}",
    )


def test_records_are_written_as_a_table_and_parts_removed_with_delete(
    golden: Stock, window: MainWindow, idle: Idle, qtbot: QtBot, tmp_path: Path
) -> None:
    page: Any = window.page
    page.queue.list.choose(golden.ids[2])
    idle()
    _typed(qtbot, page.panel.scores.ng_box, "0.7")
    idle()
    window.show_page("qualify")
    idle()
    section: Any = window.page.section  # type: ignore[attr-defined]
    section.export_to(tmp_path / "golden.csv")
    idle()
    with (tmp_path / "golden.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(one["part"], one["must be"], one["judged"], one["as it must be"]) for one in lines] == [
        ("part 0.png", "ok", "ok", "yes"),
        ("part 2.png", "ng", "ng", "yes"),
    ]
    section.table.selectRow(1)
    section.table.setFocus()
    qtbot.keyClick(section.table, Qt.Key.Key_Delete)
    idle()
    assert [one.name for one in list_golden(golden.project)] == ["part 0.png"]
    assert section.records.rowCount() == 1


def test_an_empty_golden_set_says_how_to_begin(window: MainWindow, hand: Stock, idle: Idle) -> None:
    window.show_page("qualify")
    idle()
    section: Any = window.page.section  # type: ignore[attr-defined]
    assert section.empty.isVisible()
    section.empty.button.click()
    assert window.page_name == "results"
    assert hand.project.name == "Line 4"


def test_a_missed_defect_is_ng_by_her_word_golden_and_thresholds_that_find_it_are_proposed(
    window: MainWindow, hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    page = choose(hand.ids[0])
    qtbot.keyClick(page.viewer.view, Qt.Key.Key_M)
    idle()
    row = find_result(hand.project, hand.ids[0]).row
    assert (row.override, row.reviewer, row.decision) == (Decision.NG, "Ada", Decision.OK)
    assert [one.expected for one in list_golden(hand.project)] == [Decision.NG]
    dialog = page.live.others
    assert dialog.basis.currentData() == Basis.DEFECTS
    qtbot.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    idle()
    assert find_result(hand.project, hand.ids[0]).row.decision is Decision.NG
    assert [one.missed for one in list_checks(hand.project)] == [()]
    if page.live.others is not None:
        page.live.others.reject()
    window.context.undo.undo()  # of the thresholds: the golden part would be missed again
    idle()
    page.judging.edits.golden.box.reject()
    idle()
    assert find_result(hand.project, hand.ids[0]).row.decision is Decision.NG


def test_a_missed_defect_is_taken_back_in_one_step(
    window: MainWindow, hand: Stock, choose: Callable[[int], Any], idle: Idle, qtbot: QtBot
) -> None:
    page = choose(hand.ids[0])
    qtbot.mouseClick(page.panel.missed, Qt.MouseButton.LeftButton)
    idle()
    page.live.others.reject()
    window.context.undo.undo()
    idle()
    assert find_result(hand.project, hand.ids[0]).row.override is None
    assert list_golden(hand.project) == []
    window.context.undo.redo()
    idle()
    assert find_result(hand.project, hand.ids[0]).row.override is Decision.NG
    assert [one.expected for one in list_golden(hand.project)] == [Decision.NG]


def test_who_signs_at_redo_stands_in_the_record(
    golden: Stock, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    page: Any = window.page
    page.queue.list.choose(golden.ids[2])
    idle()
    _move(page, qtbot, idle)
    gate = page.judging.edits.golden
    gate.box.reason.setText("Ada says so")
    gate.box.accept()
    idle()
    window.context.undo.undo()
    idle()
    window.context.undo.redo()
    idle()
    qtbot.mouseClick(page.judging.edits.passing.box.buttons()[0], Qt.MouseButton.LeftButton)
    idle()
    gate.box.name.setText("Bo")
    gate.box.reason.setText("Bo says so")
    gate.box.accept()
    idle()
    signed = [(one.who, one.signed) for one in list_checks(golden.project) if one.missed]
    assert signed == [("Bo", "Bo says so"), ("Ada", "Ada says so")]


def test_several_chosen_parts_stay_chosen_when_the_table_is_read_anew(
    golden: Stock, window: MainWindow, idle: Idle
) -> None:
    window.show_page("qualify")
    idle()
    section: Any = window.page.section  # type: ignore[attr-defined]
    section.table.selectAll()
    section.refresh()
    idle()
    assert len(section.table.chosen()) == 2
    assert golden.project is window.context.project


def test_thresholds_whose_record_can_not_be_stored_stay_as_they_were(
    golden: Stock, window: MainWindow, idle: Idle, qtbot: QtBot
) -> None:
    before = list_thresholds(golden.project, golden.detector_id)[golden.class_id].thresholds
    with closing(sqlite3.connect(golden.project.folder / "project.sqlite")) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON golden_checks BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    page: Any = window.page
    page.queue.list.choose(golden.ids[2])
    idle()
    _typed(qtbot, page.panel.scores.ng_box, "0.7")
    idle()
    assert list_thresholds(golden.project, golden.detector_id)[golden.class_id].thresholds == before
    assert page.panel.scores.ng_box.value == pytest.approx(before.ng, abs=1e-3)
    assert not window.context.undo.canUndo() or "thresholds" not in window.context.undo.undoText()
