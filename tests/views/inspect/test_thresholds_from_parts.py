"""Through the window: a run is confirmed, its parts propose thresholds, and what would change is seen before they are used."""

import pytest
from judged_parts import inspected, taught
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from inspector.domain import Decision
from inspector.records import project as projects
from inspector.records.classes import remove_class
from inspector.records.inspected.results import find_result
from inspector.records.reviews import add_review
from inspector.records.thresholds import list_thresholds
from inspector.verdicts.provenance import Basis

GOOD = [0.20 + number / 600 for number in range(20)]
BAD = [0.25, 0.9]


@pytest.fixture
def opened(window, tmp_path, qtbot, idle):
    """(page, folder, ids of 20 good parts and 2 that may not be): shown on Inspect, the first chosen."""

    def show(
        held_out=(0.20, 0.22, 0.24, 0.21), shots=None, scores=(*GOOD, *BAD), before=lambda project, ids: None
    ):
        with projects.create(tmp_path / "line", "Line 4") as project:
            class_id, detector_id = taught(project, held_out, shots)
            _, ids = inspected(project, class_id, detector_id, list(scores))
            before(project, ids)
        window.context.settings.reviewer = "Ada"
        window.open_project(tmp_path / "line", "inspect")
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        page = window.pages["inspect"]
        qtbot.waitUntil(lambda: page.model.rowCount() == len(ids))
        idle()
        page.queue.list.choose(ids[0])
        idle()
        qtbot.waitUntil(lambda: page.live.scores is not None)
        return page, ids

    return show


def box(qtbot):
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    return QApplication.activeModalWidget()


def press(qtbot, idle, words):
    asked = box(qtbot)
    said = asked.informativeText()
    button = next(one for one in asked.findChildren(QPushButton) if one.text().startswith(words))
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    idle()
    return said


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def ask(page, qtbot, idle):
    click(qtbot, page.panel.scores.others)
    qtbot.waitUntil(lambda: page.live.others is not None and page.live.others.proposal is not None)
    idle()
    return page.live.others


def numbers(window, row):
    found = list_thresholds(window.context.project, row.detector_id)[row.class_id].thresholds
    return found.review, found.ng


def test_a_run_is_confirmed_but_for_what_was_marked_and_its_parts_propose_thresholds(
    opened, window, qtbot, idle
):
    page, ids = opened()
    assert not page.panel.scores.news.isVisible()
    page.queue.list.choose(ids[-1])
    idle()
    click(qtbot, page.panel.accept)  # NG is right
    idle()
    click(qtbot, page.queue.confirm)
    said = press(qtbot, idle, "Confirm all")
    assert "21 parts of it are not judged (20 OK, 1 Review)" in said
    assert find_result(window.context.project, ids[0]).row.override is Decision.OK
    assert find_result(window.context.project, ids[-1]).row.override is Decision.NG
    qtbot.waitUntil(page.panel.scores.news.isVisible)
    assert "21 parts confirmed good propose" in page.panel.scores.news.text()
    click(qtbot, page.queue.confirm)
    idle()
    assert "Every part of this run has been judged" in window.toast.label.text()
    window.menus.undo.trigger()
    idle()
    assert find_result(window.context.project, ids[0]).row.override is None
    qtbot.waitUntil(lambda: not page.panel.scores.news.isVisible())


def test_parts_that_are_held_back_are_confirmed_only_if_she_says_all(opened, window, qtbot, idle):
    page, ids = opened()
    click(qtbot, page.queue.confirm)
    said = press(qtbot, idle, "Confirm 20 OK")
    assert "judge the others (1 Review and 1 NG) one by one" in said
    found = [find_result(window.context.project, one).row.override for one in ids]
    assert found == [Decision.OK] * 20 + [None] * 2
    click(qtbot, page.queue.confirm)
    said = press(qtbot, idle, "Cancel")
    assert "Confirm only if every one is good" in said
    assert find_result(window.context.project, ids[-1]).row.override is None


def test_what_would_change_is_seen_before_it_is_used_and_undone_at_once(opened, window, qtbot, idle):
    def judged(project, ids):
        add_review(project, ids[:20], Decision.OK, who="Ada")

    page, ids = opened(before=judged)
    row = find_result(window.context.project, ids[-2]).row
    before = numbers(window, row)
    dialog = ask(page, qtbot, idle)
    assert dialog.rates["wanted"].text() == "5 %"
    assert dialog.rates["certain"].text().startswith("at most 1")
    assert "picked out of their run" in dialog.said.text()
    assert dialog.flips.count() == len(dialog.proposal.flips) > 0
    click(qtbot, dialog.use)
    idle()
    assert page.live.others is None
    assert numbers(window, row) != before
    assert "20 parts confirmed good" in page.panel.scores.provenance.text()
    assert not page.panel.scores.news.isVisible()
    window.menus.undo.trigger()
    idle()
    assert numbers(window, row) == before
    qtbot.waitUntil(page.panel.scores.news.isVisible)
    window.menus.redo.trigger()
    idle()
    assert "20 parts confirmed good" in page.panel.scores.provenance.text()


