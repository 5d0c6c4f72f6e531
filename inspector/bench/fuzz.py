"""What damaged and hostile files do to the readers: each gives its content or a sentence, soon and in little memory."""

import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from inspector.bench import fuzz_images, fuzz_lists
from inspector.bench.memory import limit_memory, peak_memory_mib
from inspector.errors import InspectorError

SECONDS = 10.0
"""No file takes longer."""
MEBIBYTES = 2048
"""No file takes more, the libraries included."""
_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@dataclass(frozen=True)
class Subject:
    """A kind of file. `draw`: whole files, by a name that says what is special about each (its ending is the file's).
    `mutate`: (random numbers, one of them, all of them) → damaged bytes. `read`: reads one, alone in its folder, as the
    program does; may raise InspectorError only."""

    draw: Callable[[], Mapping[str, bytes]]
    mutate: Callable[[random.Random, bytes, list[bytes]], bytes]
    read: Callable[[Path], None]


SUBJECTS: dict[str, Subject] = {
    "images": Subject(fuzz_images.draw, fuzz_images.mutate, fuzz_images.read_image),
    "masks": Subject(fuzz_images.draw, fuzz_images.mutate, fuzz_images.read_mask),
    "lists": Subject(fuzz_lists.draw, fuzz_lists.mutate, fuzz_lists.read),
}


@dataclass(frozen=True)
class _Answer:
    """`outcome`: "read", "refused" or what was raised. `peak`: MiB that the process has had at most."""

    outcome: str
    seconds: float
    peak: float


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

    Returns `tried`; `read` and `refused` (with a sentence), which are right; `raised` (anything but InspectorError, or
    the process died), `slow` (longer than `seconds`) and `large` (more than `MEBIBYTES`), which must be 0; `peak_mib` of
    any process; `problems`, a line each, of which `mutant(subject, seed, number)` gives the bytes.
    """
    names = list(subjects)
    kinds = list(subjects.values())
    counts = dict.fromkeys(("tried", "read", "refused", "raised", "slow", "large"), 0)
    problems: list[str] = []
    peak = 0.0
    todo = iter(range(mutants))
    with tempfile.TemporaryDirectory(prefix="inspector-fuzz-") as top:
        crew = [_Worker(seed, kinds, Path(top) / str(number), seconds) for number in range(max(1, workers))]
        busy = [worker for worker in crew if worker.take(next(todo, None))]
        while busy:
            wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in list(busy):
                answer = worker.answer()
                if answer is None:
                    continue
                counts["tried"] += 1
                peak = max(peak, answer.peak)
                large = answer.peak > MEBIBYTES
                kind = answer.outcome if answer.outcome in ("read", "refused", "slow") else "raised"
                counts["large" if large and kind in ("read", "refused") else kind] += 1
                if large or kind in ("raised", "slow"):
                    name = names[worker.number % len(names)]
                    problems.append(f"{name} {worker.number}: {answer.outcome}, {answer.peak:.0f} MiB")
                    worker.start()  # whose peak counts from anew
                progress(counts["tried"], f"{len(problems)} problems")
                if not worker.take(next(todo, None)):
                    busy.remove(worker)
        for worker in crew:
            worker.end()
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


class _Worker:
    """A process that reads one file after another, and is replaced when it dies or hangs."""

    def __init__(self, seed: int, subjects: list[Subject], folder: Path, seconds: float) -> None:
        self._asked = (seed, subjects, folder, seconds)
        self._seconds = seconds
        self._context: Any = multiprocessing.get_context(_START)
        if _START == "forkserver":
            self._context.set_forkserver_preload(["inspector.bench.fuzz"])
        self._process: Any = None
        self.number = 0
        self.start()

    def start(self) -> None:
        self.end()
        self.pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(*self._asked, other), daemon=True)
        self._process.start()
        other.close()

    def take(self, number: int | None) -> bool:
        if number is None:
            return False
        self.number = number
        self._begun: float | None = None  # once the process says that it is ready
        self.pipe.send(number)
        return True

    def answer(self) -> _Answer | None:
        """What became of the file; None while that isn't known."""
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, _Answer):
                    return message
                self._begun = time.monotonic()
        except (EOFError, OSError):
            self._process.join()
            return _Answer(f"the process died ({self._process.exitcode})", 0, 0)
        if self._begun is None or time.monotonic() - self._begun < self._seconds + 2:
            return None
        return _Answer("slow", time.monotonic() - self._begun, 0)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self.pipe.close()


def _serve(seed: int, subjects: list[Subject], folder: Path, limit: float, pipe: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # libraries print what they object to
    for subject in subjects:
        _drawn(subject)
    limit_memory(2 * MEBIBYTES)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        subject = subjects[number % len(subjects)]
        name, data = mutant(subject, seed, number)
        place = folder / str(number)
        place.mkdir(parents=True)
        file = place / name
        file.write_bytes(data)
        pipe.send(None)
        begun = time.perf_counter()
        outcome = "read"
        try:
            subject.read(file)
        except InspectorError as error:
            outcome = (
                "refused" if str(error).isprintable() else f"a message with control characters: {error!r}"
            )
        except BaseException as error:  # a panic in Rust is no Exception
            outcome = f"{type(error).__name__}: {error}"[:200]
        seconds = time.perf_counter() - begun
        shutil.rmtree(place)
        if seconds > limit and outcome in ("read", "refused"):
            outcome = "slow"
        pipe.send(_Answer(outcome, seconds, peak_memory_mib() or 0))
