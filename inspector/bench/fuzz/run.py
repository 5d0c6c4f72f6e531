"""What damaged and hostile files do to the readers: each
gives its content or a sentence, soon and in little memory."""

import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inspector.bench.fuzz import images, lists
from inspector.bench.watched import watch
from inspector.errors import InspectorError
from inspector.text import is_printable

SECONDS = 10.0
"""No file takes longer."""
MEBIBYTES = 2048
"""No file takes more, the libraries included."""


@dataclass(frozen=True)
class Subject:
    """A kind of file. `draw`: whole files, by a name that says what is special about each (its ending is the
    file's). `mutate`: (random numbers, one of them, all of them) → damaged bytes. `read`: reads one, alone in
    its folder, as the program does; may raise InspectorError only."""

    draw: Callable[[], Mapping[str, bytes]]
    mutate: Callable[[random.Random, bytes, list[bytes]], bytes]
    read: Callable[[Path], None]


SUBJECTS: dict[str, Subject] = {
    "images": Subject(images.draw, images.mutate, images.read_image),
    "masks": Subject(images.draw, images.mutate, images.read_mask),
    "lists": Subject(lists.draw, lists.mutate, lists.read),
}

_GOOD = ("read", "refused")


def fuzz(
    mutants: int = 10_000,
    *,
    seed: int = 0,
    subjects: Mapping[str, Subject] = SUBJECTS,
    workers: int = 2,
    seconds: float = SECONDS,
    progress: Callable[[int, str], None] = lambda number, line: None,
) -> dict[str, Any]:
    """Read `mutants` damaged files of these subjects in turns, each in a worker process that is watched.

    Returns `tried`; `read` and `refused` (with a sentence), which are right; `raised` (anything but
    InspectorError, or the process died), `slow` (longer than `seconds`) and `large` (more than `MEBIBYTES`),
    which must be 0; `peak_mib` of any process; `problems`, a line each, of which `mutant(subject, seed,
    number)` gives the bytes.
    """
    names = list(subjects)
    counts = dict.fromkeys(("tried", "read", "refused", "raised", "slow", "large"), 0)
    problems: list[str] = []
    peak = 0.0
    with tempfile.TemporaryDirectory(prefix="inspector-fuzz-") as top:
        work = _Reading(seed, tuple(subjects.values()), Path(top))
        for answer in watch(
            range(mutants),
            work,
            good=_GOOD,
            workers=workers,
            seconds=seconds,
            mebibytes=MEBIBYTES,
            preload=("inspector.bench.fuzz.run",),
        ):
            counts["tried"] += 1
            peak = max(peak, answer.peak)
            large = answer.peak > MEBIBYTES
            kind = answer.outcome if answer.outcome in (*_GOOD, "slow") else "raised"
            counts["large" if large and kind in _GOOD else kind] += 1
            if large or kind not in _GOOD:
                name = names[answer.number % len(names)]
                problems.append(f"{name} {answer.number}: {answer.outcome}, {answer.peak:.0f} MiB")
            progress(counts["tried"], f"{len(problems)} problems")
    return {**counts, "peak_mib": round(peak), "problems": problems}


def mutant(subject: Subject, seed: int, number: int) -> tuple[str, bytes]:
    """(name, bytes) of one damaged file, ever the same."""
    drawn = _drawn(subject)
    rng = random.Random(f"{seed} {number}")
    name = rng.choice(sorted(drawn))
    return name, subject.mutate(rng, drawn[name], list(drawn.values()))


@cache
def _drawn(subject: Subject) -> Mapping[str, bytes]:
    return subject.draw()


@dataclass(frozen=True)
class _Reading:
    """The work of the processes: `folder` holds the file that each reads."""

    seed: int
    subjects: tuple[Subject, ...]
    folder: Path

    def prepare(self) -> None:
        for subject in self.subjects:
            _drawn(subject)

    def begin(self, number: int) -> Path:
        name, data = mutant(self.subjects[number % len(self.subjects)], self.seed, number)
        place = self.folder / str(number)
        place.mkdir()
        file = place / name
        file.write_bytes(data)
        return file

    def finish(self, number: int, file: Path) -> str:
        try:
            self.subjects[number % len(self.subjects)].read(file)
        except InspectorError as error:
            if not is_printable(str(error)):
                return f"a message with control characters: {error!r}"
            return "refused"
        finally:
            shutil.rmtree(file.parent, ignore_errors=True)
        return "read"
