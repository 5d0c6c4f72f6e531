"""The database file of a project: how it is opened, copied, checked and brought up to date, and what its errors mean."""

import errno
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from operator import methodcaller
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DatabaseError

from inspector import paths
from inspector.errors import ProjectDamagedError, ProjectError, ProjectFullError, ProjectMovedError
from inspector.records.schema import KNOWN_REVISIONS, REVISION

DATABASE = "project.sqlite"
SIDES = ("-wal", "-shm", "-journal")
_TIMEOUT = 15
"""Seconds to wait for another program that holds the database."""


def connect(database: Path, *, read_only: bool = False) -> Engine:
    """SQLAlchemy's engine on a database. Text that is no UTF-8 is read with replacement characters."""
    engine = create_engine(URL.create("sqlite", database=str(database)), connect_args={"timeout": _TIMEOUT})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, so that DDL is in them too
        connection.text_factory = methodcaller("decode", "utf-8", "replace")
        for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL", "cache_size=-32000"):
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def revision_of(database: Path, shown: Path | None = None) -> str:
    """The schema revision of a project's database. Raises `ProjectError` for a newer one,
    `ProjectDamagedError` for what is no project.

    `shown`: the file that messages name, when `database` is a copy of it.
    """
    shown = shown or database
    with closing(sqlite3.connect(database, timeout=_TIMEOUT)) as connection:
        try:
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            row = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            if _is_passing(str(error)):
                raise
            raise damaged(shown, str(error)) from error
    if not tables:
        raise ProjectDamagedError(f"{shown} is empty: it holds no project.", restore_hint(shown.parent))
    if row is None:
        raise ProjectDamagedError(
            f"{shown} doesn't say which version of Inspector wrote it, so it is damaged or of another program.",
            restore_hint(shown.parent),
        )
    revision = str(row[0])
    if revision in KNOWN_REVISIONS:
        return revision
    if revision.isdecimal() and int(revision) > int(REVISION):
        raise ProjectError(
            f"This project was last used with a newer version of Inspector (revision {revision}; this version knows up "
            f"to {REVISION}).",
            "Update Inspector, or restore a copy from the project's backups folder.",
        )
    raise ProjectDamagedError(
        f"{shown} names a revision that no version of Inspector wrote ({revision[:40]!r}), so it is damaged.",
        restore_hint(shown.parent),
    )


def migrate(database: Path) -> None:
    """Bring a database (a new, empty one too) to `REVISION`."""
    from alembic import command
    from alembic.config import Config

    engine = connect(database)
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parents[1] / "migrations").replace("%", "%%")
    )
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
            connection.commit()
    finally:
        engine.dispose()


def is_sound(database: Path) -> bool:
    """Whether SQLite finds no damage and every row points to rows that exist."""
    try:
        with closing(sqlite3.connect(database, timeout=_TIMEOUT)) as connection:
            sound = connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            return sound and connection.execute("PRAGMA foreign_key_check").fetchone() is None
    except sqlite3.DatabaseError as error:
        if _is_passing(str(error)):
            raise
        return False


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy as one file without side files, also of a database that is being written."""
    try:
        _back_up(f"{source.as_uri()}?mode=ro", target)
    except sqlite3.OperationalError:  # in a folder that can't be written SQLite can't make its side files
        target.unlink(missing_ok=True)
        if not Path(f"{source}-wal").exists():  # nobody is writing it
            _back_up(f"{source.as_uri()}?immutable=1", target)
        else:
            _copy_still(source, target)


def _back_up(source: str, target: Path) -> None:
    with (
        closing(sqlite3.connect(source, uri=True, timeout=_TIMEOUT)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)
        writer.execute("PRAGMA journal_mode=DELETE")


def _copy_still(source: Path, target: Path) -> None:
    """Copy database and write-ahead log as they lie there, provided that nobody wrote either meanwhile."""
    files = {Path(f"{source}{side}"): Path(f"{target}{side}") for side in ("", "-wal")}

    def state() -> list[tuple[int, int]]:
        return [(found.st_mtime_ns, found.st_size) for found in (path.stat() for path in files)]

    for _ in range(5):
        before = state()
        for own, other in files.items():
            shutil.copyfile(own, other)
        if state() == before and is_sound(target):
            return
        time.sleep(0.2)
    raise ProjectError(
        f"{source} is being written by another program, so it can't be viewed.",
        "Try again when it is closed.",
    )


def put_in_place(database: Path, fresh: Path) -> None:
    """Replace a database that nobody has open by the file `fresh`; side files of the old one go."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # empties the old write-ahead log
    for side in SIDES:
        Path(f"{database}{side}").unlink(missing_ok=True)
    fresh.replace(database)
    paths.sync(database.parent)


