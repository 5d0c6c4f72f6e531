"""What a class looks like, which shots a detector's memory holds, and what both say of a class's state."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from inspector.methods.prompts.description import template
from inspector.records.classes import (
    ClassState,
    add_class,
    describe_class,
    find_class,
    list_classes,
    list_descriptions,
    rename_class,
)
from inspector.records.detectors import find_detector, list_memory
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots, remove_shots

Add = Callable[..., int]
Png = Callable[..., bytes]


def test_a_description_comes_out_as_it_went_in_and_can_be_taken_back(project: Project) -> None:
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    record = replace(template("Cookie"), background="grey “belt”, ünlit")
    describe_class(project, cookie, record)
    assert list_descriptions(project) == {cookie: record}
    describe_class(project, nut, template("Nut"))
    describe_class(project, cookie, None)
    assert list_descriptions(project) == {nut: template("Nut")}


@pytest.mark.parametrize("damage", ["{no JSON", "[1, 2]", '{"foreground": "cookie"}', "7", '""', "\udcff"])
def test_a_damaged_description_is_left_out_with_a_line_and_the_classes_are_still_read(
    project: Project, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookie, nut = add_class(project, "Cookie"), add_class(project, "Nut")
    describe_class(project, nut, template("Nut"))
    with project.writing() as session:
        session.execute(
            text("UPDATE classes SET description = CAST(:value AS TEXT) WHERE id = :id"),
            {"value": damage.encode("utf-8", "surrogateescape").decode("latin-1"), "id": cookie},
        )
    assert list(list_descriptions(project)) == [nut]
    assert "the description of “Cookie” is not used" in caplog.text
    assert [row.name for row in list_classes(project)] == ["Cookie", "Nut"]


@pytest.mark.parametrize("setting", ["descriptions", "mfsc"])  # earlier versions call it "mfsc"
def test_a_changed_description_makes_a_class_out_of_date_only_for_the_method_that_reads_it(
    project: Project, png: Png, add_detector: Add, setting: str
) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", png(1))])
    record = template("Cookie")
    describe_class(project, class_id, record)

    def state() -> tuple[ClassState, str]:
        row = find_class(project, "Cookie")
        return row.state, row.note

    add_detector(project, class_id)
    describe_class(project, class_id, replace(record, background="belt"))
    assert state() == (ClassState.TAUGHT, "")
    add_detector(project, class_id, method="finegrained", settings={setting: {"Cookie": record.as_json()}})
    assert state() == (ClassState.OUT_OF_DATE, "Its description was changed after it was taught.")
    rename_class(project, class_id, "Biscuit")
    describe_class(project, class_id, record)
    assert find_class(project, "Biscuit").state is ClassState.TAUGHT
    describe_class(project, class_id, None)
    assert find_class(project, "Biscuit").state is ClassState.OUT_OF_DATE
    add_detector(project, class_id, method="finegrained", settings={})
    assert find_class(project, "Biscuit").state is ClassState.TAUGHT


def test_a_memory_keeps_the_order_in_which_it_got_its_shots(
    project: Project, png: Png, add_detector: Add
) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [(f"{n}.png", png(n)) for n in range(4)])
    a, b, c, d = (row.id for row in list_shots(project))
    detector_id = add_detector(project, class_id, added_shots={class_id: [d, a]})
    assert list_memory(project, detector_id) == {class_id: [b, c, d, a]}
    assert find_detector(project, detector_id).added_shots == {class_id: (d, a)}
    remove_shots(project, [b])
    assert list_memory(project, detector_id) == {class_id: [b, c, d, a]}
    assert list_memory(project, 99) == {}


@pytest.mark.parametrize(
    ("method", "state", "words"),
    [
        ("patchcore", ClassState.TAUGHT, ""),
        (
            "anople",
            ClassState.OUT_OF_DATE,
            "The memory knows all shots; the prompts were learned without the newest.",
        ),
    ],
)
def test_a_shot_in_the_memory_is_enough_for_methods_that_learn_nothing(
    project: Project, png: Png, add_detector: Add, method: str, state: ClassState, words: str
) -> None:
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [(f"{n}.png", png(n)) for n in range(2)])
    newest = list_shots(project)[-1].id
    changes: dict[str, Any] = {"method": method, "added_shots": {class_id: [newest]}}
    add_detector(project, class_id, **changes)
    row = find_class(project, "cookie")
    assert (row.state, row.note) == (state, words)
    remove_shots(project, [newest])
    row = find_class(project, "cookie")
    assert (row.state, row.note) == (
        ClassState.OUT_OF_DATE,
        "Its shots were changed after it was taught.",
    )
