"""What a killed process loses: nothing that it announced, whatever it was doing."""

import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inspector.bench import drawn_parts
from inspector.bench.crash.traces import examine, make_old
from inspector.bench.crash.work import BEGUN, ENDED, METHODS, Place, work
from inspector.domain import CancelToken
from inspector.errors import InspectorError
from inspector.jobs.engine import Engine
from inspector.jobs.inspect import inspect
from inspector.records import project as projects

KINDS = (
    "inspect",
    "continue",
    "teach",
    "learn",
    "update",
    "create",
    "migrate",
    "export",
    "view",
    "threshold",
    "review",
)
"""What a process may be doing when it is killed. "teach" remembers, "learn"
learns prompts in epochs, "view" opens a project for viewing only."""
_MOST = {"inspect": 16, "continue": 16, "threshold": 16, "review": 16}
"""Fewer announcements than this are waited for before a kill. The other
kinds are killed within the time that they take, as it was measured."""
_STUCK = 300.0
"""Seconds within which any process has said something."""
_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def crash(
    kills: int = 50,
    *,
    seed: int = 0,
    images: int = 60,
    kinds: Sequence[str] = ("inspect",),
    methods: Mapping[str, Sequence[str]] = METHODS,
    make_engine: Callable[[], Engine] = Engine,
    progress: Callable[[int, str], None] = lambda number, line: None,
) -> dict[str, Any]:
    """Kill a working process `kills` times at random moments
    and see what is left. `kinds`: of `KINDS`, in turns. `methods`: what is taught in turns, by kind.

    After each kill the project must open, its database and every row's files be whole, every result, review,
    threshold, detector, export and project that the dead process had announced be there, no result be there
    twice, no job be running, and no unfinished file lie about, in the temporary folder neither. Returns
    counts, also `by_kind`; `lost` must be 0 and `problems` empty.
    """
    rng = random.Random(seed)
    problems: list[str] = []
    counts = {kind: dict.fromkeys(("kills", "announced", "lost", "aborted_jobs"), 0) for kind in kinds}
    pace = _Pace(rng)
    context: Any = multiprocessing.get_context(_START)
    if _START == "forkserver":  # imports once what each process needs
        modules = ["inspector.bench.crash.work", "inspector.features.loading", "inspector.methods.storage"]
        context.set_forkserver_preload(modules)
    with tempfile.TemporaryDirectory(prefix="inspector-crash-") as top:
        place = Place(Path(top))
        shots, _ = drawn_parts.files(place.top, images, None, size=160)
        with projects.create(place.folder, "Crash") as project:
            engine = make_engine()
            drawn_parts.teach_part(project, engine, shots)
            few = sorted(place.batch.iterdir())[:4]
            inspect(project, engine, few, emit=lambda event: None, cancel=CancelToken())
            del engine
        if "migrate" in kinds:
            make_old(place.folder, place.old)
        for number in range(kills):
            kind, turn = kinds[number % len(kinds)], number // len(kinds)
            names = methods.get(kind, ("",))
            method = names[turn // 2 % len(names)]  # the second one finds what the first one's death left
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=work, args=(kind, method, place, make_engine, sender))
            child.start()
            sender.close()
            try:
                seen = pace.listen(receiver, kind, method)
            finally:  # its folder goes next, also where it said that it failed
                child.kill()
                child.join()
            seen += _rest(receiver)
            receiver.close()
            with place.temporary():
                found = examine(kind, place, seen)
            row = counts[kind]
            row["kills"] += 1
            row["announced"] += len(seen)
            row["lost"] += found.lost
            row["aborted_jobs"] += found.aborted
            what = f"kill {number + 1} ({kind}{method and f' {method}'})"
            problems += [f"{what}: {text}" for text in found.problems]
            progress(number + 1, f"{len(seen)} announced before {what}, {len(problems)} problems")
    total = {key: sum(row[key] for row in counts.values()) for key in ("announced", "lost", "aborted_jobs")}
    return {"kills": kills, "seed": seed, **total, "by_kind": counts, "problems": problems}


class _Pace:
    """When to kill: at moments that are random on a fast machine and on a slow one."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._takes: dict[tuple[str, str], float] = {}  # seconds

    def listen(self, receiver: Connection, kind: str, method: str) -> list[int]:
        """What the process announces until it is time to kill it: after so many announcements and some
        milliseconds, or within the time that such a job takes, and a little longer. The first one of its kind
        is watched to its end."""
        wanted = self._rng.randrange(_MOST.get(kind, 1))
        takes = self._takes.get((kind, method))
        seen: list[int] = []
        begun = deadline = time.monotonic()
        deadline += _STUCK
        waiting = True
        try:
            while receiver.poll(max(0.0, deadline - time.monotonic())):
                message = receiver.recv()
                now = time.monotonic()
                if isinstance(message, int):
                    seen.append(message)
                elif message == BEGUN:
                    begun = now
                elif message == ENDED:
                    takes = self._takes[kind, method] = now - begun
                else:
                    raise InspectorError(f"The process that is to be killed failed ({kind}): {message}")
                known = kind in _MOST or (takes is not None and message == BEGUN)
                if waiting and known and len(seen) >= wanted:
                    waiting = False
                    deadline = now + self._rng.uniform(0.0, 0.4 if kind in _MOST else 1.2 * (takes or 0.0))
        except (EOFError, OSError):
            raise InspectorError(f"The process that is to be killed died by itself ({kind}).") from None
        if waiting:
            raise InspectorError(f"The process that is to be killed is stuck ({kind}).")
        return seen


def _rest(receiver: Connection) -> list[int]:
    """Ids that lie in the pipe of a dead process; the last message may be cut off."""
    seen: list[int] = []
    try:
        while receiver.poll():
            message = receiver.recv()
            if isinstance(message, int):
                seen.append(message)
    except (EOFError, OSError):
        pass
    return seen
