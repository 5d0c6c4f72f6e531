"""A shift that begins with parts that are known: when a check is due, what it says, and that it blocks or warns."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_line import kept_parts
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, JobEnded, JobEvent, JobStatus
from inspector.images.demo import parts as demo_parts
from inspector.jobs.engine import Engine
from inspector.jobs.golden import check_golden
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.line.stations import Retention, ShiftCheck, StationRow
from inspector.records.project import Project
from inspector.records.qualification.checks import list_checks
from inspector.records.qualification.golden import add_golden
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds, set_thresholds
from inspector.stations.shift_check import check_due, passed, said_of, shift_began


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("inspector-tiny", "cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Path:
    """Washers, taught and inspected; nothing golden yet."""
    parts = demo_parts.write_demo(
        tmp_path_factory.mktemp("parts"), shots=3, good=1, defective=1, kinds=("washer",), size=160
    )
    folder = tmp_path_factory.mktemp("shift") / "project"
    with projects.create(folder, "Shift") as project:
        add_shots(project, add_class(project, "washer"), sorted((parts / "washer/train/good").iterdir()))
        ends: list[object] = []
        teach(project, engine, method="patchcore", emit=ends.append, cancel=CancelToken())
        inspect(project, engine, [parts / "washer/test"], emit=ends.append, cancel=CancelToken())
        assert all(end.status is JobStatus.DONE for end in ends if isinstance(end, JobEnded))
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(made, tmp_path / "project")
    with projects.open(tmp_path / "project") as opened:
        yield opened


def golden(project: Project) -> None:
    rows = list_results(project, result_ids(project))
    add_golden(
        project, {row.id: Decision.OK if "good" in row.name else Decision.NG for row in rows}, who="Ada"
    )


def station(project: Project, **check: object) -> StationRow:
    return kept_parts.station(project, Retention(), "Press 4", check=ShiftCheck(**check))  # type: ignore[arg-type]


def let_everything_pass(project: Project) -> None:
    row = find_detector(project)
    for class_id, one in list_thresholds(project, row.id).items():
        set_thresholds(project, row.id, class_id, replace(one.thresholds, review=9.0, ng=10.0))


def test_a_check_is_due_when_a_shift_begins_and_no_longer_once_one_was_passed(
    project: Project, engine: Engine
) -> None:
    golden(project)
    press, now = station(project, at_start=True, blocks=True), datetime.now(UTC)
    due = check_due(project, press, now)
    assert due is not None
    assert due.blocks
    assert "is due, for the shift of" in due.said
    done = kept_parts.shift_check(project, engine, press)
    assert passed(done)
    assert said_of(done) == (
        f"Passed: all {len(done.parts)} golden parts are judged as they must be, the NG part among them caught."
    )
    assert check_due(project, press, datetime.now(UTC)) is None
    tomorrow = check_due(project, press, now + timedelta(days=1))
    assert tomorrow is not None
    assert not tomorrow.failed
    (record,) = list_checks(project, station_id=press.id)
    assert (record.who, record.occasion) == ("Ada", "Shift check of “Press 4”")


def test_every_so_many_hours_anew(project: Project, engine: Engine) -> None:
    golden(project)
    press = station(project, hours=4)
    due = check_due(project, press, datetime.now(UTC))
    assert due is not None
    assert not due.blocks
    kept_parts.shift_check(project, engine, press)
    now = datetime.now(UTC)
    assert check_due(project, press, now + timedelta(hours=3.9)) is None
    assert check_due(project, press, now + timedelta(hours=4.1)) is not None


def test_a_red_rabbit_that_escapes_is_named_and_the_check_stays_due(project: Project, engine: Engine) -> None:
    golden(project)
    press = station(project, at_start=True, blocks=True)
    let_everything_pass(project)
    done = kept_parts.shift_check(project, engine, press)
    bad = [part.name for part in done.parts if part.expected is Decision.NG]
    assert not passed(done)
    assert [(part.name, part.said) for part in done.missed] == [(name, Decision.OK) for name in bad]
    due = check_due(project, press, datetime.now(UTC))
    assert due is not None
    assert (due.failed, due.blocks) == (True, True)
    assert f"“{bad[0]}”" in due.said
    assert due.said.endswith("would pass as OK. Nothing is judged until one is passed.")


def test_a_golden_part_that_is_taken_for_another_product_is_said_to_be_and_not_to_be_good(
    project: Project, engine: Engine, tmp_path: Path
) -> None:
    folder = (
        demo_parts.write_demo(tmp_path, shots=1, good=1, defective=1, kinds=("blister",), size=160)
        / "blister/test"
    )
    inspect(project, engine, [folder], class_name="washer", emit=lambda event: None, cancel=CancelToken())
    others = list_results(project, result_ids(project))[-2:]
    assert {row.verdict for row in others} == {Decision.OTHER}
    add_golden(project, {others[0].id: Decision.NG}, who="Ada")
    press = station(project, at_start=True)
    done = kept_parts.shift_check(project, engine, press)
    assert said_of(done) == f"Not passed: “{others[0].name}” is taken for another product."
    due = check_due(project, press, datetime.now(UTC))
    assert due is not None
    assert "good and would be held back" not in due.said


def test_without_a_golden_set_it_says_what_to_do(project: Project, engine: Engine) -> None:
    press = station(project, at_start=True)
    events: list[JobEvent] = []
    check_golden(project, engine, station=press, emit=events.append, cancel=CancelToken())
    end = events[-1]
    assert isinstance(end, JobEnded)
    assert (end.status, "no golden set" in end.message) == (JobStatus.FAILED, True)
    assert "Right click a result" in end.hint
    assert list_checks(project) == []


def test_a_station_without_a_check_waits_for_none(project: Project) -> None:
    assert check_due(project, station(project), datetime.now(UTC)) is None


def test_shifts_begin_by_the_clock_on_the_wall_and_the_night_shift_yesterday() -> None:
    shifts = ("06:00", "14:00", "22:00", "tea")
    three = datetime(2026, 3, 4, 3, 0).astimezone()
    assert shift_began(shifts, three) == datetime(2026, 3, 3, 22, 0).astimezone()
    assert shift_began(shifts, three + timedelta(hours=3)) == datetime(2026, 3, 4, 6, 0).astimezone()
    assert shift_began((), three) is None


def test_the_command_line_prints_the_record_to_sign(project: Project, tmp_path: Path) -> None:
    golden(project)
    station(project, at_start=True)
    let_everything_pass(project)
    project.close()
    page = tmp_path / "check.html"
    done = CliRunner().invoke(
        app, ["golden", str(project.folder), "--station", "press 4", "--who", "Ada", "--html", str(page)]
    )
    assert done.exit_code == 2, done.output
    assert "would pass as OK" in " ".join(done.output.split())
    text = page.read_text("utf-8")
    assert "Shift check of “Press 4”" in text
    assert "✕ not as it must be" in text
    assert "Signature" in text
