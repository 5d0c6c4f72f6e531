"""A project: a folder that can be moved, copied and zipped. Everything in it is named relative to the folder.

project.sqlite                what is known (tables in `schema.py`)
project.spare                 room held back at a line, so that results are still stored on a full disk
project.seal                  its checksum, while nobody has it open for writing
project.lock, lock-owner.json who has it open for writing
images/aa/<sha256><suffix>    shots and inspected images, kept by content
detectors/<id>/               what teaching made
maps/<run>/<sha256>-<crc>.npy anomaly maps, float16
thumbnails/aa/<sha256>.jpg    what remains of images that a station's rule let go
backups/                      copies made before a migration
set-aside/                    detectors that the database doesn't know
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inspector import paths
from inspector.domain import JobStatus
from inspector.errors import ProjectDamagedError, ProjectError, ProjectMovedError
from inspector.records.disk import database as db
from inspector.records.disk import recovery, seal, spare
from inspector.records.disk.backups import migrate_safely
from inspector.records.disk.database import DATABASE as DATABASE
from inspector.records.disk.lock import Lock, acquire
from inspector.records.names import checked
from inspector.records.schema import REVISION, Detector, Job, ProjectInfo, Role, now

_SCRATCH = "view"

acting: ContextVar[Callable[[str], None] | None] = ContextVar("acting", default=None)
"""Called with the kind of every act that is noted, where a person does it by hand; raises where she may not."""


class Project:
    """An open project. Use `create` or `open`; close it, or use it as a context manager.

    `note`: a sentence for people about how it was opened ("" when there is nothing to say). `doubt`: why its database may hold
    wrong values; None when nothing speaks for it. `who`: the person whose acts are written to the audit; "": the account's name.
    `guarded`: the roles that ask for a PIN.
    Reading sessions may be on any thread; writing sessions queue up behind one lock.
    """

    def __init__(
        self,
        folder: Path,
        database: Path,
        lock: Lock | None,
        *,
        note: str = "",
        doubt: ProjectDamagedError | None = None,
        scratch: Path | None = None,
        sealed: bytes | None = None,
    ) -> None:
        self.folder = folder
        self.note = note
        self.doubt = doubt
        self.who = ""
        self.read_only = lock is None
        self._database = database
        self._lock = lock
        self._scratch = scratch
        self._sealed = sealed  # as it was found; None once anything was written
        self._writing = threading.RLock()
        self._written: tuple[int, Session] | None = None  # the thread that writes now, and its session
        self._closed = False
        self._engine = db.connect(database, read_only=self.read_only)
        with self.reading() as session:
            name = session.scalars(select(ProjectInfo.name)).first()
            if name is None:
                raise db.damaged(folder / DATABASE, "it doesn't say what it is called")
            self.name: str = name
            self.guarded = frozenset(session.scalars(select(Role.role)))
        self._identity = db.identity(database)

    def path(self, relative: str) -> Path:
        """Where a file named in the database lies. Raises `ProjectError` for a name that leaves the folder, or that is
        or goes through a link."""
        path = paths.inside(self.folder, relative, links=False)
        if path is not None:
            return path
        if paths.inside(self.folder, relative) is None:
            raise ProjectError(
                f"The project names a file outside its folder ({relative!r}).", db.restore_hint(self.folder)
            )
        raise ProjectError(
            f"“{relative}” in {self.folder} is a link, and Inspector follows no link inside a project.",
            "Put the real file in its place.",
        )

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A short session that only reads; within `writing`, on its thread, the one that writes, so that it sees what was written."""
        if (own := self._own()) is not None:
            own.flush()
            yield own
            return
        with self.plain_errors(), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, or leaves nothing behind when anything fails.

        Raises `ProjectError` also when the database was moved away or replaced meanwhile, so that nothing that is
        reported as stored is lost. Within another on the same thread it is a part of that one: all is stored, or nothing.
        """
        if (own := self._own()) is not None:
            with own.begin_nested():
                yield own
            return
        with self._writing:
            self.require_writable()
            self._sealed = None
            spare.make_room(self.folder)
            of = {"who": self.who, "acting": acting.get()}
            with self.plain_errors(), Session(self._engine, info=of) as session, session.begin():
                self._written = threading.get_ident(), session
                try:
                    yield session
                finally:
                    self._written = None
            self._require_in_place()

    def _own(self) -> Session | None:
        """The session that this thread writes with, if it does."""
        written = self._written
        return written[1] if written is not None and written[0] == threading.get_ident() else None

    def plain_errors(self) -> AbstractContextManager[None]:
        """Turns a full disk, missing rights or a damaged database into a `ProjectError`."""
        return db.plain_errors(self.folder)

    def require_writable(self) -> None:
        """Raises `ProjectError` unless the project is open for writing and still where it was."""
        if self._closed:
            raise ProjectError(
                f"The project “{self.name}” is closed, so nothing more is stored.", "Open it again."
            )
        if self.read_only:
            raise ProjectError(
                f"The project “{self.name}” is open for viewing only, so nothing can be changed.",
                (self.note and "Copy the folder to a place you may write to, and open the copy.")
                or "Close it where it is open for writing, then open it here again.",
            )
        self._require_in_place()

    def close(self) -> None:
        """Wait for the write that is under way, if any, and let others open the project."""
        with self._writing:
            self._closed = True
            self._engine.dispose()
            if self._lock is not None:
                if self._lock.held.is_locked and self.in_place:
                    if self._sealed is not None and self.doubt is None:
                        seal.put_back(self.folder, self._sealed)
                    else:
                        seal.close(self.folder, doubted=self.doubt is not None)
                self._lock.release()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def in_place(self) -> bool:
        """Whether its database is still the file that was opened: not moved, deleted or replaced."""
        return db.identity(self._database) == self._identity

    def _require_in_place(self) -> None:
        if not self.in_place:
            raise ProjectMovedError(
                f"The project in {self.folder} was moved or replaced while it was open, so nothing more is stored.",
                "Open it where it is now.",
            )

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create(folder: Path, name: str) -> Project:
    """A new project in `folder`, which must be empty or not exist yet. Raises `ProjectError`."""
    name = checked(name, "project")
    folder = Path(folder).absolute()
    with db.plain_errors(folder):
        if (folder / DATABASE).exists():
            raise ProjectError(
                f"There is a project in {folder} already.", "Open it, or choose another folder."
            )
        if folder.exists() and not (folder.is_dir() and recovery.sweep_create(folder)):
            raise ProjectError(f"{folder} is not an empty folder.", "Choose a new or an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for part in recovery.FOLDERS:
            (folder / part).mkdir()
        with paths.new_file(folder / DATABASE) as unfinished:
            db.migrate(unfinished)
            engine = db.connect(unfinished)
            with Session(engine) as session, session.begin():
                session.add(ProjectInfo(id=1, name=name))
            engine.dispose()
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
    paths.sweep_scratch(_SCRATCH)
    with db.plain_errors(folder):
        recovery.refuse_links(folder)
        if not database.is_file():
            raise ProjectError(
                f"There is no project in {folder}.", "Choose a folder that holds project.sqlite."
            )
        lock: Lock | str = "" if read_only else acquire(folder, database)
        if isinstance(lock, str):
            return _open_for_viewing(folder, lock)
        try:
            notes = []
            revision = db.revision_of(database)
            doubt = seal.doubt(folder, database)
            sealed = seal.lift(folder)
            if revision != REVISION:
                sealed = None
                backup = migrate_safely(folder, revision)
                notes.append(
                    f"The project was brought up to date; a copy of the old one is in {backup.name}."
                )
            project = Project(folder, database, lock, doubt=doubt, sealed=sealed)
            try:
                notes.append(_recover(project, lock))
            except BaseException:
                project.close()
                raise
            project.note = " ".join(filter(None, notes))
            return project
        except BaseException:
            lock.release()
            raise


def _open_for_viewing(folder: Path, note: str) -> Project:
    """Work on a private copy of the database: a folder we can't write can't hold SQLite's side files either."""
    scratch = paths.scratch_folder(_SCRATCH)
    try:
        copy = scratch / DATABASE
        db.copy_database(folder / DATABASE, copy)
        if db.revision_of(copy, folder / DATABASE) != REVISION:
            db.migrate(copy)
        doubt = seal.doubt(folder, copy)
        return Project(folder, copy, None, note=note, doubt=doubt, scratch=scratch)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _recover(project: Project, lock: Lock) -> str:
    """After a crash: no job is running any more, and unfinished files are of no use. A sentence for people, or ""."""
    sealed = project._sealed
    with project.writing() as session:  # whatever there is to do: who can't write now is told so at once
        aborted = session.execute(
            update(Job)
            .where(Job.status == JobStatus.RUNNING)
            .values(
                status=JobStatus.ABORTED,
                ended=now(),
                message="Inspector ended before this job did. What was finished is kept.",
            )
        )
        known = {
            key: {"method": method, "classes": [*map(str, names.values())], "key": backbone.get("key")}
            for key, method, names, backbone in session.execute(
                select(Detector.id, Detector.method, Detector.taught_names, Detector.backbone)
            )
        }
    if not aborted.rowcount:  # type: ignore[attr-defined]  # nothing written: the database keeps its seal
        project._sealed = sealed
    recovery.sweep(project.folder, crashed=lock.crashed)
    return recovery.settle_detectors(project.folder, known)
