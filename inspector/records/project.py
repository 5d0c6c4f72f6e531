"""A project: a folder that can be moved, copied and zipped. Everything in it is named relative to the folder.

project.sqlite                what is known (tables in `schema.py`)
project.lock, lock-owner.json who has it open for writing
images/aa/<sha256><suffix>    shots and inspected images, kept by content
detectors/<id>/               what teaching made
maps/<run>/<sha256>.npy       anomaly maps, float16
backups/                      copies made before a migration
"""

import errno
import json
import os
import platform
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import create_engine, event, select, update
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import JobStatus
from inspector.errors import ProjectError
from inspector.records.schema import KNOWN_REVISIONS, REVISION, Detector, Job, ProjectInfo, now

DATABASE = "project.sqlite"
_FOLDERS = ("images", "detectors", "maps")


class Project:
    """An open project. Use `create` or `open`; close it, or use it as a context manager.

    `note`: a sentence for people about how it was opened ("" when there is nothing to say).
    Reading sessions may be on any thread; writing sessions queue up behind one lock.
    """

    def __init__(
        self,
        folder: Path,
        database: Path,
        lock: FileLock | None,
        *,
        note: str = "",
        scratch: Path | None = None,
    ) -> None:
        self.folder = folder
        self.note = note
        self.read_only = lock is None
        self._lock = lock
        self._scratch = scratch
        self._writing = threading.RLock()
        self._engine = _engine(database, read_only=self.read_only)
        with self.reading() as session:
            self.name: str = session.scalars(select(ProjectInfo.name)).one()

    def path(self, relative: str) -> Path:
        """Where a file named in the database lies. Raises `ProjectError` for a name that leaves the folder."""
        path = paths.inside(self.folder, relative)
        if path is None:
            raise ProjectError(
                f"The project names a file outside its folder ({relative!r}).",
                "Open a backup of the project.",
            )
        return path

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A short session that only reads."""
        with _plain_errors(self.folder), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or leaves nothing behind when anything fails."""
        self.require_writable()
        with self._writing, _plain_errors(self.folder), Session(self._engine) as session, session.begin():
            yield session

    def plain_errors(self) -> AbstractContextManager[None]:
        """Turns a full disk, missing rights or a damaged database into a `ProjectError`."""
        return _plain_errors(self.folder)

    def require_writable(self) -> None:
        if self.read_only:
            raise ProjectError(
                f"The project “{self.name}” is open for viewing only, so nothing can be changed.",
                "Copy the folder to a place you may write to, and open the copy.",
            )

    def close(self) -> None:
        self._engine.dispose()
        if self._lock is not None and self._lock.is_locked:
            _release(self._lock, self.folder)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create(folder: Path, name: str) -> Project:
    """A new project in `folder`, which must be empty or not exist yet. Raises `ProjectError`."""
    name = " ".join(name.split())
    if not name:
        raise ProjectError("A project needs a name.", "Type a name.")
    folder = Path(folder).absolute()
    with _plain_errors(folder):
        if (folder / DATABASE).exists():
            raise ProjectError(
                f"There is a project in {folder} already.", "Open it, or choose another folder."
            )
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ProjectError(f"{folder} is not an empty folder.", "Choose a new or an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for part in _FOLDERS:
            (folder / part).mkdir()
        unfinished = folder / f"{DATABASE}.new"
        _migrate(unfinished)
        engine = _engine(unfinished)
        with Session(engine) as session, session.begin():
            session.add(ProjectInfo(id=1, name=name))
        engine.dispose()
        unfinished.replace(folder / DATABASE)
    return open(folder)


def open(folder: Path, *, read_only: bool = False) -> Project:
    """Open the project in `folder` (or its `project.sqlite`): lock, migrate, recover.

    A folder that can't be written is opened for viewing (`read_only`, `note`). Raises `ProjectError` when there is no
    project, it is open elsewhere, damaged, or from a newer version.
    """
    folder = Path(folder).absolute()
    if folder.name == DATABASE:
        folder = folder.parent
    database = folder / DATABASE
    with _plain_errors(folder):
        if not database.is_file():
            raise ProjectError(
                f"There is no project in {folder}.", "Choose a folder that holds project.sqlite."
            )
        lock = None if read_only else _acquire(folder)
        try:
            if lock is None:
                note = (
                    ""
                    if read_only
                    else "This folder can't be written, so the project is open for viewing only."
                )
                return _open_for_viewing(folder, note)
            note = ""
            revision = _revision(database)
            if revision != REVISION:
                backup = _migrate_safely(folder, revision)
                note = f"The project was brought up to date; a copy of the old one is in {backup.name}."
            project = Project(folder, database, lock, note=note)
            try:
                _recover(project)
            except BaseException:
                project.close()
                raise
            return project
        except BaseException:
            if lock is not None and lock.is_locked:
                _release(lock, folder)
            raise


def _open_for_viewing(folder: Path, note: str) -> Project:
    """Work on a private copy of the database: a folder we can't write can't hold SQLite's side files either."""
    scratch = Path(tempfile.mkdtemp(prefix="inspector-view-"))
    try:
        copy = scratch / DATABASE
        _copy_database(folder / DATABASE, copy)
        if _revision(copy) != REVISION:
            _migrate(copy)
        return Project(folder, copy, None, note=note, scratch=scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _acquire(folder: Path) -> FileLock | None:
    """The writer's lock, or None where the folder can't be written. Raises `ProjectError` when somebody has it."""
    lock = FileLock(folder / "project.lock", thread_local=False)
    owner = folder / "lock-owner.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ProjectError(
            f"The project in {folder} is already open{_owner(owner)}.",
            "Close it there first, or open it for viewing only.",
        ) from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return None
        raise
    try:
        if not os.access(folder / DATABASE, os.W_OK):
            raise PermissionError
        entry = {
            "host": platform.node(),
            "process": os.getpid(),
            "since": datetime.now().astimezone().isoformat(timespec="minutes"),
        }
        try:
            paths.write_atomic(owner, json.dumps(entry).encode())
        except OSError as error:
            # On a full disk a project still opens; only the message for others gets shorter.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
    except PermissionError:
        lock.release()
        return None
    except BaseException:
        lock.release()
        raise
    return lock


def _release(lock: FileLock, folder: Path) -> None:
    (folder / "lock-owner.json").unlink(missing_ok=True)
    lock.release()


def _owner(path: Path) -> str:
    try:
        entry = json.loads(path.read_text("utf-8"))
        since = datetime.fromisoformat(entry["since"])
        return f" on {entry['host']} (process {entry['process']}, since {since:%d %b %H:%M})"
    except (OSError, ValueError, KeyError, TypeError):
        return " in another window"


def _engine(database: Path, *, read_only: bool = False) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(database)), connect_args={"timeout": 15})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, so that DDL is in them too
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL", "cache_size=-32000"):
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _revision(database: Path) -> str:
    """The schema revision of a project's database. Raises `ProjectError` for a newer one and for damaged files."""
    try:
        with closing(sqlite3.connect(database, timeout=15)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise ProjectError(
            f"{database} is damaged or no project of Inspector ({error}).",
            "Open a backup of the project folder.",
        ) from error
    revision = row[0] if row else ""
    if revision not in KNOWN_REVISIONS:
        raise ProjectError(
            f"This project was last used with a newer version of Inspector (revision {revision or 'unknown'}; this "
            f"version knows up to {REVISION}).",
            "Update Inspector, or open a backup from the project's backups folder.",
        )
    return str(revision)


def _migrate(database: Path) -> None:
    """Bring a database (a new, empty one too) to `REVISION`."""
    from alembic import command
    from alembic.config import Config

    engine = _engine(database)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
            connection.commit()
    finally:
        engine.dispose()


def _migrate_safely(folder: Path, revision: str) -> Path:
    """Copy the database to `backups/`, migrate a second copy, verify it, and only then put it in place."""
    stamp = now().strftime("%Y%m%d-%H%M%S")
    backup = folder / "backups" / f"project-{stamp}-revision-{revision}.sqlite"
    backup.parent.mkdir(exist_ok=True)
    _copy_database(folder / DATABASE, backup)
    migrated = folder / f"{DATABASE}.new"
    try:
        migrated.unlink(missing_ok=True)
        _copy_database(backup, migrated)
        _migrate(migrated)
        with closing(sqlite3.connect(migrated)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
        if not sound or dangling or _revision(migrated) != REVISION:
            raise ProjectError(
                f"The project in {folder} could not be brought up to date; it was left as it was.",
                f"Please report this and keep {backup}.",
            )
        with closing(sqlite3.connect(folder / DATABASE)) as connection:  # empties the old write-ahead log
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for side in ("-wal", "-shm"):
            (folder / f"{DATABASE}{side}").unlink(missing_ok=True)
        migrated.replace(folder / DATABASE)
    finally:
        for leftover in (migrated, Path(f"{migrated}-wal"), Path(f"{migrated}-shm")):
            leftover.unlink(missing_ok=True)
    return backup


def _copy_database(source: Path, target: Path) -> None:
    """A consistent copy, also of a database that is being written."""
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=15)) as reader,
            closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode=DELETE")  # one file, without side files
    except sqlite3.OperationalError:  # in a read-only folder SQLite can't make its side files
        for side in ("", "-wal"):
            if Path(f"{source}{side}").exists():
                shutil.copyfile(f"{source}{side}", f"{target}{side}")


