"""What a killed process loses: nothing that it announced, whatever it was doing."""

import json
import multiprocessing
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.bench import drawn_parts
from inspector.domain import (
    CancelToken,
    Decision,
    JobEnded,
    JobEvent,
    JobItem,
    JobProgress,
    JobStatus,
    Thresholds,
)
from inspector.errors import InspectorError, ProjectError
from inspector.exports.catalogue import MANIFEST
from inspector.exports.files import digests
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.export import export
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.jobs.update import update
from inspector.methods import catalogue
from inspector.records import project as projects
from inspector.records.classes import find_class, list_classes
from inspector.records.detectors import find_detector, list_detectors
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.results import list_results, result_ids
from inspector.records.reviews import add_review, list_reviews
from inspector.records.runs import list_runs, remove_run
from inspector.records.shots import add_shots, list_shots, remove_shots
from inspector.records.thresholds import list_thresholds, set_thresholds

KINDS = ("inspect", "teach", "prompts", "update", "create", "migrate", "export", "threshold", "review")
"""What a process may be doing when it is killed. "teach" remembers, "prompts" learns in epochs."""
_MOST = {"inspect": 16, "threshold": 16, "review": 16, "teach": 2, "update": 2}
"""Fewer announcements than this are waited for before a kill; a kind that announces nothing is killed once it began."""
_BEGUN = "begun"
_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@dataclass(frozen=True)
class _Place:
    """`folder`: the project; `top`: a folder of this measurement alone; `batch`: images to inspect."""

    folder: Path
    top: Path
    batch: Path


