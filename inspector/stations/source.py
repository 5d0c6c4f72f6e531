"""What every source of a station is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from inspector.records.line.arrivals import ArrivalRow, content_of, find_arrivals, known_marks
from inspector.records.line.passed_over import pass_over, passed_over
from inspector.records.line.stations import station_of
from inspector.records.project import Project
from inspector.text import hidden, storable


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture as a source gives it. `mark`: what tells it from every other of its station, for good, also after a restart. `name`: for
    people. `data`: the bytes of an image file; None where it could not be read (`error`, `hint`). `arrived`: when it was there
    (UTC). `path`: the file that it came in, if any. `kept`: of one that was judged, whether a copy of it lies in the project, or it could
    not be read; else what it came in is all there is of it."""

    mark: str
    name: str
    data: bytes | None
    arrived: datetime
    path: Path | None = None
    error: str = ""
    hint: str = ""
    kept: bool = True


class Past:
    """What a source may ask of what came to its station before. Any thread."""

    def __init__(self, project: Project, station_id: int) -> None:
        self._project, self._station_id = project, station_id

    @property
    def station(self) -> str:
        """The station's name."""
        return station_of(self._project, self._station_id).name

    def known(self, marks: Iterable[str]) -> set[str]:
        """Those that were judged."""
        return known_marks(self._project, self._station_id, marks)

    def arrivals(self, marks: Sequence[str]) -> dict[str, ArrivalRow]:
        """Mark → what was said of it, of those that were judged."""
        return find_arrivals(self._project, self._station_id, marks)

    def content(self, mark: str) -> str | None:
        """The SHA-256 of the image file that was judged under a mark; "" where no copy of it found room, None where it could not be
        read, or there is none."""
        return content_of(self._project, self._station_id, mark)

    def passed_over(self, source: str) -> set[str] | None:
        """The marks that lay in `source` before the very first start and are not to be judged; None before that start."""
        return passed_over(self._project, self._station_id, source)

    def pass_over(self, source: str, marks: Iterable[str]) -> None:
        """Note them, and that the first start was."""
        pass_over(self._project, self._station_id, source, marks)


def job_name(text: str) -> str:
    """A job as a trigger names it, as it is stored: without invisible characters, at most 120 letters."""
    return "".join(one for one in storable(" ".join(text.split())) if not hidden(one))[:120].strip()


class Source(Protocol):
    """Where a station's pictures come from. One thread calls `take`, another one `done`; anybody reads the others."""

    @property
    def state(self) -> str:
        """A sentence on what stands in the way ("The folder … can't be reached."), or ""."""

    @property
    def dropped(self) -> int:
        """How many pictures came and could not be taken, as the station was too slow."""

    @property
    def waiting(self) -> int:
        """How many are known to be there and were not taken yet."""

    def take(self, most: int, wait: float) -> Sequence[Taken]:
        """Up to `most` pictures that nobody has judged, as soon as there is one; none after `wait` seconds. Never raises for what may
        pass (a folder or camera that can't be reached): that is `state`."""

    def done(self, taken: Sequence[Taken]) -> None:
        """Their results are stored: what the settings say of judged pictures (leave, move, delete) may be done to those that are `kept`. Never raises."""

    def trigger(self, job: str = "") -> bool:
        """Take one picture now, of the `job` that whoever triggers names; False where none is taken. Any thread."""

    def close(self) -> None:
        """Let go of it, after the last `take` and `done`."""
