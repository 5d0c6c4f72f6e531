"""What `inspector bench crash` looks for where a process was killed."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inspector.bench.crash.work import Place
from inspector.bench.drawn_parts import run_job
from inspector.domain import CancelToken, Emit, JobStatus
from inspector.errors import InspectorError, ProjectError
from inspector.exports.catalogue import MANIFEST
from inspector.exports.files import digests
from inspector.images import read
from inspector.jobs.export import EXPORTS, export
from inspector.records import project as projects
from inspector.records.classes import list_classes
from inspector.records.detectors import find_detector, list_detectors
from inspector.records.disk.lock import FILES
from inspector.records.disk.recovery import CHECKPOINTS, FOLDERS
from inspector.records.disk.seal import SEAL
from inspector.records.inspected.results import list_names, list_results, result_ids
from inspector.records.inspected.runs import list_runs, remove_run
from inspector.records.jobs import list_jobs
from inspector.records.project import Project
from inspector.records.reviews import list_reviews
from inspector.records.thresholds import list_thresholds

_OWN = {projects.DATABASE, *FILES, *FOLDERS, SEAL, "backups", EXPORTS}
"""What may lie in a project that is closed."""


@dataclass(frozen=True)
class Found:
    """`lost`: how much of what was announced isn't there.
    `aborted`: 1 if the last job is known to have been cut off."""

    lost: int
    aborted: int
    problems: list[str]


def examine(kind: str, place: Place, announced: Collection[int]) -> Found:
    """Open everything again, as a person would, and see what is missing and what is too much."""
    problems: list[str] = []
    there: set[int] = set()
    if kind == "create":
        there = _each(place.top / kind, _created, problems)
    elif kind == "migrate":
        there = _each(place.top / kind, _migrated, problems)
    elif kind == "view":
        projects.open(place.folder, read_only=True).close()
    with projects.open(place.folder) as project:
        problems += _damaged_results(project)
        jobs = list_jobs(project)
        if any(job.status is JobStatus.RUNNING for job in jobs):
            problems.append("a job is still running")
        problems += _dead_detectors(project)
        if kind == "export":
            there = _exported(project, place, problems)
        elif kind not in ("create", "migrate", "view"):
            there = _announced(kind, project, announced)
        for run in list_runs(project)[:-1]:
            twice = [name for name, count in Counter(list_names(project, run.id)).items() if count > 1]
            problems += [f"{name} has several results in one run" for name in twice]
            if not (kind == "continue" and run.interrupted):
                remove_run(project, run.id)  # the next examination looks at new results only
    problems += _litter(place)
    if not _sound(place.folder / projects.DATABASE):
        problems.append("the database is damaged")
    aborted = int(bool(jobs) and jobs[0].status is JobStatus.ABORTED)
    return Found(len(set(announced) - there), aborted, problems)


def _damaged_results(project: Project) -> list[str]:
    problems = []
    for row in list_results(project, result_ids(project)):
        whole = row.error or (row.image_score is not None and row.map_path is not None and not row.missing)
        if not whole or (row.map_path is not None and not row.map_path.is_file()):
            problems.append(f"result {row.id} is not whole")
        if row.path is not None and read.read(row.path).sha256 != row.sha256:
            problems.append(f"the image of result {row.id} is damaged")
    return problems


def _dead_detectors(project: Project) -> list[str]:
    rows = list_detectors(project)
    known = {str(row.id) for row in rows} | {CHECKPOINTS}
    return [f"{row.label} can't be used: {row.problem}" for row in rows if row.problem] + [
        f"detectors/{path.name} belongs to nobody"
        for path in (project.folder / "detectors").iterdir()
        if path.name not in known
    ]


def _announced(kind: str, project: Project, announced: Collection[int]) -> set[int]:
    """Of what a dead process had announced, what is there."""
    if kind in ("teach", "learn", "update"):
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


def _litter(place: Place) -> list[str]:
    """Hidden files, what a closed project doesn’t have, and anything of ours in the temporary folder."""
    checkpoints = place.folder / "detectors" / CHECKPOINTS
    left = {path for path in place.folder.rglob(".*") if path != checkpoints}
    left.update(path for path in place.folder.iterdir() if path.name not in _OWN)
    left.update(place.scratch.glob("inspector-*"))  # libraries leave things there too
    left.update(place.top.glob(f"{EXPORTS}/.*"))
    return [f"{path.relative_to(place.top)} was left behind" for path in sorted(left)]


def _each(top: Path, look: Callable[[Path], Iterable[str]], problems: list[str]) -> set[int]:
    """Look at every project in a folder that is then deleted; the numbers of the projects that are there."""
    there = set()
    for folder in top.iterdir() if top.is_dir() else ():
        if folder.suffix == ".part":
            continue  # killed while an old project was being copied there
        if (folder / projects.DATABASE).exists():
            there.add(int(folder.name))
        try:
            problems += look(folder)
        except ProjectError as error:
            problems.append(f"{top.name}: {error}")
        left = {*folder.rglob(".*"), *(path for path in folder.iterdir() if path.name not in _OWN)}
        problems += [f"{path.relative_to(top)} was left behind" for path in sorted(left)]
    shutil.rmtree(top, ignore_errors=True)
    return there


def _created(folder: Path) -> Iterable[str]:
    """It opens, or can be created again."""
    if (folder / projects.DATABASE).exists():
        projects.open(folder).close()
    else:
        projects.create(folder, "Again").close()
    return ()


def _migrated(folder: Path) -> Iterable[str]:
    """It opens with what it held, and its backups are whole."""
    with projects.open(folder) as project:
        if not list_classes(project):
            yield "migrate: the classes are gone"
    for path in (folder / "backups").glob("*"):
        if not _sound(path):
            yield f"{path.name} is damaged"


def _exported(project: Project, place: Place, problems: list[str]) -> set[int]:
    """Every folder that an export had put in its place is whole,
    and the next export removes what one left unfinished."""
    there = set()
    for top in place.exports():
        try:
            run_job(partial(_export_again, project, top / "again"))
        except InspectorError as error:
            problems.append(f"export: {error}")
        for folder in top.glob("[!.]*"):
            files = json.loads((folder / MANIFEST).read_bytes())["files"]
            if not files or files != [file for file in digests(folder) if file["file"] != MANIFEST]:
                problems.append(f"the export {folder.name} is not whole")
            if folder.name.isdecimal():
                there.add(int(folder.name))
            shutil.rmtree(folder)
    return there


def _export_again(project: Project, target: Path, emit: Emit) -> None:
    export(project, target, ["csv"], emit=emit, cancel=CancelToken())


def _sound(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def make_old(folder: Path, target: Path) -> None:
    """The database of a project as revision 0002 had it, in a project without files."""
    target.mkdir()
    shutil.copyfile(folder / projects.DATABASE, target / projects.DATABASE)
    with closing(sqlite3.connect(target / projects.DATABASE)) as connection, connection:
        connection.execute("DROP INDEX uq_shots_class_image")
        for column in ("confirmed_good", "place"):
            connection.execute(f"ALTER TABLE shots DROP COLUMN {column}")
        connection.execute("CREATE UNIQUE INDEX uq_shots_class_image ON shots (class_id, image_id)")
        for column in ("white", "smallest", "scale", "area"):
            connection.execute(f"ALTER TABLE classes DROP COLUMN {column}")
        for column in ("charge", "proposal", "updated_from", "whites", "takes"):
            connection.execute(f"ALTER TABLE detectors DROP COLUMN {column}")
        connection.execute("DROP INDEX ix_runs_station")
        for table in ("runs", "golden_checks"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN station_id")
        connection.execute("ALTER TABLE images DROP COLUMN let_go")
        for table in (
            "smallest_tests",
            "arrivals",
            "deliveries",
            "passed_over",
            "roles",
            "stations",
            "acts",
            "outlines",
            "golden_scores",
            "golden_parts",
            "golden_checks",
            "study_words",
            "study_parts",
            "studies",
        ):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE results DROP COLUMN product_distance")
        connection.execute("ALTER TABLE detectors DROP COLUMN products")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
