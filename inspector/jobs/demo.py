"""The demo: three products drawn by ourselves, taught from
eight normal shots each, inspected, ready to look at."""

import shutil
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from inspector import paths
from inspector.domain import (
    CancelToken,
    Emit,
    JobEnded,
    JobEvent,
    JobItem,
    JobKind,
    JobLog,
    JobProgress,
    JobStarted,
    JobStatus,
)
from inspector.errors import Cancelled, InspectorError
from inspector.methods.catalogue import QUICK

if TYPE_CHECKING:
    from inspector.jobs.engine import Engine

_SHOTS, _LOT = 8, 2
"""Shots of each product, and the lot that is drawn: a first look at a machine must not show its rare
mistakes, so this is a lot in which every part is judged right, with room to spare on both sides."""
_DRAWN, _TAUGHT = 0.25, 0.5
"""Shares of the bar after drawing and after teaching."""


def free_folder(wanted: Path) -> Path:
    """`wanted`, or the first of `wanted-2`, `wanted-3` … that
    does not exist, so that no project is overwritten."""
    folder, number = wanted, 1
    while folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def make_demo_project(folder: Path, engine: "Engine", *, emit: Emit, cancel: CancelToken) -> None:
    """Draw, teach and inspect into a new project at `folder`; `JobEnded.result["project"]` is its path.

    Emits one JobStarted and one JobEnded of its own; what its steps report is folded into one bar of 100.
    A demo that fails or is stopped leaves no folder behind.
    """
    emit(JobStarted(0, JobKind.DEMO, 100, "Build the demo"))
    new = not folder.exists()
    try:
        found = _make(folder, engine, emit, cancel)
    except BaseException as error:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, Cancelled):
            emit(JobEnded(0, JobKind.DEMO, JobStatus.CANCELLED, "The demo was stopped."))
        elif isinstance(error, InspectorError):
            emit(JobEnded(0, JobKind.DEMO, JobStatus.FAILED, error.message, error.hint))
        else:
            emit(JobEnded(0, JobKind.DEMO, JobStatus.FAILED, "The demo could not be built.", "See the log."))
            raise
    else:
        emit(JobEnded(0, JobKind.DEMO, JobStatus.DONE, found, result={"project": str(folder)}))


def _make(folder: Path, engine: "Engine", emit: Emit, cancel: CancelToken) -> str:
    from inspector.images.demo import parts as demo_parts
    from inspector.jobs.inspect import inspect
    from inspector.jobs.teach import teach
    from inspector.records import project as projects
    from inspector.records.classes import add_class
    from inspector.records.inspected.results import count_results
    from inspector.records.shots import add_shots

    drawn = paths.scratch_folder("demo")
    try:
        emit(JobProgress(0, 0, 100, "Drawing parts"))
        demo_parts.write_demo(drawn, shots=_SHOTS, seed=_LOT)
        cancel.check()
        emit(JobProgress(0, 100 * _DRAWN, 100, "Teaching"))
        with projects.create(folder, "Demo") as project:
            products = sorted(path for path in drawn.iterdir() if path.is_dir())
            for product in products:
                class_id = add_class(project, product.name)
                add_shots(project, class_id, sorted((product / "train" / "good").iterdir()))
                cancel.check()
            _step(  # the method that teaches in a second: a visitor waits for the result
                lambda inner: teach(project, engine, method=QUICK, emit=inner, cancel=cancel),
                emit,
                _DRAWN,
                _TAUGHT,
            )
            sources = _named(_mixed(products), drawn / "batch")
            _step(
                lambda inner: inspect(project, engine, sources, emit=inner, cancel=cancel), emit, _TAUGHT, 1
            )
            counts = count_results(project)
    finally:
        shutil.rmtree(drawn, ignore_errors=True)
    return f"{len(products)} products taught, {counts.total} parts inspected: {counts.ng} NG, {counts.review} to review."


def _mixed(products: list[Path]) -> list[Path]:
    """A defective and a good part of each product in turn, as
    on a line that makes them all; a stained washer first."""
    turns = []
    for product in reversed(products):
        parts = sorted((product / "test").glob("*/*"), reverse=True)
        for good in (False, True):
            turns.append([part for part in parts if (part.parent.name == "good") is good])
    return [part for turn in zip_longest(*turns) for part in turn if part is not None]


def _named(parts: list[Path], folder: Path) -> list[Path]:
    """The same files under names that say their place in the lot, product and true state."""
    folder.mkdir()
    named = []
    for number, part in enumerate(parts, 1):
        product, state = part.parents[2].name, part.parent.name
        target = folder / f"{number:02}_{product}_{state}.png"
        named.append(part.rename(target))
    return named


def _step(work: Callable[[Emit], None], emit: Emit, begin: float, end: float) -> None:
    """Run one job inside the demo: scale its progress, keep its end to ourselves, raise what went wrong."""
    ended: list[JobEnded] = []

    def inner(event: JobEvent) -> None:
        if isinstance(event, JobProgress):
            share = event.done / event.total if event.total else 0.0
            emit(
                JobProgress(
                    0, 100 * (begin + (end - begin) * share), 100, event.message, None, event.seconds_left
                )
            )
        elif isinstance(event, (JobItem, JobLog)):
            emit(event)
        elif isinstance(event, JobEnded):
            ended.append(event)

    work(inner)
    if ended[-1].status is JobStatus.CANCELLED:
        raise Cancelled
    if ended[-1].status is not JobStatus.DONE:
        raise InspectorError(ended[-1].message, ended[-1].hint)


def write_report(folder: Path, target: Path, *, emit: Emit, cancel: CancelToken) -> None:
    """`report.html`, `results.csv` and the overlays of a project, for where no window can be opened."""
    from inspector.jobs.export import export
    from inspector.records import project as projects

    with projects.open(folder) as project:
        export(project, target, ("report", "csv", "overlays"), emit=emit, cancel=cancel)


def summary(folder: Path) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: per class how many parts got
    which verdict, and the true state its file names tell."""
    from inspector.domain import Decision
    from inspector.records import project as projects
    from inspector.records.inspected.results import list_results, result_ids

    head = ["class", "good: OK", "review", "NG", "bad: OK", "review", "NG"]
    counted: dict[str, dict[tuple[bool, Decision], int]] = {}
    with projects.open(folder, read_only=True) as project:
        for row in list_results(project, result_ids(project)):
            if row.verdict is not None:
                good = row.name.endswith("_good.png")
                cells = counted.setdefault(row.class_name, {})
                cells[good, row.verdict] = cells.get((good, row.verdict), 0) + 1
    order = [
        (good, decision) for good in (True, False) for decision in (Decision.OK, Decision.REVIEW, Decision.NG)
    ]
    rows = [[name, *(str(cells.get(key, 0)) for key in order)] for name, cells in sorted(counted.items())]
    return head, rows