def _recover(project: Project) -> None:
    """After a crash: no job is running any more, and unfinished files are of no use."""
    with project.writing() as session:
        crashed = session.execute(
            update(Job)
            .where(Job.status == JobStatus.RUNNING)
            .values(
                status=JobStatus.ABORTED,
                ended=now(),
                message="Inspector ended before this job did. What was finished is kept.",
            )
        )
        known = {str(detector) for detector in session.scalars(select(Detector.id))}
    for part in _FOLDERS:
        (project.folder / part).mkdir(exist_ok=True)
    for folder in (project.folder / "detectors").iterdir():
        ours = folder.name.isdecimal() or folder.name.startswith(".")
        if ours and folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)
    if crashed.rowcount:  # type: ignore[attr-defined]
        for part in ("images", "maps"):
            for unfinished in (project.folder / part).glob("*/.*"):
                unfinished.unlink(missing_ok=True)


@contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk and the database say into a sentence."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError, DatabaseError) as error:
        text = str(error.orig) if isinstance(error, DatabaseError) else str(error)
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in text:
            raise ProjectError(
                f"The disk with {folder} is full, so the last step was not saved; everything before it is.",
                "Free some space and try again.",
            ) from error
        if isinstance(error, OSError):
            raise ProjectError(
                f"{folder} can't be written: {error.strerror or error}.", "Choose a folder you may write to."
            ) from error
        if "readonly database" in text:
            raise ProjectError(
                f"The project in {folder} can't be written.", "Check its permissions."
            ) from error
        if "malformed" in text or "not a database" in text or "disk I/O error" in text:
            raise ProjectError(
                f"The database of the project in {folder} is damaged ({text}).",
                "Open a backup of the folder.",
            ) from error
        raise
