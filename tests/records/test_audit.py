"""Every act of a person leaves one line, and a line that was changed, removed or put in shows."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from inspector.domain import Decision, Proposal, Thresholds
from inspector.errors import ProjectError
from inspector.images.area import Area
from inspector.methods.prompts.description import template
from inspector.records import project as projects
from inspector.records.audit import (
    NO_ACTS,
    ActFilter,
    ActKind,
    all_acts,
    checksum,
    list_acts,
    list_choices,
    note,
    verify,
)
from inspector.records.classes import (
    add_class,
    describe_class,
    remove_class,
    rename_class,
    restore_class,
    set_area,
    set_smallest,
)
from inspector.records.detectors import (
    accept_detector,
    propose_detector,
    remove_detector,
    restore_detector,
)
from inspector.records.inspected.runs import continue_run, remove_run, restore_run
from inspector.records.project import Project
from inspector.records.ranges import set_white
from inspector.records.reviews import NewReview, add_review, add_reviews, withdraw_review
from inspector.records.shots import (
    add_place,
    add_shots,
    confirm_shots,
    list_places,
    list_shots,
    remove_shots,
    restore_shots,
)
from inspector.records.thresholds import set_thresholds

Png = Callable[..., bytes]
Line = tuple[str, str, str, str, str]
PLACE = ((0.1, 0.2), (0.3, 0.2), (0.3, 0.4))


@pytest.fixture
def acts(project: Project) -> Iterator[Callable[[], list[Line]]]:
    """The lines since the last look, oldest first: who, kind, subject, old, new."""
    seen = [0]

    def read() -> list[Line]:
        rows = list_acts(project, after=seen[0])[::-1]
        seen[0] = rows[-1].id if rows else seen[0]
        return [(row.who, row.kind, row.subject, row.old, row.new) for row in rows]

    project.who = "Ada"
    yield read
    assert verify(project).broken is None


def test_what_is_done_to_a_class_leaves_a_line_each(project: Project, acts: Callable[[], list[Line]]) -> None:
    key = add_class(project, "Cookie")
    rename_class(project, key, "Biscuit")
    set_smallest(project, key, 12)
    set_white(project, key, 4095)
    set_area(project, key, Area(((PLACE),)))
    describe_class(project, key, template("Biscuit"))
    remove_class(project, key)
    restore_class(project, key)
    found = acts()
    assert [line[:3] for line in found] == [
        ("Ada", "class added", "Cookie"),
        ("Ada", "class renamed", "Cookie"),
        ("Ada", "smallest defect changed", "Biscuit"),
        ("Ada", "range changed", "Biscuit"),
        ("Ada", "area changed", "Biscuit"),
        ("Ada", "description changed", "Biscuit"),
        ("Ada", "class removed", "Biscuit"),
        ("Ada", "class brought back", "Biscuit"),
    ]
    assert found[1][3:] == ("Cookie", "Biscuit")
    assert found[2][3:] == ("pictures as a whole", "12 pixels")
    assert found[3][3:] == ("as the files say", "0–4,095")
    set_smallest(project, key, 12)  # as it is already
    set_white(project, key, 4095)
    assert acts() == []


def test_shots_that_are_added_together_are_one_line(
    project: Project, png: Png, acts: Callable[[], list[Line]]
) -> None:
    key = add_class(project, "Cookie")
    acts()
    added = add_shots(project, key, [(f"{n}.png", png(n)) for n in range(5)] + [("bad.png", b"no picture")])
    ids = [one.shot_id for one in added if one.shot_id is not None]
    confirm_shots(project, ids[:1])
    confirm_shots(project, ids[:1], good=False)
    remove_shots(project, ids[:2])
    restore_shots(project, ids[:2])
    assert [line[1:] for line in acts()] == [
        ("shots added", "Cookie", "", "0.png, 1.png, 2.png and 2 more"),
        ("shots confirmed good", "Cookie", "", "0.png"),
        ("shots no longer confirmed", "Cookie", "", "0.png"),
        ("shots removed", "Cookie", "", "0.png, 1.png"),
        ("shots brought back", "Cookie", "", "0.png, 1.png"),
    ]


def test_the_same_picture_twice_among_new_shots_counts_once(project: Project, png: Png) -> None:
    key = add_class(project, "Cookie")
    first, second, same = add_shots(project, key, [("a.png", png(1)), ("b.png", png(2)), ("c.png", png(1))])
    assert [one.status for one in (first, second, same)] == ["added", "added", "duplicate"]
    assert same.shot_id == first.shot_id
    assert len(list_shots(project, key)) == 2


def test_a_place_called_no_defect_leaves_a_line_and_another_when_taken_back(
    project: Project, taught: Any, record: Any, acts: Callable[[], list[Line]]
) -> None:
    (result_id,) = record(0.9)
    acts()
    add_place(project, result_id, PLACE, "Bo")
    places = [row.id for row in list_places(project)]
    remove_shots(project, places)
    restore_shots(project, places)
    assert acts() == [
        ("Bo", "called no defect", "Cookie", "", "part 0.90.png"),
        ("Ada", "no defect taken back", "Cookie", "", "part 0.90.png"),
        ("Ada", "called no defect", "Cookie", "", "part 0.90.png"),
    ]


def test_detectors_say_which_one_judges_before_and_after(
    project: Project, taught: Any, add_detector: Callable[..., int], acts: Callable[[], list[Line]]
) -> None:
    acts()
    first, key = taught.detector_id, taught.class_id
    second = add_detector(project, key, updated_from=first, proposal=Proposal())
    before = accept_detector(project, second)
    propose_detector(project, second, before)
    remove_detector(project, second)
    restore_detector(project, second)
    remove_detector(project, first)
    found = acts()
    assert [line[1] for line in found] == [
        "detector updated",
        "put in charge",
        "charge taken back",
        "detector discarded",
        "detector brought back",
        "detector removed",
    ]
    assert found[0][3:] == ("#1", "Cookie: review 0.500, NG 0.700 (only proposed)")
    assert [line[3:] for line in found[1:3]] == [("#1", "#2"), ("#2", "#1")]
    assert found[5][3:] == ("#1", "")
    third = add_detector(project, key)
    assert acts()[0][1:3] == ("detector taught", f"#{third} PatchCore, Cookie")


def test_thresholds_say_their_numbers_and_where_they_come_from(project: Project, taught: Any) -> None:
    set_thresholds(project, taught.detector_id, taught.class_id, Thresholds(0.6, 0.8, 0.5), who="Bo")
    (row,) = list_acts(project, limit=1)
    assert (row.who, row.kind, row.subject) == ("Bo", ActKind.THRESHOLDS, "Cookie, detector #1")
    assert (row.old, row.new) == ("review 0.500, NG 0.700", "review 0.600, NG 0.800")
    assert row.reason.startswith("Moved by hand by Bo")
    assert row.reason.endswith("Verdicts changed: 0.")


def test_many_reviews_in_one_go_are_one_line(
    project: Project, taught: Any, record: Any, acts: Callable[[], list[Line]]
) -> None:
    ids = record(*(0.1 + n / 1000 for n in range(500)), 0.9)
    acts()
    written = add_reviews(
        project, [NewReview(key, Decision.NG, "scratch on all", "scratch") for key in ids], who="Bo"
    )
    (one,) = list_acts(project, limit=1)
    assert one.reason == "scratch scratch on all"
    withdraw_review(project, written, who="Cy")
    add_review(project, ids[-1:], Decision.OK, who="Bo")
    found = acts()
    assert [line[:2] for line in found] == [
        ("Bo", "reviewed"),
        ("Cy", "review withdrawn"),
        ("Bo", "reviewed"),
    ]
    assert found[0][2].endswith(" and 498 more")
    assert found[0][3:] == ("400 OK, 100 review, 1 NG", "501 NG")
    assert found[1][3:] == ("501 NG", "400 OK, 100 review, 1 NG")
    assert found[2][2:] == ("part 0.90.png", "NG", "OK")


def test_runs_leave_a_line_each(project: Project, taught: Any, acts: Callable[[], list[Line]]) -> None:
    assert acts()[-1][1:] == ("inspection begun", "#1 Monday", "", "by detector #1")
    continue_run(project, taught.run_id, 0)
    remove_run(project, taught.run_id)
    restore_run(project, taught.run_id)
    assert [line[1:3] for line in acts()] == [
        ("inspection continued", "#1 Monday"),
        ("run removed", "#1 Monday"),
        ("run brought back", "#1 Monday"),
    ]


def test_an_act_that_fails_leaves_no_line(project: Project, taught: Any, record: Any) -> None:
    ids = record(0.2)
    add_class(project, "Washer")
    before = verify(project)
    with pytest.raises(ProjectError, match="already"):
        add_class(project, "washer")
    with pytest.raises(ProjectError, match="can't be withdrawn"):
        withdraw_review(project, [99], who="Bo")
    with pytest.raises(RuntimeError, match="after the line"):
        _fail_after_the_line(project)
    assert verify(project) == before
    add_review(project, ids, Decision.NG, who="Bo")
    assert verify(project).acts == before.acts + 1


def _fail_after_the_line(project: Project) -> None:
    with project.writing() as session:
        note(session, ActKind.REVIEWED, "part", who="Bo")
        raise RuntimeError("after the line")


def test_without_a_name_the_account_stands_for_who_did_it(project: Project) -> None:
    add_class(project, "a")
    assert list_acts(project)[0].who  # of whoever runs the tests
    project.who = "Ada"
    add_class(project, "b")
    assert list_acts(project)[0].who == "Ada"


# the chain


def forge(project: Project, *statements: str) -> None:
    """As somebody would with SQLite at hand."""
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
        for action in ("update", "delete"):
            connection.execute(f"DROP TRIGGER acts_no_{action}")
        for one in statements:
            connection.execute(one)
        connection.commit()


INSERT = "INSERT INTO acts SELECT 7, created, 'Bo', kind, subject, old, new, reason, '{chain}' FROM acts WHERE id = 2"


@pytest.mark.parametrize(
    ("statements", "first", "said"),
    [
        (["UPDATE acts SET who = 'Bo' WHERE id = 3"], 3, "Act 3 was changed, or put in later."),
        (["UPDATE acts SET created = '2020-01-01 00:00:00.000000' WHERE id = 1"], 1, "Act 1 was changed"),
        (["UPDATE acts SET chain = 'x' WHERE id = 6"], 6, "Act 6 was changed"),
        (["DELETE FROM acts WHERE id = 2"], 2, "Act 2 is missing."),
        (["DELETE FROM acts WHERE id IN (2, 3, 4)"], 2, "Acts 2 to 4 are missing."),
        (["DELETE FROM acts WHERE id = 1"], 1, "Act 1 is missing."),
        (["DELETE FROM acts WHERE id > 4"], 5, "Acts 5 to 6 are missing at the end."),
        (["DELETE FROM acts"], 1, "Acts 1 to 6 are missing at the end."),
        ([INSERT.format(chain="x")], 7, "Act 7 was changed, or put in later."),
        (["UPDATE acts SET id = 0 WHERE id = 6"], 0, "Act 0 was put in later."),
        (["PRAGMA user_version = 4"], 5, "Only 4 acts were written, and there are 6."),
    ],
)
def test_a_changed_removed_or_inserted_act_shows(
    project: Project, statements: list[str], first: int, said: str
) -> None:
    for name in "abcdef":
        add_class(project, name)
    whole = verify(project)
    assert (whole.acts, whole.broken) == (6, None)
    forge(project, *statements)
    broken = verify(project).broken
    assert broken is not None
    assert (broken.id, broken.what[: len(said)]) == (first, said)


def test_a_rewritten_act_shows_in_the_one_after_it(project: Project) -> None:
    """Who changes an act and its checksum breaks the next."""
    for name in "abc":
        add_class(project, name)
    rows = list(all_acts(project))
    moment = rows[1].created.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    texts = [
        moment,
        "Bo",
        *(getattr(rows[1], field) for field in ("kind", "subject", "old", "new", "reason")),
    ]
    chain = checksum(rows[0].chain, 2, texts)
    forge(project, f"UPDATE acts SET who = 'Bo', chain = '{chain}' WHERE id = 2")
    broken = verify(project).broken
    assert broken is not None
    assert broken.id == 3


def test_what_was_cut_off_shows_also_after_more_was_done(project: Project) -> None:
    for name in "abc":
        add_class(project, name)
    forge(project, "DELETE FROM acts WHERE id = 3")
    add_class(project, "d")
    broken = verify(project).broken
    assert broken is not None
    assert broken.what == "Act 3 is missing."


def test_a_project_that_is_opened_again_or_copied_has_a_whole_chain(project: Project, tmp_path: Any) -> None:
    add_class(project, "a")
    project.close()
    with projects.open(project.folder) as again:
        add_class(again, "b")
        assert verify(again).acts == 2
    with projects.open(project.folder, read_only=True) as viewed:  # a private copy
        found = verify(viewed)
        assert (found.acts, found.broken) == (2, None)


def test_no_act_can_be_changed_or_deleted_by_the_way(project: Project) -> None:
    add_class(project, "a")
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
        for statement in ("UPDATE acts SET who = 'x'", "DELETE FROM acts"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                connection.execute(statement)


# the list


def test_acts_are_found_by_kind_person_words_and_day(project: Project) -> None:
    project.who = "Ada"
    key = add_class(project, "100 % cotton")
    project.who = "Bo"
    rename_class(project, key, "cloth")
    add_class(project, "washer")
    rows = list_acts(project)

    def found(**where: Any) -> list[int]:
        return [row.id for row in list_acts(project, ActFilter(**where))]

    assert found() == [3, 2, 1]
    assert found(kind="class added") == [3, 1]
    assert found(who="Bo") == [3, 2]
    assert found(text="0 % C") == [2, 1]
    assert found(since=rows[1].created, until=rows[0].created) == [2]
    assert found(since=rows[0].created + timedelta(seconds=1)) == []
    assert list_choices(project) == (["Ada", "Bo"], ["class added", "class renamed"])
    assert [row.id for row in list_acts(project, before=3, limit=1)] == [2]
    assert [row.id for row in list_acts(project, after=1)] == [3, 2]


def test_a_hundred_thousand_acts_are_read_a_page_at_a_time(project: Project) -> None:
    many = 100_000
    with project.writing() as session:
        began = time.perf_counter()
        for number in range(1, 1001):
            note(session, ActKind.REVIEWED, f"part {number}.png", who="Ada", old="ng", new="ok")
        each = (time.perf_counter() - began) / 1000
    with closing(sqlite3.connect(project.folder / "project.sqlite")) as connection:
        (before,) = connection.execute("SELECT chain FROM acts WHERE id = 1000").fetchone()
        rows = []
        for number in range(1001, many + 1):
            texts = ["2026-01-01 00:00:00.000000", "Bo", "reviewed", f"part {number}.png", "ok", "ng", ""]
            before = checksum(before, number, texts)
            rows.append((number, *texts, before))
        connection.executemany("INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute(f"PRAGMA user_version = {many}")
        connection.commit()
    began = time.perf_counter()
    assert list_acts(project)[0].id == many
    first = time.perf_counter() - began
    assert list_acts(project, before=500)[0].id == 499
    assert [row.id for row in list_acts(project, ActFilter(text="part 777.png"))] == [777]
    found = verify(project)
    assert (found.acts, found.broken) == (many, None)
    assert verify(project, found) == found
    assert each < 0.002
    assert first < 0.5


def test_an_empty_audit_is_whole(project: Project) -> None:
    assert verify(project) == NO_ACTS
