import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inspector.domain import Thresholds
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import start_run
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging


def _png(seed: int = 0, size: tuple[int, int] = (32, 24)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def png() -> Callable[..., bytes]:
    """`png(seed, (width, height))`: a PNG file of noise."""
    return _png


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with projects.create(tmp_path / "project", "Line 4") as opened:
        yield opened


@dataclass(frozen=True)
class Taught:
    class_id: int
    detector_id: int
    run_id: int


@pytest.fixture
def taught(project: Project) -> Taught:
    """A class with two shots, a detector of it, and a run without results."""
    class_id = add_class(project, "Cookie")
    add_shots(project, class_id, [("a.png", _png(1)), ("b.png", _png(2))])
    detector_id = _add_detector(project, class_id)
    return Taught(class_id, detector_id, start_run(project, detector_id, "Monday"))


@pytest.fixture(name="add_detector")
def add_detector_fixture() -> Callable[..., int]:
    """`add_detector(project, class_id, **changes)`: a detector of the class's shots of now."""
    return _add_detector


def _add_detector(project: Project, class_id: int, **changes: Any) -> int:
    folder = detector_staging(project)
    for name in ("detector.json", "detector.safetensors"):
        (folder / name).write_bytes(b"{}")
    values: dict[str, Any] = {
        "folder": folder,
        "title": "PatchCore, Cookie",
        "method": "patchcore",
        "backbone": {"key": "k", "weights": "inspector-tiny"},
        "settings": {"ratio": 0.1},
        "false_alarm_rate": 0.05,
        "shot_ids": [row.id for row in list_shots(project, class_id)],
        "held_out": {class_id: [0.2, 0.3]},
        "thresholds": {class_id: Thresholds(0.5, 0.7, 0.4, {"method": "leave-one-out"})},
    }
    return add_detector(project, NewDetector(**(values | changes)))


Record = Callable[..., list[int]]


@pytest.fixture
def record(project: Project, taught: Taught) -> Record:
    """Store results with these scores; names and images follow from their number."""

    def store(*scores: float, run_id: int | None = None, **values: object) -> list[int]:
        items = [
            NewResult(
                f"part {score:.2f}.png",
                ImageFacts(f"{int(score * 1e6):064x}", ".png", (640, 480), "RGB 8 bit"),
                class_id=taught.class_id,
                class_confidence=1.0,
                image_score=score,
                **values,  # type: ignore[arg-type]
            )
            for score in scores
        ]
        return record_results(project, run_id or taught.run_id, items)

    return store
