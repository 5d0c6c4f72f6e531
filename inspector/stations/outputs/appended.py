"""Files of lines that only grow, each line exactly once whatever was killed while it was written.

What is noted as taken is in the file, as it is made last before; so after a kill the file may hold more than is noted, never less:
whole lines, which are found at its end by their key and not written again, and the beginning of one, which is cut off.
"""

import errno
import io
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from inspector.errors import ExportError
from inspector.exports.files import explain
from inspector.paths import new_file, sync
from inspector.stations.outputs.known_folder import KnownFolder

Key = tuple[str, ...]
"""What tells a line of a file from every other."""

_LOOKED_AT = 1 << 20
"""Bytes at the end of a file: more than a batch of lines."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class AppendedFiles:
    """Files of a `known` folder with names that begin with `name` and end in `suffix`, written by nobody else. `head`: what a new file begins with. `key_of`:
    the key of a whole line without its end, None for a line that isn't ours."""

    def __init__(
        self, known: KnownFolder, name: str, suffix: str, head: bytes, key_of: Callable[[bytes], Key | None]
    ) -> None:
        self._known, self._name, self._head, self._key_of = known, f"{name}{suffix}", head, key_of
        self._lock: FileLock | None = None
        self._file: Path | None = None
        self._left_at = (
            0,
            0,
        )  # (inode, size) of `_file` as we left it: whoever changed it since, we look again

    def reach(self, *, telling: bool = False) -> None:
        """Make the folder, if need be, and keep others from writing. Raises `ExportError`."""
        self._known.reach(telling=telling)
        folder = self._known.folder
        try:
            if self._lock is None:
                lock = FileLock(folder / f".{self._name}.lock", thread_local=False, fallback_to_soft=False)
                with suppress(NotImplementedError):
                    lock.acquire(timeout=0)
                self._lock = lock
        except Timeout:
            raise ExportError(
                f"Another station writes “{self._name}” in {folder}.",
                "Choose another folder for one of them.",
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise explain(error, folder) from error

    def append(self, path: Path, lines: Sequence[tuple[Key, bytes]]) -> None:
        """Add those of `lines` (with their ends) that `path` doesn't hold yet, and make them last. Raises `ExportError`; then the
        file is as it was, or is mended by the next call."""
        self.reach(telling=True)
        try:
            self._make(path)
            with path.open("r+b", buffering=0) as file:
                lines = self._new(path, file, lines)
                size = file.seek(0, os.SEEK_END)
                data = b"".join(line for _, line in lines)
                try:
                    written = 0
                    while written < len(data):
                        written += file.write(data[written:]) or 0
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):  # half a line is of no use to who reads the file meanwhile
                        file.truncate(size)
                    self._file = None
                    raise
                self._file, self._left_at = path, _place(file)
        except OSError as error:
            raise explain(error, path) from error

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _make(self, path: Path) -> None:
        """With its head from its first moment on."""
        if not path.exists():
            with new_file(path) as temporary:
                temporary.write_bytes(self._head)
            sync(path.parent)

    def _new(
        self, path: Path, file: io.FileIO, lines: Sequence[tuple[Key, bytes]]
    ) -> Sequence[tuple[Key, bytes]]:
        """Those of `lines` that aren't in the file, whose last line is whole afterwards."""
        if self._file == path and self._left_at == _place(file):
            return lines
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _LOOKED_AT)
        file.seek(start)
        tail = _read(file, size - start)
        ended = tail.rfind(b"\n") + 1
        torn = tail[ended:].rstrip(b"\0")  # after a power cut a file may end in zeros
        if ended < len(tail):
            if any(line.startswith(torn) for _, line in lines) and start + ended >= len(self._head):
                file.truncate(start + ended)
            else:  # somebody's own words
                file.seek(0, os.SEEK_END)
                file.write(b"\n")
        held = self._held(tail[:ended].split(b"\n"))
        return [one for one in lines if one[0] not in held]

    def _held(self, lines: Iterable[bytes]) -> set[Key]:
        return {key for line in lines if (key := self._key_of(line.rstrip(b"\r"))) is not None}


def _place(file: io.FileIO) -> tuple[int, int]:
    facts = os.fstat(file.fileno())
    return facts.st_ino, facts.st_size


def _read(file: io.FileIO, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
