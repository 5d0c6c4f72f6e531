"""What is new in a folder since it was last looked at, at the cost of a listing however many files lie in it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inspector.images.find import hidden
from inspector.images.read import SUFFIXES

_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload")
_LEAST = 0.002
"""Seconds that known files are looked at each time, at least."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was seen. `name`: its path from the folder, with slashes. `ctime_ns`: when it was last changed by the drive's own
    word, which nobody can set; not a part of what it is, as a restart doesn't know it."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int = field(default=0, compare=False)

    @classmethod
    def at(cls, name: str, path: Path) -> "Entry":
        """As it is now. Raises OSError."""
        return cls.of(name, path.stat())

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> "Entry":
        """As its status says."""
        return cls(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def told(self) -> int:
        """What tells it from one that takes its name, size and time too."""
        return hash((self.size, self.mtime_ns, self.ctime_ns))


class Listing:
    """Images in a folder. Hidden and temporary names are none, and links to folders are not entered.

    A file that was `settled` is told again only once it is another: its number in the folder is compared at every look, which
    a listing gives for nothing; size and time of those that were overwritten in place are asked for of as many files as take
    half as long as the listing itself, in turns.
    """

    def __init__(self, folder: Path, *, subfolders: bool, but: Path | None = None) -> None:
        """`but`: a folder in it that is left out."""
        self.folder = folder
        self._subfolders, self._but = subfolders, but
        self._settled: dict[
            str, tuple[int, int]
        ] = {}  # name → (number in the folder, what size and time hash to)
        self._turn: Iterator[str] = iter(())
        self._replaced: set[str] = set()

    def __len__(self) -> int:
        """How many are settled."""
        return len(self._settled)

    def changed(self) -> list[Entry]:
        """Images that are not settled, or are others by now. Raises OSError where the folder can't be listed."""
        began = time.monotonic()
        found: list[Entry] = []
        met: list[str] = []
        for name, entry in self._images(met):
            try:
                if not entry.is_file():
                    continue
                status = entry.stat()
            except OSError:  # gone since
                continue
            known = self._settled.get(name)
            seen = Entry.of(name, status)
            if known is None or known[1] != seen.told():
                found.append(seen)
                if known is not None:
                    self._replaced.add(name)
            else:  # renumbered, as network shares do
                self._settled[name] = (_number(entry), known[1])
                met.append(name)
        if len(met) < len(self._settled):
            self._settled = {name: self._settled[name] for name in met}
        now = time.monotonic()
        found += self._overwritten(now + max(_LEAST, (now - began) / 2))
        if self._replaced:
            self._replaced &= {one.name for one in found}
        return found

    def replaced(self, name: str) -> bool:
        """Whether it was told as another than one that was settled under this name."""
        return name in self._replaced

    def settle(self, entry: Entry) -> None:
        """It is dealt with, and not told again while it stays as it is."""
        try:
            number = 0 if os.name == "nt" else (self.folder / entry.name).stat().st_ino
        except OSError:
            return
        self._replaced.discard(entry.name)
        told = entry.told()
        self._settled[entry.name] = (_told_by_listing(entry) if os.name == "nt" else number, told)

    def forget(self, name: str) -> None:
        """Tell it again."""
        if self._settled.pop(name, None) is not None:
            self._replaced.add(name)

    def _overwritten(self, until: float) -> Iterator[Entry]:
        if os.name == "nt":  # there the listing itself says size and time
            return
        for _ in range(len(self._settled)):
            name = next(self._turn, "")
            if not name:
                self._turn = iter(list(self._settled))
                name = next(self._turn, "")
            known = self._settled.get(name)
            if known is None:
                continue
            try:
                entry = Entry.at(name, self.folder / name)
            except OSError:
                continue
            if known[1] != entry.told():
                del self._settled[name]
                self._replaced.add(name)
                yield entry
            if time.monotonic() > until:
                return

    def _images(self, met: list[str]) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        """Images that may be new; the names of the others go to `met`. Few steps for each of these, which may be very many."""
        settled = self._settled
        folders = [(self.folder, "")]
        while folders:
            folder, before = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        name = before + entry.name
                        known = settled.get(name)
                        if known is not None and known[0] == _number(entry):
                            met.append(name)
                        elif self._is_image(entry.name) and not (self._subfolders and _is_folder(entry)):
                            yield name, entry
                        elif self._subfolders and _is_folder(entry) and folder / entry.name != self._but:
                            folders.append((folder / entry.name, f"{name}/"))
            except OSError:
                if folder == self.folder:
                    raise  # one inside may have gone since

    def _is_image(self, name: str) -> bool:
        stem, ending = os.path.splitext(name)  # noqa: PTH122  (quicker)
        return (
            ending.lower() in SUFFIXES
            and not hidden(name)
            and not name.startswith("~")
            and not stem.lower().endswith(_UNFINISHED)
        )


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return not hidden(entry.name) and entry.is_dir(follow_symlinks=False)


def _number(entry: "os.DirEntry[str]") -> int:
    """What tells a file from one that takes its name, as far as a listing says it."""
    if os.name != "nt":
        return entry.inode()
    return _told_by_listing(Entry.of(entry.name, entry.stat()))


def _told_by_listing(entry: Entry) -> int:
    return hash((entry.size, entry.mtime_ns))
