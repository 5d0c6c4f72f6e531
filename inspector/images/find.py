"""FOLDERS → FILES: which of the files that a person chose are images, and what was left out and why."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.images.read import HEAD, SUFFIXES, other_kind
from inspector.text import printable

_LITTER = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "lost+found"}
_SUFFIX = re.compile(r"\.([a-z]\w{0,15}~?)$", re.IGNORECASE | re.ASCII)
_NAMED = 3  # of each kind


@dataclass(frozen=True, slots=True)
class LeftOut:
    """`what`: the kind of thing, in the singular and without an article: "GIF file", "linked folder"."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class Found:
    """`images`: files to read, each once, in natural order (2 before 10). `left_out`: whatever else was met,
    hidden entries excepted, likewise. `folders`: those inside the one that was looked into."""

    images: tuple[Path, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    folders: tuple[Path, ...] = ()


def find(paths: Iterable[Path | str]) -> Found:
    """Image files among files and folders (searched to the bottom).

    Inside folders the name's ending decides (`SUFFIXES`); a file without one is looked into. Folders that are
    links are not entered, hidden entries never found. A file given by itself always stays, also when it can't
    be read, and so does a folder that can't be opened: `read` says why.
    """
    images: list[Path] = []
    left_out: list[LeftOut] = []
    waiting = [Path(path) for path in paths]
    while waiting:
        path = waiting.pop()
        try:
            inside = look(path)
        except OSError:  # a file, or why not is said by `read`
            images.append(path)
            continue
        images += inside.images
        left_out += inside.left_out
        waiting += inside.folders
    taken = set(images)
    others = {entry.path: entry for entry in left_out if entry.path not in taken}
    return Found(
        tuple(sorted(taken, key=_natural)), tuple(others[path] for path in sorted(others, key=_natural))
    )


def look(folder: Path) -> Found:
    """One folder, not those in it. Raises OSError when it is none or can't be opened."""
    images, left_out, folders = [], [], []
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not hidden(entry.name)]
    except ValueError as error:  # a NUL in the path
        raise OSError(str(error)) from None
    for path in sorted((folder / name for name in names), key=_natural):
        if not path.is_dir():
            if what := _other_than_image(path):
                left_out.append(LeftOut(path, what))
            else:
                images.append(path)
        elif path.is_symlink():  # may lead back, or to the whole disk
            left_out.append(LeftOut(path, "linked folder"))
        else:
            folders.append(path)
    return Found(tuple(images), tuple(left_out), tuple(folders))


def counted(left_out: Sequence[LeftOut]) -> str:
    """What was left out, counted and named by kind: "2 GIF files (a.gif, b.gif), 1 linked folder (old)"."""
    kinds: dict[str, list[str]] = {}
    for entry in left_out:
        kinds.setdefault(entry.what, []).append(printable(entry.path.name, 40))
    return ", ".join(
        f"{len(names)} {what}{'s' if len(names) > 1 else ''} "
        f"({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
        for what, names in sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    )


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden (".name";
    macOS's "._name" too) or what systems leave behind."""
    return name.startswith(".") or name.casefold() in _LITTER


def _other_than_image(file: Path) -> str:
    """What a file is by its name's ending, or, without one, by its
    content; "" for an image and for what can't be looked into."""
    ending = _SUFFIX.search(file.name)
    if ending:
        return "" if ending[0].lower() in SUFFIXES else f"{ending[1].upper()} file"
    try:
        if not file.is_file():  # a pipe would block; a broken link is said by `read`
            return "" if file.is_symlink() else "device or pipe"
        with file.open("rb") as opened:
            return other_kind(opened.read(HEAD))
    except OSError:
        return ""


def _natural(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(p)) if i % 2 else (1, p) for i, p in enumerate(parts)], str(path)
