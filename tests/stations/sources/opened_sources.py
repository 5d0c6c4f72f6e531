"""Sources as a station opens them, and what comes from them."""

import contextlib
import time
from collections.abc import Callable, Iterator

from inspector.images import read
from inspector.records.line.stations import Part, Value
from inspector.records.project import Project
from inspector.stations.source import Past, Source, Taken
from inspector.stations.sources.catalogue import open_source


@contextlib.contextmanager
def opened(project: Project, kind: str, **values: Value) -> Iterator[Source]:
    source = open_source(Part(kind, values), Past(project, 1))
    try:
        yield source
    finally:
        source.close()


def until(source: Source, count: int, seconds: float = 20.0) -> list[Taken]:
    found: list[Taken] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, source.state
        found += source.take(count - len(found), 0.1)
    return found


def wait_for(source: Source, holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Takes what comes meanwhile."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, source.state
        source.take(9, 0.05)


def brightness(taken: Taken) -> float:
    assert taken.data is not None
    return float(read.decode(taken.data, taken.name).pixels.mean())
