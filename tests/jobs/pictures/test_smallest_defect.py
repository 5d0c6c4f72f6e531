"""The smallest defect to find, from the choice to the verdict: taught, inspected, extended, compared, evaluated tile by tile."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from line_pictures import Run, done, write
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, Image
from inspector.errors import ProjectError
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.run import evaluate
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import read_shot, teach
from inspector.jobs.update import update
from inspector.methods import catalogue
from inspector.records import project as projects
from inspector.records.classes import ClassState, add_class, find_class, set_smallest
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import ResultRow, find_result, list_results, result_ids
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.shots import add_shots, list_shots

SIDE, SMALLEST = 640, 16
RESOLUTION = 480  # which follows from the smallest defect


def draw(number: int, spot: tuple[int, int, int] | None = None) -> np.ndarray:
    """A ring on a mat with noise of its own; `spot`: x, y and pixels across."""
    rng = np.random.default_rng(number)
    pixels = np.full((SIDE, SIDE + 106, 3), 70, np.uint8)
    cv2.circle(pixels, (373, 320), 267, (170, 165, 160), 107)
    if spot is not None:
        cv2.circle(pixels, spot[:2], spot[2] // 2, (110, 105, 100), -1, cv2.LINE_AA)
    return np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set of one class, whose defects are SMALLEST pixels across."""
    folder = tmp_path_factory.mktemp("rings")
    for number in range(4):
        write(folder / f"train/good/{number}.png", draw(number))
    for number in range(3):
        write(folder / f"test/good/{number}.png", draw(10 + number))
        write(folder / f"test/spot/{number}.png", draw(20 + number, (133 + 3 * number, 313, SMALLEST)))
        mask = np.zeros((SIDE, SIDE + 106), np.uint8)
        cv2.circle(mask, (133 + 3 * number, 313), SMALLEST // 2, 255, -1)
        write(folder / f"ground_truth/spot/{number}_mask.png", mask)
    return folder


@pytest.fixture
def line(tmp_path: Path, parts: Path) -> Iterator[Project]:
    with made(tmp_path / "line", parts) as opened:
        yield opened


@pytest.fixture(scope="module")
def _inspected(tmp_path_factory: pytest.TempPathFactory, parts: Path, engine: Engine, run: Run) -> Path:
    """Two projects that are taught and have inspected all parts: `whole` looks at pictures as a whole, `tiled` in tiles."""
    folder = tmp_path_factory.mktemp("lines")
    for name, smallest in (("whole", None), ("tiled", SMALLEST)):
        with made(folder / name, parts) as opened:
            taught(opened, engine, run, smallest)
            inspected(opened, engine, run, parts)
    return folder


@pytest.fixture
def whole(tmp_path: Path, _inspected: Path) -> Iterator[Project]:
    with projects.open(shutil.copytree(_inspected / "whole", tmp_path / "whole")) as opened:
        yield opened


@pytest.fixture
def tiled(tmp_path: Path, _inspected: Path) -> Iterator[Project]:
    with projects.open(shutil.copytree(_inspected / "tiled", tmp_path / "tiled")) as opened:
        yield opened


def made(folder: Path, parts: Path) -> Project:
    """The class “ring” of three shots, not taught."""
    project = projects.create(folder, "Line 6")
    add_shots(project, add_class(project, "ring"), sorted((parts / "train/good").iterdir())[:3])
    return project


def by_name(line: Project) -> dict[str, ResultRow]:
    return {row.name: row for row in list_results(line, result_ids(line))}


def taught(line: Project, engine: Engine, run: Run, smallest: int | None, **more: object) -> None:
    set_smallest(line, find_class(line, "ring").id, smallest)
    done(run(lambda emit: teach(line, engine, method="patchcore", emit=emit, cancel=CancelToken(), **more)))


def inspected(
    line: Project, engine: Engine, run: Run, parts: Path, name: str | None = "ring"
) -> dict[str, ResultRow]:
    before = {row.id for row in list_results(line, result_ids(line))}
    done(
        run(
            lambda emit: inspect(
                line, engine, [parts / "test"], class_name=name, emit=emit, cancel=CancelToken()
            )
        )
    )
    return {row.name: row for row in list_results(line, result_ids(line)) if row.id not in before}


def test_a_small_defect_is_found_in_tiles_and_marked_where_it_is(whole: Project, tiled: Project) -> None:
    def marked(line: Project, row: ResultRow) -> int:
        """Pixels of the picture that are marked as the defect."""
        return find_result(line, row.id).regions[0].area

    as_a_whole, in_tiles = by_name(whole), by_name(tiled)
    assert len(in_tiles) == 6
    for name, row in in_tiles.items():
        assert (row.decision is Decision.NG) == name.startswith("spot"), (name, row.image_score)
    for name in ("spot/0.png", "spot/1.png", "spot/2.png"):
        assert 3 * marked(tiled, in_tiles[name]) < marked(whole, as_a_whole[name])


def test_a_defect_on_a_seam_scores_as_one_within_a_tile(tiled: Project, engine: Engine) -> None:
    detector = engine.detector(tiled, find_detector(tiled))
    image = Image(draw(30), "", "")
    tiles = detector.taught.tiles("ring", image)  # type: ignore[attr-defined]
    assert tiles is not None
    assert len(tiles.starts) > 4
    scale = SIDE / tiles.shape[0] * tiles.side / tiles.cells
    starts = sorted({row for row, _ in tiles.starts})
    seam, inside = starts[1] + tiles.cells / 12, starts[1] + tiles.cells / 2
    pictures = [Image(draw(31, (125, round(row * scale), SMALLEST)), "", "") for row in (seam, inside)]
    on_seam, within = (one.image_score for one in detector.score(pictures, ["ring"] * 2))
    assert on_seam == pytest.approx(within, rel=0.15)
    assert min(on_seam, within) > 1.5 * detector.score([image], ["ring"])[0].image_score


def test_a_choice_after_teaching_makes_the_class_out_of_date_until_it_is_taught_again(
    whole: Project, engine: Engine, run: Run
) -> None:
    assert find_class(whole, "ring").state is ClassState.TAUGHT
    set_smallest(whole, find_class(whole, "ring").id, SMALLEST)
    row = find_class(whole, "ring")
    assert row.state is ClassState.OUT_OF_DATE
    assert "smallest defect" in row.note
    taught(whole, engine, run, SMALLEST)
    assert find_class(whole, "ring").state is ClassState.TAUGHT


def test_new_shots_enter_the_memory_tile_by_tile(
    tiled: Project, engine: Engine, run: Run, parts: Path
) -> None:
    class_id = find_class(tiled, "ring").id
    add_shots(tiled, class_id, [parts / "train/good/3.png"])
    done(run(lambda emit: update(tiled, engine, emit=emit, cancel=CancelToken())))
    assert find_class(tiled, "ring").state is ClassState.TAUGHT
    rows = inspected(tiled, engine, run, parts)
    assert len(rows) == 6
    for name, row in rows.items():
        assert (row.decision is Decision.NG) == name.startswith("spot"), (name, row.image_score)


def test_shots_are_held_no_larger_than_they_are_looked_at(
    line: Project, engine: Engine, tmp_path: Path
) -> None:
    large = cv2.resize(draw(40), (4640, 3840))
    class_id = find_class(line, "ring").id
    add_shots(line, class_id, [write(tmp_path / "large.png", large)])
    shot = next(row for row in list_shots(line, class_id) if row.name == "large.png")
    assert read_shot(shot, engine.backbone(), None, 480).pixels.shape[0] == 480


def test_what_would_flip_is_scored_in_tiles_too(whole: Project, engine: Engine, run: Run) -> None:
    set_smallest(whole, find_class(whole, "ring").id, SMALLEST)
    ended = done(
        run(
            lambda emit: teach(
                whole, engine, method="patchcore", propose=True, emit=emit, cancel=CancelToken()
            )
        )
    )
    rows = list_results(whole, result_ids(whole, ResultFilter()))
    assert ended.result["compared"] == len(rows) == 6
    detector = engine.detector(whole, find_detector(whole, ended.result["detector_id"]))
    assert detector.views
    for row in rows:
        assert row.path is not None
        (tiled,) = detector.score([read.read(row.path)], ["ring"])
        for one in ended.result["flips"]:
            assert one[0] != row.id or one[3] == pytest.approx(tiled.image_score, abs=1e-3)


@pytest.mark.parametrize("pixels", [0, 1, -3, 10_001])
def test_a_smallest_defect_that_makes_no_sense_is_refused(line: Project, pixels: int) -> None:
    with pytest.raises(ProjectError, match="pixels across"):
        set_smallest(line, find_class(line, "ring").id, pixels)


def test_several_classes_are_told_apart_though_one_is_tiled(
    tmp_path: Path, line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    other = add_class(line, "plain")
    files = [write(tmp_path / f"p{n}.png", np.clip(draw(n) // 3 + 120, 0, 255)) for n in range(2)]
    add_shots(line, other, files)
    taught(line, engine, run, SMALLEST)
    rows = inspected(line, engine, run, parts, None)
    assert {row.class_name for row in rows.values()} == {"ring"}
    for name, row in rows.items():
        assert (row.decision is Decision.NG) == name.startswith("spot"), (name, row.image_score)


def test_evaluate_looks_with_as_many_pixels_as_it_is_told(
    engine: Engine, run: Run, parts: Path, tmp_path: Path
) -> None:
    def figures(resolution: int) -> dict[str, float]:
        output = tmp_path / str(resolution)
        plan = EvaluationPlan(parts, ("patchcore",), (2,), (0,), output, resolution=resolution)
        done(run(lambda emit: evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=CancelToken())))
        results = json.loads((output / "results.json").read_text("utf-8"))
        assert results["provenance"]["resolution"] == resolution
        assert (f"{resolution} px" in (output / "results.md").read_text("utf-8")) == bool(resolution)
        found: dict[str, float] = results["summary"]["patchcore"]["2"]
        return found

    whole, tiled = figures(0), figures(RESOLUTION)
    assert tiled["image_auroc"] == 1
    assert tiled["pixel_ap"] > whole["pixel_ap"]


def test_a_picture_too_elongated_for_tiles_is_named_and_the_others_are_measured(
    engine: Engine, run: Run, parts: Path, tmp_path: Path
) -> None:
    only = shutil.ignore_patterns("[123].png", "[123]_mask.png")  # one of each
    folder = Path(shutil.copytree(parts, tmp_path / "rings", ignore=only))
    write(folder / "test/good/long.png", np.full((12, 30_000, 3), 90, np.uint8))
    plan = EvaluationPlan(folder, ("patchcore",), (1,), (0,), tmp_path / "out", resolution=RESOLUTION)
    events = run(lambda emit: evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=CancelToken()))
    done(events)
    assert [event for event in events if "long.png" in repr(event) and "too elongated" in repr(event)], events


def test_the_bench_tells_what_is_found_as_a_whole_and_in_tiles(tmp_path: Path) -> None:
    target = tmp_path / "found.json"
    small = ["--side", "500", "--smallest", "16", "--good", "2", "--each", "1", "--json", str(target)]
    ended = CliRunner().invoke(app, ["bench", "resolution", *small])
    assert ended.exit_code == 0, ended.output
    found = json.loads(target.read_text("utf-8"))
    assert found["tiles.found.160"] == found["whole.found.160"] == 1
    assert {"tiles.found.24", "whole.found.24", "tiles.false_alarms", "whole.ms_per_image"} <= found.keys()


def test_the_command_line_keeps_the_smallest_defect_and_goes_back_to_the_whole(
    tmp_path: Path, parts: Path
) -> None:
    words = ["teach", str(tmp_path / "line"), "--method", "patchcore"]
    shots = tmp_path / "shots"
    (shots / "ring").mkdir(parents=True)
    for file in sorted((parts / "train/good").iterdir())[:2]:
        (shots / "ring" / file.name).write_bytes(file.read_bytes())
    ended = CliRunner().invoke(app, [*words, "--shots", str(shots), "--smallest", str(SMALLEST)])
    assert ended.exit_code == 0, ended.output
    with projects.open(tmp_path / "line") as opened:
        assert find_class(opened, "ring").smallest == SMALLEST
        assert find_class(opened, "ring").state is ClassState.TAUGHT
    ended = CliRunner().invoke(app, [*words, "--smallest", "0"])
    assert ended.exit_code == 0, ended.output
    with projects.open(tmp_path / "line") as opened:
        assert find_class(opened, "ring").smallest is None


def test_what_a_stored_row_says_of_smallest_defects_is_believed_only_in_its_shape() -> None:
    assert catalogue.smallest({"smallest": {"ring": 16}}) == {"ring": 16}
    assert catalogue.smallest({"smallest": "ring"}) == {}
