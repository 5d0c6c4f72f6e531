"""Parts in a holder, taught and inspected through the command line, then by a camera that was moved; and parts that lie anyhow."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from inspector.cli.main import app
from inspector.domain import CancelToken, Decision, Pose
from inspector.images import read
from inspector.images.demo import parts as demo_parts
from inspector.jobs.export import export
from inspector.records import project as projects
from inspector.records.classes import list_classes
from inspector.records.detectors import find_detector
from inspector.records.inspected.products import ask_product
from inspector.records.inspected.results import ResultRow, list_results, result_ids
from inspector.records.reviews import add_review
from inspector.verdicts.product import MOVED

Pixels = NDArray[np.uint8]


def _cli(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, " ".join(done.output.split())


def _moved(pixels: Pixels, right: float = 0, down: float = 0, turn: float = 0, scale: float = 1) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn, scale)  # OpenCV turns the other way
    matrix[:, 2] += right * width, down * height
    return np.asarray(
        cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def _write(folder: Path, sources: list[Path], move: Callable[[int, Pixels], Pixels]) -> Path:
    folder.mkdir(parents=True)
    for index, path in enumerate(sources):
        pixels = move(index, read.read(path).pixels)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_parts.write_demo(
        tmp_path_factory.mktemp("drawn"), shots=4, good=3, defective=4, kinds=("blister", "washer"), size=240
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    """A project that knows blisters by four shots."""
    folder = tmp_path_factory.mktemp("taught")
    shots = _write(folder / "shots/blister", sorted((drawn / "blister/train/good").iterdir()), lambda _, p: p)
    code, said = _cli("teach", folder / "project", "--shots", shots.parent, "--method", "patchcore")
    assert code == 0, said
    return folder / "project"


def _rows(folder: Path) -> list[ResultRow]:
    with projects.open(folder) as project:
        return list_results(project, result_ids(project))


def test_a_moved_camera_gets_its_own_verdict_and_a_reason_and_defects_do_not(
    taught: Path, drawn: Path, tmp_path: Path
) -> None:
    own = [drawn / "blister/test"]
    code, said = _cli("inspect", taught, *own)
    assert code == 2
    assert "has moved" not in said
    assert Decision.OTHER not in {row.verdict for row in _rows(taught)}
    before = len(_rows(taught))

    good = sorted((drawn / "blister/test/good").iterdir())
    moves = {
        "left": {"right": -0.13},
        "down": {"down": 0.13},
        "turned": {"turn": 20},
        "near": {"scale": 1.2},
    }
    for name, move in moves.items():
        _write(tmp_path / "moved" / name, good[:1], lambda _, pixels, move=move: _moved(pixels, **move))
    code, said = _cli("inspect", taught, tmp_path / "moved")
    assert code == 5
    assert "4 not this product (the camera or the part has moved)" in said
    found = {row.name.split("/")[0]: row for row in _rows(taught)[before:]}
    assert {row.verdict for row in found.values()} == {Decision.OTHER}
    assert "% of the picture to the left" in found["left"].hint
    assert "% of the picture down" in found["down"].hint
    assert re.search(r"turned by about (15|20)° clockwise", found["turned"].hint)
    assert "1.2 times as large" in found["near"].hint
    assert all(row.hint.startswith(MOVED) and not row.error for row in found.values())

    with projects.open(taught) as project:
        for what in ("csv", "jsonl"):
            export(project, tmp_path / what, [what], emit=lambda event: None, cancel=CancelToken())
    (table,) = (tmp_path / "csv").rglob("*.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        told = {line["error"] for line in csv.DictReader(file) if line["verdict"] == "other"}
    (lines,) = (tmp_path / "jsonl").rglob("*.jsonl")
    assert told == {row.hint for row in found.values()}
    read_back = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert {line["error"] for line in read_back if line["verdict"] == "other"} == told

    with projects.open(taught) as project:  # by its score again, and nothing is said of the camera
        class_id = list_classes(project)[0].id
        ask_product(project, find_detector(project).id, class_id, False)
        assert all(not row.hint for row in list_results(project, result_ids(project)))
        ask_product(project, find_detector(project).id, class_id, True)
        limit = find_detector(project).products[class_id]
        assert limit.pose is Pose.FIXED
        result_id = found["turned"].id
        add_review(project, [result_id], Decision.OK, who="Ada", reason="the holder is new")
    assert _cli("teach", taught, "--method", "patchcore")[0] == 0
    with projects.open(taught) as project:  # what a person called good stays of this product
        again = find_detector(project).products[class_id]
        assert again.moved > 1
        assert again.distance < 2 * limit.distance


def test_where_parts_lie_anyhow_nothing_is_said_of_the_camera(drawn: Path, tmp_path: Path) -> None:
    places = ((-0.2, 0.1), (0.2, -0.15), (0.1, 0.2), (-0.15, -0.2))

    def thrown(index: int, pixels: Pixels) -> Pixels:
        right, down = places[index]
        return _moved(pixels, right, down, scale=0.6)

    shots = _write(tmp_path / "shots/washer", sorted((drawn / "washer/train/good").iterdir()), thrown)
    assert _cli("teach", tmp_path / "project", "--shots", shots.parent, "--method", "patchcore")[0] == 0
    good = sorted((drawn / "washer/test/good").iterdir())
    parts = _write(tmp_path / "parts", good, lambda i, pixels: _moved(pixels, 0.1 * i - 0.1, 0.05, scale=0.6))
    _, said = _cli("inspect", tmp_path / "project", parts)
    assert "has moved" not in said
    rows = _rows(tmp_path / "project")
    assert len(rows) == 3
    assert all(not row.hint for row in rows)
    with projects.open(tmp_path / "project") as project:
        (limit,) = find_detector(project).products.values()
    assert limit.pose is Pose.ANYHOW


def test_one_shot_does_not_say_whether_parts_lie_alike(drawn: Path, tmp_path: Path) -> None:
    first = sorted((drawn / "blister/train/good").iterdir())[:1]
    shots = _write(tmp_path / "shots/blister", first, lambda _, p: p)
    assert _cli("teach", tmp_path / "project", "--shots", shots.parent, "--method", "patchcore")[0] == 0
    _write(tmp_path / "moved", first, lambda _, pixels: _moved(pixels, right=0.12))
    _cli("inspect", tmp_path / "project", tmp_path / "moved")
    with projects.open(tmp_path / "project") as project:
        (limit,) = find_detector(project).products.values()
        (row,) = list_results(project, result_ids(project))
    assert limit.pose is Pose.FEW
    assert not row.hint
