"""A project whose detector was calibrated on shots of known scores, and runs of parts with scores of one's choice."""

import io

import numpy as np
import PIL.Image

from inspector.domain import Decision, ScoreMap, Thresholds
from inspector.images import read
from inspector.records.classes import add_class
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import start_run
from inspector.records.project import Project
from inspector.records.shots import add_shots, list_shots
from inspector.records.taught.new_detectors import NewDetector, add_detector, detector_staging
from inspector.records.thresholds import list_thresholds
from inspector.verdicts.calibrate import thresholds
from inspector.verdicts.judge import decide

HELD_OUT = (0.20, 0.22, 0.24, 0.21)
USUAL = 0.1


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(90, 160, (32, 48, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def taught(
    project: Project, held_out: tuple[float, ...] = HELD_OUT, shots: int | None = None
) -> tuple[int, int]:
    """(class, detector): “washer”, calibrated for 5 % on shots that score `held_out` without themselves."""
    class_id = add_class(project, "washer")
    count = len(held_out) if shots is None else shots
    add_shots(project, class_id, [(f"shot {n}.png", png(1000 + n)) for n in range(count)])
    maps = [ScoreMap(np.full((8, 8), USUAL, np.float32), score, "washer") for score in held_out]
    return class_id, detector_of(project, class_id, thresholds(maps, 0.05, count), held_out)


def detector_of(
    project: Project, class_id: int, set_from: Thresholds, held_out: tuple[float, ...] = HELD_OUT
) -> int:
    """A detector of all shots of a class."""
    folder = detector_staging(project)
    for name in ("detector.json", "detector.safetensors"):
        (folder / name).write_bytes(b"{}")
    new = NewDetector(
        folder=folder,
        title="PatchCore, washer",
        method="patchcore",
        backbone={"key": "k", "weights": "inspector-tiny"},
        settings={},
        false_alarm_rate=0.05,
        shot_ids=[row.id for row in list_shots(project, class_id)],
        held_out={class_id: list(held_out)},
        thresholds={class_id: set_from},
    )
    return add_detector(project, new)


def inspected(
    project: Project,
    class_id: int,
    detector_id: int,
    scores: list[float],
    seed: int = 0,
    shot: int | None = None,
) -> tuple[int, list[int]]:
    """(run, results): one part of each score. `shot`: the first is a picture of this shot."""
    run_id = start_run(project, detector_id, "Monday", class_id=class_id)
    row = list_thresholds(project, detector_id)[class_id]
    items = []
    for number, score in enumerate(scores):
        data = png(1000 + shot if shot is not None and not number else 10_000 * seed + number)
        name = f"part {seed} {number}.png"
        values = np.full((8, 12), USUAL, np.float32)
        values[2:4, 3:6] = score
        facts = ImageFacts.of(read.decode(data, name), data)
        items.append(NewResult(name, facts, data, class_id, 0.9, score, values, [], row.id))
    return run_id, record_results(project, run_id, items)


def verdict_of(score: float, project: Project, class_id: int, detector_id: int) -> Decision:
    return decide(score, list_thresholds(project, detector_id)[class_id].thresholds)
