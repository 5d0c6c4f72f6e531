"""Room that a project holds back at a line: a file of zeros, given away a piece at a time when the disk is full, so that results are
still stored when there is no room for images any more.

As long as it isn't whole again, images and maps of new results are not kept: they would take what the rows need.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from inspector.errors import ProjectFullError
from inspector.paths import new_file

T = TypeVar("T")

FILE = "project.spare"
SIZE = 64 << 20
STEP = 4 << 20
"""Bytes of it that are given away at once: some hundred results."""
LEAST = 1 << 20
"""Bytes that one transaction needs at most, but for rare ones."""
_BLOCK = bytes(1 << 20)


def reserve(folder: Path) -> bool:
    """Hold the room back, in a project that is open for writing; whether it is held. It is only taken where twice as much is free, and
    one that was given away in part is filled again then. Raises OSError for a drive that can't be written."""
    path = folder / FILE
    held = _held(path)
    if held == SIZE:
        return True
    if shutil.disk_usage(folder).free < 2 * SIZE - max(held, 0):
        return False
    try:
        if held < 0:  # none until it is whole: one that grows looks as if some of it had been given away
            with new_file(path) as growing:
                _fill(growing, 0)
        else:
            _fill(path, held)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    return True


def _fill(path: Path, held: int) -> None:
    """Written, not only named: a file with holes holds nothing."""
    with path.open("r+b") as file:
        file.seek(held)
        for start in range(held, SIZE, len(_BLOCK)):
            file.write(_BLOCK[: SIZE - start])
        file.flush()
        os.fsync(file.fileno())


def is_short(folder: Path) -> bool:
    """Whether some of it was given away; not where none was ever held."""
    return 0 <= _held(folder / FILE) < SIZE


def release(folder: Path) -> bool:
    """Give a piece away; False where there is none left."""
    path = folder / FILE
    held = _held(path)
    if held <= 0:
        return False
    with path.open("r+b") as file:
        file.truncate(max(0, held - STEP))
        file.flush()
        os.fsync(file.fileno())
    return True


def make_room(folder: Path) -> None:
    """Before rows are written: give a piece away where there is hardly any room without it."""
    if _held(folder / FILE) > 0 and shutil.disk_usage(folder).free < LEAST:
        release(folder)


def with_room(folder: Path, work: Callable[[], T]) -> T:
    """What `work` gives, which stores something small: where the disk is full, tried again with a piece of the room that was held
    back, until there is none. Raises `ProjectFullError` then."""
    while True:
        try:
            return work()
        except ProjectFullError:
            if not release(folder):
                raise


def _held(path: Path) -> int:
    """Bytes of it, -1 where there is no such file (a link is none)."""
    try:
        return -1 if path.is_symlink() else path.stat().st_size
    except OSError:
        return -1
