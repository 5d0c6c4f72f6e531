"""The pages of the help, and which of them explains what is in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inspector import paths

EXPLAINS = {
    "start": "1-first-class",
    "teach": "1-first-class",
    "inspect": "2-inspect",
    "results": "5-results",
    "evaluate": "9-glossary",
    "line": "6-line",
    "qualify": "7-qualify",
    "qualify smallest": "4-smallest-defect",
    "weights": "9-glossary",
    "preferences": "8-trouble",
}
"""Page of the window, or one of its parts → page of the help."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """`name`: its file's, without ending; `text`: Markdown, which begins with the title."""

    name: str
    title: str
    text: str

    def says(self, words: str) -> bool:
        """Whether every one of these words stands in it, whatever their case."""
        text = self.text.lower()
        return all(word in text for word in words.lower().split())


def explains(page: str, place: str = "") -> str:
    """The name of the chapter that explains a page of the window, or what of it is in sight."""
    return EXPLAINS.get(f"{page} {place}", EXPLAINS[page])


def folder() -> Path:
    """Where they lie. Pictures are named relative to it."""
    return paths.resources() / "help"


@cache
def chapters() -> Sequence[Chapter]:
    """In their order."""
    return [
        Chapter(file.stem, (text := file.read_text("utf-8")).partition("\n")[0].lstrip("# "), text)
        for file in sorted(folder().glob("*.md"))
    ]
