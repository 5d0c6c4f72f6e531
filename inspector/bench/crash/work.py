"""What the processes do that `inspector bench crash` kills."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from inspector.bench import drawn_parts
from inspector.domain import (
    CancelToken,
    Decision,
    Emit,
    JobEnded,
    JobEvent,
    JobItem,
    JobStatus,
    Thresholds,
)
from inspector.jobs.engine import Engine
from inspector.jobs.export import EXPORTS, export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods import catalogue
from inspector.records import project as projects
from inspector.records.classes import find_class
from inspector.records.detectors import find_detector
from inspector.records.inspected.results import result_ids
from inspector.records.inspected.runs import list_runs
from inspector.records.project import Project
from inspector.records.reviews import add_review
from inspector.records.shots import add_shots, list_shots, remove_shots
from inspector.records.thresholds import list_thresholds, set_thresholds

BEGUN, ENDED = "begun", "ended"
"""Said of each job, or of what takes as long as one; what is announced are numbers."""
METHODS = {
    "teach": tuple(name for name, info in catalogue.METHODS.items() if not info.learns),
    "learn": tuple(f"{name}:epochs=3" for name, info in catalogue.METHODS.items() if info.learns),
}
"""What is taught in turns."""


@dataclass(frozen=True)
class Place:
    """Where everything lies. `top`: a folder of this measurement alone."""

    top: Path

    @property
    def folder(self) -> Path:
        """The project."""
        return self.top / "project"

    @property
    def batch(self) -> Path:
        """Images to inspect."""
        return self.top / "batch"

    @property
    def scratch(self) -> Path:
        """The temporary folder of all processes."""
        return self.top / "temporary"

    @contextmanager
    def temporary(self) -> Iterator[None]:
        """Let what this process makes for a while lie in `scratch`."""
        self.scratch.mkdir(exist_ok=True)
        before, tempfile.tempdir = tempfile.tempdir, str(self.scratch)
        try:
            yield
        finally:
            tempfile.tempdir = before

    @property
    def old(self) -> Path:
        """A project as an earlier version left it."""
        return self.top / "old"

    def exports(self) -> tuple[Path, Path]:
        """Where exports are written: inside the project, as the window offers it, and elsewhere."""
        return self.folder / EXPORTS, self.top / EXPORTS


def work(kind: str, method: str, place: Place, make_engine: Callable[[], Engine], sender: Connection) -> None:
    """Do one thing over and over, announcing what is said to be stored."""
    with place.temporary():
        _work(kind, method, place, make_engine, sender)


def _work(
    kind: str, method: str, place: Place, make_engine: Callable[[], Engine], sender: Connection
) -> None:

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None:
            sender.send(event.result_id)
        elif isinstance(event, JobEnded):
            if event.status is not JobStatus.DONE:
                sender.send(event.message)
            elif kind in ("teach", "learn", "update"):
                sender.send(event.result["detector_id"])

    if kind in ("create", "migrate"):
        for number in count():
            sender.send(BEGUN)
            target = place.top / kind / str(number)
            if kind == "create":
                projects.create(target, "New").close()
            else:
                shutil.copytree(place.old, target.with_suffix(".part"))
                target.with_suffix(".part").rename(target)
                projects.open(target).close()
            sender.send(number)
            sender.send(ENDED)
    if kind == "view":
        while True:
            sender.send(BEGUN)
            projects.open(place.folder, read_only=True).close()
            sender.send(ENDED)
    with projects.open(place.folder) as project:
        engine = make_engine()
        if kind in ("inspect", "continue", "update"):
            engine.detector(project, find_detector(project))
        for number in count():
            sender.send(BEGUN)
            _once(kind, method, project, engine, place, number, emit, sender)
            sender.send(ENDED)


def _once(
    kind: str,
    method: str,
    project: Project,
    engine: Engine,
    place: Place,
    number: int,
    emit: Emit,
    sender: Connection,
) -> None:
    nothing = CancelToken()
    class_id = find_class(project, "Part").id
    if kind in ("inspect", "continue"):
        engine.batch_size = 4
        newest = list_runs(project)[0]
        if kind == "continue" and newest.interrupted:
            sources = [Path(source) for source in newest.sources]
            inspect(project, engine, sources, run_id=newest.id, emit=emit, cancel=nothing)
        else:
            inspect(project, engine, [place.batch], emit=emit, cancel=nothing)
    elif kind in ("teach", "learn"):
        _remove_added(project, class_id)  # a memory can't forget what it is taught here
        teach(project, engine, method=method, emit=emit, cancel=nothing)
    elif kind == "update":
        fresh = place.top / f"fresh {time.monotonic_ns()}.png"
        drawn_parts.copy_with_own_hash(next(iter(place.batch.iterdir())), fresh, time.monotonic_ns())
        _remove_added(project, class_id)  # what an earlier process was killed with
        add_shots(project, class_id, [fresh])
        fresh.unlink()
        update(project, engine, emit=emit, cancel=nothing)
        _remove_added(project, class_id)
    elif kind == "export":
        stamp = time.monotonic_ns()
        target = place.exports()[number % 2] / str(stamp)  # an export replaces nothing
        export(project, target, ["csv", "overlays"], emit=emit, cancel=nothing)
        sender.send(stamp)
    elif kind == "threshold":
        row = find_detector(project)
        ng = 0.2 + number % 50 / 100
        set_thresholds(project, row.id, class_id, Thresholds(ng / 2, ng, ng / 2), who="Crash")
        sender.send(list_thresholds(project, row.id)[class_id].id)
    else:
        decision = list(Decision)[number % 3]
        for review_id in add_review(project, result_ids(project)[:2], decision, who="Crash"):
            sender.send(review_id)


def _remove_added(project: Project, class_id: int) -> None:
    remove_shots(project, [shot.id for shot in list_shots(project, class_id)[drawn_parts.SHOTS :]])
