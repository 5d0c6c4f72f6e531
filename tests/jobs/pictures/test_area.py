"""What of a class's pictures is inspected, from the choice to the verdict: taught, inspected, evaluated, on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from line_pictures import Run, done, write
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision
from inspector.images.area import Area, as_file
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.records import project as projects
from inspector.records.classes import ClassState, add_class, find_class, set_area
from inspector.records.inspected.results import find_result, list_results, result_ids
from inspector.records.project import Project
from inspector.records.shots import add_shots

LEFT = Area((((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),))


def draw(number: int, spot: tuple[int, int] | None = None) -> np.ndarray:
    """Two discs on a mat, with noise of its own."""
    rng = np.random.default_rng(number)
    pixels = np.full((400, 560, 3), 70, np.uint8)
    for x in (140, 420):
        cv2.circle(pixels, (x, 200), 110, (170, 165, 160), -1, cv2.LINE_AA)
    if spot is not None:
        cv2.circle(pixels, spot, 22, (60, 40, 40), -1, cv2.LINE_AA)
    return np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set of one class: spots on the left disc, and on the right one, which nobody minds."""
    folder = tmp_path_factory.mktemp("discs") / "pair"
    for number in range(5):
        write(folder / f"train/good/{number}.png", draw(number))
    for number in range(3):
        write(folder / f"test/good/right{number}.png", draw(10 + number, (400 + 9 * number, 190)))
        write(folder / f"test/left/{number}.png", draw(20 + number, (120 + 9 * number, 210)))
    return folder


@pytest.fixture
def line(tmp_path: Path, parts: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "line", "Line 6") as opened:
        add_shots(opened, add_class(opened, "pair"), sorted((parts / "train/good").iterdir())[:4])
        yield opened


def taught(line: Project, engine: Engine, run: Run, area: Area | None) -> None:
    set_area(line, find_class(line, "pair").id, area)
    done(run(lambda emit: teach(line, engine, method="patchcore", emit=emit, cancel=CancelToken())))


def decisions(line: Project, engine: Engine, run: Run, parts: Path) -> dict[str, Decision | None]:
    before = {row.id for row in list_results(line, result_ids(line))}
    done(
        run(
            lambda emit: inspect(
                line, engine, [parts / "test"], class_name="pair", emit=emit, cancel=CancelToken()
            )
        )
    )
    return {row.name: row.decision for row in list_results(line, result_ids(line)) if row.id not in before}


