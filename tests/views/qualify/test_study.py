"""A study in the real window: two people judge six parts twice, blind, and the report compares them."""

import csv
import json
from functools import partial

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget
from typer.testing import CliRunner

from inspector.cli.main import app as command
from inspector.domain import Decision
from inspector.records.audit import ActFilter, ActKind, list_acts
from inspector.records.qualification import studies
from inspector.records.reviews import add_review
from inspector.views.viewer.image_dialog import ImageDialog
from inspector.views.viewer.picture import Picture

OK, NG = Decision.OK, Decision.NG
KEYS = {OK: Qt.Key.Key_O, NG: Qt.Key.Key_N}
DIGITS = {OK: Qt.Key.Key_1, NG: Qt.Key.Key_2}
NAMES = {f"part {n}.png" for n in range(6)}


@pytest.fixture
def section(window, hand, qtbot, idle):
    """Six parts, each reviewed: 0, 1 and 3 are OK, the others NG. The Study section, empty."""
    ids = [*hand.ids[:3], *(hand.add(f"part {n}.png", 0.3 + n / 10, n) for n in range(3, 6))]
    add_review(hand.project, [ids[0], ids[1], ids[3]], OK, who="Eve")
    add_review(hand.project, [ids[2], ids[4], ids[5]], NG, who="Eve")
    return show(window, idle)


def show(window, idle):
    window.show_page("qualify")
    window.page.show_section("study")
    idle()
    return window.page.section


@pytest.fixture
def begun(section, idle):
    """“Washer”, to be judged by Ada and Bo."""
    section.empty.button.click()
    idle()
    section.form.title.setText("Washer")
    section.form.people[1].setText("Bo")
    section.form.begin.click()
    idle()
    return section


def card(section):
    (only,) = section.list.cards
    return only


def known(section, judge):
    """What the part in sight is known to be, which nothing on the screen tells."""
    parts = studies.study_parts(section.context.project, judge._study.id)
    at = judge._order[judge._at]
    return next(part.expected for part in parts if part.position == at)


def in_sight(qtbot, judge):
    qtbot.waitUntil(lambda: judge.ok.isEnabled())


def press(qtbot, section, wanted=None, wrong=False, keys=KEYS):
    judge = section.judge
    in_sight(qtbot, judge)
    right = known(section, judge)
    word = wanted or ((OK if right is NG else NG) if wrong else right)
    qtbot.keyClick(judge.view, keys[word])
    return right


def judge_all(qtbot, idle, section, who, wrong=frozenset()):
    """One trial by keys; `wrong`: which of the six in their order is judged wrongly."""
    card(section).people[who].click()
    for number in range(6):
        press(qtbot, section, wrong=number in wrong)
    finish(qtbot, idle, section)


def finish(qtbot, idle, section):
    qtbot.waitUntil(section.judge.finish.isVisible)
    qtbot.keyClick(section.judge.finish, Qt.Key.Key_Return)
    idle()


def shown_words(page: QWidget) -> str:
    said = []
    for one in (page, *page.findChildren(QWidget)):
        if one.isVisible():
            said += [one.toolTip(), one.accessibleName(), one.windowTitle()]
            said += [one.text()] if hasattr(one, "text") else []
    return "\n".join(said)


