"""What a station's rule lets go, what it never does, and that a kill leaves no row without its file."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import judged_parts
import pytest
from at_the_line import kept_parts
from at_the_line.kept_parts import NG, OK, come, file_of
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import Decision
from inspector.errors import ImageError, ProjectError
from inspector.exports.rows import ExportRow, load_bytes, load_map, load_small
from inspector.records import project as projects
from inspector.records.audit import ActKind, list_acts
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.line import keeping
from inspector.records.line.stations import Retention
from inspector.records.outlines import set_outline
from inspector.records.project import Project
from inspector.records.qualification.golden import add_golden
from inspector.records.reviews import add_review, withdraw_review
from inspector.records.shots import add_place, add_shots
from inspector.stations.upkeep import retention
from inspector.stations.upkeep.retention import Tidied, tidy


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


@pytest.fixture
def taught(project: Project) -> tuple[int, int]:
    return judged_parts.taught(project)


def rows(project: Project, ids: list[int] | None = None) -> list[ResultRow]:
    return list_results(project, result_ids(project) if ids is None else ids)


def kept(project: Project, ids: list[int]) -> list[bool]:
    """Whether the image of each is there; where not, that its row says so, and that its thumbnail is."""
    found = []
    for row in rows(project, ids):
        there = file_of(project, row.sha256).is_file()
        assert there == (row.files.let_go is None) == (row.path is not None)
        if not there:
            left = [row.files.thumbnail, row.map_path]
            assert all(path is not None and path.is_file() for path in left)
        found.append(there)
    return found


def test_every_nth_good_part_stays_and_all_others(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention(ok_every=3))
    ids = come(project, press, taught, [OK, OK, OK, NG, OK, OK, OK, OK])
    assert tidy(project, press, 10).images == 5
    assert kept(project, ids) == [False, False, True, True, False, False, True, False]
    later = come(project, press, taught, [OK, OK, OK], seed=1)  # counted on from where it was
    assert tidy(project, press, 10).images == 2
    assert kept(project, later) == [False, True, False]
    assert tidy(project, press, 10) == Tidied(0, 0)


def test_without_a_rule_everything_stays(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention())
    ids = come(project, press, taught, [OK, NG], days_ago=900)
    assert tidy(project, press, 10) == Tidied(0, 0)
    assert kept(project, ids) == [True, True]


def test_what_somebody_said_something_of_stays_and_so_does_what_teaches_or_is_golden(
    project: Project, taught: tuple[int, int]
) -> None:
    press = kept_parts.station(project, Retention(ok_every=0, days=1, gigabytes=0.0))
    said, withdrawn, outlined, golden, shot, place, none = ids = come(
        project, press, taught, [OK] * 7, days_ago=30
    )
    add_review(project, [said], Decision.OK, who="Ada")
    withdraw_review(
        project, add_review(project, [withdrawn], Decision.NG, reason="pit", who="Ada"), who="Ada"
    )
    set_outline(project, outlined, [((0.1, 0.1), (0.2, 0.1), (0.2, 0.2))], who="Ada")
    add_golden(project, {golden: Decision.OK}, who="Ada")
    (row,) = rows(project, [shot])
    add_shots(project, taught[0], [("again.png", file_of(project, row.sha256).read_bytes())])
    kept_parts.age(file_of(project, row.sha256), 3600)
    add_place(project, place, ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)))
    assert tidy(project, press, 10).images == 1
    assert kept(project, ids) == [id_ != none for id_ in ids]


def test_by_days_also_ng_goes_and_what_is_younger_stays(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention(days=7))
    old = come(project, press, taught, [OK, NG], days_ago=8)
    young = come(project, press, taught, [OK, NG], days_ago=6, seed=1)
    assert tidy(project, press, 10).images == 2
    assert kept(project, old + young) == [False, False, True, True]


def test_an_image_that_was_touched_just_now_is_looked_at_again(
    project: Project, taught: tuple[int, int]
) -> None:
    for rule in (Retention(ok_every=0), Retention(days=1), Retention(gigabytes=0.0)):
        press = kept_parts.station(project, rule, name=str(rule))
        ids = come(project, press, taught, [OK] * 3, days_ago=30, seed=len(result_ids(project)))
        touched = file_of(project, rows(project, ids)[1].sha256)
        kept_parts.age(touched, 0)  # somebody wanted it: its row may come yet
        assert tidy(project, press, 10).images == 1
        assert tidy(project, press, 10).images == 0
        assert kept(project, ids) == [False, True, True]
        kept_parts.age(touched, 3600)
        assert tidy(project, press, 10).images == 2
        assert kept(project, ids) == [False] * 3


def test_parts_that_a_wrong_clock_dated_into_the_future_stop_no_rule(
    project: Project, taught: tuple[int, int]
) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    ids = come(project, press, taught, [OK] * 2, days_ago=-400)
    ids += come(project, press, taught, [OK] * 2, seed=1)
    for id_ in ids:
        kept_parts.age(file_of(project, rows(project, [id_])[0].sha256), 3600)
    assert tidy(project, press, 10).images == 4
    assert kept(project, ids) == [False] * 4


def test_by_size_the_oldest_good_go_first_and_ng_never_which_is_said(
    project: Project, taught: tuple[int, int]
) -> None:
    one = len(kept_parts.png(0))
    press = kept_parts.station(project, Retention(gigabytes=3.5 * one / 1e9))
    ids = come(project, press, taught, [OK, NG, OK, OK, NG])
    done = tidy(project, press, 10)
    assert kept(project, ids) == [False, True, False, True, True]
    assert (done.images, done.over) == (2, "")
    assert 2 * one < (done.kept or 0) <= 3.5 * one
    later = come(project, press, taught, [NG, NG], seed=1)
    done = tidy(project, press, 10)
    assert kept(project, ids + later) == [False, True, False, False, True, True, True]
    assert "never go by size" in done.over


def test_a_picture_that_another_result_needs_stays(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    other = kept_parts.station(project, Retention(), "Press 5")
    data = [kept_parts.png(7), kept_parts.png(8)]
    ids = come(project, press, taught, [OK, OK], data=data)
    come(project, other, taught, [OK], data=data[:1])
    assert tidy(project, press, 10).images == 1
    assert kept(project, ids) == [True, False]


def test_a_picture_that_comes_again_is_there_again(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    data = [kept_parts.png(7)]
    ids = come(project, press, taught, [OK], data=data)
    tidy(project, press, 10)
    assert kept(project, ids) == [False]
    again = come(project, press, taught, [NG], data=data)
    assert kept(project, ids + again) == [True, True]
    tidy(project, press, 10)
    assert kept(project, ids + again) == [True, True]


def test_a_file_that_was_just_wanted_again_waits(project: Project, taught: tuple[int, int]) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    ids = come(project, press, taught, [OK])
    (row,) = rows(project, ids)
    kept_parts.age(file_of(project, row.sha256), 1)
    assert tidy(project, press, 10).images == 0
    assert kept(project, ids) == [True]


def test_whoever_asks_for_the_image_is_told_and_the_thumbnail_is_shown(
    project: Project, taught: tuple[int, int]
) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    ids = come(project, press, taught, [OK])
    tidy(project, press, 10, last=True)
    row = ExportRow(rows(project, ids)[0])
    with pytest.raises(
        ImageError, match=r"let go by the station's rule on .*its thumbnail remains"
    ) as caught:
        load_bytes(row)
    assert "part 0-0.png" in caught.value.message
    assert load_small(row, 320).shape == (48, 64, 3)
    assert load_map(row).shape == (8, 12)
    with pytest.raises(ProjectError, match="let go"):
        add_golden(project, {ids[0]: Decision.OK}, who="Ada")
    with pytest.raises(ProjectError, match="no image"):
        add_place(project, ids[0], ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)))
    (act,) = list_acts(project)[:1]
    assert (act.kind, act.subject) == (ActKind.IMAGES_LET_GO, "Press 4")
    assert act.new.startswith("1 image, ")


KILLED = """
import os, sys
from inspector.records import project as projects
from inspector.records.line import keeping, stations
from inspector.stations.upkeep import retention

