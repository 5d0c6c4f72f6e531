"""How exports reach the disk: whole or not at all, under names that every system accepts."""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from inspector.errors import ExportError
from inspector.exports.catalogue import MANIFEST
from inspector.exports.rows import ExportRow
from inspector.paths import beside, is_unfinished, new_file, sync

_LONGEST = 150  # bytes of a picture's name

_HINTS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another drive."),
    getattr(errno, "EDQUOT", -1): ("your disk quota is used up", "Free some space or choose another drive."),
    errno.EROFS: ("the drive is read-only", "Choose another folder."),
    errno.EACCES: (
        "it may not be written",
        "Close it if another program has it open, or choose another folder.",
    ),
    errno.EPERM: ("it may not be written", "Choose another folder."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter name."),
    errno.ENOENT: ("the folder does not exist", "Choose another folder."),
    errno.ENOTDIR: ("a file is where a folder should be", "Choose another folder."),
    errno.EISDIR: ("it is a folder", "Choose another name."),
}


def explain(error: OSError, target: Path) -> ExportError:
    """What the drive said, as a sentence with what to do."""
    reason, hint = _HINTS.get(
        error.errno or 0, (error.strerror or "the drive reported an error", "Choose another folder.")
    )
    return ExportError(f"“{target.name}” can't be written: {reason}.", hint)


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A temporary file beside `target` that takes its place when the body ends well. Raises `ExportError`,
    also when there is something at `target` already."""
    check_free(target)
    with _explained(target), new_file(target) as temporary:
        yield temporary
        check_free(target)


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place when the body ends well. Raises `ExportError`,
    also when there is anything in `target`, or anything comes into it meanwhile."""
    check_free(target, folder=True)
    with _explained(target), staging(target) as temporary:
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            sync(path)
        try:
            if os.name != "posix" and target.exists():
                target.rmdir()
            temporary.rename(target)  # where a folder with anything in it is, the system refuses
        except OSError:
            check_free(target, folder=True)
            raise
        sync(target.parent)


def publish(file: Path, target: Path) -> None:
    """Move a finished file out of its staging folder to `target`.
    Raises `ExportError`, also when something is there."""
    with _explained(target):
        sync(file)
        try:
            target.hardlink_to(file)  # unlike a rename, it never replaces
        except OSError:
            check_free(target)
            file.rename(target)
        sync(target.parent)


@contextmanager
def staging(target: Path) -> Iterator[Path]:
    """An empty hidden folder beside `target`, which is gone afterwards unless it was moved away.

    What killed exports left beside `target` is deleted first:
    folders of our own naming that no process holds any more.
    """
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(".new-*"):
            if is_unfinished(left.name) and left.is_dir() and not left.is_symlink():
                with _held(left) as dead:
                    if dead:
                        shutil.rmtree(left, ignore_errors=True)
    while True:
        temporary = beside(target)
        with _explained(target):
            temporary.mkdir()
        with _held(temporary):
            if not temporary.exists():  # another export took it for a dead one's before we held it
                continue
            try:
                yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            return


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder as its owner's sign of life; False when
    another process does, or where folders can't be held."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = True
    except OSError:
        held = False
    try:
        yield held
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explain(error, target) from error


@contextmanager
def folder(target: Path, kind: str) -> Iterator["Folder"]:
    """As `fresh_folder`, with a list of its files at the end (`MANIFEST`)."""
    with fresh_folder(target) as temporary:
        made = Folder(temporary)
        yield made
        write_manifest(temporary / MANIFEST, {"export": kind, "files": made.files})


def write_manifest(path: Path, facts: Mapping[str, Any]) -> None:
    """What an export holds, as JSON: when and by which version it was made, and `facts`."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"made_by": "Inspector", "version": version("inspector"), "created": now, **json_values(facts)}
    text = json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_bytes(text.encode("utf-8", "replace"))


def digests(root: Path) -> list[dict[str, Any]]:
    """Name, size in bytes and sha256 of every file below `root`, or of the file `root`."""
    found = []
    for path in [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = path.name if path == root else path.relative_to(root).as_posix()
        found.append({"file": name, "bytes": path.stat().st_size, "sha256": digest})
    return found


class Folder:
    """Names and writes the files of a folder export. `files`: what was written, relative, with forward
    slashes, and the result and image that each was made of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[dict[str, Any]] = []
        self._taken = {MANIFEST}
        self._folders: dict[tuple[str, ...], str] = {(): ""}

    def name(self, *parts: str, stem: str, suffix: str) -> str:
        """A free relative path in subfolders `parts`; every piece is made safe, a taken name gets “-2”.
        Different `parts` are different folders, however alike their safe names are."""
        return self._free(self._folder(parts), safe_name(stem, limit=200 - len(suffix)), suffix)

    def write(self, relative: str, data: bytes, row: ExportRow) -> None:
        """Write a file of `row` at a path inside the folder. Raises OSError."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)  # the folder as a whole is what appears at once
        result = row.result
        facts = {
            "result": result.id,
            "image": result.name,
            "source_file": row.source,
            "image_sha256": result.sha256,
        }
        self.files.append({"file": relative, **facts})

    def _folder(self, parts: tuple[str, ...]) -> str:
        if parts not in self._folders:
            inside = self._folder(parts[:-1])
            self._folders[parts] = self._free(inside, safe_name(parts[-1]), "") + "/"
        return self._folders[parts]

    def _free(self, inside: str, stem: str, suffix: str) -> str:
        wanted, number = f"{inside}{stem}{suffix}", 1
        while wanted.casefold() in self._taken:
            number += 1
            wanted = f"{inside}{stem}-{number}{suffix}"
        self._taken.add(wanted.casefold())
        return wanted


def json_values(value: Any) -> Any:
    """`value` as JSON: numbers that JSON has no word for become null, unknown things their text."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): json_values(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def safe_name(text: str, fallback: str = "unnamed", limit: int = 100) -> str:
    """`text` as one file name that Windows, macOS and Linux accept: no separators, control characters,
    leading or trailing dots and spaces, device names; at most `limit` bytes of UTF-8."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    text = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in text)
    text = re.sub(r'[<>:"/\\|?*]', "_", text).strip(" .")
    text = text.encode()[:limit].decode("utf-8", "ignore").strip(" .")
    if text.split(".")[0].strip().casefold() in _RESERVED:
        text = f"_{text}"
    return text or fallback


def stem_of(name: str) -> str:
    """The name of an image without its suffix, in one piece with the folders in front ("line 1_good_007"). Of
    a long one the end stays, which tells more."""
    path = PurePosixPath(name.replace("\\", "/").replace("\0", "_"))
    parts = [part for part in (*path.parts[:-1], path.stem) if part.strip("./")]
    return "_".join(parts).encode("utf-8", "replace")[-_LONGEST:].decode("utf-8", "ignore")


def check_free(target: Path, *, folder: bool = False) -> None:
    """An export replaces nothing: raises `ExportError`
    unless `target` is new or, for a folder, an empty one."""
    if not os.path.lexists(target):
        return
    if not folder:
        raise ExportError(
            f"There is a “{target.name}” already, and an export replaces nothing.", "Choose another name."
        )
    if not target.is_dir():
        raise ExportError(f"“{target.name}” is a file, not a folder.", "Choose another folder.")
    if any(target.iterdir()):
        raise ExportError(
            f"The folder “{target.name}” isn't empty, and an export replaces nothing.",
            "Choose an empty or a new folder.",
        )