def test_a_result_that_would_change_is_shown_by_a_click_and_the_proposal_follows_what_is_said_of_it(
    opened, window, qtbot, idle
):
    page, _ = opened(before=lambda project, ids: add_review(project, ids[:20], Decision.OK, who="Ada"))
    dialog = ask(page, qtbot, idle)
    shown = dialog.flips.item(0).data(Qt.ItemDataRole.UserRole)
    dialog.flips.itemClicked.emit(dialog.flips.item(0))
    qtbot.waitUntil(lambda: [row.id for row in page.at_hand.rows] == [shown])
    idle()
    page.judging.edits.undo()  # nothing was done here yet
    click(qtbot, page.panel.accept)
    idle()
    qtbot.waitUntil(lambda: dialog.proposal is not None)
    assert shown not in dialog.proposal.flips
    dialog.reject()


def test_marked_defects_can_steer_only_once_there_are_any(opened, window, qtbot, idle):
    page, ids = opened(before=lambda project, ids: add_review(project, ids[:20], Decision.OK, who="Ada"))
    dialog = ask(page, qtbot, idle)
    assert not dialog.basis.model().item(1).isEnabled()
    add_review(window.context.project, [ids[3]], Decision.NG, who="Bea")
    window.context.results_changed.emit()
    qtbot.waitUntil(lambda: dialog.basis.model().item(1).isEnabled())
    idle()
    dialog.basis.setCurrentIndex(1)
    dialog.basis.activated.emit(1)
    qtbot.waitUntil(lambda: dialog.proposal is not None and dialog.proposal.basis is Basis.DEFECTS)
    assert "1 part marked defective is NG" in dialog.said.text()
    assert dialog.rates["certain"].text() == "–"
    click(qtbot, dialog.use)
    idle()
    row = find_result(window.context.project, ids[3]).row
    assert numbers(window, row)[1] == row.image_score


