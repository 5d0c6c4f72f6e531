"""Who may write a project: one process, which leaves its name beside the lock."""

import errno
import json
import os
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from inspector import paths
from inspector.errors import ProjectInUseError
from inspector.records.names import cleaned

_OWNER = "lock-owner.json"
FILES = ("project.lock", _OWNER)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
CANT_WRITE = "Its folder can't be written."
CANT_LOCK = "Its drive can't keep two programs from writing at once."


@dataclass(frozen=True)
class Lock:
    """`crashed`: whoever had the project open for writing before did not close it."""

    held: FileLock
    folder: Path
    crashed: bool

    def release(self) -> None:
        """Let others write; a lock that was lost already is none."""
        if self.held.is_locked:
            (self.folder / _OWNER).unlink(missing_ok=True)
            self.held.release()


def acquire(folder: Path, database: Path) -> Lock | str:
    """The writer's lock, or a sentence why the project can only
    be viewed. Raises `ProjectInUseError` when somebody has it."""
    # No lock of another kind where the drive has none: that would be a file, which stays when its writer is killed.
    lock = FileLock(folder / FILES[0], thread_local=False, fallback_to_soft=False)
    owner = folder / _OWNER
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ProjectInUseError(
            f"The project in {folder} is already open{_who(owner)}.",
            "Close it there first, or open it for viewing only.",
        ) from None
    except NotImplementedError:
        return CANT_LOCK
    except OSError as error:
        if error.errno in _FORBIDDEN:
            return CANT_WRITE
        if error.errno in _NO_LOCKS:
            return CANT_LOCK
        raise
    try:
        if database.exists() and not os.access(database, os.W_OK):
            raise PermissionError
        crashed = owner.exists()
        entry = {
            "host": platform.node(),
            "process": os.getpid(),
            "since": datetime.now().astimezone().isoformat(timespec="minutes"),
        }
        try:
            paths.write_atomic(owner, json.dumps(entry).encode(), parents=False)
        except OSError as error:
            # On a full disk a project still opens; only the message for others gets shorter.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
    except PermissionError:
        lock.release()
        return CANT_WRITE
    except BaseException:
        lock.release()
        raise
    return Lock(lock, folder, crashed)


def _who(path: Path) -> str:
    try:
        entry = json.loads(path.read_text("utf-8"))
        since = datetime.fromisoformat(entry["since"])
        return (
            f" on {cleaned(str(entry['host']))} (process {int(entry['process'])}, since {since:%d %b %H:%M})"
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return " in another window"
