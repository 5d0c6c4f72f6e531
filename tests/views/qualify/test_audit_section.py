"""The audit in the window: what is done is seen there, and whether the list is whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from inspector.domain import Decision
from inspector.records.audit import PAGE, ActKind, note
from inspector.views.review.verdict_edits import Review
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def section(hand: Any, window: MainWindow, idle: Idle) -> Any:
    """The audit of the stocked project, in sight."""
    window.show_page("qualify")
    page: Any = window.page
    page.show_section("audit")
    idle()
    return page.section


def cell(section: Any, row: int, column: str) -> str:
    from inspector.views.qualify.audit.model import HEADINGS

    return str(section.model.index(row, HEADINGS.index(column)).data())


def test_a_verdict_of_a_person_is_seen_at_once_and_so_is_its_undo(
    hand: Any, section: Any, window: MainWindow, choose: Any, qtbot: QtBot, idle: Idle
) -> None:
    before = section.model.rowCount()
    assert section.chain.text() == f"✓ Chain is whole: {before} acts"
    window.show_page("inspect")
    page = choose(hand.ids[1])
    page.judging.edits.review([Review((hand.ids[1],), Decision.NG, "scratch")])
    idle()
    window.show_page("qualify")
    qtbot.waitUntil(lambda: section.model.rowCount() == before + 1)
    said = [cell(section, 0, column) for column in ("Who", "What", "Subject", "From → to", "Reason")]
    assert said == ["Ada", "reviewed", "part 1.png", "review → NG", "scratch"]

    window.context.undo.undo()  # leads to the result
    idle()
    window.show_page("qualify")
    qtbot.waitUntil(lambda: section.model.rowCount() == before + 2)
    assert cell(section, 0, "What") == "review withdrawn"
    qtbot.waitUntil(lambda: section.chain.text() == f"✓ Chain is whole: {before + 2} acts")


def test_what_is_done_while_it_is_in_sight_appears(
    hand: Any, section: Any, window: MainWindow, qtbot: QtBot
) -> None:
    from inspector.records.classes import add_class

    window.context.settings.reviewer = "Bo"
    window.context.save_settings()
    context = window.context
    context.change(
        window, lambda project: add_class(project, "<b>nut</b>"), lambda _: context.classes_changed.emit()
    )
    qtbot.waitUntil(lambda: cell(section, 0, "Subject") == "<b>nut</b>")
    assert cell(section, 0, "Who") == "Bo"
    qtbot.waitUntil(lambda: section.who.findData("Bo") > 0)


def test_acts_are_filtered_by_kind_and_words_and_all_come_back(
    section: Any, qtbot: QtBot, idle: Idle
) -> None:
    every = section.model.rowCount()
    section.kind.setCurrentIndex(section.kind.findData("shots added"))
    section.kind.activated.emit(section.kind.currentIndex())
    qtbot.waitUntil(lambda: section.model.rowCount() == 1)
    section.text.setText("no such words")
    qtbot.waitUntil(lambda: section.middle.currentWidget() is section.none_match)
    assert not section.export_button.isEnabled()
    section.none_match.button.click()
    qtbot.waitUntil(lambda: section.model.rowCount() == every)
    assert section.middle.currentWidget() is section.table
    assert section.kind.currentIndex() == 0


def test_an_act_that_was_changed_is_said_to_be(
    hand: Any, section: Any, window: MainWindow, qtbot: QtBot
) -> None:
    with closing(sqlite3.connect(hand.project.folder / "project.sqlite")) as connection:
        connection.execute("DROP TRIGGER acts_no_update")
        connection.execute("UPDATE acts SET who = 'Bo' WHERE id = 2")
        connection.commit()
    section.refresh()
    qtbot.waitUntil(lambda: "Act 2 was changed" in section.chain.text())
    assert section.chain.property("role") == "error"


def test_older_acts_are_read_as_somebody_scrolls_down(hand: Any, section: Any, qtbot: QtBot) -> None:
    with hand.project.writing() as session:
        for number in range(2 * PAGE):
            note(session, ActKind.REVIEWED, f"part {number}.png")
    section.refresh()
    model = section.model
    qtbot.waitUntil(lambda: model.rowCount() == PAGE)
    while model.canFetchMore():
        before = model.rowCount()
        section.table.scrollToBottom()
        model.fetchMore()
        qtbot.waitUntil(lambda before=before: model.rowCount() > before or not model.canFetchMore())
    ids = [row.id for row in model.rows]
    assert ids == list(range(ids[0], 0, -1))


def test_the_audit_is_exported_and_that_is_an_act_too(
    section: Any, window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "audit.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(target), "JSON (*.json)"))
    count = section.model.rowCount()
    assert window.page is not None
    assert window.page.export()
    qtbot.waitUntil(lambda: section.model.rowCount() == count + 1)
    assert cell(section, 0, "What") == "audit exported"
    written = json.loads(target.read_text("utf-8"))
    assert (written["whole"], len(written["acts"])) == (True, count)
    assert written["acts"][-1]["checksum"] == written["last_checksum"]


def test_a_new_project_has_an_empty_audit_and_a_way_on(
    project_window: MainWindow, qtbot: QtBot, idle: Idle
) -> None:
    project_window.show_page("qualify")
    page: Any = project_window.page
    page.show_section("audit")
    idle()
    assert page.section.middle.currentWidget() is page.section.none_yet
    page.section.none_yet.button.click()
    assert project_window.page is project_window.pages["teach"]
