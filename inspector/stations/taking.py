"""Pictures on their way from a source to a detector: taken and read ahead, as many as there is room for."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Generic, TypeVar

from inspector.errors import ImageError
from inspector.jobs.judging import Judge, ReadFile
from inspector.records.line.arrivals import Looks
from inspector.stations.looks import looks_of
from inspector.stations.source import Source, Taken

W = TypeVar("W")
_WAIT = 0.2
"""Seconds that a source is waited for at a time, so that stopping takes no longer."""
READERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Coming(Generic[W]):
    """A picture that is being read for `by`. `taken` without its bytes; `read`: as it will leave the reader, and how it looks."""

    by: W
    taken: Taken
    read: "Future[tuple[ReadFile, Looks | None]]"


class Taking(Generic[W]):
    """A thread that takes from a source, and others that read; a context manager. `reader`: reads one, for whoever judges then;
    `most`: how many lie ready at most. `held`: it takes nothing until that event of it is cleared. Whatever went wrong in taking is raised by `next`."""

    def __init__(
        self,
        source: Source,
        reader: Callable[[], tuple[W, Callable[[Taken], tuple[ReadFile, Looks | None]]]],
        most: int,
        held: bool = False,
    ) -> None:
        self._source, self._reader, self._most = source, reader, most
        self._coming: deque[Coming[W]] = deque()
        self._change = Condition()
        self._stop, self.held = Event(), Event()
        if held:
            self.held.set()
        self._failed: BaseException | None = None
        self._pool = ThreadPoolExecutor(READERS, "read")
        self._thread = Thread(target=self._take, name="source", daemon=True)

    def __enter__(self) -> "Taking[W]":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Take no more; what was taken still comes."""
        self._stop.set()
        with self._change:
            self._change.notify_all()

    @property
    def over(self) -> bool:
        """Whether nothing comes any more, as it was stopped."""
        return not self._thread.is_alive() and not self._coming and self._failed is None

    def __len__(self) -> int:
        """How many wait to be judged."""
        return len(self._coming)

    def next(self, most: Callable[[W], int], wait: float) -> list[Coming[W]]:
        """The next picture as soon as it is read, with those after it that are read too, up to `most(by)` for the same `by`; none
        after `wait` seconds."""
        with self._change:
            if not self._coming and not self._failed:
                self._change.wait(wait)
            if not self._coming:
                if self._failed is not None:
                    raise self._failed
                return []
            first = self._coming.popleft()
        first.read.exception()  # waits for it
        found = [first]
        with self._change:
            limit = most(first.by)
            while (
                self._coming
                and len(found) < limit
                and self._coming[0].by is first.by
                and self._coming[0].read.done()
            ):
                found.append(self._coming.popleft())
            self._change.notify_all()
        return found

    def _take(self) -> None:
        try:
            while not self._stop.is_set():
                with self._change:
                    room = 0 if self.held.is_set() else self._most - len(self._coming)
                    if room <= 0:
                        self._change.wait(_WAIT)
                        continue
                for taken in self._source.take(room, _WAIT):
                    by, read = self._reader()
                    future = self._pool.submit(read, taken)
                    with self._change:
                        self._coming.append(Coming(by, replace(taken, data=None), future))
                        self._change.notify_all()
        except BaseException as error:
            self._failed = error
            with self._change:
                self._change.notify_all()


def read_taken(judge: Judge, taken: Taken) -> tuple[ReadFile, Looks | None]:
    """A picture as it leaves the reader, and how it looks (None where it could not be read). Any thread."""
    looks: list[Looks] = []

    def load() -> bytes:
        if taken.data is None:
            raise ImageError(taken.error or f"“{taken.name}” can't be read.", taken.hint)
        return taken.data

    read = judge.read(taken.name, load, look=lambda pixels: looks.append(looks_of(pixels)))
    return read, looks[0] if looks and read.error is None else None
