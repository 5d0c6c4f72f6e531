"""Which defects are found on large pictures: looked at as a whole, and tile by tile."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.bench import drawn_parts
from inspector.domain import CancelToken, Decision
from inspector.errors import InspectorError
from inspector.images.demo import parts as demo_parts
from inspector.images.find import find
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.paths import write_atomic
from inspector.records import project as projects
from inspector.records.classes import add_class, set_smallest
from inspector.records.inspected.results import list_results, result_ids
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.shots import add_shots

SIZES = (8, 16, 24, 40, 80, 160)
"""Pixels that a spot is across."""
SHOTS = 4
DRAWN, NOISE = 1200, 2.0
"""Pixels up to which parts are drawn, and grey levels of noise on top."""
LESS = 8
"""The part is looked for on a picture so many times smaller."""
CONTRAST = 70
"""Grey levels, of 255, by which a spot is brighter or darker than what it lies on."""

Pixels = NDArray[np.uint8]


def resolution(
    method: str, smallest: int = 24, side: int = 3464, good: int = 20, each: int = 10, kind: str = "washer"
) -> Mapping[str, object]:
    """Shares, 0–1, of spots by size that are called NG (`whole.found.24`), and of good parts (`whole.false_alarms`), looked
    at as a whole and, as `tiles.…`, so that a defect of `smallest` pixels is found; milliseconds an image of both.

    Pictures of `side`² pixels are drawn by our own code: SHOTS shots, `good` good parts and, of every size, `each` of these
    with one spot on the part. Thresholds are those that teaching sets.
    """
    if kind not in demo_parts.KINDS:
        raise InspectorError(f"There is no drawing of “{kind}”.", f"Choose: {', '.join(demo_parts.KINDS)}.")
    figures: dict[str, object] = {"megapixels": round(side * side / 1e6, 1), "smallest": smallest}
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as name:
        folder = Path(name)
        shots = [_write(folder / "shots" / f"{n}.png", _part(kind, n, side)) for n in range(SHOTS)]
        for number in range(good):
            pixels = _part(kind, 1000 + number, side)
            _write(folder / "parts" / f"good {number}.png", pixels)
            for size in SIZES if number < each else ():
                rng = np.random.default_rng([number, size])
                _write(folder / "parts" / f"{size} {number}.png", spotted(pixels, size, rng))
        with projects.create(folder / "project", "Benchmark") as project:
            class_id, engine = add_class(project, "Part"), Engine()
            add_shots(project, class_id, shots)
            for how, wanted in (("whole", None), ("tiles", smallest)):
                set_smallest(project, class_id, wanted)
                figures |= _measured(project, engine, method, how, sorted(find([folder / "parts"]).images))
    return figures


def spotted(pixels: Pixels, size: int, rng: np.random.Generator) -> Pixels:
    """uint8 RGB (h, w, 3) with one round spot `size` pixels across, somewhere on the part: where it is not dark."""
    grey = cv2.cvtColor(
        cv2.resize(pixels, None, fx=1 / LESS, fy=1 / LESS, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    edge = 1 + (size + LESS) // LESS
    inside = grey[edge:-edge, edge:-edge]
    rows, columns = np.nonzero(inside > np.percentile(inside, 60))
    at = int(rng.integers(len(rows)))
    row, column = int(rows[at]) + edge, int(columns[at]) + edge
    reach = size // 2 + 4
    mask = np.zeros((2 * reach, 2 * reach), np.uint8)
    cv2.circle(mask, (reach, reach), size // 2, 255, -1, cv2.LINE_AA)
    share = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    place = np.s_[row * LESS - reach : row * LESS + reach, column * LESS - reach : column * LESS + reach]
    spotted, by = pixels.copy(), CONTRAST if grey[row, column] < 128 else -CONTRAST
    spotted[place] = np.clip(pixels[place] + share * by, 0, 255)
    return spotted


def _measured(
    project: Project, engine: Engine, method: str, how: str, files: Sequence[Path]
) -> dict[str, object]:
    began = time.perf_counter()
    drawn_parts.run_job(lambda emit: teach(project, engine, method=method, emit=emit, cancel=CancelToken()))
    taught = time.perf_counter() - began
    began = time.perf_counter()
    drawn_parts.run_job(
        lambda emit: inspect(project, engine, files, class_name="Part", emit=emit, cancel=CancelToken())
    )
    seconds = time.perf_counter() - began
    newest = list_results(project, result_ids(project, ResultFilter(), descending=True, limit=len(files)))
    called: dict[str, list[bool]] = {}
    for row in newest:
        called.setdefault(row.name.split(" ")[0], []).append(row.decision is Decision.NG)
    shares = {kind: sum(one) / len(one) for kind, one in called.items()}
    return {
        **{f"{how}.found.{size}": round(shares[str(size)], 3) for size in SIZES},
        f"{how}.false_alarms": round(shares["good"], 3),
        f"{how}.teach_s": round(taught, 1),
        f"{how}.ms_per_image": round(1000 * seconds / len(files), 1),
    }


def _part(kind: str, seed: int, side: int) -> Pixels:
    """A good part, enlarged where drawing all its pixels would take too long, with noise of its own in every pixel."""
    drawn = demo_parts.draw(kind, seed, size=min(side, DRAWN))[0]
    noise = np.random.default_rng(seed).normal(0, NOISE, (side, side, 3)).astype(np.float32)
    large = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large + noise, 0, 255), np.uint8)


def _write(path: Path, pixels: Pixels) -> Path:
    write_atomic(path, demo_parts.png(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)))
    return path
