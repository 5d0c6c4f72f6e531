"""What every source of a station is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

Known = Callable[[Iterable[str]], set[str]]
"""Which of some marks came to the station before."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture as a source gives it. `mark`: what tells it from every other of its station, for good, also after a restart. `name`: for
    people. `data`: the bytes of an image file; None where it could not be read (`error`, `hint`). `arrived`: when it was there
    (UTC). `path`: the file that it came in, if any."""

    mark: str
    name: str
    data: bytes | None
    arrived: datetime
    path: Path | None = None
    error: str = ""
    hint: str = ""


class Source(Protocol):
    """Where a station's pictures come from. Used by one thread."""

    @property
    def state(self) -> str:
        """A sentence on what stands in the way ("The folder … can't be reached."), or ""."""

    @property
    def dropped(self) -> int:
        """How many pictures came and could not be taken, as the station was too slow."""

    def take(self, most: int, wait: float, known: Known) -> Sequence[Taken]:
        """Up to `most` pictures that nobody has judged, as soon as there is one; none after `wait` seconds. Never raises for what may
        pass (a folder or camera that can't be reached): that is `state`."""

    def done(self, taken: Sequence[Taken]) -> None:
        """Their results are stored: what the settings say of judged pictures (leave, move, delete) may be done. Also called for those that
        `known` names."""

    def close(self) -> None:
        """Let go of it."""
