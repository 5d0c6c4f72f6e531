"""Numbered work in processes that are watched: one that
dies, hangs or grows is replaced, and the rest goes on."""

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from inspector.bench.memory import limit_memory, peak_memory_mib

START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class Work(Protocol):
    """Pickled into every process. `prepare`: what is done once there, before memory is limited. `begin`:
    makes what number `number` needs. `finish`: the work that is timed; its outcome, in a line. What it raises
    is an outcome too."""

    def prepare(self) -> None: ...

    def begin(self, number: int) -> Any: ...

    def finish(self, number: int, begun: Any) -> str: ...


@dataclass(frozen=True)
class Answer:
    """`outcome`: what the work said, "slow", or what was
    raised. `peak`: MiB that the process has had at most."""

    number: int
    outcome: str
    seconds: float
    peak: float


def watch(
    numbers: Iterable[int],
    work: Work,
    *,
    good: tuple[str, ...],
    workers: int = 2,
    seconds: float = 10.0,
    mebibytes: int = 2048,
    preload: tuple[str, ...] = (),
) -> Iterator[Answer]:
    """The answer to every number, as they come.

    `good`: outcomes that need no fresh process; one whose peak is above `mebibytes` is replaced too, and none
    gets more than twice that. `preload`: modules that are imported once for all processes.
    """
    todo = iter(numbers)
    crew = [_Worker(work, seconds, mebibytes, preload) for _ in range(max(1, workers))]
    try:
        busy = [worker for worker in crew if worker.take(next(todo, None))]
        while busy:
            wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in list(busy):
                answer = worker.answer()
                if answer is None:
                    continue
                if answer.outcome not in good or answer.peak > mebibytes:
                    worker.start()  # whose peak counts from anew
                yield answer
                if not worker.take(next(todo, None)):
                    busy.remove(worker)
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process that does one number after another."""

    def __init__(self, work: Work, seconds: float, mebibytes: int, preload: tuple[str, ...]) -> None:
        self._asked = (work, seconds, mebibytes)
        self._seconds = seconds
        self._context: Any = multiprocessing.get_context(START)
        if START == "forkserver":
            self._context.set_forkserver_preload([__name__, *preload])
        self._process: Any = None
        self._number = 0
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
        self._number = number
        self._begun: float | None = None  # once the process says that it is ready
        self.pipe.send(number)
        return True

    def answer(self) -> Answer | None:
        """What became of the number; None while that isn't known."""
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, Answer):
                    return message
                self._begun = time.monotonic()
        except (EOFError, OSError):
            self._process.join()
            return Answer(self._number, f"the process died ({self._process.exitcode})", 0, 0)
        if self._begun is None or time.monotonic() - self._begun < self._seconds + 2:
            return None
        return Answer(self._number, "slow", time.monotonic() - self._begun, 0)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self.pipe.close()


def _serve(work: Work, limit: float, mebibytes: int, pipe: Connection) -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # libraries print what they object to
    work.prepare()
    limit_memory(2 * mebibytes)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        begun = work.begin(number)
        pipe.send(None)
        at = time.perf_counter()
        try:
            outcome = work.finish(number, begun)
        except BaseException as error:  # a panic in Rust is no Exception
            outcome = f"{type(error).__name__}: {error}"[:200]
        seconds = time.perf_counter() - at
        pipe.send(Answer(number, "slow" if seconds > limit else outcome, seconds, peak_memory_mib() or 0))
