"""The Results page on a real project."""

import csv
import sqlite3
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt

from inspector.domain import Decision, JobEnded, JobStatus
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.results import count_results, list_results
from inspector.records.reviews import list_reviews
from inspector.views.results.page import ResultsPage
from inspector.views.review.result_model import HEADINGS, ResultModel


@pytest.fixture
def empty_page(context, qtbot):
    page = ResultsPage(context)
    qtbot.addWidget(page)
    page.resize(1280, 720)
    with qtbot.waitExposed(page):
        page.show()
    return page


@pytest.fixture
def page(empty_page, context, stock, qtbot):
    context.set_project(stock.project)
    qtbot.waitUntil(lambda: empty_page.model.rowCount() == 4 and "4 results" in empty_page.counts.text())
    return empty_page


def select(page, *result_ids):
    page.table.clearSelection()
    rows = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for result_id in result_ids:
        page.table.selectionModel().select(page.model.index(page.model.place(result_id), 0), rows)


def column(qtbot, page, heading):
    count = page.model.rowCount()
    qtbot.waitUntil(lambda: None not in [page.model.row(place) for place in range(count)])
    return [page.model.index(place, HEADINGS.index(heading)).data() for place in range(count)]


def test_without_a_project_and_without_results_a_button_leads_on(empty_page, context, project, qtbot):
    assert empty_page.pages.currentWidget() is empty_page.closed
    context.set_project(project)
    qtbot.waitUntil(lambda: empty_page.middle.currentWidget() is empty_page.none_yet)
    with qtbot.waitSignal(context.page_requested) as asked:
        empty_page.none_yet.button.click()
    assert asked.args == ["inspect"]


def test_the_newest_result_stands_first_and_the_counts_below(page, qtbot):
    assert column(qtbot, page, "Name") == ["broken.png", "part 2.png", "part 1.png", "part 0.png"]
    qtbot.waitUntil(lambda: column(qtbot, page, "Run")[0].startswith("#1 Monday · "))
    assert all(label.startswith("#1 PatchCore") for label in column(qtbot, page, "Detector"))
    qtbot.waitUntil(lambda: page.counts.text() != "")  # a read of its own, beside the table's
    for words in ("✓ 1 OK", "? 1 review", "✕ 1 NG", "! 1 failed", "0 reviewed"):
        assert words in page.counts.text()


def test_a_click_on_a_heading_sorts(page, qtbot):
    header = page.table.horizontalHeader()
    place = header.sectionViewportPosition(HEADINGS.index("Score")) + 20
    for expected in (["", "0.200", "0.500", "0.800"], ["0.800", "0.500", "0.200", ""]):
        with qtbot.waitSignal(page.model.arrived):
            qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place, 10))
        assert column(qtbot, page, "Score") == expected


def test_filters_narrow_the_table_and_one_button_shows_everything_again(page, qtbot):
    page.filters.verdict.setCurrentIndex(page.filters.verdict.findData("failed"))
    page.filters.verdict.activated.emit(0)
    qtbot.waitUntil(lambda: page.model.rowCount() == 1)
    assert column(qtbot, page, "Name") == ["broken.png"]
    qtbot.keyClicks(page.filters.text, "nowhere")
    qtbot.waitUntil(lambda: page.middle.currentWidget() is page.none_match)
    page.none_match.button.click()
    qtbot.waitUntil(lambda: page.model.rowCount() == 4)
    assert page.filters.empty


def test_a_double_click_opens_the_result_in_inspect(page, context, stock, qtbot):
    place = page.model.place(stock.ids[1])
    cell = page.table.visualRect(page.model.index(place, 0)).center()
    qtbot.mouseClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    with qtbot.waitSignal(context.page_requested) as asked:
        qtbot.mouseDClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    assert asked.args == ["inspect"]
    assert context.wanted_result == stock.ids[1]


def test_several_verdicts_are_overridden_in_one_step_and_undone_in_one(page, stock, qtbot):
    def overrides():
        return [row.override for row in list_results(stock.project, stock.ids)]

    select(page, *stock.ids[:2])
    qtbot.waitUntil(page.override_button.isEnabled)
    page.override_button.click()
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.title.text() == "2 results"
    assert page.popup.chosen is None  # nothing is preset for several
    page.popup.save_button.click()
    assert page.popup.missing.text() == "Choose a verdict."
    page.popup.choices.button(2).click()
    page.popup.save_button.click()
    assert page.popup.missing.text() == "Say why these are judged otherwise."
    qtbot.keyClicks(page.popup.reason, "wrong batch")
    page.popup.save_button.click()
    qtbot.waitUntil(lambda: overrides() == [Decision.NG, Decision.NG, None, None])
    assert list_reviews(stock.project, stock.ids[0])[0].reason == "wrong batch"
    qtbot.waitUntil(lambda: column(qtbot, page, "Verdict")[-1] == "✕ NG overridden")
    assert sorted(page.selection.ids().tolist()) == sorted(stock.ids[:2])
    qtbot.waitUntil(page.context.undo.canUndo)
    page.context.undo.undo()
    qtbot.waitUntil(lambda: overrides() == [None] * 4)


def test_accepting_signs_each_verdict_as_it_is_and_passes_over_failed_files(page, stock, qtbot):
    select(page, *stock.ids)
    page.accept()
    qtbot.waitUntil(lambda: count_results(stock.project).reviewed == 3)
    rows = list_results(stock.project, stock.ids)
    assert [row.override for row in rows] == [Decision.OK, Decision.REVIEW, Decision.NG, None]


