"""What a killed process loses: nothing that it announced."""

import multiprocessing
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inspector.bench import drawn_parts
from inspector.domain import CancelToken, JobEnded, JobEvent, JobItem, JobProgress, JobStatus
from inspector.errors import InspectorError
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.records import project as projects
from inspector.records.detectors import find_detector
from inspector.records.jobs import list_jobs
from inspector.records.results import list_results, result_ids
from inspector.records.runs import list_runs, remove_run


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
        context.set_forkserver_preload(["inspector.bench.crash", "inspector.features.loading"])
    with tempfile.TemporaryDirectory(prefix="inspector-crash-") as top:
        folder = Path(top) / "project"
        shots, batch = drawn_parts.files(Path(top), images, None, size=160)
        with projects.create(folder, "Crash") as project:
            drawn_parts.teach_part(project, make_engine(), shots)
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
