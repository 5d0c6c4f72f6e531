"""12-bit values in 16-bit files: said, offered, and read in the range that a detector was taught with, wherever it
looks."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, cast

import cv2
import numpy as np
import pytest
from deep_parts import write_part, write_set
from line_pictures import done
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, Image, JobEnded, JobEvent, JobLog, ScoreMap
from inspector.errors import DetectorError, ProjectError
from inspector.exports.rows import ExportRow, load_pixels
from inspector.images.demo import parts as demo_parts
from inspector.images.value_range import narrower, offer
from inspector.jobs.engine import Engine
from inspector.jobs.evaluation.plan import EvaluationPlan
from inspector.jobs.evaluation.run import evaluate
from inspector.jobs.inspect import inspect
from inspector.jobs.judging import scored
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods.detector import Detector
from inspector.records import project as projects
from inspector.records.classes import ClassState, add_class, find_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.project import Project
from inspector.records.ranges import set_white
from inspector.records.result_filter import ResultFilter
from inspector.records.shots import add_shots

Run = Callable[[Callable[..., None]], list[JobEvent]]
TWELVE = 4095


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("deep"))


@pytest.fixture
def line(tmp_path: Path, parts: Path) -> Iterator[Project]:
    """One class of four such shots, not taught."""
    with projects.create(tmp_path / "line", "Line 5") as opened:
        add_shots(opened, add_class(opened, "part"), sorted((parts / "train/good").iterdir()))
        yield opened


def taught(project: Project, engine: Engine, run: Run) -> JobEnded:
    return done(run(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken())))


def inspected(project: Project, engine: Engine, run: Run, *sources: Path, **options: Any) -> list[ResultRow]:
    events = run(lambda emit: inspect(project, engine, sources, emit=emit, cancel=CancelToken(), **options))
    run_id = done(events).result["run_id"]
    return list_results(project, result_ids(project, ResultFilter(run_id=run_id)))


def by_name(rows: list[ResultRow]) -> dict[str, float]:
    return {row.name: row.image_score or 0 for row in rows}


def test_a_defect_that_the_whole_range_hides_is_found_in_the_range_of_the_camera(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    taught(line, engine, run)
    hidden = by_name(inspected(line, engine, run, parts / "test"))
    assert max(hidden.values()) == pytest.approx(min(hidden.values()), abs=1e-4)
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    rows = inspected(line, engine, run, parts / "test")
    found = by_name(rows)
    good, bad = ([found[f"{kind}/{n}.png"] for n in range(2)] for kind in ("good", "bad"))
    assert min(bad) > 2 * max(good)
    assert {row.verdict for row in rows if row.name.startswith("bad")} == {Decision.NG}
    assert {row.white for row in rows} == {TWELVE}


def test_shots_that_look_the_same_in_the_whole_range_are_not_taken_for_one_picture(
    line: Project, parts: Path, tmp_path: Path
) -> None:
    class_id = find_class(line, "part").id
    assert find_class(line, "part").shots == 4
    values = cv2.imread(str(parts / "train/good/0.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(tmp_path / "same.tif"), values)
    (same,) = add_shots(line, class_id, [tmp_path / "same.tif"])
    assert same.status == "duplicate"


def test_shots_of_twelve_bits_in_sixteen_are_said_and_their_range_is_offered_until_one_is_chosen(
    line: Project,
) -> None:
    row = find_class(line, "part")
    assert row.range_counts
    assert "12-bit values in 16-bit files" in row.offer
    assert "0–4,095" in row.offer
    set_white(line, row.id, 65535)
    assert find_class(line, "part").offer == ""
    assert find_class(line, "part").range_counts
    with pytest.raises(ProjectError, match="can't end at 100"):
        set_white(line, row.id, 100)


@pytest.mark.parametrize(
    ("modes", "end"),
    [
        (["grey 16 bit, 12 used", "grey 16 bit, 9 used"], 4095),
        (["RGB 16 bit, 10 used"], 1023),
        (["grey 16 bit, 11 used", "grey 8 bit"], 4095),
        (["grey 16 bit, 13 used"], 16383),
        (["grey 16 bit, 12 used", "grey 16 bit"], None),
        (["grey 8 bit", "RGB 8 bit"], None),
        (["grey 12 bit"], None),
        ([], None),
    ],
)
def test_the_range_that_is_offered_holds_the_values_of_all_files(modes: list[str], end: int | None) -> None:
    assert narrower(modes) == end
    assert bool(offer(modes)) == (end is not None)


def test_a_detector_keeps_its_range_when_another_is_chosen_for_its_class(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    class_id = find_class(line, "part").id
    set_white(line, class_id, TWELVE)
    taught(line, engine, run)
    before = by_name(inspected(line, engine, run, parts / "test"))
    assert find_class(line, "part").state is ClassState.TAUGHT
    set_white(line, class_id, 16383)
    row = find_class(line, "part")
    assert row.state is ClassState.OUT_OF_DATE
    assert "0–16,383" in row.note
    assert "0–4,095" in row.note
    engine._detector = None  # as after a restart
    assert by_name(inspected(line, engine, run, parts / "test")) == pytest.approx(before, rel=1e-4)
    add_shots(line, class_id, [write_part(line.folder.parent / "more.png", 77)])
    done(run(lambda emit: update(line, engine, emit=emit, cancel=CancelToken())))
    assert find_detector(line).whites == {class_id: TWELVE}
    scores = by_name(inspected(line, engine, run, parts / "test"))
    assert scores["bad/0.png"] > 2 * scores["good/0.png"]
    set_white(line, class_id, TWELVE)
    assert find_class(line, "part").state is ClassState.TAUGHT


def test_a_project_that_was_moved_reads_in_the_range_that_lies_with_the_detector(
    line: Project, engine: Engine, run: Run, parts: Path, tmp_path: Path
) -> None:
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    before = by_name(inspected(line, engine, run, parts / "test"))
    manifest = json.loads((find_detector(line).folder / "detector.json").read_text("utf-8"))
    assert manifest["whites"] == {"part": TWELVE}
    assert manifest["format"] == 2  # earlier versions, which would read the whole range, refuse it
    line.close()
    shutil.move(line.folder, tmp_path / "elsewhere")
    with projects.open(tmp_path / "elsewhere") as moved:
        assert by_name(inspected(moved, engine, run, parts / "test")) == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("damage", ["NULL", "'{}'", "'{\"1\": 1023}'", '\'{"1": "x"}\''])
def test_a_detector_whose_range_the_project_names_otherwise_is_refused(
    line: Project, engine: Engine, run: Run, damage: str
) -> None:
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    engine._detector = None  # as after a restart
    with closing(sqlite3.connect(line.folder / projects.DATABASE)) as database, database:
        database.execute(f"UPDATE detectors SET whites = {damage}")
    with pytest.raises(DetectorError, match="other ranges of values"):
        engine.detector(line, find_detector(line))


def test_detectors_without_a_range_stay_as_earlier_versions_wrote_them(
    line: Project, engine: Engine, run: Run
) -> None:
    taught(line, engine, run)
    manifest = json.loads((find_detector(line).folder / "detector.json").read_text("utf-8"))
    assert manifest["format"] == 1
    assert "whites" not in manifest


def test_values_beyond_the_range_are_said_with_their_share(
    line: Project, engine: Engine, run: Run, tmp_path: Path
) -> None:
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    bright = write_part(tmp_path / "bright.png", 5, bright=True)
    message = done(run(lambda emit: inspect(line, engine, [bright], emit=emit, cancel=CancelToken()))).message
    assert "“bright.png”: 1.0 % of its pixels are brighter than 4,095" in message
    (added,) = add_shots(line, find_class(line, "part").id, [bright])
    assert "1.0 % of its pixels are brighter than 4,095" in added.message
    events = run(lambda emit: teach(line, engine, method="patchcore", emit=emit, cancel=CancelToken()))
    assert any("brighter than 4,095" in event.message for event in events if isinstance(event, JobLog))


def test_images_that_use_few_grey_levels_are_said_with_what_to_do(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    taught(line, engine, run)
    message = done(
        run(lambda emit: inspect(line, engine, [parts / "test"], emit=emit, cancel=CancelToken()))
    ).message
    assert "of 256 grey levels are left of them" in message
    assert "in the range that the Teach page offers" in message


def test_the_class_of_an_image_is_found_in_the_range_of_that_class(
    line: Project, engine: Engine, run: Run, parts: Path, tmp_path: Path
) -> None:
    """Two classes, one in 12 bits; an image is read as each of them would be."""
    demo = demo_parts.write_demo(tmp_path / "demo", shots=3, good=2, defective=0, kinds=("cloth",), size=160)
    add_shots(line, add_class(line, "cloth"), sorted((demo / "cloth/train/good").iterdir()))
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    found = inspected(line, engine, run, parts / "test", demo / "cloth/test/good")
    assert len(found) == 6
    for row in found:
        own = "cloth" if "cloth" in row.name else "part"
        assert (row.class_name, row.error) == (own, "")
        assert row.white == (TWELVE if own == "part" else None)
    alone = by_name(inspected(line, engine, run, parts / "test", class_name="part"))
    for row in found:
        if row.class_name == "part":
            assert row.image_score == pytest.approx(alone["/".join(row.name.split("/")[-2:])], rel=1e-3)


class _ByLight:
    """Finds "pale" in light images and "dim" in dark ones, the surer the further they are from the middle."""

    whites: ClassVar = {"pale": 1023, "dim": TWELVE}

    def score(self, images: Sequence[Image], _names: Sequence[str | None]) -> list[ScoreMap]:
        means = [float(image.pixels.mean()) for image in images]
        return [
            ScoreMap(
                np.zeros((2, 2), np.float32), mean, "pale" if mean > 100 else "dim", abs(mean - 100) / 255
            )
            for mean in means
        ]


@pytest.mark.parametrize(
    ("light", "name"),
    [
        ((200, 150), "pale"),  # pale in its own range; in that of dim it is pale too
        ((120, 10), "dim"),  # each in its own range, dim surer
        ((250, 40), "pale"),
        ((20, 250), None),  # each in the other's range
    ],
)
def test_an_image_is_of_the_surest_class_that_it_resembles_in_its_own_range_or_of_none(
    light: tuple[int, int], name: str | None
) -> None:
    levels = dict(zip((1023, TWELVE), light, strict=True))
    readings = {end: Image(np.full((8, 8, 3), level, np.uint8), "0", "a") for end, level in levels.items()}
    (found,) = scored(cast("Detector", _ByLight()), None, [readings])
    assert (found and found.class_name) == name


def test_exported_pictures_show_what_the_detector_saw(
    line: Project, engine: Engine, run: Run, parts: Path
) -> None:
    set_white(line, find_class(line, "part").id, TWELVE)
    taught(line, engine, run)
    (row,) = inspected(line, engine, run, parts / "test/bad/0.png")
    assert len(np.unique(load_pixels(ExportRow(row)))) > 10
    set_white(line, find_class(line, "part").id, None)
    (again,) = list_results(line, [row.id])
    assert again.white == TWELVE


def test_the_command_says_that_a_range_would_suit_and_takes_it(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(parts / "train/good", tmp_path / "shots/part")
    words = ["teach", str(tmp_path / "project"), "--shots", str(tmp_path / "shots"), "--method", "patchcore"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "part: 12-bit values in 16-bit files" in done.output
    assert "--white 4095" in done.output
    done = CliRunner().invoke(app, [*words, "--white", "4095"])
    assert done.exit_code == 0, done.output
    assert "12-bit values" not in done.output
    with projects.open(tmp_path / "project") as project:
        row = find_detector(project)
        assert list(row.whites.values()) == [TWELVE]
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "project"), str(parts / "test/bad")])
    assert done.exit_code == 2, done.output


def test_an_evaluation_reads_in_the_range_that_it_is_given_and_keeps_it_apart(
    engine: Engine, run: Run, tmp_path: Path, parts: Path
) -> None:
    def figures(white: int | None) -> tuple[float, list[JobEvent]]:
        plan = EvaluationPlan(parts.parent, ("patchcore",), (2,), (0,), tmp_path / "out", white=white)
        events = run(lambda emit: evaluate(plan, backbone=engine.backbone(), emit=emit, cancel=CancelToken()))
        summary = done(events).result["summary"]
        return summary["patchcore"]["2"]["image_auroc"], events

    whole, events = figures(None)
    assert whole == pytest.approx(0.5)
    assert any("--white" in event.message for event in events if isinstance(event, JobLog))
    assert figures(TWELVE)[0] == 1.0  # in the same folder: what was measured before doesn't count
    assert "values 0–4,095" in (tmp_path / "out/results.md").read_text("utf-8")