def test_what_is_shown_is_exported_as_a_job(page, context, stock, qtbot, tmp_path):
    page.filters.verdict.setCurrentIndex(page.filters.verdict.findData(Decision.NG))
    page.filters.verdict.activated.emit(0)
    qtbot.waitUntil(lambda: page.model.rowCount() == 1)
    page.export()
    panel = page.exporter
    assert panel.isVisible()
    assert panel.all.text() == "The one result shown"
    for name, box in panel.formats.items():
        box.setChecked(name in ("csv", "overlays"))
    panel.folder.setText(str(tmp_path / "out"))
    ended = []
    context.job_event.connect(lambda event: ended.append(event) if isinstance(event, JobEnded) else None)
    panel.button.click()
    assert not panel.button.isEnabled()
    qtbot.waitUntil(lambda: bool(ended), timeout=30_000)
    assert ended[0].status is JobStatus.DONE, ended[0].message
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert len(list((tmp_path / "out" / "overlays").rglob("*.png"))) == 1
    assert panel.made.text() == str(tmp_path / "out")
    assert panel.open_button.isVisible()
    assert panel.button.isEnabled()


def test_each_export_is_offered_a_new_folder_in_the_project(page, stock, qtbot):
    page.export()
    panel = page.exporter
    assert Path(panel.folder.text()).parent == stock.project.folder / "exports"
    panel.button.click()
    qtbot.waitUntil(lambda: panel.open_button.isVisible(), timeout=30_000)
    first = Path(panel.made.text())
    assert (first / "results.csv").is_file()
    again = Path(panel.folder.text())
    assert again.parent == first.parent
    assert not again.exists()


def test_only_the_selected_results_are_exported_when_asked(page, context, stock, qtbot, tmp_path):
    page.export()
    select(page, *stock.ids[:2])
    panel = page.exporter
    qtbot.waitUntil(panel.chosen.isEnabled)
    panel.chosen.setChecked(True)
    for name, box in panel.formats.items():
        box.setChecked(name == "jsonl")
    panel.folder.setText(str(tmp_path / "out"))
    panel.button.click()
    qtbot.waitUntil(lambda: panel.open_button.isVisible(), timeout=30_000)
    assert len((tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()) == 2


def test_one_selected_result_can_be_exported_and_what_is_left_out_is_said(page, stock, qtbot, tmp_path):
    page.export()
    panel = page.exporter
    assert not panel.chosen.isEnabled()
    assert panel.chosen.toolTip()
    select(page, stock.ids[0])
    qtbot.waitUntil(panel.chosen.isEnabled)
    assert panel.chosen.text() == "The one selected result"
    panel.chosen.setChecked(True)
    list_results(stock.project, stock.ids[:1])[0].map_path.unlink()
    for name, box in panel.formats.items():
        box.setChecked(name in ("csv", "maps"))
    panel.folder.setText(str(tmp_path / "out"))
    panel.button.click()
    assert "under way" in panel.button.toolTip()
    qtbot.waitUntil(lambda: panel.open_button.isVisible(), timeout=30_000)
    assert "left out (1)" in panel.answer.text()
    assert len((tmp_path / "out" / "results.csv").read_text("utf-8-sig").splitlines()) == 2
    for box in panel.formats.values():
        box.setChecked(False)
    assert panel.button.toolTip() == "Choose a format."


def test_an_export_that_fails_says_why_and_can_be_tried_again(page, qtbot, tmp_path):
    (tmp_path / "file").write_text("in the way")
    page.export()
    panel = page.exporter
    panel.folder.setText(str(tmp_path / "file" / "out"))
    panel.button.click()
    qtbot.waitUntil(lambda: panel.button.isEnabled(), timeout=30_000)
    assert len(panel.answer.text()) > 20
    assert not panel.open_button.isVisible()


def test_new_results_appear_without_losing_the_selection(page, context, stock, qtbot):
    select(page, stock.ids[1])
    new = record_results(stock.project, stock.run_id, [NewResult("late.png", error="Late.")])
    context.results_changed.emit()
    qtbot.waitUntil(lambda: page.model.rowCount() == 5)
    assert page.model.place(new[0]) == 0
    assert page.selection.ids().tolist() == [stock.ids[1]]


def fill(stock, count):
    with sqlite3.connect(stock.project.folder / "project.sqlite") as database:
        database.executemany(
            "INSERT INTO results (run_id, detector_id, class_id, name, image_score, class_confidence, decision,"
            " defect_type, is_shot, error, hint, created) VALUES (?, ?, ?, ?, 0.1, 1, 'ok', '', 0, '', '',"
            " '2026-01-01 00:00:00.000000')",
            ((stock.run_id, stock.detector_id, stock.class_id, f"part {n:06d}.png") for n in range(count)),
        )
    database.close()


def test_selecting_everything_asks_no_row_about_itself(empty_page, context, stock, qtbot, monkeypatch):
    asked = []
    flags = ResultModel.flags
    monkeypatch.setattr(ResultModel, "flags", lambda model, index: asked.append(1) or flags(model, index))
    fill(stock, 20_000)
    context.set_project(stock.project)
    page = empty_page
    qtbot.waitUntil(lambda: page.model.rowCount() == 20_004)
    asked.clear()
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "20,004" in page.accept_button.toolTip())
    page.grab()
    assert len(asked) < 10_000
    assert page.selection.count == 20_004
    assert not page.accept_button.isEnabled()
    assert "at most 5,000" in page.accept_button.toolTip()
    with qtbot.waitSignal(context.toast_requested) as said:
        page.accept()
    assert "at most 5,000" in said.args[0]
    page.table.horizontalHeader().setSortIndicator(HEADINGS.index("Score"), Qt.SortOrder.AscendingOrder)
    qtbot.waitUntil(lambda: page.model.row(0) is not None and page.model.row(0).image_score is None)
    assert page.selection.count == 20_004  # all of them still are, in another order
