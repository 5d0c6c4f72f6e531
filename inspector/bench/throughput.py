"""Measurements of whole jobs: throughput beside the bare backbone, and what a killed process loses."""

import multiprocessing
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobProgress, JobStatus
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect, lanes
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import find_detector
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.results import list_results, result_ids
from inspector.records.runs import list_runs, remove_run
from inspector.records.shots import add_shots

SHOTS = 4


def throughput(
    engine: Engine | None = None,
    weights: str | Path | None = None,
    *,
    images: int = 240,
    batch_size: int = 32,
    data: Path | None = None,
    rounds: int = 3,
) -> dict[str, Any]:
    """Bare backbone images/s beside end-to-end images/s (file → stored result), measured in turns in one process.

    `bare`: the whole image tower (class token, joint tokens, taps) over a batch that lies in memory ready-made, with
    batches side by side or one by one, whichever is faster (`bare_rounds` holds both).
    `end_to_end`: `inspect` of `images` files with PatchCore, from the job's start to its end, everything loaded.
    `ratio` of the medians over `rounds`. PatchCore leaves the tower early; `early_images_per_s` and `ratio_to_early`
    hold the same against only the layers it reads. `data`: a folder of images of one product instead of drawn parts.
    """
    engine = engine or Engine(weights)
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as folder:
        shots, batch = _parts(Path(folder), images, data)
        with projects.create(Path(folder) / "project", "Benchmark") as project:
            _teach(project, engine, shots)
            _inspect(project, engine, batch[: 2 * batch_size], batch_size)
            detector = engine.detector(project, find_detector(project))
            bare: list[tuple[float, float]] = []
            early: list[tuple[float, float]] = []
            whole = []
            for number in range(rounds):
                bare.append(_bare(engine, detector, batch[:batch_size], images // 2, joint=True))
                early.append(_bare(engine, detector, batch[:batch_size], images // 2, joint=False))
                run = _copies(batch, Path(folder) / f"run {number}", number)
                whole.append(len(run) / _inspect(project, engine, run, batch_size))
            bare.append(_bare(engine, detector, batch[:batch_size], images // 2, joint=True))
            size = read.read(batch[0]).size
        found = engine.backbone()
    side_by_side, one_by_one = (statistics.median(rates) for rates in zip(*bare, strict=True))
    fastest = max(side_by_side, one_by_one)
    fastest_early = max(statistics.median(rates) for rates in zip(*early, strict=True))
    return {
        "backbone": found.identity.architecture,
        "device": found.device_note,
        "images": len(batch),
        "image_size": list(size),
        "batch_size": batch_size,
        "bare_images_per_s": round(fastest, 2),
        "bare_side_by_side_images_per_s": round(side_by_side, 2),
        "bare_one_by_one_images_per_s": round(one_by_one, 2),
        "end_to_end_images_per_s": round(statistics.median(whole), 2),
        "bare_rounds": [[round(rate, 2) for rate in rates] for rates in bare],
        "end_to_end_rounds": [round(rate, 2) for rate in whole],
        "early_images_per_s": round(fastest_early, 2),
        "ratio": round(statistics.median(whole) / fastest, 3),
        "ratio_to_early": round(statistics.median(whole) / fastest_early, 3),
    }


def crash(
    kills: int = 50,
    *,
    seed: int = 0,
    images: int = 60,
    make_engine: Callable[[], Engine] = Engine,
    progress: Callable[[int, str], None] = lambda number, line: None,
) -> dict[str, Any]:
    """Kill an inspecting process `kills` times at random moments and see what is left.

    After each kill the project must open, its database and every row's files be whole, every result that the dead
    process had announced be there, and its job be ABORTED. Returns counts; `lost` and `problems` must be empty.
    """
    rng = random.Random(seed)
    problems: list[str] = []
    announced = lost = aborted = 0
    context: Any = multiprocessing.get_context(_START)
    if _START == "forkserver":  # imports once what each process needs
        context.set_forkserver_preload(["inspector.bench.throughput", "inspector.features.backbone"])
    with tempfile.TemporaryDirectory(prefix="inspector-crash-") as top:
        folder = Path(top) / "project"
        shots, batch = _parts(Path(top), images, None, size=160)
        with projects.create(folder, "Crash") as project:
            _teach(project, make_engine(), shots)
        for number in range(kills):
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=_until_killed, args=(folder, batch[0].parent, make_engine, sender))
            child.start()
            sender.close()
            seen = _listen(receiver, rng.randrange(16), rng.uniform(0.0, 0.4))
            child.kill()
            child.join()
            seen += _rest(receiver)
            receiver.close()
            announced += len(seen)
            found = _examine(folder, seen)
            lost += found.pop("lost")
            aborted += found.pop("aborted")
            problems += [f"kill {number + 1}: {text}" for text in found.pop("problems")]
            progress(number + 1, f"{len(seen)} results announced before kill {number + 1}")
    return {
        "kills": kills,
        "announced": announced,
        "lost": lost,
        "aborted_jobs": aborted,
        "problems": problems,
    }


_BEGUN = "begun"
_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _until_killed(folder: Path, images: Path, make_engine: Callable[[], Engine], sender: Connection) -> None:
    """In the process that will be killed: inspect over and over, announcing what `inspect` announces."""

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None:
            sender.send(event.result_id)
        elif isinstance(event, JobProgress) and event.done == 0:
            sender.send(_BEGUN)
        elif isinstance(event, JobEnded) and event.status is not JobStatus.DONE:
            sender.send(event.message)

    engine = make_engine()
    with projects.open(folder) as project:
        engine.detector(project, find_detector(project))
        while True:
            inspect(project, engine, [images], batch_size=4, emit=emit, cancel=CancelToken())


def _listen(receiver: Connection, results: int, seconds: float) -> list[int]:
    """Result ids as they arrive: until there are so many, or the run has begun if none are wanted, and then some
    seconds longer. So the moment is random on a fast machine and on a slow one."""
    seen: list[int] = []
    deadline = time.monotonic() + 120
    counting = True
    try:
        while receiver.poll(max(0.0, deadline - time.monotonic())):
            message = receiver.recv()
            if isinstance(message, int):
                seen.append(message)
            elif message != _BEGUN:
                raise InspectorError(f"The inspecting process failed: {message}")
            if counting and len(seen) >= results:
                counting = False
                deadline = time.monotonic() + seconds
    except (EOFError, OSError):
        pass  # the other end is dead
    return seen


def _rest(receiver: Connection) -> list[int]:
    """Ids that lie in the pipe of a dead process; the last message may be cut off."""
    seen: list[int] = []
    try:
        while receiver.poll():
            message = receiver.recv()
            if isinstance(message, int):
                seen.append(message)
    except (EOFError, OSError):
        pass
    return seen


def _examine(folder: Path, announced: list[int]) -> dict[str, Any]:
    problems = []
    with projects.open(folder) as project:
        rows = list_results(project, announced)
        for row in list_results(project, result_ids(project)):
            whole = row.error or (
                row.image_score is not None and row.map_path is not None and not row.missing
            )
            if not whole or (row.map_path is not None and not row.map_path.is_file()):
                problems.append(f"result {row.id} is not whole")
            if row.path is not None and read.read(row.path).sha256 != row.sha256:
                problems.append(f"the image of result {row.id} is damaged")
        jobs = list_jobs(project)
        if any(job.status is JobStatus.RUNNING for job in jobs):
            problems.append("a job is still running")
        for run in list_runs(project):
            remove_run(project, run.id)  # the next examination looks at new results only
    with closing(sqlite3.connect(folder / projects.DATABASE)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            problems.append("the database is damaged")
    aborted = int(bool(jobs) and jobs[0].status is JobStatus.ABORTED)
    return {"lost": len(announced) - len(rows), "aborted": aborted, "problems": problems}


def _parts(folder: Path, images: int, data: Path | None, size: int = 512) -> tuple[list[Path], list[Path]]:
    """Files of one product: (normal shots, images to inspect), each image with bytes of its own."""
    if data is not None:
        files = read.find([data])
        if len(files) < SHOTS + 1:
            raise InspectorError(f"{data} holds too few images.", f"Give a folder with more than {SHOTS}.")
        return files[:SHOTS], files[SHOTS : SHOTS + images]
    from inspector.images import demo_parts

    drawn = folder / "drawn"
    kind = demo_parts.KINDS[0]
    product = demo_parts.write_demo(drawn, kinds=(kind,), size=size) / kind
    shots = sorted((product / "train" / "good").iterdir())[:SHOTS]
    tests = sorted((product / "test").glob("*/*"))
    batch = folder / "batch"
    batch.mkdir()
    for number in range(images):
        source = tests[number % len(tests)]
        _copy(source, batch / f"{number:05}{source.suffix}", number)
    return shots, sorted(batch.iterdir())


def _copies(files: list[Path], folder: Path, number: int) -> list[Path]:
    """The same images as other files, so that nothing is in the project already."""
    folder.mkdir()
    for place, file in enumerate(files):
        _copy(file, folder / file.name, (number + 1) * 1_000_000 + place)
    return sorted(folder.iterdir())


def _copy(source: Path, target: Path, number: int) -> None:
    """A PNG gets a text chunk of its own, other files a few bytes after their end: same pixels, another hash."""
    import struct
    import zlib

    data = source.read_bytes()
    if data.startswith(b"\x89PNG"):
        body = b"tEXtnumber\0" + str(number).encode()
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        target.write_bytes(data[:33] + chunk + data[33:])
    elif data.startswith(b"\xff\xd8"):
        comment = str(number).encode()
        target.write_bytes(data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:])
    else:
        shutil.copyfile(source, target)


def _teach(project: Project, engine: Engine, shots: list[Path]) -> None:
    class_id = add_class(project, "Part")
    add_shots(project, class_id, shots)
    _run(lambda emit: teach(project, engine, method="patchcore", emit=emit, cancel=CancelToken()))


def _inspect(project: Project, engine: Engine, files: list[Path], batch_size: int) -> float:
    """Seconds from the job's start to its end."""
    began = time.perf_counter()
    _run(
        lambda emit: inspect(
            project, engine, files, class_name="Part", batch_size=batch_size, emit=emit, cancel=CancelToken()
        )
    )
    return time.perf_counter() - began


def _run(work: Callable[[Callable[[JobEvent], None]], None]) -> None:
    ended: list[JobEnded] = []

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            ended.append(event)

    work(emit)
    if ended[-1].status is not JobStatus.DONE:
        raise InspectorError(ended[-1].message, ended[-1].hint)


def _bare(
    engine: Engine, detector: Any, files: list[Path], images: int, *, joint: bool
) -> tuple[float, float]:
    """Images/s of the image tower alone, whole (`joint`) or up to the layers the detector reads: (batches side by
    side as `inspect` scores them, one batch after the other with all cores)."""
    backbone = engine.backbone()
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
