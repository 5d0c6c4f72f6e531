"""Copies of a project's database: made before a migration, checked, and put back when somebody asks."""

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inspector import paths
from inspector.errors import ProjectError
from inspector.records.disk import database as db
from inspector.records.disk import seal
from inspector.records.disk.lock import acquire
from inspector.records.disk.recovery import refuse_links
from inspector.records.schema import REVISION, now

_NAME = re.compile(r"project-(\d{8}-\d{6})-(?:revision-\w{1,20}|replaced)\.sqlite")
_STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the database in the project's `backups`. `size`: bytes."""

    path: Path
    created: datetime
    size: int


def list_backups(folder: Path) -> list[Backup]:
    """The copies of a project's database, newest first; none is opened."""
    found = []
    for path in (folder / "backups").glob("project-*.sqlite"):
        match = _NAME.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink():
            when = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
            found.append(Backup(path, when, path.stat().st_size))
    return sorted(found, key=lambda one: one.created, reverse=True)


def restore_backup(folder: Path, backup: Path | None = None) -> Path:
    """Put a backup (the newest sound one when None) in the
    place of the database; where the replaced one now lies.

    The project must not be open. Images, detectors and maps stay: what the older database doesn't know of is
    moved aside at the next opening, not deleted. Raises `ProjectError`.
    """
    folder = Path(folder).absolute()
    database = folder / db.DATABASE
    with db.plain_errors(folder):
        refuse_links(folder)
        lock = acquire(folder, database)
        if isinstance(lock, str):
            raise ProjectError(
                f"The project in {folder} can't be written.", "Copy the folder, and restore the copy."
            )
        try:
            chosen = [backup] if backup else [one.path for one in list_backups(folder)]
            sound = next((path for path in chosen if path.is_file() and db.is_sound(path)), None)
            if sound is None:
                raise ProjectError(
                    f"There is no sound backup in {folder / 'backups'}.", "Use your own backup of the folder."
                )
            db.revision_of(sound)
            fresh = paths.beside(database)
            try:
                shutil.copyfile(sound, fresh)
                paths.sync(fresh)
                replaced = _name(folder, "replaced")
                if database.exists():
                    _keep_as_it_is(database, replaced)
                seal.lift(folder)  # of the replaced one
                db.put_in_place(database, fresh)
            finally:
                fresh.unlink(missing_ok=True)
            return replaced
        finally:
            lock.release()


def migrate_safely(folder: Path, revision: str) -> Path:
    """Copy the database to `backups`, migrate a second copy,
    verify it, and only then put it in place; the backup.

    Raises ProjectError where it can't be migrated; the project is then as it was.
    """
    database, backup = folder / db.DATABASE, _name(folder, f"revision-{revision}")
    with paths.new_file(backup) as copy:
        copy.unlink()
        db.copy_database(database, copy)
        if not db.is_sound(copy) or db.revision_of(copy, database) != revision:
            raise db.damaged(database, "its copy is not sound")
    migrated = paths.beside(database)
    try:
        shutil.copyfile(backup, migrated)
        db.migrate(migrated)
        if not db.is_sound(migrated) or db.revision_of(migrated) != REVISION:
            raise ProjectError(
                f"The project in {folder} could not be brought up to date; it was left as it was.",
                f"Please report this and keep {backup}.",
            )
        paths.sync(migrated)
        db.put_in_place(database, migrated)
    finally:
        for side in ("", *db.SIDES):
            Path(f"{migrated}{side}").unlink(missing_ok=True)
    return backup


def _keep_as_it_is(database: Path, target: Path) -> None:
    """Copy a database that may be damaged, with what its
    write-ahead log holds if SQLite can still read it."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        wal = Path(f"{database}-wal")
        if wal.exists():
            shutil.copyfile(wal, f"{target}-wal")
    with paths.new_file(target) as copy:
        shutil.copyfile(database, copy)


def _name(folder: Path, what: str) -> Path:
    (folder / "backups").mkdir(exist_ok=True)
    return folder / "backups" / f"project-{now().strftime(_STAMP)}-{what}.sqlite"
