"""What a part looks like, typed and kept in a real project."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.methods.prompts.description import MAX_ENTITIES, PartDescription, template
from inspector.records import project as projects
from inspector.records.classes import add_class, describe_class, list_descriptions
from inspector.views.teach.description.form import DescriptionForm
from inspector.views.teach.page import TeachPage
from inspector.views.window.main_window import MainWindow

Idle = Callable[[], None]


@pytest.fixture
def page(project_window: MainWindow, idle: Idle) -> TeachPage:
    """The Teach page with one class, FineGrainedAD chosen and the form open."""
    idle()
    made = project_window.pages["teach"]
    assert isinstance(made, TeachPage)
    made.add_class("Hex_Nut")
    idle()
    made.panel.choice.method.setCurrentIndex(made.panel.choice.method.findData("finegrained"))
    made.panel.choice.describe_button.click()
    return made


@pytest.fixture
def form(page: TeachPage) -> DescriptionForm:
    return page.form


def stored(page: TeachPage) -> PartDescription | None:
    project, row = page.context.project, page.chosen_class
    assert project is not None
    assert row is not None
    return list_descriptions(project).get(row.id)


def fill(qtbot: QtBot, form: DescriptionForm, name: str, text: str) -> None:
    edit = form.fields[name]
    edit.selectAll()
    qtbot.keyClicks(edit, text)


def test_the_button_is_there_for_the_method_that_reads_descriptions_only(page: TeachPage) -> None:
    panel = page.panel
    assert panel.choice.describe_button.isVisible()
    assert panel.choice.describe_button.text() == "Describe Hex_Nut…"
    panel.choice.method.setCurrentIndex(panel.choice.method.findData("patchcore"))
    assert not panel.choice.describe_button.isVisible()
    assert not page.form.isVisible()
    assert page.header.add_button.isVisible()
    panel.choice.method.setCurrentIndex(panel.choice.method.findData("finegrained"))
    assert not page.form.isVisible()


def test_the_suggestion_is_shown_from_the_start_and_nothing_is_stored(
    page: TeachPage, form: DescriptionForm
) -> None:
    suggestion = template("Hex_Nut")
    assert form.isVisible()
    assert form.fields["foreground"].text() == "hex nut"
    assert form.fields["caption"].text() == ""
    assert form.fields["caption"].placeholderText() == suggestion.caption
    assert [row.fields["noun"].text() for row in form.rows] == ["hex nut surface", "hex nut edge"]
    assert form.rows[0].said.text() == suggestion.entities[0].caption
    form.done_button.click()
    assert not form.isVisible()
    assert stored(page) is None
    assert "suggestion" in page.panel.choice.described.text()


def test_what_is_typed_is_kept_after_a_pause_and_the_sentence_follows(
    qtbot: QtBot, page: TeachPage, form: DescriptionForm, idle: Idle
) -> None:
    fill(qtbot, form, "background", "grey belt")
    assert form.fields["caption"].placeholderText().endswith("on a grey belt")
    qtbot.wait(form.PAUSE + 100)
    idle()
    record = stored(page)
    assert record is not None
    assert record.background == "grey belt"
    assert record.caption == ""
    assert record.entities == template("Hex_Nut").entities
    assert form.fields["background"].text() == "grey belt"
    assert "your description" in page.panel.choice.described.text()


def test_a_changed_part_is_spoken_with_its_new_values(
    qtbot: QtBot, page: TeachPage, form: DescriptionForm, idle: Idle
) -> None:
    field = form.rows[1].fields["colour"]
    field.selectAll()
    qtbot.keyClicks(field, "silver")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    idle()
    record = stored(page)
    assert record is not None
    assert record.entities[1].colour == "silver"
    assert "silver" in record.entities[1].spoken
    assert form.rows[1].said.text() == record.entities[1].spoken
    assert record.entities[0] == template("Hex_Nut").entities[0]


def test_parts_are_added_and_removed_up_to_the_most_that_a_record_takes(
    qtbot: QtBot, page: TeachPage, form: DescriptionForm, idle: Idle
) -> None:
    form.add_button.click()
    assert not form.rows[-1].said.isVisible()  # a blank row is no mistake
    qtbot.keyClicks(form.rows[-1].fields["noun"], "hole")
    form.keep()
    idle()
    record = stored(page)
    assert record is not None
    assert [entity.noun for entity in record.entities] == ["hex nut surface", "hex nut edge", "hole"]
    form.rows[0].remove_button.click()
    idle()
    record = stored(page)
    assert record is not None
    assert [entity.noun for entity in record.entities] == ["hex nut edge", "hole"]
    while form.add_button.isEnabled():
        form.add_button.click()
    assert len(form.rows) == MAX_ENTITIES
    while len(form.rows) > 1:
        form.rows[-1].remove_button.click()
    assert not form.rows[0].remove_button.isEnabled()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("foreground", "", "“Product” is empty."),
        ("background", "x" * 401, "“Background” is longer than 400 characters. Make it shorter."),
        ("relation", "x" * 401, "“How parts lie” is longer"),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_not_kept(
    page: TeachPage, form: DescriptionForm, idle: Idle, name: str, text: str, words: str
) -> None:
    form.fields[name].setText(text)
    form.keep()
    idle()
    assert form.problems[name].isVisible()
    assert form.problems[name].text().startswith(words)
    assert stored(page) is None
    assert form.reset_button.isEnabled()
    form.reset_button.click()
    assert not form.problems[name].isVisible()


def test_a_part_without_a_noun_and_no_parts_at_all_are_said(form: DescriptionForm) -> None:
    form.rows[0].fields["noun"].clear()
    form.keep()
    assert form.rows[0].said.text() == "“Part” is empty. Fill it in, or go back to the suggestion."
    for row in list(form.rows):
        form._drop(row)
    form.keep()
    assert "between one and 8 parts" in form.parts_problem.text()


def test_every_step_can_be_undone_and_redone_and_the_fields_follow(
    project_window: MainWindow, page: TeachPage, form: DescriptionForm, idle: Idle
) -> None:
    for text in ("belt", "table"):
        form.fields["background"].setText(text)
        form.keep()
        idle()
    form.reset_button.click()
    idle()
    assert stored(page) is None
    for expected in ("table", "belt", "plain background"):
        project_window.menus.undo.trigger()
        idle()
        assert form.fields["background"].text() == expected
    assert stored(page) is None
    project_window.menus.redo.trigger()
    idle()
    assert form.fields["background"].text() == "belt"


def test_each_class_keeps_its_own_words_and_a_new_name_its_new_suggestion(
    page: TeachPage, form: DescriptionForm, idle: Idle
) -> None:
    form.fields["background"].setText("belt")
    page.add_class("bolt")  # what was typed before is kept on the way
    idle()
    assert form.fields["foreground"].text() == "bolt"
    assert form.fields["background"].text() == "plain background"
    page.rename_class(page.chosen_class.id if page.chosen_class else 0, "screw")
    idle()
    assert form.fields["foreground"].text() == "screw"
    page.class_view.setCurrentIndex(page.classes.index(0))
    idle()
    assert form.fields["background"].text() == "belt"
    record = stored(page)
    assert record is not None
    assert record.background == "belt"


def test_a_description_goes_through_a_file_and_comes_back(
    page: TeachPage, form: DescriptionForm, idle: Idle, tmp_path: Path
) -> None:
    form.fields["background"].setText("belt")
    form.keep()
    idle()
    mine = stored(page)
    form.export_file(tmp_path / "nut.json")
    idle()
    form.reset()
    idle()
    form.import_file(tmp_path / "nut.json")
    idle()
    assert stored(page) == mine
    assert form.fields["background"].text() == "belt"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "no text file"),
        (b" " * 1_100_000, "too large"),
        (json.dumps({"foreground": "nut"}).encode(), "lacks"),
        (None, "can't be read"),
    ],
)
def test_a_file_that_is_no_description_is_named_and_changes_nothing(
    project_window: MainWindow,
    page: TeachPage,
    form: DescriptionForm,
    idle: Idle,
    tmp_path: Path,
    data: bytes | None,
    words: str,
) -> None:
    if data is not None:
        (tmp_path / "odd.json").write_bytes(data)
    form.import_file(tmp_path / "odd.json")
    idle()
    said = project_window.banner.message.text()
    assert "odd.json" in said
    assert words in said
    assert stored(page) is None


def test_in_a_project_open_for_viewing_the_words_are_shown_but_not_changed(
    qtbot: QtBot, window: MainWindow, idle: Idle, tmp_path: Path
) -> None:
    with projects.create(tmp_path / "Shared", "Shared") as owner:
        class_id = add_class(owner, "nut")
        describe_class(owner, class_id, template("bolt"))
        window.projects.open(tmp_path / "Shared", "teach", read_only=True)
        qtbot.waitUntil(lambda: window.context.project is not None)
        idle()
        page = window.pages["teach"]
        assert isinstance(page, TeachPage)
        page.panel.choice.method.setCurrentIndex(page.panel.choice.method.findData("finegrained"))
        page.describe(True)
        form = page.form
        assert form.fields["foreground"].text() == "bolt"
        assert not form.fields["foreground"].isEnabled()
        assert not form.rows[0].isEnabled()
        assert not form.add_button.isEnabled()
        assert not form.reset_button.isEnabled()
        assert not form.import_action.isEnabled()
        window.close_project()
        idle()
