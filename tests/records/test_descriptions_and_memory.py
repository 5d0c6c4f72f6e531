"""What a class looks like, which shots a detector's memory holds, and what both say of a class's state."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from inspector.methods.prompts.description import template
from inspector.records import queries, write
from inspector.records.project import Project
from inspector.records.queries import ClassState

Add = Callable[..., int]
Png = Callable[..., bytes]


def test_a_description_comes_out_as_it_went_in_and_can_be_taken_back(project: Project) -> None:
    cookie, nut = write.add_class(project, "Cookie"), write.add_class(project, "Nut")
    record = replace(template("Cookie"), background="grey “belt”, ünlit")
    write.describe_class(project, cookie, record)
    assert queries.descriptions(project) == {cookie: record}
    write.describe_class(project, nut, template("Nut"))
    write.describe_class(project, cookie, None)
    assert queries.descriptions(project) == {nut: template("Nut")}


@pytest.mark.parametrize("damage", ["{no JSON", "[1, 2]", '{"foreground": "cookie"}', "7", '""', "\udcff"])
def test_a_damaged_description_is_left_out_with_a_line_and_the_classes_are_still_read(
    project: Project, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cookie, nut = write.add_class(project, "Cookie"), write.add_class(project, "Nut")
    write.describe_class(project, nut, template("Nut"))
    with project.writing() as session:
        session.execute(
            text("UPDATE classes SET description = CAST(:value AS TEXT) WHERE id = :id"),
            {"value": damage.encode("utf-8", "surrogateescape").decode("latin-1"), "id": cookie},
        )
    assert list(queries.descriptions(project)) == [nut]
    assert "the description of “Cookie” is not used" in caplog.text
    assert [row.name for row in queries.classes(project)] == ["Cookie", "Nut"]


def test_a_changed_description_makes_a_class_out_of_date_only_for_the_method_that_reads_it(
    project: Project, png: Png, add_detector: Add
) -> None:
    class_id = write.add_class(project, "Cookie")
    write.add_shots(project, class_id, [("a.png", png(1))])
    record = template("Cookie")
    write.describe_class(project, class_id, record)

    def state() -> tuple[ClassState, str]:
        row = queries.find_class(project, "Cookie")
        return row.state, row.note

    add_detector(project, class_id)
    write.describe_class(project, class_id, replace(record, background="belt"))
    assert state() == (ClassState.TAUGHT, "")
    add_detector(project, class_id, method="finegrained", settings={"mfsc": {"Cookie": record.as_json()}})
    assert state() == (ClassState.OUT_OF_DATE, "Its description was changed after it was taught.")
    write.rename_class(project, class_id, "Biscuit")
    write.describe_class(project, class_id, record)
    assert queries.find_class(project, "Biscuit").state is ClassState.TAUGHT
    write.describe_class(project, class_id, None)
    assert queries.find_class(project, "Biscuit").state is ClassState.OUT_OF_DATE
    add_detector(project, class_id, method="finegrained", settings={})
    assert queries.find_class(project, "Biscuit").state is ClassState.TAUGHT


def test_a_memory_keeps_the_order_in_which_it_got_its_shots(
    project: Project, png: Png, add_detector: Add
) -> None:
    class_id = write.add_class(project, "Cookie")
    write.add_shots(project, class_id, [(f"{n}.png", png(n)) for n in range(4)])
    a, b, c, d = (row.id for row in queries.shots(project))
    detector_id = add_detector(project, class_id, added_shots={class_id: [d, a]})
    assert queries.memory(project, detector_id) == {class_id: [b, c, d, a]}
    assert queries.detector(project, detector_id).added_shots == {class_id: (d, a)}
    write.remove_shots(project, [b])
    assert queries.memory(project, detector_id) == {class_id: [b, c, d, a]}
    assert queries.memory(project, 99) == {}


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
    class_id = write.add_class(project, "Cookie")
    write.add_shots(project, class_id, [(f"{n}.png", png(n)) for n in range(2)])
    newest = queries.shots(project)[-1].id
    changes: dict[str, Any] = {"method": method, "added_shots": {class_id: [newest]}}
    add_detector(project, class_id, **changes)
    row = queries.find_class(project, "cookie")
    assert (row.state, row.note) == (state, words)
    write.remove_shots(project, [newest])
    row = queries.find_class(project, "cookie")
    assert (row.state, row.note) == (
        ClassState.OUT_OF_DATE,
        "Its shots were changed after it was taught.",
    )
