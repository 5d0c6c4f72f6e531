"""Where Inspector keeps things: bundled resources, settings, caches, logs, downloaded weights."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import platformdirs

_APP = "Inspector"


def resources() -> Path:
    """Folder of bundled resources, in an installed wheel and in a source checkout alike."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"


def _home() -> Path | None:
    """`INSPECTOR_HOME` keeps everything in one folder (portable installs, tests)."""
    value = os.environ.get("INSPECTOR_HOME")
    return Path(value) if value else None


def config_dir() -> Path:
    """Where settings are kept."""
    home = _home()
    return home / "config" if home else Path(platformdirs.user_config_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    """Where is kept what can be made again: features, thumbnails."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir(_APP, appauthor=False))


def log_dir() -> Path:
    """Where the log is written."""
    home = _home()
    return home / "log" if home else Path(platformdirs.user_log_dir(_APP, appauthor=False))


def weights_dir() -> Path:
    """Downloaded or added model weights, one subfolder per catalogue name."""
    home = _home()
    return home / "weights" if home else Path(platformdirs.user_data_dir(_APP, appauthor=False)) / "weights"


def documents_dir() -> Path:
    """Where new projects are offered first."""
    home = _home()
    return home / "projects" if home else Path(platformdirs.user_documents_dir()) / "Inspector projects"


_UNFINISHED = re.compile(r"\.(new|old|staging)-[0-9a-f]{12}(-.*)?", re.DOTALL)


def inside(folder: Path, relative: str, *, links: bool = True) -> Path | None:
    """`folder` / `relative`, or None for a name that could leave the folder on any system: absolute, with a
    drive, "..", backslashes, NUL or more than 255 bytes; without `links` also one that is, or goes through, a
    symbolic link below the folder."""
    pure = PurePosixPath(relative)
    odd = any(
        part == ".." or part[1:2] == ":" or len(part.encode("utf-8", "replace")) > 255 for part in pure.parts
    )
    if not pure.parts or pure.is_absolute() or odd or "\\" in relative or "\0" in relative:
        return None
    step = str(folder)
    for part in () if links else pure.parts:  # as text: asked for every row of every list
        step = os.path.join(step, part)  # noqa: PTH118
        if os.path.islink(step):  # noqa: PTH114
            return None
    return folder / pure


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name is what a killed
    `new_file`, `new_folder` or `write_atomic` left behind."""
    return _UNFINISHED.fullmatch(name) is not None


def beside(target: Path, what: str = "new") -> Path:
    """A free hidden name in the same folder and with the same ending,
    which `is_unfinished` knows. `what`: "new", "old" or "staging"."""
    return target.with_name(f".{what}-{secrets.token_hex(6)}-{target.name[-40:]}")


def write_atomic(path: Path, data: bytes, *, parents: bool = True, lasting: bool = True) -> None:
    """Write `data` so that a crash leaves either the old file or the new one, never half of it; see `new_file`."""
    with new_file(path, parents=parents, lasting=lasting) as temporary:
        temporary.write_bytes(data)


@contextmanager
def new_file(target: Path, *, parents: bool = True, lasting: bool = True) -> Iterator[Path]:
    """An empty file beside `target`, to be written in the
    body; it takes `target`'s place when the body ends well.

    Until then, and after a crash or power cut, the old file is there. `parents`: make missing folders. Without `lasting`, who
    writes many new files makes them and their folder last himself, together, by `sync`. Raises OSError as the system does.
    """
    temporary = beside(target)
    try:
        _create(temporary)
    except FileNotFoundError:
        if not parents:
            raise
        target.parent.mkdir(parents=True, exist_ok=True)
        _create(temporary)
    try:
        yield temporary
        if lasting:
            sync(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if lasting:
        sync(target.parent)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, to be filled in the
    body; it takes `target`'s place when the body ends well.

    Whatever is at `target` is replaced as a whole, so ask first whether it may be. A crash between the two
    renames leaves the old folder as `.old-…`, which the next call puts back first. Raises OSError as the
    system does.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    restore_folder(target)
    temporary = beside(target)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if not file.is_symlink():
                sync(file)
        sync(temporary)
        move_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_folder(source: Path, target: Path) -> None:
    """Put the folder `source` in the place of `target`, which comes back if that fails. Both on one drive."""
    old = None
    if target.exists():
        old = beside(target, "old")
        target.rename(old)
    try:
        source.rename(target)
    except BaseException:
        if old is not None:
            old.rename(target)
        raise
    sync(target.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def restore_folder(target: Path) -> None:
    """Put back what a `move_folder` that was killed between its two renames had set aside."""
    if target.exists():
        return
    for old in sorted(target.parent.glob(".old-*")):
        if is_unfinished(old.name) and old.name[18:] == target.name[-40:]:
            old.rename(target)
            return


def scratch_folder(kind: str) -> Path:
    """A new folder in the system's temporary one, named after this process, for who makes it to delete; what killed processes
    left of the same `kind` goes first. Raises OSError."""
    import tempfile  # here, as every start of the program loads this module

    sweep_scratch(kind)
    return Path(tempfile.mkdtemp(prefix=f"inspector-{kind}-{os.getpid()}-"))


def sweep_scratch(kind: str) -> None:
    """Delete the scratch folders of a `kind` whose processes are gone; never a living one's."""
    import tempfile

    with suppress(OSError):  # no temporary folder that can be used
        for path in Path(tempfile.gettempdir()).glob(f"inspector-{kind}-*"):
            match = re.fullmatch(rf"inspector-{kind}-(\d+)-\w+", path.name)
            if match and not path.is_symlink() and not _runs(int(match[1])):
                shutil.rmtree(path, ignore_errors=True)


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # there `os.kill` would end it; Windows empties its temporary folder itself
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder (where the system can), last through a power cut."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:  # some network drives can't do it for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