def test_a_spot_outside_of_the_region_is_ok_and_one_inside_is_ng(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    taught(line, engine, run, None)
    assert set(decisions(line, engine, run, parts).values()) == {Decision.NG}
    taught(line, engine, run, LEFT)
    found = decisions(line, engine, run, parts)
    assert {name for name, one in found.items() if one is Decision.NG} == {f"left/{n}.png" for n in range(3)}
    assert {one for name, one in found.items() if name.startswith("good")} == {Decision.OK}
    newest = list_results(line, result_ids(line))
    boxes = [
        region.box for row in newest for region in find_result(line, row.id).regions if row.name[:4] == "left"
    ]
    assert boxes
    taught_with = find_class(line, "pair").detector_id
    ours = [row for row in newest if row.detector_id == taught_with]
    for row in ours:
        for x, _, width, _ in (region.box for region in find_result(line, row.id).regions):
            assert x + width <= 560 * 0.5 + 560 / 60  # to a cell of the map


def test_a_picture_of_another_shape_fails_by_name_and_one_of_another_size_does_not(
    line: Project, engine: Engine, run: Run, parts: Path, tmp_path: Path
) -> None:
    """On another shape the region would lie elsewhere, and a defect would pass unseen."""
    taught(line, engine, run, LEFT)
    folder = tmp_path / "turned" / "test"
    pixels = draw(20, (130, 210))
    write(folder / "cut.png", pixels[:, :430])
    write(folder / "large.png", cv2.resize(pixels, None, fx=1.5, fy=1.5))
    assert decisions(line, engine, run, folder.parent) == {"large.png": Decision.NG, "cut.png": None}
    (failed,) = [row for row in list_results(line, result_ids(line)) if row.name == "cut.png"]
    assert "another shape" in failed.error


def test_another_area_makes_the_class_out_of_date_until_it_is_taught_again(
    line: Project, engine: Engine, run: Run
) -> None:
    taught(line, engine, run, LEFT)
    assert find_class(line, "pair").state is ClassState.TAUGHT
    for other in (None, Area(LEFT.inspected, LEFT.inspected[:0]), Area(ignored=LEFT.inspected)):
        set_area(line, find_class(line, "pair").id, other)
        row = find_class(line, "pair")
        assert row.area == other
        assert (row.state is ClassState.TAUGHT) == (other == LEFT)
        assert other == LEFT or "What is inspected" in row.note
    taught(line, engine, run, Area(ignored=LEFT.inspected))
    assert find_class(line, "pair").state is ClassState.TAUGHT


def test_new_shots_enter_the_memory_in_the_area_that_was_taught(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    taught(line, engine, run, LEFT)
    add_shots(line, find_class(line, "pair").id, [parts / "train/good/4.png"])
    done(run(lambda emit: update(line, engine, emit=emit, cancel=CancelToken())))
    assert find_class(line, "pair").state is ClassState.TAUGHT
    found = decisions(line, engine, run, parts)
    assert all((one is Decision.NG) == name.startswith("left") for name, one in found.items())


def test_a_damaged_area_in_the_records_is_none_and_the_class_is_out_of_date(
    line: Project, engine: Engine, run: Run
) -> None:
    """Everything is inspected then: rather a question too many than a defect that nobody looked for."""
    taught(line, engine, run, LEFT)
    with line.writing() as session:
        session.connection().exec_driver_sql("UPDATE classes SET area = '{\"inspect\": 7}'")
    row = find_class(line, "pair")
    assert row.area is None
    assert row.state is ClassState.OUT_OF_DATE


def test_the_command_line_takes_regions_from_a_file(tmp_path: Path, parts: Path) -> None:
    shots = tmp_path / "shots"
    for file in sorted((parts / "train/good").iterdir())[:2]:
        write(shots / "pair" / file.name, cv2.imread(str(file)))
    file = tmp_path / "regions.json"
    file.write_bytes(as_file({"PAIR": LEFT}))
    words = ["teach", str(tmp_path / "line"), "--method", "patchcore", "--regions", str(file)]
    ended = CliRunner().invoke(app, [*words, "--shots", str(shots)])
    assert ended.exit_code == 0, ended.output
    with projects.open(tmp_path / "line") as opened:
        assert find_class(opened, "pair").area == LEFT
        assert find_class(opened, "pair").state is ClassState.TAUGHT
    file.write_bytes(as_file({"screw": LEFT}))
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code != 0
    assert "screw" in str(ended.exception) + ended.output


def test_evaluate_measures_within_the_regions_of_a_file(tmp_path: Path, parts: Path) -> None:
    file = tmp_path / "regions.json"
    file.write_bytes(as_file({"pair": LEFT}))

    def auroc(output: Path, *more: str) -> float:
        words = ["evaluate", str(parts), "--shots", "2", "--seeds", "1", "--output", str(output), *more]
        ended = CliRunner().invoke(app, words)
        assert ended.exit_code == 0, ended.output
        results = json.loads((output / "results.json").read_text("utf-8"))
        assert results["provenance"]["areas"] == ({"pair": LEFT.as_json()} if more else {})
        assert ("only regions inspected of pair" in (output / "results.md").read_text("utf-8")) == bool(more)
        return float(results["summary"]["patchcore"]["2"]["image_auroc"])

    output = tmp_path / "out"
    whole = auroc(output)
    within = auroc(output, "--regions", str(file))  # what was measured before in that folder doesn't count
    assert within == 1 > whole