def test_a_study_from_the_form_to_the_report(window, begun, qtbot, idle, tmp_path, monkeypatch):
    section, folder = begun, window.context.project.folder
    assert card(section).state.text() == "Trials done: Ada 0/2, Bo 0/2"
    assert not card(section).report_button.isEnabled()

    card(section).people["Ada"].click()
    for _ in range(2):
        press(qtbot, section)
    press(qtbot, section, wrong=True)
    in_sight(qtbot, section.judge)
    assert section.judge.progress.text() == "4 of 6, first trial, Ada"
    qtbot.keyClick(section.judge.view, Qt.Key.Key_Backspace)  # the third was a slip
    in_sight(qtbot, section.judge)
    assert section.judge.progress.text() == "3 of 6, first trial, Ada"
    press(qtbot, section)
    in_sight(qtbot, section.judge)
    assert section.judge.progress.text() == "4 of 6, first trial, Ada"
    qtbot.keyClick(section.judge.view, Qt.Key.Key_Escape)
    idle()
    assert card(section).people["Ada"].text() == "Go on as Ada"

    window.close_project()
    qtbot.waitUntil(lambda: window.context.project is None)
    window.open_project(folder, "qualify")
    qtbot.waitUntil(lambda: window.context.project is not None)
    section = show(window, idle)
    card(section).people["Ada"].click()
    in_sight(qtbot, section.judge)
    assert section.judge.progress.text() == "4 of 6, first trial, Ada"
    for _ in range(3):
        press(qtbot, section)
    finish(qtbot, idle, section)
    assert card(section).state.text() == "Trials done: Ada 1/2, Bo 0/2"
    judge_all(qtbot, idle, section, "Ada")
    judge_all(qtbot, idle, section, "Bo")
    card(section).people["Bo"].click()  # in the last trial Bo calls all OK
    for _ in range(6):
        press(qtbot, section, OK)
    finish(qtbot, idle, section)

    report = section.report
    qtbot.waitUntil(lambda: report.outcome is not None)
    ada, bo = report.outcome.agreement.people
    assert (ada.effective.count, ada.misses.count, ada.false_alarms.count) == (6, 0, 0)
    assert (bo.effective.count, bo.repeated.count, bo.misses.count, bo.misses.of) == (3, 3, 3, 6)
    cells = [[report.figures.item(row, column).text() for column in range(6)] for row in range(3)]
    assert [row[:2] for row in cells] == [
        ["Ada", "✓ acceptable"],
        ["Bo", "✕ not acceptable"],
        ["Detector", "✕ not acceptable"],  # two OK parts of 0.5 and 0.6 are stopped
    ]
    assert cells[1][2].startswith("✕ 50\u00a0% (")
    assert report.disputed.count() == 3
    assert "The detector sends 1 of them to review (1 OK, 0 NG)" in report.notes.text()
    section.report.disputed.itemClicked.emit(report.disputed.item(0))
    dialog = report.disputed.findChild(ImageDialog)
    qtbot.waitUntil(lambda: dialog.view.picture is not None)
    dialog.close()

    for suffix in ("html", "csv", "json"):
        file = tmp_path / f"study.{suffix}"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=str(file): (name, ""))
        window.page.export()
        idle()
        assert file.is_file()
    exported = list_acts(window.context.project, ActFilter(kind=ActKind.STUDY_EXPORTED))
    assert [act.new for act in exported] == [
        str(tmp_path / f"study.{suffix}") for suffix in ("json", "csv", "html")
    ]
    page = (tmp_path / "study.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == 3
    assert "http" not in page
    with (tmp_path / "study.csv").open(encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert [line["Bo, trial 2"] for line in lines] == ["ok"] * 6
    assert {line["image"] for line in lines} == NAMES
    whole = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert (whole["people"][1]["misses"]["count"], whole["people"][1]["verdict"]) == (3, "not acceptable")


def test_nothing_on_the_screen_tells_which_part_it_is_or_what_is_said_of_it(window, begun, qtbot, idle):
    judge = begun.judge
    card(begun).people["Ada"].click()
    for _ in range(5):
        in_sight(qtbot, judge)
        assert judge.view.hasFocus()
        assert isinstance(judge.view.picture, Picture)
        assert (judge.view.picture.name, judge.view.values, judge.view.regions) == ("", None, ())
        words = shown_words(window)
        assert not any(name.removesuffix(".png") in words for name in NAMES)
        assert not any(score in words for score in ("0.2", "0.5", "0.6", "0.7", "0.8"))
        press(qtbot, begun)
    for _ in range(3):  # a key that comes before the picture says nothing
        judge._ready = False
        qtbot.keyClick(judge.view, Qt.Key.Key_N)
    assert len(judge._words) == 5


def test_a_part_whose_image_vanished_is_named_and_the_study_goes_on(window, begun, qtbot, idle, tmp_path):
    study = card(begun).row
    parts = studies.study_parts(window.context.project, study.id)
    gone = next(part for part in parts if part.name == "part 4.png")
    gone.path.unlink()
    changed = next(part for part in parts if part.name == "part 0.png")
    changed.path.write_bytes(parts[2].path.read_bytes())
    for who in ("Ada", "Bo"):
        for _ in range(2):
            card(begun).people[who].click()
            for _ in range(4):
                press(qtbot, begun, keys=DIGITS)
            qtbot.waitUntil(begun.judge.finish.isVisible)
            finish(qtbot, idle, begun)
    report = begun.report
    qtbot.waitUntil(lambda: report.outcome is not None)
    assert {one.part.name for one in report.outcome.left_out} == {"part 4.png", "part 0.png"}
    assert "“part 4.png”" in report.notes.text()
    assert [(one.parts, one.effective.count) for one in report.outcome.agreement.people] == [(4, 4)] * 2
    window.context.undo.undo()  # of the study as a whole
    idle()
    report.back.click()
    idle()
    assert begun.stack.currentWidget() is begun.empty


def test_the_form_says_what_speaks_against_the_parts(section, idle):
    section.empty.button.click()
    idle()
    form = section.form
    assert form.said.text().startswith("6 of 6 reviewed parts: 3 OK, 3 NG; ")
    assert "Fewer than 20 parts" in form.warned.text()
    form.count.setValue(4)
    assert "4 of 6 reviewed parts: 2 OK, 2 NG" in form.said.text()
    assert form.begin.toolTip() == "Type a title."
    form.title.setText("<b>")
    form.people[1].setText("ADA")
    assert form.begin.toolTip() == "Two people have the same name."
    form.people[1].setText("Bo")
    assert form.begin.isEnabled()


def test_ending_and_removing_a_study_can_be_undone(window, begun, qtbot, idle):
    card(begun).end.trigger()
    idle()
    assert "finished" in card(begun).state.text()
    card(begun).remove.trigger()
    idle()
    assert begun.stack.currentWidget() is begun.empty
    for _ in range(2):
        window.context.undo.undo()
        idle()
    assert card(begun).state.text() == "Trials done: Ada 0/2, Bo 0/2"
    assert begun.stack.currentWidget() is begun.list


def test_a_project_that_is_open_for_viewing_shows_its_studies_and_changes_nothing(window, begun, qtbot, idle):
    folder = window.context.project.folder
    window.close_project()
    qtbot.waitUntil(lambda: window.context.project is None)
    window.projects.open(folder, "qualify", read_only=True)
    qtbot.waitUntil(lambda: window.context.project is not None)
    section = show(window, idle)
    one = card(section)
    assert not section.list.new.isEnabled()
    assert [button.isEnabled() for button in one.people.values()] == [False] * 2
    assert "viewing only" in one.people["Ada"].toolTip()
    assert not one.remove.isEnabled()
    section.begin(one.row, "Ada")
    idle()
    assert section.stack.currentWidget() is section.list
    assert studies.words_of(window.context.project, one.row.id) == {}


def test_the_command_lists_studies_and_writes_a_report(begun, idle, window, tmp_path):
    project, study = window.context.project, card(begun).row
    run = partial(CliRunner().invoke, command)
    listed = run(["study", str(project.folder)])
    assert listed.exit_code == 0
    assert "Washer" in listed.output
    assert "Ada 0/2, Bo 0/2" in listed.output
    early = run(["study", str(project.folder), "--title", "washer"])
    assert "isn't finished" in str(early.exception)
    for part in studies.study_parts(project, study.id):
        studies.say(project, study.id, "Ada", 1, part.position, part.expected)
    studies.close(project, study.id)
    for suffix in ("html", "csv", "json"):
        target = tmp_path / f"report.{suffix}"
        written = run(["study", str(project.folder), "--title", "washer", "--export", str(target)])
        assert written.exit_code == 0, written.exception
        assert target.is_file()
    assert "Detector" in written.output
    again = run(["study", str(project.folder), "--export", str(target)])
    assert "replaces nothing" in str(again.exception)
    odd = run(["study", str(project.folder), "--export", str(tmp_path / "report.pdf")])
    assert ".html, .csv, .json" in odd.exception.hint
