"""Candidates of an evaluation measured one after another, or side by side in processes of their own."""

import logging
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.domain import CancelToken
from inspector.errors import InspectorError
from inspector.jobs.evaluation.measure import KEPT_BYTES, Bench, Measured
from inspector.jobs.evaluation.plan import Candidate, Protocol
from inspector.text import reason

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone

_log = logging.getLogger("inspector.jobs")

Finished = Iterator[tuple[Candidate, Measured]]


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what happens: `progress(candidate, taught,
    scored)`, both 0–1, and `failed(key, sentence)`."""

    progress: Callable[[Candidate, float, float], None]
    failed: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Loading:
    """How each process gets its own backbone, its share of the cores and of the memory."""

    weights: str | Path
    device: str
    dtype: Any
    threads: int = 0
    kept_bytes: int = KEPT_BYTES


def in_turns(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    backbone: "Backbone",
    listener: Listener,
    cancel: CancelToken,
) -> Finished:
    """Each candidate as it is finished, in order."""
    bench = Bench(protocol, backbone, listener.failed)
    for one in candidates:

        def heard(taught: float, scored: float, one: Candidate = one) -> None:
            listener.progress(one, taught, scored)

        cancel.check()
        yield one, bench.measure(one, heard, cancel)


def side_by_side(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    loading: Loading,
    workers: int,
    listener: Listener,
    cancel: CancelToken,
) -> Finished:
    """Each candidate as it is finished, in any order.

    Every process has its share of the cores and a backbone of its own. Whatever ends this generator (the last
    candidate, an error, a cancellation) ends the processes at once, as they keep nothing. Raises
    InspectorError for a candidate that failed or a process that died.
    """
    context: Any = multiprocessing.get_context("spawn")
    if sys.platform == "linux":  # one process imports what all need, and their memory holds it once
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["inspector.features.loading"])
    coming = iter(candidates)
    busy: dict[Connection, Candidate] = {}
    processes: list[BaseProcess] = []
    workers = min(workers, len(candidates))
    share = Loading(
        loading.weights,
        loading.device,
        loading.dtype,
        threads=max(1, (os.cpu_count() or 1) // max(1, workers)),
        kept_bytes=loading.kept_bytes // max(1, workers),
    )
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, protocol, share), daemon=True)
            process.start()
            processes.append(process)
            theirs.close()
            busy[ours] = one = next(coming)
            ours.send(one)
        while busy:
            cancel.check()
            ready = wait(list(busy), timeout=0.1)
            for ours, one in [(ours, one) for ours, one in busy.items() if ours in ready]:
                finished = _hear(ours, one, listener)
                if finished is None:
                    continue
                following = next(coming, None)
                if following is None:
                    del busy[ours]
                    ours.close()
                else:
                    busy[ours] = following
                    ours.send(following)
                yield one, finished
    finally:
        for ours in busy:
            ours.close()
        for started in processes:
            started.terminate()
        for started in processes:
            started.join()


def _hear(ours: Connection, one: Candidate, listener: Listener) -> Measured | None:
    """What a process says of its candidate; the measurement once it is done."""
    try:
        kind, *told = ours.recv()
    except (EOFError, OSError) as error:
        raise InspectorError(
            f"{one.words}: the process that measured it ended unexpectedly.",
            "Measure again with fewer workers; what is finished is kept.",
        ) from error
    if kind == "done":
        measured: Measured = told[0]
        return measured
    if kind == "progress":
        listener.progress(one, *told)
    elif kind == "failed":
        listener.failed(*told)
    else:
        message, hint, trace = told
        if trace:
            _log.critical("%s failed in a worker:\n%s", one.words, trace)
        raise InspectorError(message, hint)
    return None


def _work(theirs: Connection, protocol: Protocol, loading: Loading) -> None:
    """In a process of its own: measure what comes until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to hear
    one: Candidate | None = None
    try:
        from inspector.features.device import limit_threads
        from inspector.features.loading import load

        limit_threads(loading.threads)
        loaded = load(loading.weights, loading.device, dtype=loading.dtype)

        def failed(key: str, sentence: str) -> None:
            theirs.send(("failed", key, sentence))

        bench = Bench(protocol, loaded, failed, loading.kept_bytes)

        def heard(taught: float, scored: float) -> None:
            theirs.send(("progress", taught, scored))

        while True:
            one = theirs.recv()
            theirs.send(("done", bench.measure(one, heard, CancelToken())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent wants nothing more, or is gone
    except InspectorError as error:
        theirs.send(("error", error.message, error.hint, ""))
    except Exception as error:
        words = f"{one.words}: " if one else ""
        theirs.send(("error", f"{words}{reason(error)}", "The log has the details.", traceback.format_exc()))