def test_another_project_closes_the_proposal(opened, window, qtbot, idle, tmp_path):
    page, _ = opened()
    ask(page, qtbot, idle)
    with projects.create(tmp_path / "other", "Line 5"):
        pass
    window.open_project(tmp_path / "other", "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None and window.context.project.name == "Line 5")
    idle()
    assert page.live.others is None


def test_one_shot_calls_nothing_ng_and_says_so_where_thresholds_stand(opened, window, qtbot, idle):
    page, ids = opened(held_out=(0.2, 0.21, 0.22), shots=1)
    scores = page.panel.scores
    assert scores.ng_box.text() == "never"
    assert scores.counts.text().endswith("0 NG")
    assert "nothing is called NG" in scores.provenance.text()
    line = scores.histogram
    assert line.x_of(line.ng) == pytest.approx(line.width() - 8)
    assert line.span()[1] < 2
    scores.ng_box.setFocus()
    scores.ng_box.selectAll()
    qtbot.keyClicks(scores.ng_box, "0.5")
    qtbot.keyClick(scores.ng_box, Qt.Key.Key_Return)
    idle()
    assert find_result(window.context.project, ids[-1]).row.decision is Decision.NG
    click(qtbot, scores.reset)
    idle()
    assert scores.ng_box.text() == "never"
    assert find_result(window.context.project, ids[-1]).row.decision is Decision.REVIEW


def test_earlier_thresholds_are_listed_with_what_going_back_would_change(opened, window, qtbot, idle):
    page, ids = opened()
    row = find_result(window.context.project, ids[0]).row
    first = numbers(window, row)
    for typed in ("0.5", "0.6"):
        page.panel.scores.ng_box.setFocus()
        page.panel.scores.ng_box.selectAll()
        qtbot.keyClicks(page.panel.scores.ng_box, typed)
        qtbot.keyClick(page.panel.scores.ng_box, Qt.Key.Key_Return)
        idle()
    page.panel.scores.review_box.setFocus()
    page.panel.scores.review_box.selectAll()
    qtbot.keyClicks(page.panel.scores.review_box, "0.6")
    qtbot.keyClick(page.panel.scores.review_box, Qt.Key.Key_Return)
    idle()
    assert find_result(window.context.project, ids[-2]).row.decision is Decision.OK
    dialog = ask(page, qtbot, idle)
    entries = [dialog.basis.itemText(place) for place in range(dialog.basis.count())]
    assert [one.split("NG from ")[1] for one in entries[3:]] == ["0.600", "0.500", f"{first[1]:.3f}"]
    assert "by Ada" in entries[3]
    dialog.basis.setCurrentIndex(5)
    dialog.basis.activated.emit(5)
    qtbot.waitUntil(lambda: dialog.proposal is not None and isinstance(dialog.proposal.basis, int))
    assert dialog.numbers["ng then"].text() == f"{first[1]:.3f}"
    assert "From 4 normal shots" in dialog.said.text()
    assert dialog.proposal.changes == {(Decision.OK, Decision.REVIEW): 1}
    click(qtbot, dialog.use)
    idle()
    assert numbers(window, row) == first
    assert find_result(window.context.project, ids[-2]).row.decision is Decision.REVIEW


def test_while_a_threshold_moves_the_results_that_would_change_are_counted(opened, window, qtbot, idle):
    page, _ = opened()
    scores = page.panel.scores
    assert "change" not in scores.counts.text()
    now = scores.thresholds
    scores.move_to(now.review, 2.0)
    assert "1 result would change" in scores.counts.text()
    scores.move_to(0.1, 0.1)  # everything is NG: what was NG stays
    assert "21 results would change" in scores.counts.text()
    scores.move_to(now.review, now.ng)
    assert "change" not in scores.counts.text()


def test_the_question_about_a_run_goes_with_its_project_and_spares_what_is_marked_meanwhile(
    opened, window, qtbot, idle, tmp_path
):
    page, ids = opened()
    click(qtbot, page.queue.confirm)
    box(qtbot)
    add_review(window.context.project, ids[:1], Decision.NG, who="Bea")
    press(qtbot, idle, "Confirm all")
    found = [find_result(window.context.project, one).row.override for one in ids]
    assert found == [Decision.NG] + [Decision.OK] * 21
    window.menus.undo.trigger()
    idle()
    click(qtbot, page.queue.confirm)
    box(qtbot)
    with projects.create(tmp_path / "other", "Line 5") as project:
        class_id, detector_id = taught(project)
        inspected(project, class_id, detector_id, [*GOOD, *BAD])
    window.open_project(tmp_path / "other", "inspect")
    qtbot.waitUntil(lambda: window.context.project is not None and window.context.project.name == "Line 5")
    qtbot.waitUntil(lambda: page.confirming.box is None)
    idle()
    assert find_result(window.context.project, 1).row.override is None


def test_another_basis_can_not_be_used_before_it_is_worked_out(opened, window, qtbot, idle):
    page, _ = opened(
        before=lambda project, ids: add_review(project, [ids[0], ids[-1]], Decision.NG, who="Ada")
    )
    dialog = ask(page, qtbot, idle)
    dialog.basis.setCurrentIndex(1)
    dialog.basis.activated.emit(1)
    assert not dialog.use.isEnabled()
    dialog._use()
    assert not page.context.undo.canUndo()
    qtbot.waitUntil(lambda: dialog.proposal is not None)
    assert dialog.use.isEnabled()


def test_undo_brings_back_the_thresholds_of_fewer_parts_with_the_same_numbers(opened, window, qtbot, idle):
    page, ids = opened(before=lambda project, ids: add_review(project, ids[:20], Decision.OK, who="Ada"))
    click(qtbot, ask(page, qtbot, idle).use)
    idle()
    assert "From 20 parts" in page.panel.scores.provenance.text()
    project = window.context.project
    row = find_result(project, ids[0]).row
    _, more = inspected(project, row.class_id, row.detector_id, [0.15], seed=7)
    add_review(project, more, Decision.OK, who="Ada")
    window.context.results_changed.emit()
    idle()
    dialog = ask(page, qtbot, idle)
    click(qtbot, dialog.use)
    idle()
    assert "From 21 parts" in page.panel.scores.provenance.text()
    window.menus.undo.trigger()
    idle()
    assert "From 20 parts" in page.panel.scores.provenance.text()


def test_where_nothing_is_ng_held_back_parts_pass_only_after_a_yes_and_never_can_be_typed(
    opened, window, qtbot, idle
):
    page, ids = opened(held_out=(0.2, 0.21, 0.22), shots=1)
    scores = page.panel.scores

    def type_into(field, text):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, Qt.Key.Key_Return)

    type_into(scores.review_box, "1.0")
    asked = box(qtbot)
    assert "from review to OK" in asked.text()
    press(qtbot, idle, "Leave")
    assert find_result(window.context.project, ids[-1]).row.decision is Decision.REVIEW
    type_into(scores.ng_box, "0.5")
    idle()
    assert find_result(window.context.project, ids[-1]).row.decision is Decision.NG
    type_into(scores.ng_box, "never")
    idle()
    assert find_result(window.context.project, ids[-1]).row.decision is Decision.REVIEW
    assert scores.ng_box.text() == "never"


def test_another_detector_or_class_takes_the_dialog_over(opened, window, qtbot, idle):
    page, ids = opened()
    dialog = ask(page, qtbot, idle)
    click(qtbot, page.panel.scores.others)
    assert page.live.others is dialog
    project = window.context.project
    row = find_result(project, ids[0]).row
    remove_class(project, row.class_id)
    window.context.classes_changed.emit()
    idle()
    assert not dialog.use.isEnabled()
    assert "removed" in dialog.use.toolTip()


def test_a_name_that_is_asked_for_outlives_the_dialog(opened, window, qtbot, idle):
    page, _ = opened(before=lambda project, ids: add_review(project, ids[:20], Decision.OK, who="Ada"))
    window.context.settings.reviewer = ""
    dialog = ask(page, qtbot, idle)
    click(qtbot, dialog.use)
    qtbot.waitUntil(lambda: page.judging.edits.asking is not None)
    dialog.reject()
    page.judging.edits.asking.name.setText("Cem")
    page.judging.edits.asking.accept()
    idle()
    qtbot.waitUntil(lambda: "From 20 parts" in page.panel.scores.provenance.text())