def restore_hint(folder: Path) -> str:
    """The way back from a damaged database."""
    if any((folder / "backups").glob("*.sqlite")):
        return f"Restore one of its backups: inspector restore {folder} . Images, detectors and maps stay."
    return "Restore project.sqlite from your own backup of the folder. Images, detectors and maps stay as they are."


def damaged(database: Path, reason: str) -> ProjectDamagedError:
    """The error for a database that can't be read; `reason`: half a sentence."""
    return ProjectDamagedError(
        f"The database {database} is damaged or no project of Inspector ({reason}).",
        restore_hint(database.parent),
    )


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk and the database say into a `ProjectError`: `ProjectDamagedError` only where
    SQLite's own check finds damage, `ProjectMovedError` where the file is another one."""
    try:
        yield
    except (OSError, sqlite3.DatabaseError, DatabaseError) as error:
        text = str(error.orig) if isinstance(error, DatabaseError) else str(error)
        full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        if getattr(error, "errno", None) in full or "disk is full" in text:
            raise ProjectFullError(
                f"The disk with {folder} is full, so the last step was not saved; everything before it is.",
                "Free some space and try again.",
            ) from error
        not_found = getattr(error, "errno", None) == errno.ENOENT or "unable to open" in text
        if not_found and not folder.exists():
            raise ProjectMovedError(
                f"The project in {folder} was moved or replaced while it was open, so the last step was not saved.",
                "Open it where it is now.",
            ) from error
        if isinstance(error, OSError):
            raise ProjectError(
                _of_disk(folder, error), "Check the drive and your rights, then try again."
            ) from error
        if "readonly database" in text:
            raise ProjectError(
                f"The project in {folder} can't be written.", "Check its permissions."
            ) from error
        if "locked" in text:
            raise ProjectError(
                f"Another program holds the database of the project in {folder}, so the last step was not saved.",
                "Close programs that look into project.sqlite, then try again.",
            ) from error
        if _is_passing(text):
            raise ProjectError(
                f"The drive with {folder} reported an error ({text}), so the last step was not saved; everything "
                "before it is.",
                "Check the drive or the network, then try again.",
            ) from error
        if _is_damage(folder / DATABASE, text):
            raise damaged(folder / DATABASE, text) from error
        origin = error.orig if isinstance(error, DatabaseError) else error
        if isinstance(origin, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # whoever asked knows what it means, or it is a fault of ours
        raise ProjectError(
            f"The database of the project in {folder} refused the last step ({text}), so it was not saved; everything "
            "before it is.",
            f"Try again. {restore_hint(folder)}",
        ) from error


def _of_disk(folder: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{folder} can't be written: {reason}."
    return f"The drive with {folder} reported an error: {reason}."


def _is_passing(text: str) -> bool:
    """Errors that say nothing about the file: the drive or another program is in the way."""
    return any(word in text for word in ("disk I/O error", "unable to open", "locked", "out of memory"))


_FOREIGN = ("not a database", "no such table", "no such column")
"""Said of what is no database of ours."""
_BROKEN = ("malformed", "corrupt", "FOREIGN KEY constraint failed")
"""Said of one that may be damaged, or lack rows that others belong to."""


def _is_damage(database: Path, text: str) -> bool:
    """Whether an error says that this is no database of ours, or that it is damaged and SQLite's own check agrees."""
    if any(word in text for word in _FOREIGN):
        return True
    if not any(word in text for word in _BROKEN):
        return False
    try:
        return not is_sound(database)
    except (OSError, sqlite3.DatabaseError):
        return False


def identity(database: Path) -> tuple[int, int] | None:
    """What tells this very file from any other that may come to lie at its place; None when there is none."""
    try:
        found = database.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
