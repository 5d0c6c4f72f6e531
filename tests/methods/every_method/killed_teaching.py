"""A teaching that is killed, in a process of its own. Importable from that process."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any


def of(method: str, settings: dict[str, Any], kept: Path, stage: int) -> None:
    """Teach the small backbone of `../conftest` until the third epoch of that stage, which keeps its checkpoints in `kept`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["inspector.features.loading"])  # what takes longest to come, once
    process = context.Process(target=_teach, args=(method, settings, kept, stage))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _teach(method: str, settings: dict[str, Any], kept: Path, stage: int) -> None:
    import torch

    from inspector.domain import CancelToken
    from inspector.methods import catalogue

    torch.set_num_threads(1)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from conftest import small_clip, two_parts

    left = stage + 1

    def kill(done: float, line: str, values: object) -> None:
        nonlocal left
        left -= line.startswith("Epoch 3")
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    made: Any = catalogue.make(method, **settings)
    made.checkpoints = kept
    made.fit(two_parts(), small_clip(), progress=kill, cancel=CancelToken())
