"""Candidates of an evaluation measured one after another, or side by side in processes of their own."""

import logging
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.domain import CancelToken
from inspector.errors import InspectorError
from inspector.jobs.evaluation.measure import KEPT_BYTES, Bench, Candidate, Measured, Protocol

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone

_log = logging.getLogger("inspector.jobs")

Progress = Callable[[Candidate, float, float], None]
"""Candidate, how far it is taught and how far scored, both 0–1."""
Failed = Callable[[str, str], None]
Finished = Iterator[tuple[Candidate, Measured]]


def in_turns(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    backbone: "Backbone",
    progress: Progress,
    failed: Failed,
    cancel: CancelToken,
) -> Finished:
    """Each candidate as it is finished, in order."""
    bench = Bench(protocol, backbone, failed)
    for one in candidates:

        def heard(taught: float, scored: float, one: Candidate = one) -> None:
            progress(one, taught, scored)

        cancel.check()
        yield one, bench.measure(one, heard, cancel)


def side_by_side(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    weights: str | Path,
    device: str,
    dtype: Any,
    workers: int,
    progress: Progress,
    failed: Failed,
    cancel: CancelToken,
) -> Finished:
    """Each candidate as it is finished, in any order. `dtype`: of the backbone in every process.

    Every process has its share of the cores and a backbone of its own. Whatever ends this generator (the last
    candidate, an error, a cancellation) ends the processes at once, as they keep nothing. Raises InspectorError for
    a candidate that failed or a process that died.
    """
    context = multiprocessing.get_context("spawn")
    coming = iter(candidates)
    busy: dict[Connection, Candidate] = {}
    processes: list[BaseProcess] = []
    workers = min(workers, len(candidates))
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work,
                args=(theirs, protocol, weights, device, dtype, threads, KEPT_BYTES // workers),
                daemon=True,
            )
            process.start()
            processes.append(process)
            theirs.close()
            busy[ours] = one = next(coming)
            ours.send(one)
        while busy:
            cancel.check()
            ready = wait(list(busy), timeout=0.1)
            for ours, one in [(ours, one) for ours, one in busy.items() if ours in ready]:
                try:
                    kind, *told = ours.recv()
                except (EOFError, OSError) as error:
                    raise InspectorError(
                        f"{one.words}: the process that measured it ended unexpectedly.",
                        "Measure again with fewer workers; what is finished is kept.",
                    ) from error
                if kind == "progress":
                    progress(one, *told)
                elif kind == "failed":
                    failed(*told)
                elif kind == "error":
                    message, hint, trace = told
                    if trace:
                        _log.critical("%s failed in a worker:\n%s", one.words, trace)
                    raise InspectorError(message, hint)
                else:
                    following = next(coming, None)
                    if following is None:
                        del busy[ours]
                        ours.close()
                    else:
                        busy[ours] = following
                        ours.send(following)
                    yield one, told[0]
    finally:
        for ours in busy:
            ours.close()
        for started in processes:
            started.terminate()
        for started in processes:
            started.join()


def _work(
    theirs: Connection,
    protocol: Protocol,
    weights: str | Path,
    device: str,
    dtype: Any,
    threads: int,
    kept_bytes: int,
) -> None:
    """In a process of its own: measure what comes until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to hear
    one: Candidate | None = None
    try:
        from inspector.features import loading
        from inspector.features.device import limit_threads

        limit_threads(threads)
        loaded = loading.load(weights, device, dtype=dtype)
        bench = Bench(protocol, loaded, lambda key, error: theirs.send(("failed", key, error)), kept_bytes)

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
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        words = f"{one.words}: " if one else ""
        theirs.send(("error", f"{words}{reason}", "The log has the details.", traceback.format_exc()))