def crash(
    kills: int = 50,
    *,
    seed: int = 0,
    images: int = 60,
    kinds: tuple[str, ...] = ("inspect",),
    make_engine: Callable[[], Engine] = Engine,
    progress: Callable[[int, str], None] = lambda number, line: None,
) -> dict[str, Any]:
    """Kill a working process `kills` times at random moments and see what is left. `kinds`: of `KINDS`, in turns.

    After each kill the project must open, its database and every row's files be whole, every result, review, threshold
    and detector that the dead process had announced be there, no job be running, and no unfinished file lie about.
    Returns counts; `lost` and `problems` must be empty.
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
            engine = make_engine()
            drawn_parts.teach_part(project, engine, shots)
            inspect(project, engine, batch[:4], emit=lambda event: None, cancel=CancelToken())
        place = _Place(folder, Path(top), batch[0].parent)
        if "migrate" in kinds:
            _make_old(folder, Path(top) / "old")
        for number in range(kills):
            kind = kinds[number % len(kinds)]
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=_until_killed, args=(kind, place, make_engine, sender))
            child.start()
            sender.close()
            try:
                seen = _listen(receiver, rng.randrange(_MOST.get(kind, 1)), rng.uniform(0.0, 0.4))
            finally:  # its folder goes next, also where it said that it failed
                child.kill()
                child.join()
            seen += _rest(receiver)
            receiver.close()
            announced += len(seen)
            found = _examine(kind, place, seen)
            lost += found.pop("lost")
            aborted += found.pop("aborted")
            problems += [f"kill {number + 1} ({kind}): {text}" for text in found.pop("problems")]
            progress(number + 1, f"{len(seen)} results announced before kill {number + 1}")
    return {
        "kills": kills,
        "announced": announced,
        "lost": lost,
        "aborted_jobs": aborted,
        "problems": problems,
    }


def _until_killed(kind: str, place: _Place, make_engine: Callable[[], Engine], sender: Connection) -> None:
    """In the process that will be killed: do one thing over and over, announcing what is said to be stored."""

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None:
            sender.send(event.result_id)
        elif isinstance(event, JobProgress) and event.done == 0:
            sender.send(_BEGUN)
        elif isinstance(event, JobEnded):
            if event.status is not JobStatus.DONE:
                sender.send(event.message)
            elif kind in ("teach", "prompts", "update"):
                sender.send(event.result["detector_id"])

    if kind in ("create", "migrate"):
        for number in count():
            sender.send(_BEGUN)
            target = place.top / kind / str(number)
            if kind == "create":
                projects.create(target, "New").close()
            else:
                shutil.copytree(place.top / "old", target.with_suffix(".part"))
                target.with_suffix(".part").rename(target)
                projects.open(target).close()
    engine = make_engine()
    with projects.open(place.folder) as project:
        row = find_detector(project)
        engine.detector(project, row)
        for number in count():
            _once(kind, project, engine, place, number, emit, sender)


def _once(
    kind: str,
    project: Project,
    engine: Engine,
    place: _Place,
    number: int,
    emit: Callable[[JobEvent], None],
    sender: Connection,
) -> None:
    nothing = CancelToken()
    class_id = find_class(project, "Part").id
    if kind == "inspect":
        engine.batch_size = 4
        inspect(project, engine, [place.batch], emit=emit, cancel=nothing)
    elif kind in ("teach", "prompts"):
        method = catalogue.QUICK if kind == "teach" else catalogue.QUICK_LEARNER
        _remove_added(project, class_id)  # a memory can't forget what it is taught here
        teach(project, engine, method=method, emit=emit, cancel=nothing)
    elif kind == "update":
        fresh = place.top / f"fresh {time.monotonic_ns()}.png"
        drawn_parts.copy_with_own_hash(next(iter(place.batch.iterdir())), fresh, time.monotonic_ns())
        add_shots(project, class_id, [fresh])
        fresh.unlink()
        update(project, engine, emit=emit, cancel=nothing)
        _remove_added(project, class_id)
    elif kind == "export":
        sender.send(_BEGUN)
        target = place.top / "exports" / str(time.monotonic_ns())  # an export replaces nothing
        export(project, target, ["csv", "overlays"], emit=emit, cancel=nothing)
    elif kind == "threshold":
        sender.send(_BEGUN)
        row = find_detector(project)
        ng = 0.2 + number % 50 / 100
        set_thresholds(project, row.id, class_id, Thresholds(ng / 2, ng, ng / 2), who="Crash")
        sender.send(list_thresholds(project, row.id)[class_id].id)
    else:
        sender.send(_BEGUN)
        decision = list(Decision)[number % 3]
        for review_id in add_review(project, result_ids(project)[:2], decision, who="Crash"):
            sender.send(review_id)


def _remove_added(project: Project, class_id: int) -> None:
    remove_shots(project, [shot.id for shot in list_shots(project, class_id)[drawn_parts.SHOTS :]])


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


def _examine(kind: str, place: _Place, announced: list[int]) -> dict[str, Any]:
    problems: list[str] = []
    if kind == "create":
        problems += _made_anew(place.top / kind)
    if kind == "migrate":
        problems += _migrated(place.top / kind)
    if kind == "export":
        problems += _exported(place.top / "exports")
    with projects.open(place.folder) as project:
        problems += _damaged_results(project)
        there = _announced_ids(kind, project, announced)
        jobs = list_jobs(project)
        if any(job.status is JobStatus.RUNNING for job in jobs):
            problems.append("a job is still running")
        rows = list_detectors(project)
        problems += [f"{row.label} can't be used: {row.problem}" for row in rows if row.problem]
        known = {str(row.id) for row in rows}
        problems += [
            f"detectors/{path.name} belongs to nobody"
            for path in (place.folder / "detectors").iterdir()
            if path.name not in known and path.name != ".teaching"
        ]
        for run in list_runs(project)[:-1]:
            remove_run(project, run.id)  # the next examination looks at new results only
    litter = [path for path in place.folder.rglob(".*") if paths.is_unfinished(path.name)]
    problems += [f"{path.relative_to(place.folder)} was left behind" for path in litter]
    if (place.folder / "set-aside").exists():
        problems.append("a detector was set aside")
    if not _is_whole(place.folder):
        problems.append("the database is damaged")
    aborted = int(bool(jobs) and jobs[0].status is JobStatus.ABORTED)
    return {"lost": len(set(announced) - there), "aborted": aborted, "problems": problems}


def _damaged_results(project: Project) -> list[str]:
    problems = []
    for row in list_results(project, result_ids(project)):
        whole = row.error or (row.image_score is not None and row.map_path is not None and not row.missing)
        if not whole or (row.map_path is not None and not row.map_path.is_file()):
            problems.append(f"result {row.id} is not whole")
        if row.path is not None and read.read(row.path).sha256 != row.sha256:
            problems.append(f"the image of result {row.id} is damaged")
    return problems


def _announced_ids(kind: str, project: Project, announced: list[int]) -> set[int]:
    """Of what a dead process had announced, what is there."""
    if kind in ("teach", "prompts", "update"):
        return {row.id for row in list_detectors(project)}
    if kind == "threshold":  # a history: whoever finds a newer one finds the earlier ones too
        newest = max(
            (item.id for item in list_thresholds(project, find_detector(project).id).values()), default=0
        )
        return {value for value in announced if value <= newest}
    if kind == "review":
        rows = result_ids(project)[:2]
        return {review.id for row in rows for review in list_reviews(project, int(row))}
    return {row.id for row in list_results(project, announced)}


def _made_anew(top: Path) -> list[str]:
    """Every folder in which a project was being created holds one, or can be created again."""
    problems = []
    for folder in top.iterdir() if top.is_dir() else ():
        try:
            if (folder / projects.DATABASE).exists():
                projects.open(folder).close()
            else:
                projects.create(folder, "Again").close()
        except ProjectError as error:
            problems.append(f"create: {error}")
        problems += [f"{path.name} was left behind" for path in folder.rglob(".*")]
    shutil.rmtree(top, ignore_errors=True)
    return problems


def _migrated(top: Path) -> list[str]:
    """Every project that was being migrated opens with what it held, and its backups are whole."""
    problems = []
    for folder in top.iterdir() if top.is_dir() else ():
        if folder.suffix == ".part":
            continue  # killed while the old project was being copied there
        try:
            with projects.open(folder) as project:
                if not list_classes(project):
                    problems.append("migrate: the classes are gone")
        except ProjectError as error:
            problems.append(f"migrate: {error}")
        problems += [
            f"{path.name} was left behind" for path in folder.rglob(".*") if paths.is_unfinished(path.name)
        ]
        problems += [f"{path.name} is damaged" for path in (folder / "backups").glob("*") if not _sound(path)]
    shutil.rmtree(top, ignore_errors=True)
    return problems


def _exported(top: Path) -> list[str]:
    """Every folder that an export had put in its place is whole."""
    problems = []
    for folder in top.iterdir() if top.is_dir() else ():
        if paths.is_unfinished(folder.name):
            continue  # the next export into the same place deletes it
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        if not files or files != [file for file in digests(folder) if file["file"] != MANIFEST]:
            problems.append(f"the export {folder.name} is not whole")
    shutil.rmtree(top, ignore_errors=True)
    return problems


def _make_old(folder: Path, target: Path) -> None:
    """The database as revision 0002 had it, in a project without files."""
    target.mkdir()
    shutil.copyfile(folder / projects.DATABASE, target / projects.DATABASE)
    with closing(sqlite3.connect(target / projects.DATABASE)) as connection, connection:
        connection.execute("ALTER TABLE shots DROP COLUMN confirmed_good")
        for column in ("charge", "proposal", "updated_from"):
            connection.execute(f"ALTER TABLE detectors DROP COLUMN {column}")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")


def _is_whole(folder: Path) -> bool:
    return _sound(folder / projects.DATABASE)


def _sound(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
