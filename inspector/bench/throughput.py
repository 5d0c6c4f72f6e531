"""Throughput of `inspect`, file to stored result, beside the bare backbone."""

import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inspector.bench import drawn_parts
from inspector.domain import CancelToken
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect, lanes
from inspector.jobs.judging import Judge
from inspector.records import project as projects
from inspector.records.detectors import find_detector
from inspector.records.project import Project


def throughput(
    engine: Engine | None = None,
    weights: str | Path | None = None,
    *,
    images: int = 240,
    batch_size: int = 32,
    data: Path | None = None,
    rounds: int = 3,
) -> dict[str, Any]:
    """Bare backbone images/s beside end-to-end images/s
    (file → stored result), measured in turns in one process.

    `bare`: the whole image tower (class token, joint tokens, taps) by torch over a batch that lies in memory
    ready-made, with batches side by side or one by one, whichever is faster (`bare_rounds` holds both).
    `end_to_end`: `inspect` of `images` files with a memory, from the job's start to its end, everything
    loaded, scored by `runtime`; `torch_end_to_end`: the same by torch. `ratio` of the medians over `rounds` to `bare`. A memory
    leaves the tower early: `runtime_early_images_per_s` are those of the layers it reads, by `runtime`, over images that are
    decoded and normalised, and `ratio_to_early` is `end_to_end` to them; `early_images_per_s` are torch's. `read_images_per_s`:
    files read, decoded, shrunk and kept by all cores, with nothing beside. `data`: a folder of images of one product instead
    of drawn parts.
    """
    engine = engine or Engine(weights)
    torchs = copy.copy(engine)
    torchs.forget()
    torchs.runtime, torchs.beside = "torch", lambda: engine
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as folder:
        shots, batch = drawn_parts.files(Path(folder), images, data)
        with projects.create(Path(folder) / "project", "Benchmark") as project:
            drawn_parts.teach_part(project, engine, shots)
            _inspect(project, engine, batch[: 2 * batch_size], batch_size)
            _inspect(project, torchs, batch[: 2 * batch_size], batch_size)
            row = find_detector(project)
            detector, plain = engine.detector(project, row), torchs.detector(project, row)
            found, some, most = detector.backbone, batch[:batch_size], images // 2
            rates: dict[str, list[Any]] = {
                name: [] for name in ("bare", "early", "torch_early", "whole", "torch_whole", "read")
            }
            for number in range(rounds):
                rates["bare"].append(_bare(plain, some, most, joint=True))
                rates["torch_early"].append(_bare(plain, some, most, joint=False))
                rates["early"].append(_bare(detector, some, most, joint=False))
                for name, one in (("whole", engine), ("torch_whole", torchs)):
                    run = _copies(batch, Path(folder) / f"{name} {number}", number + rounds * (one is torchs))
                    rates[name].append(len(run) / _inspect(project, one, run, batch_size))
                run = _copies(batch, Path(folder) / f"read {number}", number + 2 * rounds)
                rates["read"].append(_read(Judge(project, engine, row, None), run))
            rates["bare"].append(_bare(plain, some, most, joint=True))
            size = read.read(batch[0]).size
    bare, whole = rates["bare"], rates["whole"]
    side_by_side, one_by_one = (statistics.median(own) for own in zip(*bare, strict=True))
    fastest = max(side_by_side, one_by_one)
    early, torch_early = (
        max(statistics.median(own) for own in zip(*rates[name], strict=True))
        for name in ("early", "torch_early")
    )
    return {
        "backbone": found.identity.architecture,
        "device": found.device_note,
        "runtime": found.runtime,
        "images": len(batch),
        "image_size": list(size),
        "batch_size": batch_size,
        "bare_images_per_s": round(fastest, 2),
        "bare_side_by_side_images_per_s": round(side_by_side, 2),
        "bare_one_by_one_images_per_s": round(one_by_one, 2),
        "end_to_end_images_per_s": round(statistics.median(whole), 2),
        "bare_rounds": [[round(rate, 2) for rate in rates] for rates in bare],
        "end_to_end_rounds": [round(rate, 2) for rate in whole],
        "runtime_early_images_per_s": round(early, 2),
        "early_images_per_s": round(torch_early, 2),
        "torch_end_to_end_images_per_s": round(statistics.median(rates["torch_whole"]), 2),
        "read_images_per_s": round(statistics.median(rates["read"]), 2),
        "ratio": round(statistics.median(whole) / fastest, 3),
        "ratio_to_early": round(statistics.median(whole) / early, 3),
    }


def _copies(files: list[Path], folder: Path, number: int) -> list[Path]:
    """The same images as other files, so that nothing is in the project already."""
    folder.mkdir()
    for place, file in enumerate(files):
        drawn_parts.copy_with_own_hash(file, folder / file.name, (number + 1) * 1_000_000 + place)
    return sorted(folder.iterdir())


def _inspect(project: Project, engine: Engine, files: list[Path], batch_size: int) -> float:
    """Seconds from the job's start to its end."""
    engine.batch_size = batch_size
    began = time.perf_counter()
    drawn_parts.run_job(
        lambda emit: inspect(project, engine, files, class_name="Part", emit=emit, cancel=CancelToken())
    )
    return time.perf_counter() - began


def _read(judge: Judge, files: list[Path]) -> float:
    """Images/s from files to what a detector looks at."""
    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as readers:
        for item in readers.map(
            lambda file: judge.read(file.name, lambda: read.read_bytes(file), file), files
        ):
            if item.error is not None:
                raise item.error
    return len(files) / (time.perf_counter() - began)


def _bare(detector: Any, files: list[Path], images: int, *, joint: bool) -> tuple[float, float]:
    """Images/s of the image tower alone as it scores for a detector, whole (`joint`) or up to the layers the detector reads:
    (batches side by side as `inspect` scores them, one batch after the other with all cores)."""
    backbone = detector.backbone
    batch = backbone.prepare([read.read(file).pixels for file in files])
    taps = getattr(detector, "taps", None) or backbone.default_taps
    passes = max(2, images // len(files))

    def forward(_: object = None) -> None:
        features = backbone.forward(batch, taps=taps, joint=joint)
        float(next(iter(features.taps.values())).flatten()[0])  # waits for an accelerator

    def rate(run: Callable[[int], object]) -> float:
        run(2)
        began = time.perf_counter()
        run(passes)
        return passes * len(files) / (time.perf_counter() - began)

    with lanes(backbone.device.type) as (scorer, _):
        side_by_side = rate(lambda count: list(scorer.map(forward, range(count))))
    return side_by_side, rate(lambda count: list(map(forward, range(count))))
