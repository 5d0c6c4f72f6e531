"""PINs, what each role may do, and that nothing is stored that somebody may not do."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from inspector.domain import MAY, Deed, Role
from inspector.errors import NotAllowedError, ProjectError
from inspector.records import project as projects
from inspector.records import schema as t
from inspector.records.audit import ActKind, list_acts
from inspector.records.classes import add_class, list_classes
from inspector.records.line import roles
from inspector.records.line.roles import acting_as, deed_of, may, remove_pin, role_of, set_pin, sign_in
from inspector.records.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


def test_each_role_may_do_all_that_the_one_below_may_and_the_engineer_everything() -> None:
    assert MAY[Role.OPERATOR] < MAY[Role.INSPECTOR] < MAY[Role.ENGINEER] == frozenset(Deed)
    for kind in ActKind:
        assert deed_of(kind) in MAY[Role.ENGINEER]
    for kind in (ActKind.THRESHOLDS, ActKind.TAUGHT, ActKind.STATION_CHANGED, ActKind.GOLDEN_REMOVED):
        assert deed_of(kind) not in MAY[Role.OPERATOR] | MAY[Role.INSPECTOR], kind
    for kind in (ActKind.RUN_REMOVED, ActKind.PIN_SET, ActKind.CLASS_REMOVED, ActKind.NO_DEFECT):
        assert deed_of(kind) not in MAY[Role.INSPECTOR], kind
    assert deed_of(ActKind.REVIEWED) in MAY[Role.OPERATOR]


def test_without_a_pin_everybody_may_do_everything(project: Project) -> None:
    assert role_of(project, None) is Role.ENGINEER
    assert all(may(project, None, deed) for deed in Deed)


def test_whoever_gives_no_pin_is_taken_for_the_highest_role_that_asks_for_none(project: Project) -> None:
    set_pin(project, Role.ENGINEER, "4711")
    assert role_of(project, None) is Role.INSPECTOR
    set_pin(project, Role.INSPECTOR, "2580")
    assert role_of(project, None) is Role.OPERATOR
    set_pin(project, Role.OPERATOR, "1379")
    assert role_of(project, None) is None
    assert not may(project, None, Deed.JUDGE)
    assert role_of(project, Role.INSPECTOR) is Role.INSPECTOR


def test_what_somebody_may_not_do_is_refused_where_it_is_written_and_leaves_nothing_behind(
    project: Project,
) -> None:
    set_pin(project, Role.ENGINEER, "4711")
    with acting_as(project, None), pytest.raises(NotAllowedError, match="Only an engineer may"):
        add_class(project, "washer")
    assert list_classes(project) == []
    with acting_as(project, Role.ENGINEER):
        add_class(project, "washer")
    add_class(project, "tablet")  # a job, which somebody was allowed to start
    assert [row.name for row in list_classes(project)] == ["tablet", "washer"] or len(
        list_classes(project)
    ) == 2


def test_pins_are_kept_as_argon2_hashes_and_survive_a_restart(project: Project, tmp_path: Path) -> None:
    set_pin(project, Role.ENGINEER, "4711")
    with project.reading() as session:
        (kept,) = session.scalars(select(t.Role.pin))
    assert kept.startswith("$argon2id$")
    assert "4711" not in kept
    project.close()
    with projects.open(tmp_path / "project") as again:
        assert again.guarded == {"engineer"}
        assert sign_in(again, "4711", who="Ada") is Role.ENGINEER
        newest = list_acts(again)[0]
        assert (newest.kind, newest.who, newest.subject) == (ActKind.SIGNED_IN, "Ada", "engineer")


@pytest.mark.parametrize(
    "pin", ["123", "12345", "98765", "0000", "12a4", "4711 ", "1234567890123", "٤٧١١", ""]
)
def test_a_pin_that_is_no_good_is_refused_in_a_sentence(project: Project, pin: str) -> None:
    with pytest.raises(ProjectError):
        set_pin(project, Role.ENGINEER, pin)
    assert not project.guarded


def test_the_engineer_comes_first_and_no_two_roles_have_the_same_pin(project: Project) -> None:
    with pytest.raises(ProjectError, match="The engineer has no PIN yet"):
        set_pin(project, Role.OPERATOR, "4711")
    set_pin(project, Role.ENGINEER, "4711")
    with pytest.raises(ProjectError, match="Another role has this PIN"):
        set_pin(project, Role.INSPECTOR, "4711")
    set_pin(project, Role.INSPECTOR, "2580")
    set_pin(project, Role.INSPECTOR, "2581")  # changed
    assert sign_in(project, "2581") is Role.INSPECTOR
    remove_pin(project, Role.ENGINEER)
    assert not project.guarded
    assert role_of(project, None) is Role.ENGINEER


def test_wrong_pins_make_everybody_wait_each_time_longer_and_the_right_one_ends_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [datetime(2026, 3, 4, 6, 0, tzinfo=UTC)]
    monkeypatch.setattr(t, "now", lambda: now[0])
    set_pin(project, Role.ENGINEER, "4711")
    waits = []
    for _ in range(roles.FREE_TRIES + 3):
        with pytest.raises(ProjectError, match="not the PIN") as told:
            sign_in(project, "1111", who="Ada")
        waits.append(int(re.sub(r"\D", "", told.value.hint) or 0))
        if waits[-1]:
            now[0] += timedelta(seconds=waits[-1] - 0.5)
            with pytest.raises(ProjectError, match="Too many"):
                sign_in(project, "4711")
            now[0] += timedelta(seconds=1)
    assert waits == [0, 0, 2, 4, 8, 16]
    assert [act.new for act in list_acts(project) if act.kind == ActKind.WRONG_PIN] == ["Ada"] * 6
    assert sign_in(project, "4711") is Role.ENGINEER
    with pytest.raises(ProjectError, match="Try again"):
        sign_in(project, "1111")


def test_opening_the_project_anew_gives_no_further_tries(project: Project, tmp_path: Path) -> None:
    set_pin(project, Role.ENGINEER, "4711")
    for _ in range(roles.FREE_TRIES + 2):
        with suppress(ProjectError):
            sign_in(project, "1111")
    project.close()
    with projects.open(tmp_path / "project") as again, pytest.raises(ProjectError, match="Too many"):
        sign_in(again, "4711")
    with projects.open(tmp_path / "project") as again:
        set_pin(again, Role.ENGINEER, "4712")  # by whoever may write the folder
        assert sign_in(again, "4712") is Role.ENGINEER
