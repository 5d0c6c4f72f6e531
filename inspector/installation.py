"""Which package of Inspector this is, how it is started anew, and what to do about something that isn't in it."""

import sys
from enum import StrEnum
from pathlib import Path

from inspector import paths

MARK = "package.txt"
"""Beside the code of a frozen program: which of the packages below it came in, as one word."""


class Package(StrEnum):
    """How Inspector came onto this computer; the words that people are told."""

    SOURCE = "source checkout"
    PIP = "Python package"
    BUNDLE = "folder with everything in it"
    DEB = "Debian package"
    SETUP = "Windows setup"
    APP = "macOS application"


_MARKED = {"bundle": Package.BUNDLE, "deb": Package.DEB, "setup": Package.SETUP, "app": Package.APP}


def frozen() -> bool:
    """Whether Python is inside the program, so that nothing can be installed beside it."""
    return bool(getattr(sys, "frozen", False))


def package() -> Package:
    """Which package this is; a frozen program without its mark counts as a folder."""
    own = Path(__file__).resolve().parent
    if frozen():
        try:
            mark = (own / MARK).read_text(encoding="utf-8").strip()
        except OSError:
            mark = ""
        return _MARKED.get(mark, Package.BUNDLE)
    return Package.PIP if paths.resources().parent == own else Package.SOURCE


def place() -> Path:
    """The folder that it runs from."""
    if frozen():
        return Path(sys.executable).resolve().parent
    own = Path(__file__).resolve().parent
    return own.parent if package() is Package.SOURCE else own


def command() -> list[str]:
    """What another process of this same Inspector is started with; its arguments follow."""
    return [sys.executable] if frozen() else [sys.executable, "-m", "inspector"]


def add(wanted: str) -> str:
    """What to do so that the Python package `wanted` is there, as a sentence: `inspector[line]`."""
    if frozen():
        return f"This package of Inspector doesn't hold it. Install Inspector by pip instead, with: pip install “{wanted}”"
    return f"Install it with: pip install “{wanted}”"


def again() -> str:
    """What to do where a part of Inspector itself is missing, as a sentence."""
    return {
        Package.SOURCE: "Install Inspector again: pip install .",
        Package.PIP: "Install Inspector again: pip install .",
        Package.BUNDLE: "Unpack Inspector's archive again.",
        Package.DEB: "Install Inspector's package again.",
    }.get(package(), "Install Inspector again.")
