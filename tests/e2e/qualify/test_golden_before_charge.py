"""A detector that never saw the golden set is asked about it before it judges; with the real engine, through the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.detectors import find_detector, list_proposed
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.qualification.checks import list_checks
from inspector.records.qualification.golden import judge_golden
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]
Drop = Callable[..., None]


def test_golden_parts_that_a_detector_never_saw_are_scored_before_it_is_put_in_charge(
    qtbot: QtBot, window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    project: Any = window.context.project
    first = find_detector(project).id
    page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("subspace"))
    page.teach()
    idle()
    (waiting,) = list_proposed(project)
    window.show_page("inspect")
    drop(*sorted((washers / "test").rglob("*.png")))
    inspect: Any = window.pages["inspect"]
    rows = list_results(project, result_ids(project))
    good = [row.id for row in rows if row.decision is Decision.OK]
    bad = [row.id for row in rows if row.decision is Decision.NG]
    assert good
    assert bad
    inspect.judging.edits.call_golden(good, Decision.OK)
    idle()
    inspect.judging.edits.call_golden(bad, Decision.NG)
    idle()
    assert all(word.kept for word in judge_golden(project))
    assert not any(word.scored for word in judge_golden(project, waiting.id))

    window.show_page("teach")
    idle()
    assert "will be scored before it is put in charge" in page.proposal.golden.text()
    page.proposal.accept_button.click()
    idle()
    words = judge_golden(project, waiting.id)
    assert all(word.scored for word in words)
    question = page.decisions.golden.box
    if question is not None:  # it judges a part otherwise: nothing is changed before somebody signs
        assert find_detector(project).id == first
        question.reason.setText("It is the better detector")
        question.accept()
        idle()
    assert find_detector(project).id == waiting.id
    record = list_checks(project)[0]
    assert record.occasion == f"Put in charge, detector #{waiting.id}"
    assert bool(record.missed) == bool(record.signed) == (question is not None)
    window.context.undo.undo()
    idle()
    assert find_detector(project).id == first


def test_a_golden_set_is_checked_by_its_button_and_the_record_stands_there(
    window: MainWindow, page: TeachPage, idle: Idle, drop: Drop, washers: Path
) -> None:
    window.show_page("inspect")
    drop(sorted((washers / "test" / "good").iterdir())[0])
    inspect: Any = window.pages["inspect"]
    inspect.judging.edits.call_golden(result_ids(inspect.context.project).tolist(), Decision.OK)
    idle()
    window.show_page("qualify")
    idle()
    section: Any = window.page.section  # type: ignore[attr-defined]
    section.check_button.click()
    idle()
    assert section.records.rowCount() == 1
    cells = [section.records.item(0, column).text() for column in (1, 2, 3)]
    assert cells == ["Ada", "On demand", "✓ all 1 as they must be"]
