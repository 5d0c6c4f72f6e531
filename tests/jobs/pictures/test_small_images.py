"""Images with fewer pixels than the detector looks at, through the real commands."""

import re
from pathlib import Path

import cv2
import pytest
from PIL import Image
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.images.demo import parts as demo_parts
from inspector.records import project as projects
from inspector.records.inspected.results import list_results, result_ids

SAID = "smaller than what the detector looks at (120 × 120 pixels, not 240 × 240)"


def part(file: Path, seed: int, side: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels, _ = demo_parts.draw("washer", seed, None, size=480)
    Image.fromarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)).save(file)
    return file


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code in (0, 2, 4), done.output
    return re.sub(r"\s+", " ", done.output)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Taught on large shots, which nothing is to be said of."""
    for seed in range(2):
        part(tmp_path / "shots" / "washer" / f"{seed}.png", seed, 480)
    said = run("teach", tmp_path / "project", "--shots", tmp_path / "shots", "--method", "patchcore")
    assert "smaller than" not in said
    return tmp_path / "project"


def test_a_small_image_scores_higher_than_the_same_part_in_full_and_that_is_said_with_its_name(
    project: Path, tmp_path: Path
) -> None:
    large, small = part(tmp_path / "large.png", 7, 480), part(tmp_path / "small.png", 7, 120)
    assert "smaller than" not in run("inspect", project, large)
    assert f"“small.png”: {SAID}" in run("inspect", project, large, small)
    with projects.open(project) as opened:
        scores = {row.name: row.image_score for row in list_results(opened, result_ids(opened).tolist())}
    assert scores["small.png"] > 1.05 * scores["large.png"]


def test_a_small_shot_is_said_when_it_is_taught(project: Path, tmp_path: Path) -> None:
    part(tmp_path / "more" / "washer" / "little.png", 3, 120)
    assert f"“little.png”: {SAID}" in run(
        "teach", project, "--shots", tmp_path / "more", "--method", "patchcore"
    )
