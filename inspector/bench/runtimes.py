"""What each runtime of this computer says of the same images, beside torch, and how long it takes."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inspector.bench import drawn_parts
from inspector.domain import CancelToken, Image
from inspector.features import loading
from inspector.features.runtimes.engines import installed
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.methods.detector import Detector
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import find_detector
from inspector.records.shots import add_shots
from inspector.records.thresholds import list_thresholds
from inspector.verdicts.judge import decide

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def measure(
    method: str, weights: str, precision: str = "fp32", *, images: int = 40, data: Path | None = None
) -> dict[str, Any]:
    """A detector that torch teaches in a precision scores images by torch and by every runtime that computes in it.

    By runtime: `ms` an image from prepared pixels to its score map, one after the other, in turns, the shortest of three; and
    beside torch's: the largest `score` difference in parts of the score, the largest and the mean `map` difference (maps are on 0–1),
    and `verdicts` that differ. `data`: a folder in MVTec AD layout instead of drawn parts.
    """
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as folder:
        shots, files = _files(Path(folder), images, data)
        with projects.create(Path(folder) / "project", "Benchmark") as project:
            backbone = loading.load(weights, "cpu", dtype=PRECISIONS[precision])
            engines = {
                name: Engine(weights, "cpu", runtime=name)
                for name in ("torch", *(one.name for one in installed() if precision in one.precisions))
            }
            for engine in engines.values():
                engine.use(backbone, weights)
            class_id = add_class(project, "Part")
            add_shots(project, class_id, shots)
            drawn_parts.run_job(
                lambda emit: teach(project, engines["torch"], method=method, emit=emit, cancel=CancelToken())
            )
            row = find_detector(project)
            limits = list_thresholds(project, row.id)[class_id].thresholds
            detectors = {name: engine.detector(project, row) for name, engine in engines.items()}
            seen = [read.read(file) for file in files]
            found: dict[str, dict[str, Any]] = {}
            expected = detectors["torch"].score(seen, ["Part"] * len(seen))
            for name, detector in detectors.items():
                maps = detector.score(seen, ["Part"] * len(seen))
                pairs = list(zip(expected, maps, strict=True))
                apart = [np.abs(one.values - other.values) for one, other in pairs]
                flips = [
                    decide(one.image_score, limits) is not decide(other.image_score, limits)
                    for one, other in pairs
                ]
                gaps = [abs(one.image_score - other.image_score) / one.image_score for one, other in pairs]
                found[name] = {
                    "computed_by": detector.backbone.device_note,
                    "score": round(max(gaps), 6),
                    "map_max": round(float(max(one.max() for one in apart)), 6),
                    "map_mean": round(float(np.mean([one.mean() for one in apart])), 7),
                    "verdicts": sum(flips),
                }
            for name, ms in _times(detectors, seen[:8]).items():
                found[name]["ms"] = round(ms, 2)
    return {"method": method, "precision": precision, "images": len(files), "runtimes": found}


def _files(folder: Path, images: int, data: Path | None) -> tuple[list[Path], list[Path]]:
    if data is None:
        return drawn_parts.files(folder, images, None)
    shots = sorted((data / "train" / "good").iterdir())[: drawn_parts.SHOTS]
    tests = sorted(file for file in (data / "test").glob("*/*") if file.is_file())
    return shots, tests[:: max(1, len(tests) // images)][:images]


def _times(detectors: dict[str, Detector], images: Sequence[Image]) -> dict[str, float]:
    """Milliseconds an image."""
    best = dict.fromkeys(detectors, float("inf"))
    for _ in range(3):
        for name, detector in detectors.items():
            began = time.perf_counter()
            detector.score(images, ["Part"] * len(images))
            best[name] = min(best[name], 1000 * (time.perf_counter() - began) / len(images))
    return best
