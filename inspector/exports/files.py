"""How exports reach the disk: whole or not at all, under names that every system accepts."""

import errno
import json
import os
import re
import shutil
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspector.errors import ExportError
from inspector.paths import write_atomic

MANIFEST = "export.json"

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
    reason, hint = _HINTS.get(
        error.errno or 0, (error.strerror or "the drive reported an error", "Choose another folder.")
    )
    return ExportError(f"“{target.name}” can't be written: {reason}.", hint)


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A temporary file beside `target` that takes its place when the body ends well. Raises `ExportError`."""
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        temporary = _beside(target)
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise explain(error, target) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def folder(target: Path, kind: str) -> Iterator["Folder"]:
    """A temporary folder beside `target` that takes its place when the body ends well.

    An earlier export at `target` is replaced; a folder with anything else in it is refused. Raises `ExportError`.
    """
    temporary: Path | None = None
    try:
        _check_free(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target)
        temporary.mkdir()
        made = Folder(temporary)
        yield made
        manifest = {"made_by": "Inspector", "export": kind, "files": sorted(made.files)}
        write_atomic(temporary / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        if target.exists():
            old = _beside(target)
            target.replace(old)
            try:
                temporary.replace(target)
            except OSError:
                old.replace(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.replace(target)
    except OSError as error:
        raise explain(error, target) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


class Folder:
    """Names and writes the files of a folder export. `files`: what was written, relative, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[str] = []
        self._taken: set[str] = set()

    def name(self, *parts: str, stem: str, suffix: str) -> str:
        """A free relative path in subfolders `parts`; every piece is made safe, a taken name gets “-2”."""
        inside = "/".join(safe_name(part) for part in parts)
        stem = safe_name(stem, limit=200 - len(suffix))
        number = 1
        while True:
            wanted = f"{inside}/{stem}" if inside else stem
            wanted += suffix if number == 1 else f"-{number}{suffix}"
            if wanted.casefold() not in self._taken and wanted != MANIFEST:
                self._taken.add(wanted.casefold())
                return wanted
            number += 1

    def write(self, relative: str, data: bytes) -> None:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)  # the folder as a whole is what appears at once
        self.files.append(relative)


_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def safe_name(text: str, fallback: str = "unnamed", limit: int = 100) -> str:
    """`text` as one file name that Windows, macOS and Linux accept: no separators, control characters, leading or
    trailing dots and spaces, device names; at most `limit` bytes of UTF-8."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    text = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in text)
    text = re.sub(r'[<>:"/\\|?*]', "_", text).strip(" .")
    text = text.encode()[:limit].decode("utf-8", "ignore").strip(" .")
    if text.split(".")[0].strip().casefold() in _RESERVED:
        text = f"_{text}"
    return text or fallback


def stem_of(name: str) -> str:
    """The name of an image without folders and suffix."""
    return Path(name.replace("\\", "/").replace("\0", "_")).stem


def _check_free(target: Path) -> None:
    if target.is_file():
        raise ExportError(f"“{target.name}” is a file, not a folder.", "Choose another folder.")
    if not target.exists():
        return
    there = {p.relative_to(target).as_posix() for p in target.rglob("*") if not p.is_dir()}
    ours: set[str] = set()
    if MANIFEST in there:
        try:
            manifest = json.loads((target / MANIFEST).read_bytes())
            if manifest["made_by"] == "Inspector":
                ours = {MANIFEST, *manifest["files"]}
        except (ValueError, KeyError, TypeError):
            pass
    if there - ours:
        raise ExportError(
            f"The folder “{target.name}” has other files in it, which an export would mix with its own.",
            "Choose an empty or a new folder.",
        )


def _beside(target: Path) -> Path:
    """A free hidden name in the same folder; unlike `tempfile`'s, what it names gets the usual permissions."""
    return target.with_name(f".export-{uuid.uuid4().hex}{target.suffix}")
