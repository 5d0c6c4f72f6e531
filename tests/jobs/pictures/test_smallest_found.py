"""How small a defect a class finds, painted into its own shots."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, JobEvent, Thresholds
from inspector.errors import Cancelled, ProjectError
from inspector.images.area import Area
from inspector.images.demo import parts as demo_parts
from inspector.jobs import smallest
from inspector.jobs.engine import Engine
from inspector.jobs.smallest import SIZES, run_test, smallest_defect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.audit import ActFilter, ActKind, list_acts
from inspector.records.classes import add_class, set_area
from inspector.records.project import Project
from inspector.records.qualification.smallest import list_smallest, smallest_of, words
from inspector.records.shots import add_shots, list_shots, remove_shots
from inspector.records.thresholds import list_thresholds, set_thresholds

Run = Callable[[Callable[..., None]], list[JobEvent]]
Spots = tuple[tuple[float, ...], tuple[float, ...], float]


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shots")
    demo_parts.write_demo(folder, shots=3, good=1, defective=1, kinds=("washer",), size=256)
    return folder / "washer" / "train" / "good"


@pytest.fixture(scope="module")
def _line(tmp_path_factory: pytest.TempPathFactory, shots: Path, engine: Engine, run: Run) -> Path:
    folder = tmp_path_factory.mktemp("line") / "line"
    with projects.create(folder, "Line 7") as opened:
        add_shots(opened, add_class(opened, "washer"), sorted(shots.iterdir()))
        run(lambda emit: teach(opened, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    return folder


@pytest.fixture
def line(tmp_path: Path, _line: Path) -> Iterator[Project]:
    with projects.open(shutil.copytree(_line, tmp_path / "line")) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(_line: Path, engine: Engine) -> Spots:
    """Of `line` as it is."""
    with projects.open(_line) as opened:
        return spots(opened, engine)


@pytest.fixture
def few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smallest, "SIZES", (SIZES[0], SIZES[-2], SIZES[-1]))


def spots(line: Project, engine: Engine) -> Spots:
    """Shares called NG of faint spots, by size, of clear ones, and of the shots."""
    told = smallest_defect(line, engine, "Washer", kinds=["spot"])
    faint, clear = told.curves
    assert faint.sizes == tuple(max(1, round(256 * share)) for share in smallest.SIZES)
    return faint.ng, clear.ng, told.good_ng


def test_larger_and_clearer_defects_are_found_more_often_and_good_shots_are_not(
    line: Project, engine: Engine, found: Spots
) -> None:
    faint, clear, good = found
    assert clear[0] <= 0.2
    assert clear[-1] == 1
    assert sum(clear) > sum(faint)
    assert good <= 1 / 3
    assert spots(line, engine) == found  # the same again


def test_another_threshold_moves_the_smallest_size(line: Project, engine: Engine, found: Spots) -> None:
    _, before, _ = found
    (row,) = list_thresholds(line, 1).values()
    high = 1.5 * row.thresholds.ng
    set_thresholds(line, 1, row.class_id, Thresholds(high, high, high), who="Ada")
    _, after, _ = spots(line, engine)
    assert sum(after) < sum(before)


@pytest.mark.usefixtures("few_sizes")
def test_only_the_area_is_harmed(line: Project, engine: Engine, run: Run) -> None:
    (class_id,) = (row.class_id for row in list_thresholds(line, 1).values())
    set_area(line, class_id, Area((((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)))
    run(lambda emit: teach(line, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    _, clear, _ = spots(line, engine)
    assert clear[-1] == 1  # every one lies where it can be seen


def test_what_can_not_be_tested_is_said(line: Project, engine: Engine) -> None:
    with pytest.raises(ProjectError):
        smallest_defect(line, engine, "screw")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        smallest_defect(line, engine, "washer", cancel=cancel)
    remove_shots(line, [list_shots(line)[0].id])
    with pytest.raises(ProjectError, match="gone"):
        smallest_defect(line, engine, "washer")


@pytest.mark.usefixtures("few_sizes")
def test_a_class_of_one_shot_is_tested_on_altered_views_of_it(
    tmp_path: Path, shots: Path, engine: Engine, run: Run
) -> None:
    with projects.create(tmp_path / "one", "One") as opened:
        add_shots(opened, add_class(opened, "washer"), sorted(shots.iterdir())[:1])
        run(lambda emit: teach(opened, engine, method="patchcore", emit=emit, cancel=CancelToken()))
        found = smallest_defect(opened, engine, "washer", kinds=["spot"])
    assert found.shots == 1
    assert found.good_ng == 0
    assert found.curves[1].seen[-1] > 0.5


@pytest.mark.usefixtures("few_sizes")
def test_a_test_is_kept_as_it_was_and_told_apart_from_the_thresholds_of_now(
    line: Project, engine: Engine, run: Run
) -> None:
    events = run(lambda emit: run_test(line, engine, "washer", who="Ada", emit=emit, cancel=CancelToken()))
    (kept,) = list_smallest(line)
    assert (kept.who, kept.class_name, kept.current) == ("Ada", "washer", True)
    assert [one.kind for one in kept.found.curves][::2] == ["spot", "scratch", "dent", "missing"]
    assert events[-1].result["smallest"] == dict(smallest_of(kept.found))
    assert f"spots {words(smallest_of(kept.found)['spot'])}" in events[-1].message
    (act,) = list_acts(line, ActFilter(kind=ActKind.SMALLEST_TESTED))
    assert act.who == "Ada"
    (row,) = list_thresholds(line, 1).values()
    set_thresholds(line, 1, row.class_id, Thresholds(0.9, 0.95, 0.9), who="Ada")
    (again,) = list_smallest(line)
    assert (again.found, again.current) == (kept.found, False)
    with closing(sqlite3.connect(line.folder / projects.DATABASE)) as connection, connection:
        with pytest.raises(sqlite3.DatabaseError, match="never changed"):
            connection.execute("UPDATE smallest_tests SET who = 'Bo'")
        connection.execute("DROP TRIGGER smallest_tests_no_update")
        connection.execute("UPDATE smallest_tests SET outcome = '{}'")
    assert list_smallest(line) == []  # damage hides no other, and is no result


@pytest.mark.usefixtures("few_sizes")
def test_the_command_prints_a_table_or_writes_the_figures(shots: Path, tmp_path: Path) -> None:
    project = str(tmp_path / "line")
    taught = CliRunner().invoke(
        app, ["teach", project, "--shots", str(shots.parents[2]), "--method", "patchcore"]
    )
    assert taught.exit_code == 0, taught.output
    words = ["bench", "smallest", project, "--class", "washer", "--kinds", "spot,missing"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert "9 of 10" in ended.output
    assert "missing" in ended.output
    assert f"{max(1, round(256 * SIZES[-1]))} px" in ended.output
    target = tmp_path / "found.json"
    assert CliRunner().invoke(app, [*words, "--json", str(target)]).exit_code == 0
    found = json.loads(target.read_text("utf-8"))
    assert [(curve["kind"], curve["contrast"]) for curve in found["curves"]] == [
        ("spot", 0.15),
        ("spot", 0.4),
        ("missing", None),
    ]
    assert CliRunner().invoke(app, [*words[:-1], "rust"]).exit_code != 0