def die(*_):
    os._exit(9)

retention.delete = die
opened = projects.open(sys.argv[1])
retention.tidy(opened, stations.find_station(opened, "Press 4"), 10)
"""


def test_a_kill_between_mark_and_delete_leaves_files_that_the_next_start_deletes(
    project: Project, taught: tuple[int, int]
) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    come(project, press, taught, [OK, OK])
    shas = [row.sha256 for row in rows(project)]
    project.close()
    died = subprocess.run([sys.executable, "-c", KILLED, str(project.folder)], check=False)
    assert died.returncode == 9
    assert all(file_of(project, sha256).is_file() for sha256 in shas)
    with projects.open(project.folder) as opened:
        assert all(row.files.let_go is not None for row in rows(opened))
        tidy(opened, press, 10)
    assert not any(file_of(project, sha256).exists() for sha256 in shas)


def test_it_stops_when_its_time_is_up_and_goes_on_from_there(
    project: Project, taught: tuple[int, int]
) -> None:
    press = kept_parts.station(project, Retention(ok_every=0))
    ids = come(project, press, taught, [OK] * 40)
    assert tidy(project, press, -1).more
    assert all(kept(project, ids))
    while tidy(project, press, 0.01).more:
        kept(project, ids)
    assert not any(kept(project, ids))


def test_no_step_takes_more_than_a_few_images_so_that_results_are_stored_between(
    project: Project, taught: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    press = kept_parts.station(project, Retention(ok_every=10))
    come(project, press, taught, [OK] * 100)
    steps: list[int] = []
    real = retention.mark

    def counted(*asked: object) -> list[int]:
        steps.append(len(done := real(*asked)))  # type: ignore[arg-type]
        return done

    monkeypatch.setattr(retention, "mark", counted)
    assert tidy(project, press, 60).images == sum(steps) == 90
    assert max(steps) <= retention.PIECE


def test_the_command_line_tidies_every_station(project: Project, taught: tuple[int, int]) -> None:
    for seed, name in enumerate(("Press 4", "Press 5")):
        come(project, kept_parts.station(project, Retention(ok_every=0), name), taught, [OK, NG], seed=seed)
    press = kept_parts.station(project, Retention(gigabytes=0.0), "Press 6")
    come(project, press, taught, [NG], seed=99)
    project.close()
    done = CliRunner().invoke(app, ["tidy", str(project.folder)])
    assert done.exit_code == 0, done.output
    assert "Press 4: 1 image" in done.output
    assert "never go by size" in " ".join(done.output.split())
    with projects.open(project.folder) as opened:
        assert keeping.finish(opened) == 0
        assert sum(row.files.let_go is not None for row in rows(opened)) == 2
